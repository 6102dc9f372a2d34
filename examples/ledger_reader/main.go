// Reads one log of an auditlake ledger with the Go team's own library for transparency logs, and nothing of ours:
//
//	go run . <data>/ledger/<node>/collector "$(auditlake ledger key --origin <node>/collector)"
//
// It opens the checkpoint with the verifier key, reads every tile and entry bundle, and proves each entry to be in the signed tree.
// The formats are those of https://c2sp.org/tlog-tiles; docs/ledger.md says what the entries mean.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileWidth = 256

// folder gives the library a log's tiles. Its paths name the height of tiles, which tlog-tiles fixes to 8, and call entries data.
type folder string

func (f folder) Height() int                                { return 8 }
func (f folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// read returns a tile, or the beginning of the full one that took a partial one's place.
func (f folder) read(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(strings.Replace(tile.Path(), "tile/8/", "tile/", 1), "tile/data/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(string(f), path))
	if full, _, partial := strings.Cut(path, ".p/"); partial && errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(string(f), full))
		if tile.L >= 0 && len(data) >= tile.W*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
	}
	return data, err
}

// entries returns the first size entries of the log.
func (f folder) entries(size int64) ([][]byte, error) {
	var found [][]byte
	for n := int64(0); n*tileWidth < size; n++ {
		width := min(size-n*tileWidth, tileWidth)
		data, err := f.read(tlog.Tile{H: 8, L: -1, N: n, W: int(width)})
		if err != nil {
			return nil, err
		}
		for range width {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("bundle %d is cut off", n)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			found, data = append(found, data[2:end]), data[end:]
		}
	}
	return found, nil
}

// tree returns the origin and the tree of the checkpoint that the key signed.
func (f folder) tree(key string) (string, tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return "", tlog.Tree{}, err
	}
	text, err := os.ReadFile(filepath.Join(string(f), "checkpoint"))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() { // one key signs all logs of a lake, each under its own name
		return "", tlog.Tree{}, fmt.Errorf("the checkpoint is of another log, %q", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return "", tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return lines[0], tlog.Tree{N: size, Hash: root}, err
}

// check proves every entry to be in the tree, and every eighth smaller tree to be its beginning.
func check(f folder, key string) (string, error) {
	origin, tree, err := f.tree(key)
	if err != nil {
		return "", err
	}
	entries, err := f.entries(tree.N)
	if err != nil {
		return "", err
	}
	hashes := tlog.TileHashReader(tree, f)
	for n, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(n), hashes)
		if err != nil {
			return "", err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(entry)); err != nil {
			return "", fmt.Errorf("entry %d: %w", n, err)
		}
	}
	for size := int64(1); size <= tree.N; size += 8 {
		proof, err := tlog.ProveTree(tree.N, size, hashes)
		if err != nil {
			return "", err
		}
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return "", err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return "", fmt.Errorf("size %d: %w", size, err)
		}
	}
	return fmt.Sprintf("%s: %d entries are in the tree that the key signed", origin, tree.N), nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . FOLDER-OF-THE-LOG VERIFIER-KEY")
		os.Exit(2)
	}
	said, err := check(folder(os.Args[1]), os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	fmt.Println(said)
}
