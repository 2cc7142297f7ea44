# ssh-master. `make help` lists what there is.

GO      ?= go
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
# Where service managers look for what a user may enable.
UNITDIR    ?= $(PREFIX)/lib/systemd/user
LAUNCHDDIR ?= /Library/LaunchAgents
BIN     := bin/ssh-master
# How many inputs each fuzz target gets (10000x), or for how long (10s).
FUZZTIME ?= 10000x

# One set of flags for all, so that what one target has compiled serves the next. Only the race detector needs cgo.
export GOFLAGS ?= -buildvcs=false -trimpath
export CGO_ENABLED ?= 0

.NOTPARALLEL:

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/ssh-master
	$(GO) build -o $(BIN) ./cmd/ssh-master

.PHONY: install
install: build ## install the program, its manual page and its service below PREFIX
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	install -m 755 $(BIN) $(DESTDIR)$(BINDIR)/ssh-master
	install -m 644 cmd/ssh-master/ssh-master.1 $(DESTDIR)$(MANDIR)/man1/ssh-master.1
	@$(MAKE) --no-print-directory install-$(if $(filter Darwin,$(shell uname)),launchd,systemd)

SERVICE := cmd/ssh-master/service
fill     = sed 's|@BINDIR@|$(BINDIR)|; s|@LAUNCHDDIR@|$(LAUNCHDDIR)|' $(SERVICE)/$(1).in >$(2)/$(1) && chmod 644 $(2)/$(1)

.PHONY: install-systemd
install-systemd: ## install the units: systemctl --user enable --now ssh-master.socket
	install -d $(DESTDIR)$(UNITDIR)
	$(call fill,ssh-master.socket,$(DESTDIR)$(UNITDIR))
	$(call fill,ssh-master.service,$(DESTDIR)$(UNITDIR))

.PHONY: install-launchd
install-launchd: ## install the agent of macOS
	install -d $(DESTDIR)$(LAUNCHDDIR)
	$(call fill,ssh-master.plist,$(DESTDIR)$(LAUNCHDDIR))

.PHONY: demo
demo: build ## see it work, with nothing configured
	@.ci/need ssh scp sftp xargs
	@$(GO) run ./master/internal/demo $(BIN)

.PHONY: test
test: ## run everything that CI runs, cheapest first
	@.ci/steps lint compat-tests compat fuzz race

.PHONY: lint
lint: ## gofmt, vet (Linux, macOS and FreeBSD), staticcheck, a tidy go.mod, the manual page
	@.ci/lint

# With -count=1: the go command does not know that these tests build the program, and would pass by its cache.
.PHONY: compat-tests
compat-tests: ## real ssh and sshd against the built program and against ssh -M
	@.ci/need ssh sshd scp sftp ssh-keygen ssh-agent rsync git stty ansible-playbook sshfs Xvfb xauth xdpyinfo \
		ip unshare setsid dropbear dropbearkey tinysshd tinysshd-makekey
	$(GO) test -count=1 -timeout 10m ./compat-tests/...

# Which rows to measure (a regular expression), and a look in two minutes instead of a measurement (QUICK=1).
ROWS  ?= .
QUICK ?=

.PHONY: bench
bench: ## measure beside ssh -M, into compat-tests/BENCHMARKS.md; ROWS=regexp for some, QUICK=1 for a look
	@.ci/need ssh sshd scp rsync
	@BENCH_QUICK=$(QUICK) BENCH_ROWS='$(filter-out .,$(value ROWS))' BENCH_WRITE=$(if $(QUICK),,BENCHMARKS.md) \
		$(GO) test -run '^$$' -bench 'Masters/($(value ROWS))' -benchtime 1x -timeout 0 ./compat-tests/

.PHONY: compat
compat: build ## the interop matrix: four releases of ssh, six servers, in containers or chroots
	@.ci/need ssh
	@compat-tests/containers/run

.PHONY: compat-images
compat-images: build ## make the images of docker-compose.yml from Debian's packages, without a registry
	@compat-tests/containers/images base

.PHONY: fuzz
fuzz: ## give each fuzz target FUZZTIME inputs
	@.ci/need ssh-keygen
	@.ci/fuzz $(FUZZTIME)

.PHONY: race
race: ## run the packages' tests with the race detector
	@CGO_ENABLED=1 .ci/need cc ssh sshd scp sftp ssh-keygen ssh-agent xargs ip
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 5m ./muxproto/... ./master/... ./cmd/...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
