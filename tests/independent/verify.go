// Verifies a log of Temwen from outside, and a receipt, without any of Temwen's code.
//
// It is built from Go's own packages for such logs, golang.org/x/mod/sumdb/note and .../tlog, as Debian carries them:
//
//	apt-get install golang-go golang-golang-x-mod-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o verify *.go
//
// The formats are those of C2SP: signed-note, tlog-checkpoint, tlog-tiles, tlog-proof, tlog-cosignature.
// Exit codes: 0 all is well, 1 something is wrong and named, 2 it could not be checked.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	noteLimit  = 64 << 10
	fileLimit  = 1 << 20
)

// wrong is what was found to be wrong: exit code 1. Any other error is something that could not be checked: 2.
type wrong struct{ says string }

func (w wrong) Error() string { return w.says }

func wrongf(format string, values ...interface{}) error { return wrong{fmt.Sprintf(format, values...)} }

type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var keys, witnesses list
	where := flag.String("log", "", "the log's `prefix`: a URL such as https://temwen.example/v1/log, or a directory")
	flag.Var(&keys, "key", "the log's verifier `key`, or a file of such lines; may be repeated")
	old := flag.String("old", "", "a checkpoint `file` that you kept: the log must have grown from it")
	receipt := flag.String("receipt", "", "a receipt `file`, JSON or .tlog-proof")
	words := flag.String("words", "", "a `file` with your words, exactly as you handed them in")
	flag.Var(&witnesses, "witness", "the verifier `key` of a witness whom you trust; may be repeated")
	needed := flag.Int("witnesses-needed", 0, "how many of those witnesses must have signed")
	save := flag.String("save", "", "write the log's checkpoint to this `file`, if all is well")
	flag.Parse()
	if len(keys) == 0 || *where == "" && *receipt == "" || flag.NArg() > 0 || *words != "" && *receipt == "" {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(run(*where, keys, *old, *receipt, *words, witnesses, *needed, *save))
}

func run(where string, keys []string, old, receipt, words string, witnesses []string, needed int, save string) int {
	code := 0
	// A step that fails does not stop those that do not build on it. Wrong weighs more than unknown.
	tell := func(said string, err error) bool {
		var found wrong
		switch {
		case err == nil:
			fmt.Println("ok            " + said)
			return true
		case errors.As(err, &found):
			fmt.Println("WRONG         " + err.Error())
			code = 1
		default:
			fmt.Println("cannot check  " + err.Error())
			if code == 0 {
				code = 2
			}
		}
		return false
	}

	trusted, err := newTrust(keys, witnesses, needed)
	if err != nil {
		tell("", err)
		return code
	}
	var proof *proven
	if receipt != "" {
		proof, err = trusted.receipt(receipt)
		if tell(fmt.Sprintf("the receipt: entry %d of %q is in the tree of %d entries that the log signed", proof.place(), proof.origin(), proof.size()), err) {
			tell(fmt.Sprintf("the entry: %s of %s at %s, by the log's own clock", proof.entry.Action, proof.entry.Object.ID, proof.entry.At), proof.matches())
			tell("the receipt's witnesses: "+proof.point.witnesses(), trusted.enough(proof.point))
			if words != "" {
				tell("the words: they are exactly those that were handed in", proof.said(words))
			}
		} else {
			proof = nil
		}
	}
	if where == "" {
		return code
	}

	source := &tiles{where: strings.TrimSuffix(where, "/")}
	now, err := trusted.fetched(source)
	if !tell(fmt.Sprintf("the checkpoint: %q signed a tree of %d entries", now.name(), now.size()), err) {
		return code
	}
	tell("the checkpoint's witnesses: "+now.witnesses(), trusted.enough(now))
	count, err := recompute(now.tree, source)
	whole := tell(fmt.Sprintf("the tiles: %d of them give exactly the root that was signed", count), err)
	// Go's reader of tiles, before x/mod v0.40.0, does not check every tile that it uses (CVE-2026-56865). So no
	// proof of growth is made unless all tiles were found to be good above; and it counts only if it leads to both roots.
	sameLog := func(before *point) error {
		if !whole && 0 < before.tree.N && before.tree.N < now.tree.N {
			return errors.New("how the log grew: that cannot be told without good tiles")
		}
		return grown(before, now, source)
	}
	if old != "" {
		before, err := trusted.kept(old)
		if tell(fmt.Sprintf("the old checkpoint: %q signed a tree of %d entries", before.name(), before.size()), err) {
			tell(fmt.Sprintf("the log grew from %d to %d entries, and nothing before was changed", before.size(), now.size()), sameLog(before))
		}
	}
	if proof != nil {
		tell("the log still holds all that it held when it gave the receipt", sameLog(proof.point))
	}
	if save != "" && whole && code == 0 {
		if err := os.WriteFile(save, []byte(now.text), 0o644); err != nil {
			tell("", err)
		}
	}
	return code
}

// point is a checkpoint whose signature is good.
type point struct {
	origin string
	tree   tlog.Tree
	text   string
	seen   []string // the witnesses whose cosignatures are good, and when they saw it
}

func (p *point) name() string {
	if p == nil {
		return ""
	}
	return p.origin
}

func (p *point) size() int64 {
	if p == nil {
		return 0
	}
	return p.tree.N
}

