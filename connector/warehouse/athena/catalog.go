package athena

// action says what to do about a query that failed.
type action uint8

const (
	give     action = iota // up: to try again changes nothing
	again                  // try again, at most maxAttempts times
	once                   // try again once: resources may have been short for a moment
	flagged                // try again if Athena says that it may help
	later                  // try again, after a long wait
	timedOut               // give up, whatever Athena says: the next attempt would take as long
)

// rule is what Athena's error catalogue says of a range of error types, and what
// follows.
type rule struct {
	from, to int32
	action   action
	act      who
	meaning  string // in plain words; "" if Athena's message is clear
	remedy   string
}

// who has to act on an error.
type who uint8

const (
	user     who = iota // whoever wrote the query
	operator            // whoever runs the deployment
	nobody              // it passes
	denied              // whoever gives permissions
)

// Remedies that several rules share.
const (
	readLess  = "let it read fewer days or partitions, or fewer columns"
	lookThere = "see the query in Athena's history; if it stays, ask AWS support with the query's id"
	grantIt   = "allow the action for the role or user that CEAP runs as"
)

// rules returns the error types of Athena's error catalogue, special ones before
// the ranges that they lie in.
func rules() []rule {
	return []rule{
		{0, 8, once, operator, "Athena's resources are exhausted", readLess},
		{206, 206, timedOut, user, "the query timed out in Athena", readLess},
		{210, 210, timedOut, user, "the query timed out in Athena", readLess},
		{204, 204, again, nobody, "the Glue Data Catalog does not answer", lookThere},
		{100, 100, again, nobody, "Athena has an internal error", lookThere},
		{233, 234, flagged, operator, "Iceberg or Lake Formation refused", lookThere},
		{240, 240, flagged, operator, "the query could not be submitted", lookThere},
		{200, 236, again, nobody, "Athena's engine has an error", lookThere},
		{300, 303, again, nobody, "Athena has an internal error", lookThere},
		{400, 400, again, nobody, "Athena has an internal error", lookThere},
		{401, 402, give, operator, "Athena cannot write the results", "look at the bucket of sourceConfig.resultsBucket or connectors.data-warehouse.resultsBucket: it has to exist in the query's region, and CEAP's role needs s3:PutObject, s3:GetObject, s3:ListBucket and s3:GetBucketLocation there"},
		{1306, 1306, give, operator, "a bucket does not exist", "correct the table's LOCATION or connectors.data-warehouse.resultsBucket, or make the bucket"},
		{1011, 1011, give, nobody, "the query was cancelled, not by CEAP", "run it again; whoever cancelled it, in Athena's console or by a limit, knows why"},
		{1014, 1014, give, nobody, "the query was cancelled, not by CEAP", "run it again; whoever cancelled it, in Athena's console or by a limit, knows why"},
		{1006, 1006, give, user, "", ""},
		{1008, 1008, give, user, "Athena rejected the query", "simplify it"},
		{1000, 1010, give, user, "", ""},
		{1109, 1109, give, operator, "the path of a table or of the results is wrong", "look at the table's LOCATION"},
		{1100, 1110, give, user, "", ""},
		{1200, 1200, give, user, "Athena does not support this", "write it in another way"},
		{1400, 1406, later, nobody, "AWS asks to slow down", "run fewer queries at a time, or keep fewer and larger files per partition"},
		{1500, 1501, give, denied, "a permission is missing", grantIt},
		{9999, 9999, again, nobody, "Athena has an internal error", lookThere},
	}
}

// ruleOf returns the rule of an error type; without a type or for one that is not
// known, that of its category.
func ruleOf(number, category int32) rule {
	for _, r := range rules() {
		if number >= r.from && number <= r.to {
			return r
		}
	}
	if category == 2 { // 2: the user, from the reference of AthenaError
		return rule{action: give, act: user}
	}
	return rule{action: flagged, act: nobody, meaning: "Athena has an error", remedy: lookThere}
}
