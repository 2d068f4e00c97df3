# Two commands on a fresh machine: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
NOTEBOOKS := $(wildcard notebooks/*.py)
JUPYTEXT_OUT := build/notebooks
MUTANTS_MINUTES ?= 10
# how many examples a property is tried on in the fast loop; .ci/run asks for all: house
EXAMPLES ?= quick
# what is no unit test: the one place that says so, for a desk and for .ci/run
UNIT := not kafka and not slow and not integration
# the fast tests on every core, a file of tests at a time
SPREAD := -n auto --maxprocesses 4 --dist loadfile
# the others mostly wait: two at a time, each with a broker of its own
TWO := -n 2 --dist loadfile
# JUNIT=folder: a report of each part goes there
JUNIT_FILE = $(if $(JUNIT),--junitxml=$(JUNIT)/$(1).xml)
# has no wheel, and only makes reports of the mutation tool that are not asked for
WITHOUT_WHEEL := yattag
# libraries of others that only tests ask, once `make libraries` was run: apart, or Faust would use what it finds there
LIBRARIES := $(VENV)/libraries
MADE := $(wildcard $(LIBRARIES)/.installed)
ASKING = $(shell grep -rlx 'from tests.libraries import library' tests --include='test_*.py' | sort)
LEFT_OUT = $(if $(MADE),$(addprefix --ignore=,$(ASKING)))
EXTRAS := --extra gateway --extra local --extra notebooks --extra dev
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
  --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help demo test unit rest libraries kit lint bench redteam mutants chaos lock clean install notebooks site

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: $(STAMP) ## a real Kafka, a registered fleet, nine attacks, the detector at work (about three minutes)
	@$(BIN)/detector kernels
	$(BIN)/detector demo $(DEMO_ARGS)

test: $(STAMP) ## every test: unit, property, real Kafka, and the notebooks executed
	@$(BIN)/detector kernels
	@$(MAKE) --no-print-directory unit EXAMPLES=house
	@$(MAKE) --no-print-directory rest
	@$(if $(MADE),$(MAKE) --no-print-directory kit)

unit: $(STAMP) $(MADE) ## the fast tests only, under a minute once kernels are compiled
	HYPOTHESIS_PROFILE=$(EXAMPLES) $(BIN)/python -m pytest $(SPREAD) -m "$(UNIT)" $(LEFT_OUT) \
	  $(call JUNIT_FILE,unit) $(PYTEST_ARGS)

rest: $(STAMP) $(MADE) # every test that `unit` leaves out, and the notebooks
	$(BIN)/python -m pytest $(TWO) -m "not ($(UNIT))" $(LEFT_OUT) $(call JUNIT_FILE,rest) $(PYTEST_ARGS)
	$(MAKE) --no-print-directory notebooks

libraries: $(LIBRARIES)/.installed ## LangChain and others that tests ask, installed apart: then `make test` does

kit: $(LIBRARIES)/.installed ## the tests that ask those libraries, in a process of their own (seconds)
	REQUIRE_KIT=1 DETECTOR_KIT_LIBRARIES=$(LIBRARIES) $(BIN)/python -m pytest $(ASKING) \
	  $(call JUNIT_FILE,kit) $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, mypy --strict, the floors of the house, drift of docs/schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m detector.schema.publish --check

bench: $(STAMP) ## measure quality and speed, write benchmarks/RESULTS.md (long)
	$(BIN)/python -m benchmarks

redteam: $(STAMP) ## attackers who know the code, on a recorded stream: what is still seen (ten minutes)
	$(BIN)/python -m benchmarks redteam

mutants: $(STAMP) ## change the code in small wrong ways, name the changes that no test notices
	$(BIN)/python -m benchmarks.mutants --minutes $(MUTANTS_MINUTES) $(MUTANTS_ARGS)

chaos: $(STAMP) ## make every fault of the fault table, write how it ended into benchmarks/RESULTS.md (ten minutes)
	@$(BIN)/detector kernels
	REQUIRE_KAFKA=1 $(BIN)/python -m benchmarks chaos

site: $(VENV)/.docs ## docs/ as a site in build/site; fails on a broken link, or on a load from elsewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build

notebooks: $(STAMP) ## execute every notebook, and keep each as a page: build/notebooks/*.html
	@mkdir -p $(JUPYTEXT_OUT) && rm -f $(JUPYTEXT_OUT)/*.ipynb $(JUPYTEXT_OUT)/*.html
	@for source in $(NOTEBOOKS); do \
	  $(BIN)/jupytext --quiet --to ipynb --output $(JUPYTEXT_OUT)/$$(basename $$source .py).ipynb $$source || exit 1; \
	done
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 --overwrite -p no:cacheprovider -q $(JUPYTEXT_OUT)
	@$(BIN)/python -m nbconvert --log-level=ERROR --to html --TemplateExporter.extra_template_basedirs=notebooks \
	  --template page $(JUPYTEXT_OUT)/*.ipynb
	$(BIN)/python -m tests.notebooks.kept $(JUPYTEXT_OUT)

install: $(STAMP) ## make .venv from the lock, compile the kernels, and nothing else

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or \
	sys.exit("make: Python must be 3.11, 3.12 or 3.13, got %d.%d: name another, as in  make PYTHON=python3.11 test" % v)'
	@test -x $(BIN)/python || { echo "making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing from requirements.lock, hashes checked (a few hundred MB the first time)"
	@$(PIP) install --quiet --require-hashes --no-deps --only-binary :all: -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/detector kernels
	@touch $(STAMP)

$(VENV)/.docs: $(STAMP) requirements-docs.lock
	@echo "installing from requirements-docs.lock, hashes checked"
	@$(PIP) install --quiet --require-hashes --no-deps --only-binary :all: -r requirements-docs.lock
	@touch $@

$(LIBRARIES)/.installed: $(STAMP) requirements-kit.lock
	@echo "installing from requirements-kit.lock into $(LIBRARIES), hashes checked"
	@rm -rf $(LIBRARIES)
	@$(BIN)/python -m venv --without-pip $(LIBRARIES)
	@$(PIP) --python $(LIBRARIES)/bin/python install --quiet --require-hashes --no-deps --only-binary :all: \
	  -r requirements-kit.lock
	@touch $@

lock: $(STAMP) ## resolve pyproject.toml again into the five locks
	$(COMPILE) $(EXTRAS) --output-file requirements.lock pyproject.toml
	sed -i "/^$(WITHOUT_WHEEL)==/,/# via/d" requirements.lock
	$(COMPILE) --build-deps-for wheel --constraint requirements.lock --output-file requirements-worker.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file requirements-edge.lock requirements-edge.in
	$(COMPILE) --constraint requirements.lock --output-file requirements-docs.lock requirements-docs.in
	$(COMPILE) --constraint requirements.lock --output-file requirements-kit.lock requirements-kit.in

clean: ## remove what make made: .venv, caches, build
	rm -rf $(VENV) build dist .coverage htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
