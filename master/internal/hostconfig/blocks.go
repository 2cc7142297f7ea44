package hostconfig

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// A block is what stands under one Host or Match line of one file.
type block struct {
	position
	keyword string   // "host", "match", or "" for what stands before the first
	args    []string // the line's words, unquoted
	entries []entry
}

// An entry is one keyword with its value as written.
type entry struct {
	position
	key, value string
}

// A position names a line for a message.
type position struct {
	file string
	line int
}

func (p position) where() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// readBlocks reads a file in ssh_config's syntax.
//
// Package ssh_config parses it, and is spared what it cannot read or would
// read differently from OpenSSH: Host and Match lines, Include, quotes and #
// within values. These are taken from the line itself, and the parser gets a
// plain line in their place.
func readBlocks(path string) ([]block, error) {
	text, err := readTrusted(path)
	if err != nil {
		return nil, err
	}
	blocks := []block{{position: position{path, 1}}}
	entries := make(map[int]entry)
	var plain bytes.Buffer
	for i, line := range strings.Split(string(text), "\n") {
		e := entry{position: position{path, i + 1}}
		e.key, e.value = splitOption(strings.Trim(line, " \t\r\f"))
		switch key := strings.ToLower(e.key); {
		case key == "" || key[0] == '#':
		case !isKeyword(key):
			return nil, fmt.Errorf("hostconfig: %s: %s is no keyword", e.where(), printable(e.key))
		case key == "host" || key == "match":
			words, err := splitWords(e.value, true)
			if err != nil {
				return nil, fmt.Errorf("hostconfig: %s: %s %w", e.where(), e.key, err)
			}
			blocks = append(blocks, block{position: e.position, keyword: key, args: words})
			plain.WriteString("Host *")
		default:
			entries[i+1] = e
			plain.WriteString("Keyword " + key)
		}
		plain.WriteByte('\n')
	}
	return blocks, fill(blocks, entries, plain.Bytes())
}

// fill lets the parser put the entries into their blocks.
func fill(blocks []block, entries map[int]entry, plain []byte) error {
	config, err := ssh_config.DecodeBytes(plain)
	if err != nil {
		return fmt.Errorf("hostconfig: %s: %w", blocks[0].file, err)
	}
	if len(config.Hosts) != len(blocks) {
		return fmt.Errorf("hostconfig: %s: %d blocks parsed where %d stand", blocks[0].file, len(config.Hosts), len(blocks))
	}
	for i, host := range config.Hosts {
		for _, node := range host.Nodes {
			if kv, ok := node.(*ssh_config.KV); ok {
				blocks[i].entries = append(blocks[i].entries, entries[kv.Pos().Line])
			}
		}
	}
	return nil
}

// readTrusted reads a file that nobody else can have written.
func readTrusted(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("hostconfig: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("hostconfig: %w", err)
	}
	if !trusted(info) {
		return nil, fmt.Errorf("hostconfig: %s can be written by others or is not yours: chmod 600 it", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("hostconfig: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("hostconfig: %s is larger than %d bytes", path, maxFile)
	}
	return text, nil
}
