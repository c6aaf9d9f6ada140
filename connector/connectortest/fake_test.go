package connectortest_test

import (
	"errors"
	"io"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
)

func TestFake_Conformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{}, func(_ *testing.T, f connectortest.Fixture) connector.Connector {
		return connectortest.NewFake(f)
	})
}

// TestFake_ConformanceOfText runs the suite on a source that knows only text.
func TestFake_ConformanceOfText(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{Same: connectortest.SameText}, func(_ *testing.T, f connectortest.Fixture) connector.Connector {
		text := make([][]ceap.Value, len(f.Rows))
		for i, row := range f.Rows {
			for _, v := range row {
				if !v.IsNull() {
					v = ceap.String(v.String())
				}
				text[i] = append(text[i], v)
			}
		}
		f.Rows = text
		return connectortest.NewFake(f)
	})
}

func TestFake_faults(t *testing.T) {
	t.Parallel()
	broken := errors.New("the source broke")
	t.Run("Next fails after so many rows, and goes on failing", func(t *testing.T) {
		t.Parallel()
		fake := connectortest.NewFake(connectortest.Deliveries(10))
		fake.BatchSize, fake.FailAfter, fake.NextErr = 4, 6, broken
		stream, err := fake.Extract(t.Context(), connectortest.Request())
		if err != nil {
			t.Fatalf("Extract: %v", err)
		}
		rows := 0
		for range 2 {
			batch, err := stream.Next()
			if err != nil {
				t.Fatalf("Next after %d rows: %v", rows, err)
			}
			rows += len(batch)
		}
		for range 2 {
			if _, err := stream.Next(); rows != 6 || !errors.Is(err, broken) {
				t.Errorf("after %d rows: got %v", rows, err)
			}
		}
		if fake.OpenStreams() != 1 || fake.Extracts() != 1 {
			t.Errorf("got %d open streams of %d", fake.OpenStreams(), fake.Extracts())
		}
		if err := stream.Close(); err != nil || fake.OpenStreams() != 0 {
			t.Errorf("Close: %v, and %d streams are open", err, fake.OpenStreams())
		}
	})
	t.Run("Next may fail after the last row", func(t *testing.T) {
		t.Parallel()
		fake := connectortest.NewFake(connectortest.Deliveries(2))
		fake.FailAfter, fake.NextErr = 2, broken
		stream, err := fake.Extract(t.Context(), connectortest.Request())
		if err != nil {
			t.Fatalf("Extract: %v", err)
		}
		if batch, err := stream.Next(); len(batch) != 2 || err != nil {
			t.Fatalf("got %d rows and %v", len(batch), err)
		}
		if _, err := stream.Next(); !errors.Is(err, broken) || errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("records that are kept are overwritten", func(t *testing.T) {
		t.Parallel()
		fake := connectortest.NewFake(connectortest.Deliveries(2))
		fake.BatchSize = 1
		stream, err := fake.Extract(t.Context(), connectortest.Request())
		if err != nil {
			t.Fatalf("Extract: %v", err)
		}
		batch, err := stream.Next()
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		kept := batch[0].Values
		if _, err := stream.Next(); err != nil || kept[0] == ceap.String("CUST-00001") {
			t.Errorf("got %v and still %v", err, kept[0])
		}
	})
	t.Run("Extract and Transform", func(t *testing.T) {
		t.Parallel()
		fake := connectortest.NewFake(connectortest.Deliveries(2))
		fake.ExtractErr, fake.TransformErr = broken, broken
		if _, err := fake.Extract(t.Context(), connectortest.Request()); !errors.Is(err, broken) {
			t.Errorf("Extract: %v", err)
		}
		if _, err := fake.Transform(fake.Columns, connectortest.Request()); !errors.Is(err, broken) {
			t.Errorf("Transform: %v", err)
		}
	})
}
