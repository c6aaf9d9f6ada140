// Package duckdb is the embedded engine of the warehouse connector: it runs a
// query over local files with DuckDB, in this process.
//
// # Layout
//
// The warehouse folder holds a folder for each database, and a database holds
// its tables: a folder of files, with Hive partition folders (key=value) below
// it, or a single file named for the table. Files are Parquet (.parquet), CSV
// (.csv) or JSON (.json, .jsonl, .ndjson), the latter two also with .gz; one
// table has files of one kind. Names that start with "." or "_" are left out.
// Values of partitions are text, unless _schema.sql says otherwise.
//
// # Types
//
// Parquet files bring their types. A column of CSV files is BIGINT, DOUBLE,
// DECIMAL or BOOLEAN if that changes the text of no value in any file, else
// VARCHAR: leading zeros survive, and dates stay text. An unquoted empty field is
// NULL, a quoted one empty text. A column of JSON files is what its values are.
// A file _schema.sql in the table's folder, holding the table's CREATE EXTERNAL
// TABLE, decides names and types instead. A value that cannot be read as its
// declared type is an error with file and line; Athena would make it NULL.
//
// # Sealing
//
// Each query has a database of its own, in memory, which contains just the
// tables that the query names. The query's syntax tree is checked against a list
// of what it may read, and the database is locked before the query is prepared:
// no other file, no network, no extension, no setting. It is no sandbox against
// an attacker who may write programs at will; run those in a process of their own.
//
// Everything here is safe for concurrent use.
package duckdb

import (
	"path/filepath"

	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// describe returns what both builds say about the engine.
func describe() warehouse.Description {
	return warehouse.Description{
		Name:   "duckdb",
		Style:  warehouse.Named,
		Unused: []string{"resultsBucket", "resultsPrefix", "workGroup"},
	}
}

// root returns the warehouse folder.
func root(env plugin.Env, s warehouse.Settings) string {
	if filepath.IsAbs(s.Path) {
		return filepath.Clean(s.Path)
	}
	return filepath.Join(env.Dir, s.Path)
}
