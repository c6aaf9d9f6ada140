//go:build cgo

package docs_test

import (
	"errors"
	"os"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// plainDuckDB runs a query as any DuckDB does, and returns the answer as CSV. It
// needs the name of a file that it may write.
func plainDuckDB(sql, file string) (string, error) {
	var db bindings.Database
	if bindings.Open(":memory:", &db) == bindings.StateError {
		return "", errors.New("opening DuckDB")
	}
	defer bindings.Close(&db)
	var conn bindings.Connection
	if bindings.Connect(db, &conn) == bindings.StateError {
		return "", errors.New("connecting to DuckDB")
	}
	defer bindings.Disconnect(&conn)
	var result bindings.Result
	copied := "COPY (" + sql + ") TO '" + strings.ReplaceAll(file, "'", "''") + "' (HEADER)"
	state := bindings.Query(conn, copied, &result)
	defer bindings.DestroyResult(&result)
	if state == bindings.StateError {
		return "", errors.New(bindings.ResultError(&result))
	}
	data, err := os.ReadFile(file)
	return string(data), err
}
