# Everything a newcomer needs: `make run`, `make test`. A virtual environment of its own is made
# in .venv; nothing else on the machine is changed.

PYTHON ?= python3
VENV := .venv
CONSTRAINTS := constraints.txt
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
INSTALLED := $(VENV)/.installed

# What depends on the Python that runs it, and not on processes or on a server.
QUICK := cli/test_bad_input.py cli/verbs config contract domain io/runs \
	$(addprefix io/schema/,alembic_bridge/test_embedding.py authoring/test_rebase.py \
	authoring/test_verification.py database first_look record revisions sqlite \
	test_migration_runner.py)

.PHONY: help install compiled run test quick lint check fuzz mutants pictures clean

help: ## show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

install: $(INSTALLED) ## make the virtual environment and install the package into it

$(INSTALLED): pyproject.toml $(CONSTRAINTS) requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; hint: make PYTHON=python3.11" >&2; exit 7; }
	@echo "installing into $(VENV): this takes a minute, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) \
		--editable ".[testing]" --requirement requirements-dev.txt
	@touch $@

run: install ## create, upgrade and seed the default database, and show it
	@$(BIN)/python scripts/db_setup.py --seed

# As pip does with what it installs: else each of the hundreds of processes that the tests start
# compiles the package anew, where PYTHONDONTWRITEBYTECODE is set.
compiled: install
	@$(BIN)/python -m compileall -q src

test: compiled ## run the whole suite, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

quick: compiled ## run the half of the suite that takes a minute, on SQLite only
	$(BIN)/python -m pytest --numprocesses auto --wdh-engine sqlite -m "not hypothesis" \
		$(addprefix tests/,$(QUICK))

lint: install ## check types, style and the rings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## all that CI checks

fuzz: install ## run the fuzzers for long; SEED=N draws the same again
	$(BIN)/python -m pytest --numprocesses auto -m hypothesis --timeout 7200 \
		--hypothesis-profile long --hypothesis-seed $(or $(SEED),$(shell date +%s))

mutants: install ## mutate the rooms that carry promises, at random, and see what no test notices
	$(BIN)/python tests/mutants.py --count $(or $(COUNT),100)

pictures: install ## draw the pictures of the pages: the wings, a session on a terminal, the costs
	$(BIN)/python scripts/draw_architecture.py
	$(BIN)/python scripts/draw_terminal.py
	$(BIN)/python scripts/draw_costs.py

clean: ## remove the virtual environment and the caches
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .mutants build dist
