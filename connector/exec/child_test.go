//go:build unix

package exec_test

import (
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary the command that the tests run, when its first
// argument is "child". Every other test must leave no goroutine.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		syscall.Exit(child(os.Args[2:])) // at once: the detectors of races and coverage have a say in os.Exit
	}
	goleak.VerifyTestMain(m)
}

// self returns the test binary.
func self() string {
	file, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return file
}

// child does what its arguments say, one after the other, and returns the exit
// status.
func child(steps []string) int {
	for _, step := range steps {
		verb, rest, _ := strings.Cut(step, " ")
		if status, done := childStep(verb, rest); done {
			return status
		}
	}
	return 0
}

func childStep(verb, rest string) (status int, done bool) {
	switch verb {
	case "print": // with \n and the like
		text, err := strconv.Unquote(`"` + rest + `"`)
		if err != nil {
			panic(err)
		}
		say(text)
	case "line":
		say(rest + "\n")
	case "lines": // lines COUNT TEXT, where # is the number from 0
		count, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			panic(err)
		}
		for i := range n {
			say(strings.ReplaceAll(text, "#", strconv.Itoa(i)) + "\n")
		}
	case "cat":
		data, err := os.ReadFile(rest)
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.Write(data)
	case "stdin":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "env":
		for _, variable := range os.Environ() {
			name, value, _ := strings.Cut(variable, "=")
			say(fmt.Sprintf("{\"name\":%q,\"value\":%q}\n", name, value))
		}
	case "dir":
		dir, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		say(fmt.Sprintf("{\"dir\":%q}\n", dir))
	case "complain":
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(rest, `\n`, "\n"))
	case "exit":
		status, err := strconv.Atoi(rest)
		if err != nil {
			panic(err)
		}
		return status, true
	case "hang": // until it is told to end
		told := make(chan os.Signal, 1)
		signal.Notify(told, os.Interrupt, syscall.SIGTERM)
		say(rest + "\n")
		<-told
	case "close":
		_ = os.Stdout.Close()
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		block()
	case "stubborn": // until it is ended
		signal.Ignore(syscall.SIGTERM)
		say(rest + "\n")
		block()
	case "leave": // leave LOCK: a child that holds the lock and standard output
		spawn("hold "+rest, os.Stdout)
	case "leave-quiet": // the same without standard output
		spawn("hold "+rest, nil)
	case "hold":
		hold(rest)
	default:
		panic("unknown step " + verb)
	}
	return 0, false
}

// say prints to whoever listens; nobody may.
func say(text string) { _, _ = os.Stdout.WriteString(text) }

// block blocks for ever. A channel would be found out as a deadlock.
func block() {
	r, _, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	_, _ = r.Read(make([]byte, 1))
}

// spawn starts a copy of this process, waits until it is at work, and leaves it
// behind.
func spawn(step string, stdout *os.File) {
	ready, word, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	cmd := &osexec.Cmd{Path: self(), Args: []string{self(), "child", step}, ExtraFiles: []*os.File{word}}
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		panic(err)
	}
}

// hold takes a lock, says so to whoever spawned it, and blocks deaf to being
// asked to end.
func hold(file string) {
	signal.Ignore(syscall.SIGTERM)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		panic(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		panic(err)
	}
	if _, err := fmt.Fprint(os.NewFile(3, "ready"), "x"); err != nil {
		panic(err)
	}
	block()
}

// checkGone returns once no process holds the lock any longer; if one goes on
// for ever, so does the test, until its time-out.
func checkGone(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("the process left behind never was: %v", err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Errorf("a process is left: %v", err)
	}
}
