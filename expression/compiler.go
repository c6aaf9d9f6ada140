package expression

import (
	"errors"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
)

// Compiler compiles the expressions of a configuration and gathers what is wrong
// with them, so that all problems are told at once. Err is asked at the end. It
// is not safe for concurrent use.
type Compiler struct {
	Now      time.Time // the run's clock
	problems ceap.Problems
	err      error
}

// Compile returns the program of the expression that stands at path, such as
// rules[0].when, or nil if there is none.
func (c *Compiler) Compile(path, source string, kind Kind) *Program {
	program, err := Compile(source, kind, c.Now)
	if fault, ok := errors.AsType[*Error](err); ok {
		c.problems = append(c.problems, fault.Problems(path)...)
		return nil
	}
	if err != nil {
		c.err = errors.Join(c.err, fmt.Errorf("compiling %s: %w", path, err))
		return nil
	}
	return program
}

// CompileForModel is Compile for the settings of a model, where reading a score
// is a problem.
func (c *Compiler) CompileForModel(path, source string, kind Kind) *Program {
	program := c.Compile(path, source, kind)
	if program != nil && len(program.ReadsScores()) > 0 {
		// I26: models score independently.
		c.problems = append(c.problems, ceap.Problem{
			Path: path, Message: "a model cannot read score or scores: models score independently of one another",
			Hint: "combine models by their weight",
		})
	}
	return program
}

// Err returns [ceap.Problems] with the faults of all expressions, by path; nil
// if every one has a program. Another error is no fault of an expression.
func (c *Compiler) Err() error {
	if c.err != nil {
		return c.err
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}
