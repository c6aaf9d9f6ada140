package athena

import (
	"slices"
	"strings"
)

// unload is what UNLOAD says besides its query.
type unload struct {
	target      string // s3://bucket/prefix/
	at          int    // byte of the target
	compression string // as DuckDB names it
}

// parseUnload reads UNLOAD (query) TO 's3://...' WITH (format = 'PARQUET', ...).
func (s *statement) parseUnload() error {
	if !s.at(1).is("(") {
		return malformed(s.sql, s.at(1).start, "mismatched input '%s'. Expecting: '('", s.at(1).text)
	}
	depth, i := 1, 2
	for ; i < len(s.tokens) && depth > 0; i++ {
		switch {
		case s.tokens[i].is("("):
			depth++
		case s.tokens[i].is(")"):
			depth--
		}
	}
	if depth > 0 || i < 4 {
		return malformed(s.sql, len(s.sql), "mismatched input '<EOF>'. Expecting: ')'")
	}
	s.query = piece{s.tokens[2].start, s.tokens[i-2].end}
	if !s.at(i).is("TO") || s.at(i+1).kind != text {
		return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: 'TO'", s.at(i).text)
	}
	s.unload.target, s.unload.at = s.at(i+1).name(), s.at(i+1).start
	return s.parseUnloadOptions(i + 2)
}

func (s *statement) parseUnloadOptions(i int) error {
	if !s.at(i).is("WITH") || !s.at(i+1).is("(") {
		return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: 'WITH'", s.at(i).text)
	}
	format := ""
	s.unload.compression = "gzip" // Athena's default for Parquet
	for i += 2; !s.at(i).is(")"); {
		if !s.at(i + 1).is("=") {
			return malformed(s.sql, s.at(i+1).start, "mismatched input '%s'. Expecting: '='", s.at(i+1).text)
		}
		value := s.at(i + 2)
		switch strings.ToLower(s.at(i).name()) {
		case "format":
			format = value.name()
		case "compression":
			s.unload.compression = strings.ToLower(value.name())
		case "compression_level":
		default:
			return invalid("INVALID_INPUT", "%s: Unload property '%s' does not exist", place(s.sql, s.at(i).start), s.at(i).text)
		}
		if i += 3; s.at(i).is(",") {
			i++
		} else if !s.at(i).is(")") {
			return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: ')', ','", s.at(i).text)
		}
	}
	if i+1 < len(s.tokens) {
		return malformed(s.sql, s.at(i+1).start, "mismatched input '%s'. Expecting: <EOF>", s.at(i+1).text)
	}
	if !strings.EqualFold(format, "PARQUET") {
		return invalid("NOT_SUPPORTED", "UNLOAD: this emulator writes PARQUET only, not %q", format)
	}
	if s.unload.compression == "none" {
		s.unload.compression = "uncompressed"
	}
	if !slices.Contains([]string{"gzip", "snappy", "zstd", "lz4", "uncompressed"}, s.unload.compression) {
		return invalid("INVALID_INPUT", "Unsupported compression %q for PARQUET", s.unload.compression)
	}
	if !strings.HasPrefix(s.unload.target, "s3://") {
		return invalid("INVALID_INPUT", "The S3 location provided to save your query results is invalid. Please check your S3 location is correct and is in the same region and try again.")
	}
	return nil
}
