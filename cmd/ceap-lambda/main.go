// Command ceap-lambda is CEAP's functions on AWS Lambda: the file bootstrap of
// their packages. Which function it is, its handler says.
package main

import (
	"os"
	_ "time/tzdata" // programs name time zones; the host need not know them

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/awslambda"
)

func main() { os.Exit(awslambda.Main(builtin.All())) }
