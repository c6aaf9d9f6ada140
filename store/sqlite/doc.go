// Package sqlite keeps CEAP's data in one SQLite file, with the artefacts of
// runs in a folder beside it. Several processes of one machine may use the file
// at the same time; it must not lie on a network file system.
//
// # Layout
//
// Layout follows from one rule: rows arrive in the order of their keys, and what
// a row must be found by besides its key must not cost a place of its own in a
// large index. So there are two tables beside the candidates:
//
// A row of blocks is a range of ids that one transaction gave out, with the time
// of their creation. It serves "created on a day" and what has expired.
//
// A row of ranks is a page of up to pageEntries entries, sorted by rank. An entry
// says where a candidate stood in the order of [ceap.CompareRank] when it was
// written. A page is of one scope and channel set, and names the ranks of its
// first and its last entry. It serves "the best of a program and channel": pages
// are opened in the order of their first entries and merged.
//
// # What holds of ranks
//
// An entry is valid if its candidate is there, is open, and has the entry's
// version; else it is stale. Each open candidate has exactly one valid entry, in
// a page of its scope and channel set:
//
//   - whoever makes a candidate open or gives an open one a new version, adds an
//     entry with that version in the same transaction;
//   - whoever closes or removes a candidate does nothing: its entry is stale;
//   - ids are never used twice, and a version only grows, so that a stale entry
//     never becomes valid again and may be dropped at any time;
//   - entries are dropped only by rewriting pages, which looks up each of them.
//
// Whoever makes entries stale adds their number to scopes.stale. A sweep rewrites
// the pages of a scope once more than half of its entries are stale, so that there
// are at most about twice as many entries as open candidates after it.
//
// Small transactions add small pages. Sixteen small ones of a kind are rewritten
// into one by the transaction that adds the last of them.
package sqlite
