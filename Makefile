# `make` alone prints this help. Continuous integration runs exactly `make ci`.

export GOFLAGS := -mod=readonly
export GOTOOLCHAIN := local

GO       ?= go
BIN      := bin
TOOLS    := $(CURDIR)/.tools
LINT     := $(TOOLS)/golangci-lint
LINT_VERSION := v2.12.2
# A cache of its own for each checkout: cached findings carry absolute paths.
export GOLANGCI_LINT_CACHE := $(TOOLS)/lint-cache
FUZZTIME ?= 2s
ROWS     ?= 1000000
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X github.com/ceap-platform/ceap/cli.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help build demo test test-aws guide-aws race cover lint fuzz bench-batch bench-aws million-aws kill-test nocgo package fmt generate verify ci setup setup-aws clean

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## build bin/ceap
	@mkdir -p $(BIN)
	$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN)/ceap ./cmd/ceap

demo: build ## build, then run the main job on a generated shop in ./demo-shop
	@rm -rf demo-shop
	$(BIN)/ceap demo --dir demo-shop

test: ## run the tests
	$(GO) test -shuffle=on ./...

# The folders of the AWS path; those that are not in this tree yet are left out.
AWS := internal/awstest store/dynamodb connector/warehouse/athena connector/s3 connector/kinesis \
	scorer/sagemaker internal/awslambda deploy

test-aws: setup-aws ## run the tests of the AWS path against emulators, none skipped
	CEAP_REQUIRE_TOOLS=1 $(GO) test -count=1 $(foreach folder,$(AWS),$(if $(wildcard $(folder)),./$(folder)/...))

guide-aws: setup-aws ## run every command of the data source guide with the AWS CLI, and print what they print
	@mkdir -p dist
	CEAP_REQUIRE_TOOLS=1 CEAP_TRANSCRIPT=$(CURDIR)/dist/guide.txt $(GO) test -count=1 ./internal/awstest/guide
	@cat dist/guide.txt

# Packages whose tests take minutes with the race detector: they run with -short.
SLOW := internal/awslambda store/dynamodb connector/warehouse/athena tabular
# Packages whose tests run processes and look at files: nothing of ours runs side by side in them.
LONE := deploy/aws internal/awstest/guide

race: ## run the tests with the race detector
	$(GO) test -race -shuffle=on $$($(GO) list ./... | grep -vE '/($(subst $() ,|,$(strip $(SLOW) $(LONE))))$$')
	$(GO) test -race -short -shuffle=on $(addprefix ./,$(SLOW))

cover: ## print the coverage of each package
	$(GO) test -cover $$($(GO) list ./... | grep -v /docs$$) | awk '{print $$2, $$5}' | column -t

lint: $(LINT) ## run the linter, pinned by version, and look for words that errors should not have
	$(LINT) run ./...
	@! grep -rnE '(Errorf|Error|errors\.New)\(.*"(failed to|could not|unable to)' --include='*.go' . || { echo 'say what is wrong, not that something failed'; exit 1; }

fuzz: ## fuzz every target for FUZZTIME each
	@scripts/fuzz $(FUZZTIME)

bench-batch: build ## run ROWS generated rows through a program, beside DuckDB alone
	$(GO) run ./bench/batch -rows $(ROWS) -ceap $(BIN)/ceap

bench-aws: setup-aws ## measure the AWS path on emulators, and project what large runs take and cost
	$(GO) run ./bench/aws

million-aws: setup-aws ## take a million rows through the state machine on emulators, with parts that fail
	CEAP_REQUIRE_TOOLS=1 $(GO) test -count=1 -timeout 60m -run TestMillionRowsInParts -v ./internal/awslambda -million.rows 1000000

kill-test: ## kill a run of a million rows at ten points, run it again, compare with an undisturbed one
	$(GO) test -count=1 -timeout 30m -run TestKill -v ./cli -kill-rows 2300000

nocgo: ## build everything without cgo, and test what is in that build
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 $(GO) test -short ./connector ./connector/warehouse ./filter/... ./scorer/... ./store/... ./internal/...

package: ## build dist/ceap-lambda-arm64.zip and dist/ceap-lambda-amd64.zip
	@scripts/package-lambda

fmt: $(LINT) ## format the code
	$(LINT) fmt ./...

generate: ## write the generated files
	$(GO) test ./schema ./docs -run IsUpToDate -update

verify: ## fail if generated files or the module files are not up to date
	$(GO) test -count=1 ./schema ./docs -run IsUpToDate
	GOFLAGS= $(GO) mod tidy -diff

setup: $(LINT) setup-aws ## install the tools that other targets need, pinned by version

setup-aws:
	@scripts/setup-aws

$(LINT):
	@mkdir -p $(TOOLS)
	GOFLAGS= GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# Nothing is skipped for want of a tool.
ci: export CEAP_REQUIRE_TOOLS = 1
ci: setup verify lint test race nocgo fuzz ## what continuous integration runs, with the README's commands
	@scripts/readme-commands

clean: ## remove what was built
	rm -rf $(BIN) dist demo-shop
