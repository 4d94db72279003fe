# Needs make and Python >= 3.11 and nothing else; everything is installed into $(VENV).

VENV ?= .venv
DATA ?= ../shared/data
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo record test check lint types imports coverage sdist docs docs-site bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.package ## run the examples: some of their expectations fail on purpose
	@$(PYTEST) --refinery examples/support_agent $(ARGS); code=$$?; test $$code -le 1 || exit $$code
	@echo "The expectations that failed above are meant to fail: they show what a diagnosis looks like."

record: $(VENV)/.tests ## record the cassettes of the examples again, against a service on this machine
	@$(BIN)/python -m examples.support_agent.record_cassettes

test: $(VENV)/.tests ## run the whole test suite
	@$(PYTEST) -n auto $(ARGS)

check: lint types imports test ## all that CI runs, in the same order

lint: $(VENV)/.dev ## rules, format, spelling, metadata, workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/zizmor --offline --quiet .github

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports
	$(BIN)/lint-imports importlinter-types.toml

coverage: $(VENV)/.tests ## the test suite with the branches it misses
	@$(PYTEST) -n auto --cov --cov-report=term-missing $(ARGS)

sdist: $(VENV)/.tests ## build the sdist, and run the test suite from it
	@rm -rf build/sdist && $(BIN)/python -m hatchling build --target sdist --directory build/sdist
	@tar -xzf build/sdist/*.tar.gz --strip-components=1 -C build/sdist
	@cd build/sdist && PYTHONPATH="$$PWD" $(abspath $(BIN))/python -m pytest -n auto $(ARGS)

docs: $(VENV)/.package ## write the generated pages again
	$(BIN)/python docs/generate_options.py
	$(BIN)/python docs/generate_report_json.py
	$(BIN)/python docs/generate_how_sure.py

docs-site: $(VENV)/.site ## build the site of the documentation in build/site
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet --builder html docs build/site

bench: $(VENV)/.bench ## measure again what benchmarks/results holds
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.digest --data $(DATA)
	$(BIN)/python -m benchmarks.scale --data $(DATA)
	$(BIN)/python -m benchmarks.read_ahead
	$(BIN)/python -m benchmarks.cassettes
	$(BIN)/python -m benchmarks.verify --kills 50
	$(BIN)/python -m benchmarks.replay
	$(BIN)/python -m benchmarks.scrubbing --data $(DATA)
	$(BIN)/python -m benchmarks.fuzz --write
	$(BIN)/python -m benchmarks.suite_size
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.formats --data $(DATA)
	$(BIN)/python -m benchmarks.page --data $(DATA)
	$(BIN)/python -m benchmarks.accuracy --data $(DATA) --write
	$(BIN)/python -m benchmarks.accuracy --data $(DATA) --set planted --write
	$(BIN)/python -m benchmarks.accuracy --data $(DATA) --set planted --half other --write
	$(BIN)/python -m benchmarks.accuracy --data $(DATA) --set german --write
	$(BIN)/python -m benchmarks.accuracy.speed --data $(DATA) --write

clean: ## remove the environment and every cache
	rm -rf $(VENV) build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than the pyproject.toml it was installed from, so a second run installs nothing.
$(VENV)/.package: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable '.[openai]'
	@touch $@

$(VENV)/.tests: $(VENV)/.package
	@$(PIP) install --group tests
	@touch $@

$(VENV)/.site: $(VENV)/.package
	@$(PIP) install --group site
	@touch $@

$(VENV)/.dev: $(VENV)/.tests
	@$(PIP) install --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.tests
	@$(PIP) install --group bench
	@touch $@