func (p *point) witnesses() string {
	if p == nil || len(p.seen) == 0 {
		return "none that you named"
	}
	return strings.Join(p.seen, ", ")
}

// trust is whom the caller trusts.
type trust struct {
	logs      map[string]bool // their names
	verifiers note.Verifiers
	needed    int
}

func newTrust(keys, witnesses []string, needed int) (*trust, error) {
	t := &trust{logs: map[string]bool{}, needed: needed}
	if needed > len(witnesses) {
		return nil, fmt.Errorf("%d witnesses are needed, but you named %d", needed, len(witnesses))
	}
	var all []note.Verifier
	for _, given := range keys {
		lines := given
		if !strings.Contains(given, "+") || fileExists(given) {
			text, err := os.ReadFile(given)
			if err != nil {
				return nil, fmt.Errorf("the key %q is neither a verifier key nor a file: %v", given, err)
			}
			lines = string(text)
		}
		for _, line := range strings.Fields(lines) {
			v, err := note.NewVerifier(line)
			if err != nil {
				return nil, fmt.Errorf("%q is no verifier key: %v", line, err)
			}
			t.logs[v.Name()] = true
			all = append(all, v)
		}
	}
	for _, line := range witnesses {
		v, err := newCosigner(line)
		if err != nil {
			return nil, fmt.Errorf("%q is no witness's verifier key: %v", line, err)
		}
		all = append(all, v)
	}
	t.verifiers = note.VerifierList(all...)
	return t, nil
}

// open checks the signatures of a checkpoint and reads it.
func (t *trust) open(what, text string) (*point, error) {
	opened, err := note.Open([]byte(text), t.verifiers)
	if err != nil {
		return nil, wrongf("%s: not signed by the key that you gave, or changed since (%v)", what, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] == "" {
		return nil, wrongf("%s: must be three lines, has %d", what, len(lines)-1)
	}
	p := &point{origin: lines[0], text: text}
	if p.tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || p.tree.N < 0 || strconv.FormatInt(p.tree.N, 10) != lines[1] {
		return nil, wrongf("%s: %q is no size", what, lines[1])
	}
	if p.tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		return nil, wrongf("%s: %q is no root", what, lines[2])
	}
	signed := false
	for _, signature := range opened.Sigs {
		if t.logs[signature.Name] {
			signed = signed || signature.Name == p.origin
			continue
		}
		raw, _ := base64.StdEncoding.DecodeString(signature.Base64)
		at := time.Unix(int64(binary.BigEndian.Uint64(raw[4:12])), 0).UTC()
		p.seen = append(p.seen, fmt.Sprintf("%s at %s", signature.Name, at.Format(time.RFC3339)))
	}
	if !signed {
		return nil, wrongf("%s: the log %q did not sign it with the key that you gave", what, p.origin)
	}
	return p, nil
}

func (t *trust) enough(p *point) error {
	if len(p.seen) < t.needed {
		return wrongf("%d of your witnesses signed the tree of %d entries, %d are needed", len(p.seen), p.tree.N, t.needed)
	}
	return nil
}

func (t *trust) fetched(source *tiles) (*point, error) {
	text, err := source.get("checkpoint", noteLimit)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint: %w", err)
	}
	return t.open("the checkpoint", string(text))
}

func (t *trust) kept(file string) (*point, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("the old checkpoint: %w", err)
	}
	return t.open("the old checkpoint", string(text))
}

// cosigner verifies the signatures of a witness: Ed25519 with a time, type 0x04 of signed-note.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(line string) (note.Verifier, error) {
	parts := strings.SplitN(line, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("it needs a name, an id and a key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("it is not of type 4, Ed25519 with a time")
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if hex.EncodeToString(digest[:4]) != parts[1] {
		return nil, errors.New("its id does not fit its key")
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(digest[:4]), key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.id }
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, text)
	return at < 1<<63 && ed25519.Verify(c.key, []byte(signed), signature[8:])
}

// grown checks that the second tree holds all of the first, in its place.
func grown(before, now *point, source *tiles) error {
	switch {
	case before.origin != now.origin:
		return wrongf("these are two logs: %q and %q", before.origin, now.origin)
	case before.tree.N > now.tree.N:
		return wrongf("ROLLBACK: the log once held %d entries, now %d", before.tree.N, now.tree.N)
	case before.tree.N == now.tree.N && before.tree.Hash != now.tree.Hash:
		return wrongf("FORK: the log signed two different trees of %d entries", now.tree.N)
	case before.tree.N == now.tree.N || before.tree.N == 0:
		return nil
	}
	// Every tile that the proof is made of is checked against the root that was signed.
	proof, err := tlog.ProveTree(now.tree.N, before.tree.N, tlog.TileHashReader(now.tree, source))
	if err != nil {
		return fmt.Errorf("the proof that the log only grew: %w", source.cause(err))
	}
	if err := tlog.CheckTree(proof, now.tree.N, now.tree.Hash, before.tree.N, before.tree.Hash); err != nil {
		return wrongf("FORK: the first %d entries are not those that the log once signed (%v)", before.tree.N, err)
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, fileLimit+1))
	if err == nil && len(data) > fileLimit {
		err = fmt.Errorf("%s is longer than %d bytes", path, fileLimit)
	}
	return data, err
}
