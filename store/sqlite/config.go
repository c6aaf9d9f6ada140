package sqlite

import (
	"context"
	"path/filepath"

	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// Config holds the store's settings.
type Config struct {
	// Path is the database file, relative to the project's folder. Its folder is
	// made if need be. Artefacts of runs lie in the folder `artifacts` beside it.
	Path string `json:"path" doc:"The database file, relative to the project's folder."`
	// CacheMB bounds the page cache of the writing connection, in MiB. More makes
	// writes into a large store faster.
	CacheMB int `json:"cacheMB" doc:"Page cache of the writing connection, in MiB." ceap:"min=8,max=65536"`
}

// Default returns the settings of a store that none are given for.
func Default() Config { return Config{Path: ".ceap/ceap.db", CacheMB: 128} }

// Plugin describes the store.
func Plugin() plugin.Of[store.Roles] {
	return plugin.Define("sqlite", "keeps everything in one SQLite file", Default(),
		func(env plugin.Env, c Config) (store.Roles, error) {
			path := c.Path
			if !filepath.IsAbs(path) {
				path = filepath.Join(env.Dir, path)
			}
			return open(context.Background(), path, c.CacheMB)
		})
}
