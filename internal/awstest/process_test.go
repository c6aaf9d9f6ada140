package awstest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap/internal/awstest"
)

// waitToBeKilled is the process of a test that is killed: it prints where its moto
// listens.
func waitToBeKilled() {
	cloud, err := awstest.Open(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(cloud.Process())
	select {}
}

// However a test process ends, no moto stays behind.
func TestStart_killed(t *testing.T) {
	t.Parallel()
	awstest.Start(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), "CEAP_TEST_ORPHAN=1")
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	dial := func() error {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatalf("moto of the other process does not listen at %s: %v", address, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed, as planned
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for dial() == nil {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal("moto outlived the process that started it")
		}
	}
}
