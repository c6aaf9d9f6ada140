// Command my-ceap is ceap with one connector more.
package main

import (
	"os"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
)

func main() { os.Exit(cli.Main(builtin.All().With(Plugin()))) }
