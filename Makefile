# `make help` lists what there is to make.
.DEFAULT_GOAL := help
.PHONY: help run gateway clients test test-oldest soak overload bench check audit format generate docs lock dist clean

PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml client/pyproject.toml
TYPESCRIPT := tests/interop/typescript
CLIENTS := .venv-interop/bin/installed $(TYPESCRIPT)/node_modules/installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: enrollment.db ## serve a sample database on 127.0.0.1:50051
	@cat examples/calls.txt
	@exec $(BIN)/enrollment-server serve --database-url sqlite:///enrollment.db --migrate

LISTEN := 127.0.0.1:8080
gateway: $(BIN)/installed .venv-gateway/bin/installed enrollment.db ## the same by HTTP, through Envoy, on 127.0.0.1:8080
	@cat examples/http.txt
	@exec $(BIN)/python scripts/gateway.py --listen $(LISTEN)

clients: $(BIN)/installed .venv-interop/bin/installed ## install what the reference calls with: grpcurl, the Python client

# Loaded once, under another name until it is whole; after that the data is yours.
enrollment.db: | $(BIN)/installed
	@rm -f $@.new*
	$(BIN)/enrollment-server migrate --database-url sqlite:///$@.new
	$(BIN)/enrollment-server load --database-url sqlite:///$@.new \
	  --students examples/students.csv --courses examples/courses.csv \
	  --enrollments examples/enrollments.csv
	@mv $@.new $@

TWO_AT_A_TIME := pytest -n 2 --dist worksteal
test: $(BIN)/installed $(CLIENTS) .venv-gateway/bin/installed ## run every test, on SQLite and on PostgreSQL
	$(BIN)/$(TWO_AT_A_TIME)

test-oldest: .venv-oldest/bin/installed $(CLIENTS) ## the same on the oldest versions allowed
	.venv-oldest/bin/$(TWO_AT_A_TIME) --ignore tests/docs --ignore tests/gateway

soak: $(BIN)/installed ## run the long runs at full length, some minutes each
	$(BIN)/pytest tests/conformance --soak

overload: $(BIN)/installed ## measure a server under ten times the callers it can take
	$(BIN)/python -m bench.overload

# Libraries for Go, and what generates code in it from the contract, are Debian's packages; the
# compiler comes with the rest of .venv-bench.
GO_PACKAGES := golang-google-grpc-dev golang-github-jackc-pgx-v4-dev \
  golang-github-golang-protobuf-1-5-dev protoc-gen-go-1-5 protoc-gen-go-grpc
GO_LIBRARIES := /usr/share/gocode
GO_SERVER := $(if $(wildcard $(GO_LIBRARIES)/src/github.com/jackc/pgx/v4),.venv-bench/bin/go-server)
bench: .venv-bench/bin/installed $(GO_SERVER) ## measure the server beside others: up to two hours, and plots in docs/
	$(if $(GO_SERVER),,@echo without a server in Go: for that Debian has $(GO_PACKAGES))
	.venv-bench/bin/python -m bench.compare --plots docs

check: $(BIN)/installed ## format, lint, types, contract, what is generated, import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python scripts/contract.py check
	$(BIN)/python -m scripts.reference check
	$(BIN)/lint-imports

SERVER_LICENSES := MIT;MIT-0;MIT License;BSD-2-Clause;BSD-3-Clause;3-Clause BSD License;Apache-2.0; \
  Apache-2.0 OR BSD-3-Clause;Apache-2.0 AND BSD-2-Clause;PSF-2.0;LGPL-3.0-only
audit: .venv-server/bin/installed .venv-audit/bin/installed ## list what the server is made of in dist/, check licences and known vulnerabilities
	mkdir -p dist
	.venv-audit/bin/cyclonedx-py requirements --output-reproducible -o dist/sbom.json requirements/server.txt
	.venv-audit/bin/pip-licenses --python .venv-server/bin/python --from mixed --format csv \
	  --ignore-packages enrollment-server enrollment-client --allow-only '$(SERVER_LICENSES)' \
	  --output-file dist/licenses.csv
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/server.txt

