package pipeline

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/ceap-platform/ceap"
)

// Candidates wait in a spool between the source and the stages that follow. An
// entry's key is the identity (customer, subject type, subject id) and then what
// decides between rows of one identity (D14), so that sorted entries group
// duplicates with the winner first. Its data is the content, everything else
// that the row said, and then where the row came from.
//
// The names of channels and extra attributes are the same for nearly all rows
// of a source, so content refers to them through a layout.

// layout lists the names that a candidate's content leaves out.
type layout struct {
	channels []string
	extra    []string
	digest   []byte // the names, for the result hash
}

// layouts numbers the layouts of a run. It is safe for concurrent use.
type layouts struct {
	mu   sync.RWMutex
	list []*layout
}

func (l *layout) fits(c *ceap.Candidate) bool {
	if len(l.channels) != len(c.Channels) || len(l.extra) != len(c.Extra) {
		return false
	}
	for i := range c.Channels {
		if l.channels[i] != c.Channels[i].Channel {
			return false
		}
	}
	for i := range c.Extra {
		if l.extra[i] != c.Extra[i].Name {
			return false
		}
	}
	return true
}

// of returns the number of the candidate's layout, trying the number of the
// candidate before it first.
func (ls *layouts) of(c *ceap.Candidate, last int) int {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	if last < len(ls.list) && ls.list[last].fits(c) {
		return last
	}
	for i, l := range ls.list {
		if l.fits(c) {
			return i
		}
	}
	return -1
}

func (ls *layouts) add(c *ceap.Candidate) int {
	var channels, extra []string
	for _, flag := range c.Channels {
		channels = append(channels, flag.Channel)
	}
	for _, a := range c.Extra {
		extra = append(extra, a.Name)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.list = append(ls.list, newLayout(channels, extra))
	return len(ls.list) - 1
}

func newLayout(channels, extra []string) *layout {
	l := &layout{channels: channels, extra: extra}
	for _, name := range channels {
		l.digest = appendText(l.digest, name)
	}
	l.digest = append(l.digest, 0)
	for _, name := range extra {
		l.digest = appendText(l.digest, name)
	}
	return l
}

// named returns the number of the layout with these names, which it adds if
// there is none.
func (ls *layouts) named(channels, extra []string) int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for i, l := range ls.list {
		if slices.Equal(l.channels, channels) && slices.Equal(l.extra, extra) {
			return i
		}
	}
	ls.list = append(ls.list, newLayout(channels, extra))
	return len(ls.list) - 1
}

// all returns the layouts, by number.
func (ls *layouts) all() []*layout {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return slices.Clone(ls.list)
}

func (ls *layouts) get(n uint64) *layout {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	if n >= uint64(len(ls.list)) {
		return nil
	}
	return ls.list[n]
}

// encoder turns candidates into entries. It is for one goroutine; its results
// are valid until the next call.
type encoder struct {
	layouts *layouts
	last    int
	key     []byte
	data    []byte
}

// encode returns the entry of a row.
func (e *encoder) encode(c *ceap.Candidate, source int, number int64) (key, data []byte) {
	e.key = appendPart(e.key[:0], c.CustomerID)
	e.key = appendPart(e.key, c.SubjectType)
	e.key = appendPart(e.key, c.SubjectID)
	e.key = append(e.key, byte(source)) //nolint:gosec // bounded by maxSources
	e.key = binary.BigEndian.AppendUint64(e.key, ^sortable(c.EventDate.UnixMicro()))

	n := e.layouts.of(c, e.last)
	if n < 0 {
		n = e.layouts.add(c)
	}
	e.last = n
	e.data = appendContent(e.data[:0], c)
	e.data = binary.BigEndian.AppendUint64(e.data, uint64(number)) //nolint:gosec // rows count from 1
	// The layout stands last: its number may differ between two readings of the
	// same rows and must not decide between duplicates.
	e.data = binary.BigEndian.AppendUint16(e.data, uint16(n)) //nolint:gosec // bounded by maxLayouts
	return e.key, e.data
}

// maxLayouts bounds the layouts of a run. Rows get more than one only through a
// column that holds a map of channels.
const maxLayouts = math.MaxUint16

// sortable maps int64 to uint64 with the same order.
func sortable(n int64) uint64 { return uint64(n) ^ 1<<63 } //nolint:gosec // the bits are meant

// appendPart appends s so that keys sort like their parts one after the other:
// 0x00 becomes 0x00 0xFF, and 0x00 0x01 ends the part.
func appendPart(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			break
		}
		b = append(b, s[:i]...)
		b = append(b, 0, 0xFF)
		s = s[i+1:]
	}
	b = append(b, s...)
	return append(b, 0, 1)
}

// cutPart returns the first part of a key and the rest.
func cutPart(b []byte) (string, []byte) {
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0 && b[i+1] == 1 {
			part := b[:i]
			if bytes.IndexByte(part, 0) >= 0 {
				part = bytes.ReplaceAll(part, []byte{0, 0xFF}, []byte{0})
			}
			return text(part), b[i+2:]
		}
		if b[i] == 0 {
			i++ // an escaped zero byte
		}
	}
	return text(b), nil
}

// trailerLen is the length of the row's number and layout at the end of its data.
const trailerLen = 8 + 2

// originOf returns the source and number of the row that an entry holds.
func originOf(key, data []byte) (source int, number int64) {
	return int(key[len(key)-9]), int64(binary.BigEndian.Uint64(data[len(data)-trailerLen:])) //nolint:gosec // rows count from 1
}

