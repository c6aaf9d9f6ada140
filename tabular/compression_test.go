package tabular_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/tabular"
)

func unpack(c tabular.Compression, in io.Reader) ([]byte, error) {
	r, err := tabular.Decompress(in, c)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func compressions() []tabular.Compression {
	return []tabular.Compression{tabular.Plain, tabular.Gzip, tabular.Zstd}
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := bytes.Repeat(rapid.SliceOf(rapid.Byte()).Draw(rt, "text"), rapid.IntRange(1, 1000).Draw(rt, "times"))
		kind := rapid.SampledFrom(compressions()).Draw(rt, "kind")
		data := compress(t, kind, text)
		if rapid.Bool().Draw(rt, "in two pieces") && kind != tabular.Plain {
			half := len(text) / 2
			data = append(compress(t, kind, text[:half]), compress(t, kind, text[half:])...)
		}
		got, err := unpack(kind, iotest.HalfReader(bytes.NewReader(data)))
		if err != nil || !bytes.Equal(got, text) {
			rt.Fatalf("got %d bytes and %v, want %d", len(got), err, len(text))
		}
	})
}

func TestDecompress_damage(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("customer_id,product_id\n", 1000))
	for _, kind := range []tabular.Compression{tabular.Gzip, tabular.Zstd} {
		data := compress(t, kind, text)
		flipped := bytes.Clone(data)
		flipped[len(flipped)-3] ^= 0xff
		for name, test := range map[string]struct {
			data   []byte
			reason string
		}{
			"cut short":         {data[:len(data)/2], "data are cut short"},
			"by its last bytes": {data[:len(data)-2], "data are cut short"},
			"of another kind":   {text, "it is not compressed with"},
			"damaged":           {flipped, "data are damaged"},
			"with more after":   {append(bytes.Clone(data), "customer_id,product_id\n"...), "it is not compressed with"},
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				_, err := unpack(kind, bytes.NewReader(test.data))
				if d := damage(t, err); !strings.Contains(d.Reason, test.reason) || d.Remedy == "" {
					t.Errorf("got %+v, want %q", d, test.reason)
				}
			})
		}
		t.Run(string(kind)+" of a reader that fails", func(t *testing.T) {
			t.Parallel()
			broken := errors.New("the network is down")
			_, err := unpack(kind, io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			if _, err := unpack(kind, iotest.ErrReader(broken)); !errors.Is(err, broken) {
				t.Errorf("at once: got %v", err)
			}
		})
	}
}
