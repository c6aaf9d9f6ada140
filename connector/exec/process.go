package exec

import (
	"bytes"
	"io"
	"os"
	osexec "os/exec"
	"strings"
	"sync"
	"time"
	"unicode"
)

// process is a running command with what it has started in turn.
//
// It is waited for only after its output has ended or it has been told to end.
// Until then its process id, which is also that of its group, cannot be given to
// another process, and so signals reach nobody else.
type process struct {
	cmd        *osexec.Cmd
	stdout     *os.File
	stderr     *os.File
	tail       tail
	tailed     chan struct{} // closed when stderr has been read
	grace      time.Duration
	waitOnce   sync.Once
	waitErr    error
	mu         sync.Mutex
	killTimer  *time.Timer // set once the process was told to end
	terminated bool
	reaped     bool
}

// start starts cmd with input on its standard input. It returns the error of
// [osexec.Cmd.Start].
func start(cmd *osexec.Cmd, input []byte, grace time.Duration) (*process, error) {
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		closeAll(outRead, outWrite)
		return nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), outWrite, errWrite
	cmd.WaitDelay = grace
	ownGroup(cmd)
	err = cmd.Start()
	closeAll(outWrite, errWrite)
	if err != nil {
		closeAll(outRead, errRead)
		return nil, err
	}
	p := &process{cmd: cmd, stdout: outRead, stderr: errRead, tailed: make(chan struct{}), grace: grace}
	go func() {
		defer close(p.tailed)
		_, _ = io.Copy(&p.tail, errRead) // it ends when the writers do, or when wait closes it
	}()
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close() // pipes: nothing is flushed
	}
}

// terminate asks the command and what it started to end, and ends them after the
// grace. It does not wait.
func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminated || p.reaped {
		return
	}
	p.terminated = true
	askGroup(p.cmd.Process)
	p.killTimer = time.AfterFunc(p.grace, p.kill)
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process)
	}
	// A process that left the group may hold the pipe open for ever.
	closeAll(p.stdout)
}

// wait waits until the command has ended, ends what it left behind, and returns
// the error of [osexec.Cmd.Wait]. After it no process of the group is left.
func (p *process) wait() error {
	p.waitOnce.Do(func() {
		p.waitErr = p.cmd.Wait()
		p.mu.Lock()
		p.reaped = true
		if p.killTimer != nil {
			p.killTimer.Stop()
		}
		p.mu.Unlock()
		// Just reaped: the id is not used again within moments.
		killGroup(p.cmd.Process)
		closeAll(p.stdout)
		timer := time.AfterFunc(p.grace, func() { closeAll(p.stderr) })
		<-p.tailed
		timer.Stop()
		closeAll(p.stderr)
	})
	return p.waitErr
}

// stop ends the command and waits until it has ended.
func (p *process) stop() {
	p.terminate()
	closeAll(p.stdout) // ends it also when it is waiting for a reader
	_ = p.wait()       // it was told to end; how it did tells nothing
}

// maxTail is how much of standard error is kept, in bytes.
const maxTail = 4 << 10

// tail keeps the last bytes that were written. Its reader waits for the writer.
type tail struct {
	kept []byte
	cut  bool
}

// Write keeps the end of data.
func (t *tail) Write(data []byte) (int, error) {
	t.kept = append(t.kept, data[max(0, len(data)-maxTail):]...)
	if over := len(t.kept) - maxTail; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	t.cut = t.cut || len(data) > maxTail
	return len(data), nil
}

// String returns the text without what would move the cursor of a terminal.
func (t *tail) String() string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return r
		case r == '\t':
			return ' '
		default:
			return -1
		}
	}, strings.ToValidUTF8(string(t.kept), ""))
	if text = strings.TrimSpace(text); t.cut {
		text = "... " + text
	}
	return text
}
