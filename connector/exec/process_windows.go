package exec

import (
	"errors"
	"io/fs"
	"os"
	osexec "os/exec"
	"syscall"
)

// ownGroup does nothing: processes have no groups that could be ended at once.
func ownGroup(*osexec.Cmd) {}

// askGroup ends the process; there is no way to ask.
func askGroup(p *os.Process) { _ = p.Kill() } // it may have ended

// killGroup ends the process.
func killGroup(p *os.Process) { _ = p.Kill() } // it may have ended

// mayRun is true: whether a file can be run shows in its name, to Start.
func mayRun(fs.FileInfo) bool { return true }

// isNotProgram reports whether the system knows no way to run the file.
func isNotProgram(err error) bool {
	const errorBadExeFormat = syscall.Errno(193)
	return errors.Is(err, errorBadExeFormat)
}
