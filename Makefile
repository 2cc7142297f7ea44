# ssh-master. `make help` lists what there is.

GO      ?= go
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
FUZZTIME ?= 5s
BIN     := bin/ssh-master
export GOFLAGS ?= -buildvcs=false

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/ssh-master
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/ssh-master

.PHONY: install
install: build ## install the program and its manual page below PREFIX
	install -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/ssh-master
	install -D -m 644 cmd/ssh-master/ssh-master.1 $(DESTDIR)$(MANDIR)/man1/ssh-master.1

.PHONY: demo
demo: build ## see it work, with nothing configured
	@.ci/need ssh
	@$(GO) run ./master/internal/demo $(BIN)

.PHONY: test
test: lint race fuzz compat-tests ## run everything that CI runs

.PHONY: lint
lint: ## gofmt, vet (Linux, macOS and FreeBSD), staticcheck, a tidy go.mod, the manual page
	@.ci/lint

.PHONY: race
race: ## run the packages' tests with the race detector
	@.ci/need gcc
	$(GO) test -race -shuffle=on -timeout 5m ./muxproto/... ./master/... ./cmd/...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

.PHONY: compat-tests
compat-tests: ## real ssh and sshd against the built program and against ssh -M
	@.ci/need ssh sshd scp sftp rsync git
	$(GO) test -timeout 10m ./compat-tests/...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
