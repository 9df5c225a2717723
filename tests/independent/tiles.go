package main

// Tiles: what the log serves, and the root that follows from it.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// tiles fetches what a log serves. It is a tlog.TileReader.
type tiles struct {
	where  string
	client http.Client
	failed error
}

// get fetches a path below the prefix. What is not there is wrong: a log must serve what it signed.
func (s *tiles) get(path string, limit int64) ([]byte, error) {
	if !strings.Contains(s.where, "://") {
		data, err := os.ReadFile(filepath.Join(s.where, filepath.FromSlash(path)))
		if errors.Is(err, os.ErrNotExist) {
			return nil, wrongf("%s is missing", path)
		}
		return data, err
	}
	s.client.Timeout = 30 * time.Second
	response, err := s.client.Get(s.where + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		return nil, wrongf("%s is missing (HTTP %d)", path, response.StatusCode)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the server answers HTTP %d", path, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = wrongf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}

// tile fetches the first width hashes of a tile.
func (s *tiles) tile(level int, index int64, width int) ([]byte, error) {
	// Go names the height in the path, C2SP does not: tile/8/0/000 there is tile/0/000 here.
	path := func(width int) string {
		full := tlog.Tile{H: tileHeight, L: level, N: index, W: width}.Path()
		return "tile/" + strings.TrimPrefix(full, fmt.Sprintf("tile/%d/", tileHeight))
	}
	data, err := s.get(path(width), tileWidth*tlog.HashSize)
	var missing wrong
	if errors.As(err, &missing) && width < tileWidth {
		// The tile may have been filled since.
		if full, again := s.get(path(tileWidth), tileWidth*tlog.HashSize); again == nil && len(full) == tileWidth*tlog.HashSize {
			return full[:width*tlog.HashSize], nil
		}
	}
	if err == nil && len(data) != width*tlog.HashSize {
		err = wrongf("%s has %d bytes, must have %d", path(width), len(data), width*tlog.HashSize)
	}
	return data, err
}

func (s *tiles) Height() int { return tileHeight }

func (s *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range wanted {
		data, err := s.tile(t.L, t.N, t.W)
		if err != nil {
			s.failed = err
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (s *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// cause tells a tile that could not be had from one that does not fit the root.
func (s *tiles) cause(err error) error {
	if s.failed != nil {
		return s.failed
	}
	return wrong{err.Error()}
}

// recompute reads every tile of every level once, makes the levels above from the leaves, and compares. It keeps one tile
// of each level in memory. It answers how many tiles there are.
func recompute(tree tlog.Tree, source *tiles) (int, error) {
	if tree.N == 0 {
		if tree.Hash != tlog.Hash(sha256.Sum256(nil)) {
			return 0, wrongf("the tree is empty, but the root is not that of an empty tree")
		}
		return 0, nil
	}
	type level struct {
		begun []byte // the hashes of the tile in hand
		index int64  // which tile that is
	}
	var levels []level
	count := 0
	// Compares the tile in hand with what the log serves. Level 0 is what the log serves.
	compare := func(l int) error {
		count++
		if l == 0 {
			return nil
		}
		served, err := source.tile(l, levels[l].index, len(levels[l].begun)/tlog.HashSize)
		if err == nil && !bytes.Equal(served, levels[l].begun) {
			err = wrongf("the tile %d of level %d is not made of the tiles below it", levels[l].index, l)
		}
		return err
	}
	add := func(hash tlog.Hash) error {
		for l := 0; ; l++ {
			if l == len(levels) {
				levels = append(levels, level{})
			}
			levels[l].begun = append(levels[l].begun, hash[:]...)
			if len(levels[l].begun) < tileWidth*tlog.HashSize {
				return nil
			}
			if err := compare(l); err != nil {
				return err
			}
			hash = fold(levels[l].begun)
			levels[l].begun = levels[l].begun[:0]
			levels[l].index++
		}
	}
	for first := int64(0); first < tree.N; first += tileWidth {
		width := tileWidth
		if tree.N-first < tileWidth {
			width = int(tree.N - first)
		}
		data, err := source.tile(0, first/tileWidth, width)
		if err != nil {
			return 0, err
		}
		for ; len(data) > 0; data = data[tlog.HashSize:] {
			var hash tlog.Hash
			copy(hash[:], data)
			if err := add(hash); err != nil {
				return 0, err
			}
		}
	}
	// The root: the unfinished tiles from the lowest level up, each of which stands to the right of the next.
	var root *tlog.Hash
	for l := range levels {
		begun := levels[l].begun
		if len(begun) == 0 {
			continue
		}
		if err := compare(l); err != nil {
			return 0, err
		}
		for _, hash := range peaks(begun) {
			if root == nil {
				whole := hash
				root = &whole
			} else {
				whole := tlog.NodeHash(hash, *root)
				root = &whole
			}
		}
	}
	if root == nil || *root != tree.Hash {
		return 0, wrongf("the tiles give another root than the one that was signed")
	}
	return count, nil
}

// fold is the root of a power of two of hashes.
func fold(hashes []byte) tlog.Hash {
	if len(hashes) == tlog.HashSize {
		var hash tlog.Hash
		copy(hash[:], hashes)
		return hash
	}
	half := len(hashes) / 2
	return tlog.NodeHash(fold(hashes[:half]), fold(hashes[half:]))
}

// peaks are the roots of the complete trees that some hashes consist of, the smallest and rightmost first.
func peaks(hashes []byte) []tlog.Hash {
	var all []tlog.Hash
	for size := tlog.HashSize; len(hashes) > 0; size *= 2 {
		if len(hashes)/size%2 == 1 {
			all = append(all, fold(hashes[len(hashes)-size:]))
			hashes = hashes[:len(hashes)-size]
		}
	}
	return all
}
