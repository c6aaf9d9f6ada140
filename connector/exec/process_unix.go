//go:build unix

package exec

import (
	"errors"
	"io/fs"
	"os"
	osexec "os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own, which its children
// share, so that all of them can be ended at once.
func ownGroup(cmd *osexec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// askGroup asks the process and its children to end.
func askGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) } // there may be nobody left

// killGroup ends the process and its children.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) } // there may be nobody left

func mayRun(info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// isNotProgram reports whether the system knows no way to run the file.
func isNotProgram(err error) bool { return errors.Is(err, syscall.ENOEXEC) }