// identityLen returns the length of a key's identity: all but the source's
// number and the event date.
func identityLen(key []byte) int { return len(key) - 9 }

// text returns a string that shares b's memory, which must not change any more.
func text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // a copy for each of a row's strings would cost more than decoding it
}

func appendContent(b []byte, c *ceap.Candidate) []byte {
	b = binary.AppendVarint(b, c.EventDate.UnixMicro())
	if c.DeliveryDate.IsZero() {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = binary.AppendVarint(b, c.DeliveryDate.UnixMicro())
	}
	b = appendText(b, c.TimingWindow)
	b = appendValue(b, c.OrderValue)
	b = appendText(b, c.Currency)
	b = appendValue(b, c.MediaEligible)
	for _, flag := range c.Channels {
		if flag.Eligible {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	for i := range c.Extra {
		b = appendValue(b, c.Extra[i].Value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v ceap.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case ceap.KindNull:
		return b
	case ceap.KindBool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case ceap.KindInt:
		return binary.AppendVarint(b, v.Int())
	case ceap.KindFloat:
		f, _ := v.Number()
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	default: // the transform has turned times into text (D22)
		return appendText(b, v.String())
	}
}

// decoder reads content. A malformed byte can only be ours, and shows as bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	x := d.b[0]
	d.b = d.b[1:]
	return x
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	x := d.b[:n]
	d.b = d.b[n:]
	return x
}

func (d *decoder) text() string {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad = true
		return ""
	}
	d.b = d.b[size:]
	return text(d.bytes(n))
}

func (d *decoder) value() ceap.Value {
	switch kind := ceap.Kind(d.byte()); kind {
	case ceap.KindNull:
		return ceap.Null()
	case ceap.KindBool:
		return ceap.Bool(d.byte() == 1)
	case ceap.KindInt:
		return ceap.Int(d.varint())
	case ceap.KindFloat:
		b := d.bytes(8)
		if b == nil {
			return ceap.Null()
		}
		return ceap.Float(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case ceap.KindDecimal:
		return ceap.Decimal(d.text())
	default:
		return ceap.String(d.text())
	}
}

// content fills c and returns the content's bytes.
func (d *decoder) content(c *ceap.Candidate, l *layout) []byte {
	start := d.b
	c.EventDate = time.UnixMicro(d.varint()).UTC()
	c.DeliveryDate = time.Time{}
	if d.byte() == 1 {
		c.DeliveryDate = time.UnixMicro(d.varint()).UTC()
	}
	c.TimingWindow = d.text()
	c.OrderValue = d.value()
	c.Currency = d.text()
	c.MediaEligible = d.value()
	c.Channels = c.Channels[:0]
	for _, channel := range l.channels {
		c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: channel, Eligible: d.byte() == 1})
	}
	c.Extra = c.Extra[:0]
	for _, name := range l.extra {
		c.Extra = append(c.Extra, ceap.Attribute{Name: name, Value: d.value()})
	}
	return start[:len(start)-len(d.b)]
}

// decode fills the row from an entry, whose bytes must not change any more.
func (r *row) decode(key, data []byte, ls *layouts) error {
	c := &r.candidate
	var rest []byte
	c.CustomerID, rest = cutPart(key)
	c.SubjectType, rest = cutPart(rest)
	c.SubjectID, rest = cutPart(rest)
	if len(rest) != 9 || len(data) < trailerLen {
		return ceap.Errorf(ceap.CodeInternal, "a spooled row has a key or data of the wrong length")
	}
	r.identity = key[:identityLen(key)]
	r.source, r.number = originOf(key, data)
	r.layout = ls.get(uint64(binary.BigEndian.Uint16(data[len(data)-2:])))
	if r.layout == nil {
		return ceap.Errorf(ceap.CodeInternal, "a spooled row names an unknown layout")
	}
	d := decoder{b: data[:len(data)-trailerLen]}
	r.content = d.content(c, r.layout)
	if d.bad || len(d.b) > 0 {
		return ceap.Errorf(ceap.CodeInternal, "a spooled row cannot be read back")
	}
	return nil
}

// appendScores and scores carry what models said through a log.
func appendScores(b []byte, c *ceap.Candidate) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.Scores)))
	for i := range c.Scores {
		s := &c.Scores[i]
		b = appendText(b, s.ModelID)
		b = appendText(b, string(s.State))
		b = appendText(b, s.Reason)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Value))
		if s.HasConfidence {
			b = append(b, 1)
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Confidence))
		} else {
			b = append(b, 0)
		}
	}
	if c.Scored {
		b = append(b, 1)
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Score))
	}
	return append(b, 0)
}

func (d *decoder) float() float64 {
	b := d.bytes(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (d *decoder) scores(c *ceap.Candidate) {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad = true
		return
	}
	d.b = d.b[size:]
	c.Scores = c.Scores[:0]
	for range n {
		s := ceap.Score{ModelID: d.text(), State: ceap.ScoreState(d.text()), Reason: d.text(), Value: d.float()}
		if d.byte() == 1 {
			s.HasConfidence, s.Confidence = true, d.float()
		}
		if d.bad {
			return
		}
		c.Scores = append(c.Scores, s)
	}
	if c.Scored = d.byte() == 1; c.Scored {
		c.Score = d.float()
	}
}
