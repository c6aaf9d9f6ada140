package expression_test

import (
	"testing"

	"github.com/ceap-platform/ceap/expression"
)

// BenchmarkProgram_EvalBool measures one candidate, with and without counting
// the cost: the second kind has texts whose size is not known in advance.
func BenchmarkProgram_EvalBool(b *testing.B) {
	for name, source := range map[string]string{
		"two conditions":    `orderValue >= 20.0 && eligible["email"]`,
		"integer literal":   `orderValue >= 20 && eligible.email`,
		"five conditions":   `orderValue >= 20 && eligible.email && daysSince(eventDate) < 30 && extra.visits > 3 && marketplace == "US"`,
		"counted: contains": `extra.category.contains("ard")`,
		"three conditions":  `orderValue >= 20 && eligible.email && customerId.startsWith("CUST")`,
	} {
		b.Run(name, func(b *testing.B) {
			p, c := compile(b, source, expression.Condition), candidate()
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := p.EvalBool(c); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// BenchmarkCompile measures what a rule costs once per program.
func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, `orderValue >= 20 && eligible.email`, expression.Condition)
	}
}
