package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Masked stands where personal data would have stood.
const Masked = "[masked]"

// redact is the ReplaceAttr of the handlers: it masks the value of a key that
// holds personal data, and looks into all other values.
func redact(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.SourceKey) {
		return a
	}
	if personal(a.Key) {
		return slog.String(a.Key, Masked)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, maskText(a.Value.String()))
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: maskAny(a.Value.Any())}
	default:
		return a
	}
}

// personal reports whether a key of that name holds personal data, however it
// spells its words: customer_id, customerId and CUSTOMER-ID are one key.
func personal(key string) bool {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(key)) {
	case "customer", "customers", "customerid", "customerids", "pk", "key", "recipient", "recipients",
		"email", "emails", "emailaddress", "mail", "phone", "phones", "phonenumber", "mobile", "telephone",
		"name", "firstname", "lastname", "fullname", "address", "street", "city", "zip", "postcode", "postalcode",
		"birthdate", "dateofbirth", "ip", "ipaddress", "devicetoken", "pushtoken":
		return true
	default:
		return false
	}
}

// maskAny returns the value with personal data masked. What is neither an error
// nor text is taken as its JSON, so that fields of structs are seen by name.
func maskAny(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(maskText(v.Error()))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(maskText(fmt.Sprint(v)))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return slog.StringValue(Masked)
	}
	return slog.AnyValue(maskPlain(plain))
}

// maskPlain masks what encoding/json makes of a document.
func maskPlain(v any) any {
	switch v := v.(type) {
	case string:
		return maskText(v)
	case []any:
		for i := range v {
			v[i] = maskPlain(v[i])
		}
	case map[string]any:
		for key, value := range v {
			if personal(key) {
				v[key] = Masked
			} else {
				v[key] = maskPlain(value)
			}
		}
	}
	return v
}

// maskText masks e-mail addresses and international telephone numbers in text.
func maskText(text string) string {
	if strings.Contains(text, "@") {
		text = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`).ReplaceAllString(text, Masked)
	}
	if strings.Contains(text, "+") {
		text = regexp.MustCompile(`\+[1-9][0-9]([ ()-]*[0-9]){5,13}`).ReplaceAllString(text, Masked)
	}
	return text
}
