package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// FromJSON reads one JSON value, as a machine writes it. Positions count lines
// from 1 and columns in characters. Documents that people write are read by
// internal/program, which allows more and says more about mistakes.
func FromJSON(file string, data []byte) (*Node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	r := jsonReader{file: file, data: data, dec: dec}
	node, err := r.value("")
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, ceap.Errorf(ceap.CodeInvalid, "reading JSON: there is text after the value")
	}
	return node, nil
}

type jsonReader struct {
	file   string
	data   []byte
	dec    *json.Decoder
	offset int // up to which lines have been counted
	line   int // from 0
	start  int // of the line
}

// position returns the place of the next token. It moves forward only, so that
// a document is counted once.
func (r *jsonReader) position() ceap.Position {
	rest := r.data[r.dec.InputOffset():]
	next := len(r.data) - len(bytes.TrimLeft(rest, " \t\r\n,:"))
	passed := r.data[r.offset:next]
	if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
		r.line += bytes.Count(passed, []byte("\n"))
		r.start = r.offset + i + 1
	}
	r.offset = next
	return ceap.Position{File: r.file, Line: r.line + 1, Column: 1 + utf8.RuneCount(r.data[r.start:next])}
}

func (r *jsonReader) value(path string) (*Node, error) {
	n := &Node{Pos: r.position(), Path: path}
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case bool:
		n.Kind, n.Text = NodeBool, fmt.Sprint(token)
	case json.Number:
		n.Kind, n.Text = NodeNumber, token.String()
	case string:
		n.Kind, n.Text = NodeString, token
	case json.Delim:
		return n, r.inside(n, token)
	}
	return n, nil
}

// inside reads the list or object that the delimiter has opened.
func (r *jsonReader) inside(n *Node, open json.Delim) error {
	n.Kind = NodeList
	if open == '{' {
		n.Kind = NodeObject
	}
	for r.dec.More() {
		path, key := PathIndex(n.Path, len(n.Items)), Field{}
		if n.Kind == NodeObject {
			key.Pos = r.position()
			token, err := r.dec.Token()
			if err != nil {
				return err
			}
			key.Name, _ = token.(string) // the decoder allows no other key
			path = PathKey(n.Path, key.Name)
		}
		child, err := r.value(path)
		if err != nil {
			return err
		}
		if n.Kind == NodeObject {
			key.Value = child
			n.Fields = append(n.Fields, key)
		} else {
			n.Items = append(n.Items, child)
		}
	}
	_, err := r.dec.Token()
	return err
}
