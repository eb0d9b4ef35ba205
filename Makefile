# make install | demo | test | check | bench: each sets up .venv first. See README.md.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
# `make demo`
PORT ?= 8000
DATA ?= demo-data
IMAGES ?=
# `make bench`: base addresses, one or two; without one, a server of its own
URLS ?=
# Processes that share the tests.
JOBS ?= auto
PYTEST := $(BIN)/python -m pytest
# In CI nothing may be skipped.
STRICT := $(if $(CI),-p tests.strict)
READERS := $(if $(CI),$(VENV)/.readers)
BROWSER := $(if $(CI),browser $(VENV)/.viewer)
STORES := $(if $(CI),$(VENV)/.stores)
# Scenarios of tests/recorded for `make record`, such as recorded/keyvalue/keys.json; all without one.
FILES ?=

.PHONY: install readers browser viewer stores demo test test-long test-kernels record docs check bench coverage clean
.DEFAULT_GOAL := install

# With Neuroglancer, so that nothing later needs the network. Where that fails the rest is there, and is not tried again.
install: $(VENV)/.warm $(VENV)/.viewer-tried

$(VENV)/.viewer-tried: $(VENV)/.installed
	@$(MAKE) --no-print-directory viewer || echo 'dvidpy: installed, without Neuroglancer; `make viewer` tries to build it again'
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt scripts/install.sh
	@PYTHON="$(PYTHON)" sh scripts/install.sh $(VENV)
	@touch $@

$(VENV)/.warm: $(VENV)/.installed $(wildcard dvidpy/kernels/*.py)
	@$(BIN)/dvidpy warm
	@touch $@

# Programs of others that tests read what is shown with; where they are missing, those tests are skipped.
readers: $(VENV)/.readers

$(VENV)/.readers: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[readers]'
	@touch $@

# Chromium and what drives it, for tests of what people see. It may be gone while .venv is kept: looked for each time.
browser: $(VENV)/.installed
	@sh scripts/browser.sh $(VENV)

# Servers of object stores, which tests of point clouds need: they take go and npm, both at once.
stores: $(VENV)/.stores

$(VENV)/.stores: $(VENV)/.installed
	@sh scripts/stores.sh $(VENV)
	@touch $@

# Neuroglancer as the server shows it at /neuroglancer/; Node.js comes from PyPI where there is none.
viewer: $(VENV)/.viewer

$(VENV)/.viewer: $(VENV)/.installed $(wildcard dvidpy/cli/viewer/*)
	@$(BIN)/dvidpy neuroglancer --check >/dev/null 2>&1 || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[viewer]'
	@$(BIN)/dvidpy neuroglancer
	@touch $@

demo: install
	$(BIN)/dvidpy demo --data '$(DATA)' --port $(PORT) $(if $(IMAGES),--images '$(IMAGES)')

test: $(VENV)/.warm $(READERS) $(BROWSER) $(STORES)
	$(PYTEST) -n $(JOBS) $(STRICT) -m 'not long'

test-long: $(VENV)/.warm
	$(PYTEST) -n $(JOBS) -m long

# The kernels as plain Python, so that coverage sees their lines.
test-kernels: $(VENV)/.warm
	NUMBA_DISABLE_JIT=1 $(PYTEST) tests/kernels --cov --cov-report=

record: $(VENV)/.warm
	cd tests && ../$(BIN)/python -m recorded.record $(FILES)

docs: $(VENV)/.warm
	cd tests && ../$(BIN)/python -m house.api_page

check: $(VENV)/.warm
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.warm
	$(BIN)/python -m benchmarks $(URLS)

coverage: test-kernels
	$(PYTEST) -n $(JOBS) -m 'not long' --cov --cov-append --cov-report=term:skip-covered --cov-report=html

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
