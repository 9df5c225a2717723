package main

// Receipts: the proof that an entry is in a log, and what the entry says.

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// entry is what we read of a leaf.
type entry struct {
	Action string
	At     string
	Object struct{ ID, Kind string }
	Detail struct{ Words string }
}

// proven is a receipt whose proof is good.
type proven struct {
	point *point
	index int64
	entry entry
	salt  string
}

func (p *proven) place() int64 {
	if p == nil {
		return 0
	}
	return p.index
}

func (p *proven) origin() string {
	if p == nil {
		return ""
	}
	return p.point.name()
}

func (p *proven) size() int64 {
	if p == nil {
		return 0
	}
	return p.point.size()
}

// receipt reads a receipt and checks its proof.
func (t *trust) receipt(file string) (*proven, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	var given struct{ Entry, Salt, Proof string }
	if json.Unmarshal(data, &given) != nil || given.Proof == "" {
		given.Proof = string(data)
	}
	rest := given.Proof
	next := func() (line string) {
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		}
		return line
	}
	if next() != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("the receipt: the file is none")
	}
	line := next()
	if strings.HasPrefix(line, "extra ") {
		extra, err := base64.StdEncoding.DecodeString(line[len("extra "):])
		if err != nil {
			return nil, fmt.Errorf("the receipt: its extra line cannot be read: %v", err)
		}
		var within struct{ Entry, Salt string }
		if err := json.Unmarshal(extra, &within); err != nil {
			return nil, fmt.Errorf("the receipt: its extra line cannot be read: %v", err)
		}
		if given.Entry == "" {
			given.Entry, given.Salt = within.Entry, within.Salt
		}
		if given.Entry != within.Entry || given.Salt != within.Salt {
			return nil, wrongf("the receipt: it says two different things about its entry")
		}
		line = next()
	}
	number := strings.TrimPrefix(line, "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || line == number || index < 0 || strconv.FormatInt(index, 10) != number {
		return nil, fmt.Errorf("the receipt: %q names no place", line)
	}
	var hashes tlog.RecordProof
	for line = next(); line != ""; line = next() {
		hash, err := tlog.ParseHash(line)
		if err != nil || len(hashes) == 63 {
			return nil, fmt.Errorf("the receipt: %q is no line of a proof", line)
		}
		hashes = append(hashes, hash)
	}
	signed, err := t.open("the receipt's checkpoint", rest)
	if err != nil {
		return nil, err
	}
	if index >= signed.tree.N {
		return nil, wrongf("the receipt: there is no entry %d among %d", index, signed.tree.N)
	}
	p := &proven{point: signed, index: index, salt: given.Salt}
	leaf := tlog.RecordHash([]byte(given.Entry))
	if err := tlog.CheckRecord(hashes, signed.tree.N, signed.tree.Hash, index, leaf); err != nil {
		return nil, wrongf("the receipt: its entry is not in the tree that the log signed (%v)", err)
	}
	if err := json.Unmarshal([]byte(given.Entry), &p.entry); err != nil {
		return nil, wrongf("the receipt: its entry is in the log, but cannot be read (%v)", err)
	}
	return p, nil
}

// matches checks that the entry is about the arrival of a complaint.
func (p *proven) matches() error {
	arrived := p.entry.Action == "complaint.received" || p.entry.Action == "complaint.imported"
	if !arrived || p.entry.Object.Kind != "complaint" {
		return wrongf("the entry: it is not about the arrival of a complaint, but says %q", p.entry.Action)
	}
	return nil
}

// said checks that the entry commits to the words in a file.
func (p *proven) said(file string) error {
	words, err := readFile(file)
	if err != nil {
		return fmt.Errorf("the words: %w", err)
	}
	if p.entry.Detail.Words == "" {
		return errors.New("the words: the entry holds no fingerprint of any")
	}
	salt, err := hex.DecodeString(p.salt)
	if err != nil || len(salt) != 32 {
		return errors.New("the words: the receipt holds no salt of 32 bytes")
	}
	// Editors end a file with a line break that nobody typed.
	for _, tried := range [][]byte{words, bytes.TrimSuffix(bytes.TrimSuffix(words, []byte("\n")), []byte("\r"))} {
		digest := sha256.Sum256(append(salt[:32:32], tried...))
		if hex.EncodeToString(digest[:]) == p.entry.Detail.Words {
			return nil
		}
	}
	return wrongf("the words: those in the file are not the ones that were handed in, to the letter")
}
