// Command ceap finds the customers to contact, and says why. `ceap --help` lists
// its commands.
package main

import (
	"os"
	_ "time/tzdata" // programs name time zones; the host need not know them

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
)

func main() { os.Exit(cli.Main(builtin.All())) }
