package sagemaker

import (
	"fmt"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// The media types of requests and answers.
const (
	mediaCSV   = "text/csv"
	mediaLines = "application/jsonlines"
	mediaJSON  = "application/json"
)

// Config holds the model's settings.
type Config struct {
	EndpointName            string `json:"endpointName" doc:"The name of the SageMaker endpoint. Absent: that of the deployment's settings, scorers.sagemaker.endpoints; without either the model is not asked."`
	Region                  string `json:"region" doc:"The AWS region of the endpoint. Absent: the deployment's."`
	TargetVariant           string `json:"targetVariant" doc:"The production variant to ask. Absent: the endpoint spreads requests by the variants' weights."`
	TargetModel             string `json:"targetModel" doc:"The model of a multi-model endpoint."`
	TargetContainerHostname string `json:"targetContainerHostname" doc:"The container of an endpoint with several containers that are called directly."`
	InferenceComponentName  string `json:"inferenceComponentName" doc:"The inference component to ask, of an endpoint that hosts some."`
	CustomAttributes        string `json:"customAttributes" doc:"Text that the endpoint's container receives as it is; up to 1024 visible ASCII characters."`
	ModelVersion            string `json:"modelVersion" doc:"What you call the model that the endpoint runs. With a new one, answers that were kept for the old no longer count."`

	ContentType     string `json:"contentType" ceap:"enum=text/csv|application/jsonlines|application/json" doc:"The form of a request. text/csv has a line of features for each candidate and no header; application/jsonlines an instance a line; application/json is {\"instances\": [...]}. Default text/csv."`
	AcceptType      string `json:"acceptType" ceap:"enum=text/csv|application/jsonlines|application/json" doc:"The form of an answer. Absent: that of the request."`
	InstanceForm    string `json:"instanceForm" ceap:"enum=named|list" doc:"What an instance is in JSON: named is {\"customer_id\", \"subject_id\", \"features\": {name: value}}, list is {\"features\": [value, ...]} without ids, as SageMaker's own algorithms expect. Default named."`
	CSVAnswer       string `json:"csvAnswer" ceap:"enum=rows|line" doc:"How an answer in text/csv is laid out: rows has a line for each candidate, line has one line with a value for each, as SageMaker's XGBoost writes it. Default rows."`
	ScoreColumn     int    `json:"scoreColumn" ceap:"min=1,max=1000" doc:"Which value of a row of the answer is the score, from 1, if a row is a list of values. Default 1."`
	ScoreField      string `json:"scoreField" ceap:"nonempty" doc:"The key of the score, if a row of the answer is an object. Default score."`
	ConfidenceField string `json:"confidenceField" ceap:"nonempty" doc:"The key of the confidence, 0 to 1, if a row of the answer is an object and has it. Default confidence."`

	Features      []Feature      `json:"features" ceap:"nonempty" doc:"What the model looks at, in the order in which the endpoint expects it. Absent: the model is not asked."`
	FeatureSource *FeatureSource `json:"featureSource" doc:"A table with further features. Absent: features come from the candidate alone."`

	BatchRows      int    `json:"batchRows" ceap:"min=1,max=2000" doc:"The most candidates of one request. Fewer than 256 make a large run slow; 1 suits endpoints that answer for one at a time. Default 500."`
	BatchBytes     int    `json:"batchBytes" ceap:"min=1000,max=5500000" doc:"The most bytes of one request. SageMaker takes 6291456, serverless endpoints 4194304. Default 4000000."`
	TimeoutSeconds int    `json:"timeoutSeconds" ceap:"min=1,max=900" doc:"How long one request may take, with all that is tried again; a container has at most 60. Default 30."`
	MaxRetries     int    `json:"maxRetries" ceap:"min=0,max=5" doc:"How often a request is sent again after a failure that may pass, after about 1, 2, 4, 8 and 16 seconds. Default 3."`
	Concurrency    int    `json:"concurrency" ceap:"min=1,max=64" doc:"The most requests at a time, in one process. More than the endpoint can serve makes them fail. Default 4."`
	Cache          *Cache `json:"cache" doc:"Whether answers are kept. Absent: every run asks anew, and nothing stands in when the model fails but fallbackScore."`
}

// Feature is one value that the model looks at.
type Feature struct {
	Name       string     `json:"name" doc:"What the feature is called in named instances and in messages. Absent: its expression or attribute."`
	Expression string     `json:"expression" ceap:"nonempty" doc:"An expression over the candidate, such as orderValue or int(daysSince(eventDate))."`
	Attribute  string     `json:"attribute" ceap:"nonempty" doc:"An attribute of featureSource, in place of an expression. True is 1 and false is 0 as a number."`
	Type       string     `json:"type" ceap:"enum=number|text" doc:"What the endpoint is sent. Default number."`
	Missing    ceap.Value `json:"missing,omitzero" doc:"What stands in where there is no value. Absent: the model is not asked about such a candidate."`
}

// SetDefaults fills in the defaults of a new feature.
func (f *Feature) SetDefaults() { f.Type = "number" }

func (f Feature) name() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Expression != "":
		return f.Expression
	default:
		return f.Attribute
	}
}

