# The daily commands. They need git, make and a Python 3.11–3.14; everything else they fetch into .venv.
#
#   make PYTHON=python3.11 …    another interpreter, in an environment of its own (.venv-3.11)
#   make ARGS="…" run           further arguments for the command

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PYTHON ?=
ARGS ?=
COVERAGE_MIN ?= 95
FUZZ_PROFILE ?= fuzz
# Kinds of tests that run at a time: they mostly wait, as calls take their time.
AT_ONCE ?= 4

export ENV ?= development
export PYTHON
export MAKE

# An interpreter asked for gets a folder by its version; the chosen one gets .venv.
ifndef VENV
VENV := $(if $(PYTHON),.venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null),.venv)
endif
BIN = $(VENV)/bin
SOURCES = media_ws_ai scheduling tests $(wildcard app.py)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile

.PHONY: venv-run venv-dev
venv-run venv-dev: venv-%:
	@python=$$(.ci/choose-python) && .ci/venv $(VENV) "$$python" $*

.PHONY: run
run: venv-run ## start everything here and place a first call
	@exec $(BIN)/media-ws-ai run $(ARGS)

.PHONY: install
install: venv-dev ## the environment for work on this repository

.PHONY: format
format: venv-dev ## rewrite the sources in the house's form
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

.PHONY: lint
lint: venv-dev ## form, ruff, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-logo

.PHONY: test
test: venv-dev ## all tests, each kind in processes of its own, four kinds at a time
	@$(BIN)/python .ci/side-by-side $(AT_ONCE) \
		test-integration-gevent test-socket test-socket-gevent test-integration-threads test-unit

.PHONY: test-unit
test-unit: venv-dev ## pure code: tables, properties, audited lines; with branch coverage
	@.ci/tests tests/unit,tests/properties,tests/contract $(BIN)/python -m pytest --cov --cov-branch --cov-report=term --cov-fail-under=$(COVERAGE_MIN)

.PHONY: test-socket
test-socket: venv-dev ## real sockets and PostgreSQL under plain threads
	@TESTS_UNDER=threads .ci/tests tests/socket $(BIN)/python -m pytest

.PHONY: test-socket-gevent
test-socket-gevent: venv-dev ## the same, patched by gevent from the first line
	@TESTS_UNDER=gevent .ci/tests tests/socket $(BIN)/python -m gevent.monkey --module pytest

.PHONY: test-integration
test-integration: test-integration-gevent test-integration-threads ## the whole stack: gunicorn under gevent and under threads

.PHONY: test-integration-gevent
test-integration-gevent: venv-dev
	@.ci/tests tests/integration $(BIN)/python -m pytest -k "not gthread"

.PHONY: test-integration-threads
test-integration-threads: venv-dev
	@.ci/tests tests/integration $(BIN)/python -m pytest -k gthread

.PHONY: test-call
test-call: venv-dev ## one whole call on the real stack
	@.ci/tests tests/integration $(BIN)/python -m pytest -m one_real_call

.PHONY: check
check: lint test ## what a commit passes

.PHONY: fuzz
fuzz: venv-dev ## the property tests with fresh seeds and many more examples
	@HYPOTHESIS_PROFILE=$(FUZZ_PROFILE) .ci/tests tests/properties $(BIN)/python -m pytest

.PHONY: clean
clean: ## remove environments and caches; data in var/ stays
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage *.egg-info
	find media_ws_ai scheduling tests -name __pycache__ -type d -prune -exec rm -rf {} +
