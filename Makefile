# Every task of the repository is one target; CI runs the same ones. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PYTHON_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

.PHONY: install
install: $(VENV)/.serving ## .venv with what serving needs, from the hash-pinned lock, and the livewarden command

.PHONY: demo
demo: install ## everything embedded: demo rooms, console and a live table (ARGS="--seconds 60 --port 8080")
	@$(BIN)/livewarden demo $(ARGS)

.PHONY: test
test: $(VENV)/.dev ## all tests (ARGS="tests/streams -k outbox")
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: check
check: $(VENV)/.dev ## ruff format and lint, mypy strict
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## let ruff rewrite the files
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/.bench ## every benchmark, each beside its limit or its peer (ARGS="lanes text")
	@names="$(ARGS)"
	[ -n "$$names" ] || names=$$(ls benchmarks/bench_*.py | sed -E 's#.*/bench_(.*)\.py#\1#')
	for name in $$names; do echo "== $$name"; $(BIN)/python -m benchmarks.bench_$$name; done

.PHONY: lock
lock: ## resolve requirements/*.lock again (needs uv)
	@compile() { uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
	    --no-annotate --no-header --quiet --output-file "requirements/$$1.lock" "$${@:2}"; }
	compile serving --group build $(LOCK_ARGS)
	compile dev --group build --group dev --constraints requirements/serving.lock $(LOCK_ARGS)
	compile bench --group build --group bench --constraints requirements/dev.lock $(LOCK_ARGS)
	! grep -nE '://|--index-url|--extra-index-url|--find-links' requirements/*.lock

.PHONY: clean
clean: ## remove the environment, caches and build results; pulled models and found evidence stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do
	  if $$python -c '$(PYTHON_RANGE)' 2>/dev/null; then
	    $$python -m venv $(VENV) && exit 0
	    echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1
	  fi
	done
	echo "no Python 3.11, 3.12 or 3.13 found; name one with make PYTHON=/path/to/python3" >&2; exit 1

# uv where it is there and reaches an index, otherwise pip; both check every hash. The project itself is installed editable, without
# looking at an index: hatchling is in the lock.
define install_lock
	@echo "installing requirements/$(1).lock into $(VENV)"
	uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/$(1).lock 2>/dev/null \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/$(1).lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
endef

$(VENV)/.serving: requirements/serving.lock pyproject.toml | $(BIN)/python
	$(call install_lock,serving)
	touch $@

# The development lock holds everything of the serving lock in the same versions.
$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	$(call install_lock,dev)
	touch $@ $(VENV)/.serving

$(VENV)/.bench: requirements/bench.lock | $(VENV)/.dev
	$(call install_lock,bench)
	touch $@