// FeatureSource is a table with features.
type FeatureSource struct {
	Type           string `json:"type" ceap:"required,enum=dynamodb" doc:"The kind of table."`
	Table          string `json:"table" ceap:"required,nonempty" doc:"The name of the DynamoDB table, with a text as its partition key and no sort key."`
	Region         string `json:"region" doc:"The AWS region of the table. Absent: the endpoint's."`
	KeyAttribute   string `json:"keyAttribute" ceap:"required,nonempty" doc:"The name of the table's partition key."`
	Key            string `json:"key" ceap:"nonempty" doc:"An expression over the candidate that gives the key of its item, such as subjectId. Default customerId."`
	ConsistentRead bool   `json:"consistentRead" doc:"Whether a write that has just ended must be seen; costs twice as much. Default false."`
}

// SetDefaults fills in the defaults of a new source.
func (s *FeatureSource) SetDefaults() { s.Key = "customerId" }

// Cache says how long answers are kept.
type Cache struct {
	TTLHours  float64 `json:"ttlHours" ceap:"min=0,max=8760" doc:"Hours for which a kept answer is as good as a new one, so that the same question is not asked again. 0: every run asks, and kept answers only stand in. Default 24."`
	KeepHours float64 `json:"keepHours" ceap:"min=0.01,max=8760" doc:"Hours after which a kept answer is gone. Until then it stands in, marked, when the model fails. Default 168."`
}

// SetDefaults fills in the defaults of a new cache.
func (c *Cache) SetDefaults() { c.TTLHours, c.KeepHours = 24, 168 }

// Settings are the deployment's.
type Settings struct {
	Region    string              `json:"region" doc:"The AWS region of endpoints that name none. Absent: the environment's."`
	Endpoints map[string]Endpoint `json:"endpoints" doc:"The endpoints of models, by modelId. What is given here goes before what the program says."`
}

// Endpoint says which endpoint answers for a model in this deployment.
type Endpoint struct {
	EndpointName           string `json:"endpointName" ceap:"required,nonempty" doc:"The name of the SageMaker endpoint."`
	Region                 string `json:"region" doc:"Its AWS region."`
	TargetVariant          string `json:"targetVariant" doc:"The production variant to ask."`
	InferenceComponentName string `json:"inferenceComponentName" doc:"The inference component to ask."`
	ModelVersion           string `json:"modelVersion" doc:"What you call the model that the endpoint runs."`
}

// defaults returns the configuration of a model that says nothing.
func defaults() Config {
	return Config{
		ContentType: mediaCSV, InstanceForm: "named", CSVAnswer: "rows", ScoreColumn: 1, ScoreField: "score", ConfidenceField: "confidence",
		BatchRows: 500, BatchBytes: 4_000_000, TimeoutSeconds: 30, MaxRetries: 3, Concurrency: 4,
	}
}

// LaterKeys names what the original platform called some settings, and what this
// version does not have.
func (Config) LaterKeys() []string {
	return []string{"timeout", "batchSize", "featureConfig", "enableExplanations", "sessionId"}
}

// in returns the configuration as it counts in a deployment, for the model of
// that id.
func (c Config) in(s Settings, modelID string) Config {
	e := s.Endpoints[modelID]
	for _, over := range []struct {
		given string
		field *string
	}{
		{e.EndpointName, &c.EndpointName},
		{e.Region, &c.Region},
		{e.TargetVariant, &c.TargetVariant},
		{e.InferenceComponentName, &c.InferenceComponentName},
		{e.ModelVersion, &c.ModelVersion},
	} {
		if over.given != "" {
			*over.field = over.given
		}
	}
	if c.Region == "" {
		c.Region = s.Region
	}
	if c.AcceptType == "" {
		c.AcceptType = c.ContentType
	}
	return c
}

// Validate returns what is wrong with the settings together.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	add := func(path, message, hint string) {
		problems = append(problems, ceap.Problem{Path: path, Message: message, Hint: hint})
	}
	first := map[string]int{}
	for i, f := range c.Features {
		path := plugin.PathIndex("features", i)
		if (f.Expression == "") == (f.Attribute == "") {
			add(path, "a feature needs exactly one of expression and attribute", "give expression for what the candidate says, attribute for what featureSource says")
			continue
		}
		if f.Attribute != "" && c.FeatureSource == nil {
			add(path+".attribute", "there is no featureSource to take it from", "add featureSource, or give an expression")
		}
		if problem := f.wrongMissing(); problem != "" {
			add(path+".missing", problem, "use a "+f.Type+", or another type")
		}
		if j, twice := first[f.name()]; twice {
			add(path+".name", fmt.Sprintf("features[%d] is called %q too", j, f.name()), "give it another name")
		} else {
			first[f.name()] = i
		}
	}
	if c.Cache != nil && c.Cache.KeepHours < c.Cache.TTLHours {
		add("cache.keepHours", fmt.Sprintf("keepHours %v is below ttlHours %v", c.Cache.KeepHours, c.Cache.TTLHours), "keep answers at least as long as they are fresh")
	}
	if !visible(c.CustomAttributes) {
		add("customAttributes", "the text is longer than 1024 characters, or some are not visible ASCII", "SageMaker takes no other")
	}
	return problems
}

func (f Feature) wrongMissing() string {
	_, number := f.Missing.Number()
	switch {
	case f.Missing.IsNull():
		return ""
	case f.Type == "number" && !number:
		return fmt.Sprintf("%q is no number", f.Missing.String())
	case f.Type == "text" && f.Missing.Kind() != ceap.KindString:
		return f.Missing.String() + " is no text"
	}
	return ""
}

// visible reports whether the text may be a custom attribute.
func visible(text string) bool {
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return len(text) <= 1024 // the limit of InvokeEndpoint
}
