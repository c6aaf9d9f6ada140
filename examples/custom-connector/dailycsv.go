package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is the sourceConfig in a program file. An unknown key is an error.
type Config struct {
	Folder        string                  `json:"folder" ceap:"required,nonempty" doc:"Folder with <marketplace>/<date>.csv, in the project's folder."`
	FieldMappings connector.FieldMappings `json:"fieldMappings,omitempty" doc:"Which column fills each field."`
}

// Validate returns what is wrong, with its place.
func (c Config) Validate() ceap.Problems { return c.FieldMappings.Validate() }

// Plugin describes the connector. Opening it must not touch the source.
func Plugin() plugin.Of[connector.Connector] {
	return plugin.Define("daily-csv", "rows of one CSV file a day", Config{},
		func(env plugin.Env, c Config) (connector.Connector, error) { return &dailyCSV{env.Dir, c}, nil })
}

// dailyCSV reads one file for each day of a range. In its files, \N is NULL.
type dailyCSV struct {
	dir    string
	config Config
}

// Extract opens the first day, whose header names the columns.
func (d *dailyCSV) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	s := &stream{ctx: ctx, dir: d.dir, folder: filepath.Join(d.config.Folder, req.Marketplace), day: req.Range.Start, last: req.Range.End}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Transform leaves it to the shared mapper how rows become candidates.
func (d *dailyCSV) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	return connector.NewMapper(columns, d.config.FieldMappings, req)
}

type stream struct {
	ctx         context.Context //nolint:containedctx // it spans the calls of Next
	dir, folder string
	day, last   ceap.Date
	file        *os.File
	rows        *csv.Reader
	columns     []connector.Column
	row         int64
}

// open opens the file of s.day. Nothing outside the project can be reached.
func (s *stream) open() error {
	name := filepath.Join(s.folder, s.day.String()+".csv")
	file, err := os.OpenInRoot(s.dir, name)
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "opening the rows of %s: %w", s.day, err).WithHint("export the day to %s", name)
	}
	s.file, s.rows = file, csv.NewReader(file)
	header, err := s.rows.Read()
	if err != nil {
		return errors.Join(ceap.Errorf(ceap.CodeInvalid, "reading the header of %s: %w", name, err), file.Close())
	}
	var columns []connector.Column
	for _, column := range header {
		columns = append(columns, connector.Column{Name: column})
	}
	if s.columns == nil {
		s.columns = columns
	}
	if !slices.Equal(columns, s.columns) {
		return errors.Join(ceap.Errorf(ceap.CodeInvalid, "%s has other columns than the day before", name), file.Close())
	}
	return nil
}

func (s *stream) Columns() []connector.Column { return s.columns }

// Next returns up to 1000 rows, or io.EOF after the last day.
func (s *stream) Next() ([]connector.Record, error) {
	var batch []connector.Record
	for len(batch) < 1000 {
		if err := s.ctx.Err(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.folder, err)
		}
		fields, err := s.rows.Read()
		switch {
		case errors.Is(err, io.EOF) && s.day < s.last:
			s.day = s.day.AddDays(1)
			if err := errors.Join(s.file.Close(), s.open()); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, io.EOF) && len(batch) > 0:
			return batch, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case err != nil:
			return nil, ceap.Errorf(ceap.CodeInvalid, "reading the rows of %s: %w", s.day, err)
		}
		s.row++
		values := make([]ceap.Value, len(fields))
		for i, field := range fields {
			if field != `\N` {
				values[i] = ceap.String(field)
			}
		}
		batch = append(batch, connector.Record{Row: s.row, Values: values})
	}
	return batch, nil
}

// Close may be called twice, and before the end.
func (s *stream) Close() error {
	if err := s.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
