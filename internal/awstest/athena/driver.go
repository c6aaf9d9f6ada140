//go:build cgo

package athena

import _ "github.com/duckdb/duckdb-go/v2" // the SQL engine; without it New fails
