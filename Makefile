# Regie's developer entry points. `make` or `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Seeds that `make sim` runs; kills of `make kill`, its least number of runs and
# the seed of its moments; time that `make fuzz` spends on each target; arguments
# that `make run` passes to the binary.
SEEDS ?= 300
KILLS ?= 30
RUNS ?= 1000
SEED ?= 1
FUZZTIME ?= 10s
ARGS ?= --help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Where git will not read the clone (that of another user), the build goes
# without its revision instead of failing.
BUILDVCS := $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)
LINTER := bin/tools/golangci-lint

# A target whose capability does not exist says so and fails.
waits = @echo "make $@: waits for $(1), which Regie does not have yet" >&2; exit 1

.PHONY: help build run demo test lint generate verify ui dev bench sim kill \
	kill-postgres reliability fuzz e2e e2e-scale

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## build the static binary bin/regie
	CGO_ENABLED=0 go build -trimpath $(BUILDVCS) -ldflags '$(LDFLAGS)' -o bin/regie ./cmd/regie

run: build ## build, then run bin/regie with ARGS="..."
	bin/regie $(ARGS)

demo: build ## run the examples, also on a server that is killed and started again
	scripts/demo.sh

test: ## install what tests need, vet, run all tests (with the race detector but for the heavy ones)
	scripts/deps.sh
	go vet ./...
	scripts/test.sh

lint: $(LINTER) ## run the linters
	$(LINTER) run ./...

generate: ## rewrite the generated files
	go generate ./...

verify: ## fail when a generated file or go.mod is stale
	scripts/verify.sh

ui: ## build the web console
	$(call waits,the web console)

dev: ## run a server and the console with live reload
	$(call waits,the web console)

bench: build ## measure Regie beside the machine's own disk and process rates
	bin/regie bench

sim: ## run SEEDS seeds of the simulator (default 300)
	go run ./cmd/regie-sim -seeds $(SEEDS)

kill: build ## kill the server KILLS times (default 30) under load and check what it promised
	go run ./cmd/regie-kill -binary bin/regie -kills $(KILLS) -runs $(RUNS) -seed $(SEED)

kill-postgres: ## the same on PostgreSQL
	$(call waits,the PostgreSQL store)

reliability: ## the long reliability run of a release
	$(call waits,the whole simulator)

fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

e2e: ## drive the console in a real browser
	$(call waits,the web console)

e2e-scale: ## drive the console on a large installation
	$(call waits,the web console)

# The linter is built from its own module, which pins its version.
$(LINTER): tools/golangci-lint/go.mod tools/golangci-lint/go.sum
	CGO_ENABLED=0 go -C tools/golangci-lint build -trimpath -o $(CURDIR)/$(LINTER) \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint
