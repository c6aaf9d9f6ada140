package program

import (
	"regexp"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// document is the form of a program document. Its tags are what the decoder
// obeys and what the JSON Schema is made of; what they cannot say is checked
// when the parts are built.
type document struct {
	ProgramID            string                  `json:"programId" ceap:"required,nonempty" doc:"The program's id, such as product-reviews."`
	ProgramName          string                  `json:"programName" doc:"The program's name, for people."`
	Marketplace          string                  `json:"marketplace" ceap:"nonempty" doc:"The marketplace that the program runs in, such as US. Use marketplaces for several."`
	Marketplaces         []string                `json:"marketplaces" ceap:"nonempty" doc:"The marketplaces that the program runs in; each gets its own effective program."`
	Enabled              bool                    `json:"enabled" doc:"Whether the program runs. A disabled program's runs end as SKIPPED."`
	CandidateTTLDays     int                     `json:"candidateTTLDays" ceap:"min=1,max=3650" doc:"How many days a candidate lives after its creation. Too low loses candidates before they are delivered; too high contacts customers about old events."`
	Timezone             string                  `json:"timezone" ceap:"nonempty" doc:"The IANA time zone of dates and times without one, such as Europe/Berlin."`
	Currency             currency                `json:"currency" doc:"The ISO 4217 currency of order values that name none. Without it USD is taken."`
	DefaultEligibility   map[string]bool         `json:"defaultEligibility" doc:"By channel, whether a customer is eligible if the row does not say. It cannot be true for sms, push, voice and whatsapp."`
	ExpectRows           bool                    `json:"expectRows" doc:"Whether a run without rows is an error."`
	MaxErrorRate         float64                 `json:"maxErrorRate" ceap:"min=0,max=1" doc:"The share of failed rows above which a run fails; below it, failed rows make the run partial."`
	ReopenAfterDays      *int                    `json:"reopenAfterDays" ceap:"min=1,max=3650" doc:"After how many days a sent or consumed candidate may come back for a later event. Without it, never."`
	BatchSchedule        Schedule                `json:"batchSchedule" ceap:"nonempty" doc:"When the program runs by itself, in its time zone: a cron expression (crontab's five fields, or AWS's six), rate(1 day), or at(2026-01-27T06:00:00). Schedules fire on AWS only, for programs that were pushed to a stage."`
	DataQuality          dataQuality             `json:"dataQuality" doc:"What values of rows are plausible."`
	DataConnectors       []connectorEntry        `json:"dataConnectors" doc:"Where rows come from. When two rows are the same candidate, the connector listed first wins."`
	FilterChain          filterChain             `json:"filterChain" doc:"Who is not contacted. Without it, every candidate passes."`
	ScoringModels        []modelEntry            `json:"scoringModels" doc:"The models whose weighted mean is a candidate's score. Without them, candidates rank by event date."`
	Channels             []channelEntry          `json:"channels" doc:"How customers are contacted. Without them, nothing is delivered."`
	MarketplaceOverrides map[string]*plugin.Node `json:"marketplaceOverrides" doc:"By marketplace, the settings in which it differs from the rest of the document."`
}

// newDocument returns the document with its defaults.
func newDocument() document {
	return document{
		Enabled: true, CandidateTTLDays: 30, Timezone: "UTC", MaxErrorRate: 0.05,
		DataQuality: dataQuality{MinDate: "2020-01-01", MaxDate: "now+7d"},
	}
}

// LaterKeys returns keys that programs ask for and this version does not have.
func (document) LaterKeys() []string {
	return strings.Fields(`eventSources reactiveEnabled timingWindowDays experiments deduplication alerting
		segments steps channelSelection frequencyCapping computedFields enrichment normalization validation
		requiredFields typeValidation businessRules duplicateDetection errorHandling retryPolicy throttling batchSize`)
}

// currency is an ISO 4217 code.
type currency string

const currencyPattern = `^[A-Z]{3}$`

// UnmarshalText reads three capital letters.
func (c *currency) UnmarshalText(text []byte) error {
	if !regexp.MustCompile(currencyPattern).Match(text) {
		return ceap.Errorf(ceap.CodeInvalid, "%q is not an ISO 4217 code", text).WithHint("use three capital letters, such as USD")
	}
	*c = currency(text)
	return nil
}

// JSONSchema implements [plugin.Schemer].
func (*currency) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": currencyPattern}
}

type dataQuality struct {
	MinDate DateBound `json:"minDate" doc:"The earliest plausible event date: a calendar date, or now, now+Nd or now-Nd. Rows outside are invalid."`
	MaxDate DateBound `json:"maxDate" doc:"The latest plausible event date, a calendar date included as a whole."`
}

type connectorEntry struct {
	ConnectorID   string       `json:"connectorId" ceap:"required,nonempty" doc:"The connector's id, unique in the program."`
	ConnectorType string       `json:"connectorType" ceap:"required,nonempty" doc:"The kind of source, such as data-warehouse."`
	Enabled       bool         `json:"enabled" doc:"Whether the connector is read."`
	SourceConfig  *plugin.Node `json:"sourceConfig" doc:"The settings of the connector type."`
}

// SetDefaults implements [plugin.Defaulter].
func (e *connectorEntry) SetDefaults() { e.Enabled = true }

// LaterKeys implements [plugin.LaterKeys].
func (connectorEntry) LaterKeys() []string {
	return strings.Fields("extraction transformation validation batching pagination maxRetries maxConcurrency batchSize errorHandling")
}

type filterChain struct {
	Filters []filterEntry `json:"filters" doc:"The filters."`
}

// LaterKeys implements [plugin.LaterKeys].
func (filterChain) LaterKeys() []string { return []string{"parallelExecution", "failFast"} }