format: $(BIN)/installed ## rewrite the code in the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format --write protos

generate: $(BIN)/installed ## regenerate code and documentation from the contract
	$(BIN)/python scripts/contract.py generate
	$(BIN)/python -m scripts.reference generate

docs: .venv-gateway/bin/installed ## build the documentation as a site, build/site
	.venv-gateway/bin/mkdocs build --strict

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-package enrollment-client
lock: $(BIN)/installed .venv-interop/bin/installed ## write versions and hashes to requirements/: the newest allowed, and the oldest
	$(BIN)/$(LOCK) --upgrade pyproject.toml --group dev -o requirements/dev.txt
	$(BIN)/$(LOCK) --upgrade -c requirements/dev.txt pyproject.toml --extra tracing -o requirements/server.txt
	$(BIN)/$(LOCK) --upgrade -c requirements/dev.txt pyproject.toml --group bench -o requirements/bench.txt
	$(BIN)/$(LOCK) --upgrade --group gateway -o requirements/gateway.txt
	$(BIN)/$(LOCK) --upgrade --group interop -o requirements/interop.txt
	$(BIN)/$(LOCK) --upgrade --group supply-chain -o requirements/audit.txt
	$(BIN)/$(LOCK) --resolution lowest-direct pyproject.toml --group test -o requirements/oldest.txt
	cd $(TYPESCRIPT) && $(NPM) update --package-lock-only

dist: $(BIN)/installed ## build both wheels into dist/
	rm -rf build client/build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./client .

clean: ## remove what the targets made, except enrollment.db
	rm -rf .venv .venv-* build client/build dist .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache .hypothesis .schemathesis $(TYPESCRIPT)/node_modules

$(BIN)/installed: requirements/dev.txt $(SETUP)
	@$(call install,.venv,$<)
	@$(call link,.venv)
	@touch $@

.venv-oldest/bin/installed: requirements/oldest.txt $(SETUP)
	@$(call install,.venv-oldest,$<)
	@$(call link,.venv-oldest)
	@touch $@

.venv-bench/bin/installed: requirements/bench.txt $(SETUP)
	@$(call install,.venv-bench,$<)
	@$(call link,.venv-bench)
	@touch $@

# What is generated goes where Go looks for the package enrollment/v1.
GO_GENERATED := .venv-bench/go/src
PROTO := enrollment/v1/enrollment.proto
.venv-bench/bin/go-server: bench/go_server/main.go protos/$(PROTO) .venv-bench/bin/installed
	mkdir -p $(GO_GENERATED)
	protoc -Iprotos -I$$(echo .venv-bench/lib/python*/site-packages) \
	  --go_out=$(GO_GENERATED) --go_opt=M$(PROTO)=enrollment/v1 \
	  --go-grpc_out=$(GO_GENERATED) --go-grpc_opt=M$(PROTO)=enrollment/v1 $(PROTO)
	GO111MODULE=off CGO_ENABLED=0 GOPATH=$(CURDIR)/.venv-bench/go:$(GO_LIBRARIES) \
	  .venv-bench/bin/go build -o $@ $<

.venv-server/bin/installed: requirements/server.txt
	@$(call install,.venv-server,$<)
	@touch $@

.venv-gateway/bin/installed: requirements/gateway.txt
	@$(call install,.venv-gateway,$<)
	@touch $@

.venv-interop/bin/installed: requirements/interop.txt
	@$(call install,.venv-interop,$<)
	@touch $@

# npm is a script that looks for node.
NPM := PATH="$(CURDIR)/.venv-interop/bin:$$PATH" npm
$(TYPESCRIPT)/node_modules/installed: $(TYPESCRIPT)/package-lock.json | .venv-interop/bin/installed
	cd $(TYPESCRIPT) && $(NPM) ci --quiet
	@touch $@

.venv-audit/bin/installed: requirements/audit.txt
	@$(call install,.venv-audit,$<)
	@touch $@

define install
	echo "installing into $(1), from $(2)"
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
endef

# Our own two distributions are linked, not copied.
define link
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e client -e .
endef
