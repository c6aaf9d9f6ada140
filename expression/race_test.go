//go:build race

package expression_test

// raceEnabled says that the race detector slows everything down.
const raceEnabled = true