type filterEntry struct {
	FilterID   string       `json:"filterId" ceap:"required,nonempty" doc:"The filter's id, unique in the program."`
	FilterType string       `json:"filterType" ceap:"required,nonempty" doc:"The kind of filter, such as eligibility."`
	Enabled    bool         `json:"enabled" doc:"Whether the filter is applied."`
	Order      int          `json:"order" doc:"Its place in the chain: lower comes first, equal ones in the order of the document."`
	Parameters *plugin.Node `json:"parameters" doc:"The settings of the filter type."`
}

// SetDefaults implements [plugin.Defaulter].
func (e *filterEntry) SetDefaults() { e.Enabled = true }

type modelEntry struct {
	ModelID       string       `json:"modelId" ceap:"required,nonempty" doc:"The model's id, unique in the program."`
	ModelType     string       `json:"modelType" ceap:"required,nonempty" doc:"The kind of model, such as rules."`
	Enabled       bool         `json:"enabled" doc:"Whether the model is asked."`
	Weight        float64      `json:"weight" ceap:"min=0,max=1000000" doc:"Its weight in the mean of the models that answered. 0 records the score without using it."`
	FallbackScore *float64     `json:"fallbackScore" doc:"The value that stands in, marked, when the model gives none; in the model's scale. Without it the candidate stays unscored."`
	Scale         *Scale       `json:"scale" doc:"The range of the model's answers, if it is not 0 to 1."`
	Config        *plugin.Node `json:"config" doc:"The settings of the model type; modelConfig is the same."`
}

// SetDefaults implements [plugin.Defaulter].
func (e *modelEntry) SetDefaults() { e.Enabled, e.Weight = true, 1 }

// LaterKeys implements [plugin.LaterKeys].
func (modelEntry) LaterKeys() []string {
	return strings.Fields("timeout maxConcurrency featureConfig caching fallback variants autoPromote priority")
}

// Scale is the range of a model's answers.
type Scale struct {
	Min float64 `json:"min" ceap:"required" doc:"The lowest answer."`
	Max float64 `json:"max" ceap:"required" doc:"The highest answer."`
}

type channelEntry struct {
	ChannelID   string       `json:"channelId" ceap:"nonempty" doc:"The channel's id, unique in the program; the channelType by default."`
	ChannelType string       `json:"channelType" ceap:"required,enum=email|sms|push|in-app|webhook|voice|whatsapp" doc:"The kind of channel."`
	Enabled     bool         `json:"enabled" doc:"Whether the channel is used."`
	Mode        string       `json:"mode" ceap:"enum=shadow|live" doc:"shadow does everything except the hand-off; live sends."`
	Config      *plugin.Node `json:"config" doc:"The settings of the channel type."`
}

// SetDefaults implements [plugin.Defaulter].
func (e *channelEntry) SetDefaults() { e.Enabled, e.Mode = true, ModeShadow }

// LaterKeys implements [plugin.LaterKeys].
func (channelEntry) LaterKeys() []string {
	return strings.Fields(`priority provider minScore maxItems rateLimit delayMinutes delayHours delayDays
		coolingPeriodMinutes sendTime timezone immediate onlyIfNotConverted`)
}

// The modes of a channel (D60).
const (
	ModeShadow = "shadow"
	ModeLive   = "live"
)

// channelConfig is what every channel type has.
type channelConfig struct {
	TemplateID string `json:"templateId" ceap:"nonempty" doc:"The template of the message, from the deployment's templates."`
}

// emailConfig is the configuration of email channels.
type emailConfig struct {
	channelConfig
	FromName     string `json:"fromName" ceap:"nonempty" doc:"The sender's name."`
	FromEmail    string `json:"fromEmail" ceap:"nonempty" doc:"The sender's address."`
	ReplyToEmail string `json:"replyToEmail" ceap:"nonempty" doc:"The address that answers go to; the sender's by default."`
}

// LaterKeys implements [plugin.LaterKeys].
func (channelConfig) LaterKeys() []string {
	return strings.Fields(`timeout tags returnPath configurationSetName maxSendRate url secret senderID messageType maxPrice
		countrySettings maxLength platformApplications endpoint type position message actionButton dismissible
		displayDuration maxItems prompt responseOptions`)
}

// channelConfigOf returns the configuration of a channel type, a pointer to its
// defaults.
func channelConfigOf(channelType string) any {
	if channelType == "email" {
		return &emailConfig{}
	}
	return &channelConfig{}
}

// normalise gives aliases their own name: modelConfig becomes config (D58), so
// that documents merge and compare alike.
func normalise(node *plugin.Node) (*plugin.Node, ceap.Problems) {
	models := node.Get("scoringModels")
	if models == nil || models.Kind != plugin.NodeList {
		return node, nil
	}
	var problems ceap.Problems
	list := *models
	list.Items = nil
	for _, model := range models.Items {
		alias := model.Get("modelConfig")
		if alias != nil && model.Get("config") != nil {
			p := alias.Problem("is the same as config, and both are given")
			p.Hint = "keep one"
			problems = append(problems, p)
			model, alias = without(model, "modelConfig"), nil
		}
		if alias != nil {
			model = renamed(model, "modelConfig", "config")
		}
		list.Items = append(list.Items, model)
	}
	return replaced(node, "scoringModels", &list), problems
}

// renamed returns the object n with one of its keys under another name.
func renamed(n *plugin.Node, from, to string) *plugin.Node {
	c := *n
	c.Fields = nil
	for _, f := range n.Fields {
		if f.Name == from {
			f.Name = to
		}
		c.Fields = append(c.Fields, f)
	}
	return &c
}
