# Everything runs in .venv, made on first use and again when its inputs change.
# PYTHON=python3.12 picks another interpreter, PIP_ARGS hands options to pip.

PYTHON ?= python3
PIP_ARGS ?=
WORKERS ?= 2
MINUTES ?= 10
MODEL ?= runs/demo
DATA ?=
ROWS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
COMMA := ,
BROWSER := $(if $(shell command -v chromium),$(COMMA)browser)
READY_SERVE := $(VENV)/.ready-serve
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve zoo test check format browser kills fuzz sanitize clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## learn English pronunciation from the CMU dictionary, here and now
	$(BIN)/transduce demo

serve: $(READY_SERVE) ## the demo's model on a page, after make demo; or MODEL=DIRECTORY
	@test -e $(MODEL) || { echo "$(MODEL) is not there: make demo trains it, in two minutes" >&2; exit 1; }
	$(BIN)/transduce serve $(MODEL)

zoo: $(READY_DEV) ## the models of the table of recipes: DATA=FOLDER, or some of them: ROWS="g2p-kor copy"
	@test -n "$(DATA)" || { echo "DATA must be the folder of the data: docs/zoo/README.md" >&2; exit 2; }
	$(BIN)/python -m benchmarks.zoo --data "$(DATA)" $(ROWS)

test: $(READY_DEV) ## all tests, on WORKERS=2 processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(READY_DEV) ## lint, format, types and what the docs point to
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_docs_links.py

format: $(READY_DEV) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

browser: $(READY_DEV) ## what the tests of the page need: Playwright, and Debian's Chromium
	$(PIP_INSTALL) -e '.[browser]'
	@command -v chromium >/dev/null || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends chromium; }

kills: $(READY_DEV) ## kills and write errors at every change of a file (half an hour)
	$(BIN)/python tests/kills/sweep.py

fuzz: $(READY_DEV) ## damaged inputs for every reader, MINUTES=10 of them
	$(BIN)/python tests/fuzz run --minutes $(MINUTES)

sanitize: $(READY_DEV) ## the native engine's tests under the sanitizers of g++ (ten minutes)
	$(BIN)/python tests/sanitize.py
	$(BIN)/python tests/sanitize.py --threads

clean: ## remove the environment and the caches
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Transduce needs Python 3.11 or newer; $(PYTHON) was not found." \
	    "Install it or name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Transduce needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	    "Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu:" \
	    "apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV): this once it takes minutes."
	$(PIP_INSTALL) -e .
	@touch $@

$(READY_SERVE): $(READY)
	$(PIP_INSTALL) -e '.[serve]'
	@touch $@

$(READY_DEV): $(READY)
	$(PIP_INSTALL) -e '.[dev$(BROWSER)]'
	@touch $@
