// Package pipeline runs a program: it extracts rows, maps and validates them,
// filters and scores the candidates, stores them, and accounts for every row.
//
// A run has two halves. The first reads the sources, maps each row and sorts the
// candidates by key, on disk where they do not fit into memory. The second goes
// through them in that order: it drops duplicates, filters, scores, stores and
// writes the journal. Sorting first makes the result independent of the order in
// which a source hands out rows (I8), lets duplicates be found in bounded memory,
// and lets the store write in the order of its keys. Nothing is stored before the
// sources have been read to their end.
//
// [Stages] are the filters and models of a program applied to candidates in
// memory: what a run, an event and a part of a run on AWS have in common.
package pipeline
