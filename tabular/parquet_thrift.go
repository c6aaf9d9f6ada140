package tabular

import (
	"encoding/binary"
	"errors"
)

// The types of the compact protocol, from the Thrift specification.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
	thriftUUID
)

// Bounds of what a file says about itself. A decoder reserves room for what a
// list says of its length.
const (
	maxThriftDepth    = 32
	maxThriftList     = 1 << 16 // parquet-go allows 32,767 row groups and 65,534 columns
	maxThriftElements = 1 << 20
)

var (
	errThriftShort = errors.New("it ends in the middle")
	errThriftLarge = errors.New("it says that it is larger than can be")
)

// thriftSize returns how many bytes the struct at the start of data takes. It
// returns an error for one that ends early, or whose lengths are beyond its end.
func thriftSize(data []byte) (int, error) {
	s := &thriftScanner{data: data}
	if err := s.object(0); err != nil {
		return 0, err
	}
	return s.at, nil
}

// thriftScanner passes over values of the compact protocol.
type thriftScanner struct {
	data     []byte
	at       int
	elements int
}

func (s *thriftScanner) byte() (byte, error) {
	if s.at >= len(s.data) {
		return 0, errThriftShort
	}
	s.at++
	return s.data[s.at-1], nil
}

func (s *thriftScanner) varint() (uint64, error) {
	v, n := binary.Uvarint(s.data[s.at:])
	if n <= 0 {
		return 0, errThriftShort
	}
	s.at += n
	return v, nil
}

func (s *thriftScanner) skip(n uint64) error {
	if n > uint64(len(s.data)-s.at) { //nolint:gosec // at never passes the end
		return errThriftShort
	}
	s.at += int(n) //nolint:gosec // bounded above
	return nil
}

func (s *thriftScanner) object(depth int) error {
	if depth > maxThriftDepth {
		return errThriftLarge
	}
	for {
		head, err := s.byte()
		if err != nil || head == thriftStop {
			return err
		}
		if head>>4 == 0 { // the field's number is not the last one's plus a little
			if _, err := s.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse {
			if err := s.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (s *thriftScanner) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := s.varint()
		return err
	case thriftDouble:
		return s.skip(8)
	case thriftUUID:
		return s.skip(16)
	case thriftBinary:
		n, err := s.varint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thriftList, thriftSet:
		return s.list(depth)
	case thriftMap:
		return s.pairs(depth)
	case thriftStruct:
		return s.object(depth + 1)
	default:
		return errThriftLarge
	}
}

func (s *thriftScanner) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.varint(); err != nil {
			return err
		}
	}
	return s.items(n, depth, head&15)
}

func (s *thriftScanner) pairs(depth int) error {
	n, err := s.varint()
	if err != nil || n == 0 {
		return err
	}
	head, err := s.byte()
	if err != nil {
		return err
	}
	return s.items(n, depth, head>>4, head&15)
}

// items passes over n items, each of which consists of values of these kinds.
func (s *thriftScanner) items(n uint64, depth int, kinds ...byte) error {
	if n > maxThriftList || depth > maxThriftDepth {
		return errThriftLarge
	}
	if s.elements += int(n); s.elements > maxThriftElements {
		return errThriftLarge
	}
	for range n {
		for _, kind := range kinds {
			if err := s.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
