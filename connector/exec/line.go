package exec

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader reads lines of bounded length.
type lineReader struct {
	r      *bufio.Reader
	max    int
	buf    []byte
	number int64 // of the last line, from 1
}

var errTooLong = errors.New("it is too long")

// next returns the next line without its end, and whether it had one. The line
// is valid until the next call. After the last line it returns io.EOF.
func (l *lineReader) next() (line []byte, ended bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(bytes.TrimSuffix(part, []byte("\n"))) > l.max {
			l.number++
			return nil, true, errTooLong
		}
		switch {
		case err == nil && len(l.buf) == 0:
			l.number++
			return part[:len(part)-1], true, nil
		case err == nil:
			l.number++
			l.buf = append(l.buf, part[:len(part)-1]...)
			return l.buf, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			l.buf = append(l.buf, part...)
		case errors.Is(err, io.EOF):
			l.buf = append(l.buf, part...)
			if len(l.buf) == 0 {
				return nil, false, io.EOF
			}
			l.number++
			return l.buf, false, nil
		default:
			return nil, false, err
		}
	}
}
