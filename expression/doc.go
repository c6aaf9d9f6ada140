// Package expression compiles and evaluates the expressions that programs hold:
// rules of filters, features and rules of models, and groups of limits. The
// language is CEL (https://cel.dev) with the names below. Expressions have no
// effects and read nothing but the candidate and the run's clock.
//
// A [Program] is immutable once compiled and safe for concurrent use.
//
// # Names
//
//	customerId, subjectType, subjectId, programId, marketplace, currency   text
//	timingWindow            text; "" if the row had none
//	eventDate, now          timestamps; now is the run's clock
//	deliveryDate            timestamp or null
//	orderValue              number or null
//	mediaEligible           true, false or null
//	eligible["email"]       true or false; false if the row said nothing of the channel
//	extra["column"]         text, number, true, false or null: the unmapped columns
//	score                   number or null: the candidate's score
//	scores["model-id"]      number or null: what one model said
//
// Instead of ["name"] one may write .name where the name is an identifier. To
// read a column or a model that does not exist is an error. has(extra.column)
// reports whether there is a value, so it is false for null and for a column
// that does not exist; the same holds for has(eligible.email) and
// has(scores.model).
//
// # Functions
//
// Beside those of CEL (size, contains, startsWith, endsWith, matches, getHours,
// timestamp, duration, string, double, ... and the macros all, exists,
// exists_one, filter, map and has):
//
//	daysSince(t)         days from t to now, with fraction; t is a timestamp, or text in
//	                     RFC 3339, YYYY-MM-DDTHH:MM:SS or YYYY-MM-DD, which are taken as UTC
//	coalesce(x, y)       x unless it is null, else y
//	min(x, y), max(x, y) the smaller, the larger number
//	clamp(x, low, high)  x, but not below low and not above high
//	ln(x)                the natural logarithm; an error unless x is positive
//	lower(s), upper(s)   text in lower, upper case
//	trim(s)              text without white space at its ends
//
// # Numbers
//
// There is one kind of number, the 64-bit floating-point number, so that
// orderValue * 2 and size(extra.title) / 10 mean what they seem to. Whole numbers
// are exact to 2^53 in either direction; a larger one cannot be written, and a
// larger value of a row is rounded. Only the index of a list, the operands of %
// and the argument of timestamp stay integers.
//
// # Null
//
// Null equals null and nothing else. Any other use of null (null > 20,
// null && true) is an error of that candidate, never a silent false: write
// coalesce(orderValue, 0), has(extra.column) or deliveryDate != null.
//
// # Limits
//
// Source text is at most 8 KiB, nested at most 100 deep. An evaluation may do a
// bounded amount of work; what surely exceeds it is refused when it is compiled,
// what does so with the values of a candidate is cut off, which is an error of
// that candidate. Regular expressions run in linear time.
package expression
