//go:build cgo

package duckdb

import (
	"context"
	"fmt"

	bind "github.com/duckdb/duckdb-go-bindings"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// Engine describes the embedded engine.
func Engine() warehouse.Description {
	d := describe()
	d.Open = func(env plugin.Env, s warehouse.Settings) (warehouse.Engine, error) {
		return &engine{path: root(env, s), settings: s}, nil
	}
	return d
}

// engine opens a database for each query.
type engine struct {
	path     string
	settings warehouse.Settings
}

var (
	_ warehouse.Engine    = (*engine)(nil)
	_ warehouse.Describer = (*engine)(nil)
	_ warehouse.Inspector = (*engine)(nil)
)

// Query starts the statement. Its rows keep their database until they are closed.
func (e *engine) Query(ctx context.Context, st warehouse.Statement) (warehouse.Rows, error) {
	s, err := e.open(ctx, st)
	if err != nil {
		return nil, err
	}
	prepared, columns, err := s.prepareQuery(ctx)
	if err != nil {
		err = s.failed(err)
		s.close()
		return nil, err
	}
	cursor, err := prepared.run(ctx)
	if err != nil {
		err = s.failed(err)
		prepared.close()
		s.close()
		return nil, err
	}
	return &rows{session: s, prepared: prepared, cursor: cursor, columns: typed(columns)}, nil
}

// Describe returns the statement's columns.
func (e *engine) Describe(ctx context.Context, st warehouse.Statement) ([]connector.Column, error) {
	s, err := e.open(ctx, st)
	if err != nil {
		return nil, err
	}
	defer s.close()
	prepared, columns, err := s.prepareQuery(ctx)
	if err != nil {
		return nil, s.failed(err)
	}
	prepared.close()
	return typed(columns), nil
}

// typed returns the columns with DuckDB's names of their types.
func typed(columns []column) []connector.Column {
	out := make([]connector.Column, len(columns))
	for i, c := range columns {
		out[i] = connector.Column{Name: c.name, Type: c.typeName()}
	}
	return out
}

func (c *column) typeName() string {
	names := map[bind.Type]string{
		bind.TypeBoolean: "BOOLEAN", bind.TypeTinyInt: "TINYINT", bind.TypeSmallInt: "SMALLINT", bind.TypeInteger: "INTEGER",
		bind.TypeBigInt: "BIGINT", bind.TypeUTinyInt: "UTINYINT", bind.TypeUSmallInt: "USMALLINT", bind.TypeUInteger: "UINTEGER",
		bind.TypeUBigInt: "UBIGINT", bind.TypeHugeInt: "HUGEINT", bind.TypeUHugeInt: "UHUGEINT", bind.TypeFloat: "FLOAT",
		bind.TypeDouble: "DOUBLE", bind.TypeVarchar: "VARCHAR", bind.TypeDate: "DATE", bind.TypeTimestamp: "TIMESTAMP",
		bind.TypeTimestampS: "TIMESTAMP_S", bind.TypeTimestampMS: "TIMESTAMP_MS", bind.TypeTimestampNS: "TIMESTAMP_NS",
		bind.TypeTimestampTZ: "TIMESTAMP WITH TIME ZONE", bind.TypeTime: "TIME", bind.TypeTimeTZ: "TIME WITH TIME ZONE",
		bind.TypeInterval: "INTERVAL", bind.TypeBlob: "BLOB", bind.TypeUUID: "UUID", bind.TypeEnum: "ENUM", bind.TypeList: "LIST",
		bind.TypeStruct: "STRUCT", bind.TypeMap: "MAP", bind.TypeArray: "ARRAY", bind.TypeUnion: "UNION", bind.TypeBit: "BIT",
		bind.TypeSQLNull: "NULL",
	}
	if c.typ == bind.TypeDecimal {
		return fmt.Sprintf("DECIMAL(%d,%d)", c.width, c.scale)
	}
	if name, ok := names[c.typ]; ok {
		return name
	}
	return "OTHER"
}
