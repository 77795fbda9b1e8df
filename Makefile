# A thin front. Everything runs from .venv, which is made from the lock files; nothing is installed elsewhere.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= data

.PHONY: help demo serve test bench check format lock clean
.DEFAULT_GOAL := help

help:  ## Show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): requirements-dev.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Scopegate needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e clients/python
	@touch $@

demo: $(STAMP)  ## Watch agents share memory through the gateway (offline, on this machine)
	@$(BIN)/scopegate demo

serve: $(STAMP)  ## Run the gateway on ./policies, memories in ./data
	@$(BIN)/scopegate serve --data $(DATA) --policies policies

test: $(STAMP)  ## Run all tests
	$(BIN)/pytest -n 2

bench: $(STAMP)  ## Measure decisions, readable scopes and reloads (minutes; see bench/README.md)
	$(BIN)/python -m bench.decisions
	$(BIN)/python -m bench.readable
	$(BIN)/python -m bench.reload

check: $(STAMP)  ## Lint, types, who imports whom, and the shipped policies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/scopegate policy check policies --strict
	$(BIN)/scopegate policy test policies --coverage-min 100

format: $(STAMP)  ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock:  ## Resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--generate-hashes pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--generate-hashes pyproject.toml --group dev -o requirements-dev.lock

clean:  ## Remove what was made, except data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
