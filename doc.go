// Package ceap holds the nouns of CEAP, the Customer Engagement & Action
// Platform: candidates, values, scores, outcomes, runs and errors. It imports
// nothing but the standard library, and every other package may import it.
//
// Words: a row is one result row of a data source; a candidate is one customer
// paired with one subject in one program and marketplace; a run is one
// execution of a program for one marketplace and date range.
//
// Unless a type says otherwise, its values are not safe for concurrent use.
package ceap
