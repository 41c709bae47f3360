# The two commands of the README are `make run` and `make test`; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= 2
# On Linux PyPI's torch brings some 3 GB of CUDA, of use only beside an NVIDIA card. TORCH_INDEX= takes that one.
TORCH_INDEX ?= $(if $(filter Linux,$(shell uname -s)),$(if $(shell command -v nvidia-smi),,https://download.pytorch.org/whl/cpu))
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: help run test check format lint types contracts tests slow docs wheel clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

run: $(VENV)/installed  ## the whole pipeline over the bundled sample, and the posts it wrote
	$(BIN)/digest --home .run run --source sample --as-of 2026-07-03T12:00Z
	$(BIN)/digest --home .run posts show
	@echo
	@echo 'What to try next:'
	@echo '  $(BIN)/digest --home .run search "concept bottleneck"'
	@echo '  $(BIN)/digest --home .run keys list unlearning'
	@echo '  $(BIN)/digest --home .run posts list'
	@echo '  $(BIN)/digest init       write digest.toml here and make the topics your own'

test: wheel check  ## everything that CI checks

check: $(VENV)/developed format lint types contracts tests  ## format, lint, types, contracts, tests

format: $(VENV)/developed
	$(BIN)/ruff format --check .

lint: $(VENV)/developed
	$(BIN)/ruff check .

types: $(VENV)/developed
	$(BIN)/mypy

contracts: $(VENV)/developed
	$(BIN)/lint-imports

tests: $(VENV)/developed
	$(BIN)/pytest -n $(JOBS) --dist worksteal

slow: $(VENV)/developed  ## the long tests too
	$(BIN)/pytest -n $(JOBS) --dist worksteal --slow

docs: $(VENV)/developed  ## the documentation as a site, in build/docs
	$(BIN)/sphinx-build -q -W --keep-going docs build/docs
	@echo 'open build/docs/index.html'

wheel: $(VENV)/developed  ## build the wheel, install it alone, run the sample with it
	rm -rf dist build/wheel && $(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip --disable-pip-version-check --quiet install dist/*.whl
	cd build/wheel && bin/digest --home home run --source sample --as-of 2026-07-03T12:00Z
	cd build/wheel && bin/digest --home home search "concept bottleneck"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'digest needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@test -z '$(TORCH_INDEX)' || $(PIP) install --no-deps --retries 1 --index-url '$(TORCH_INDEX)' torch 2>/dev/null \
	  || echo '$(TORCH_INDEX) cannot be reached: taking the torch of PyPI, some 3 GB'
	$(PIP) install --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed
	$(PIP) install --editable '.[dev]'
	@touch $@

clean:  ## remove what the other commands made
	rm -rf $(VENV) .run build dist .mypy_cache .ruff_cache .pytest_cache
