# The front door: `make run` and `make test`. Everything happens in .venv, made when needed from constraints.txt.
#
# Portulan is installed there as a regular wheel, not "editable": an installed wheel has its bytecode compiled at
# installation (also where PYTHONDONTWRITEBYTECODE is set) and no .pth hook in front of it, so what `make run` shows,
# `make bench` measures and `make test` proves is what a user gets. It is installed anew whenever a source changes.

PYTHON ?= python3
VENV := .venv
# Twice quiet: errors only.
PIP := $(VENV)/bin/python -m pip -qq --disable-pip-version-check
CHECKED := src tests bench hatch_build.py

# Folders count too: their time changes when a file goes. Built and compiled files are results, not sources.
SOURCES := pyproject.toml README.md LICENSE NOTICE $(wildcard hatch_build.py) \
  $(shell find src docs/rules ! -path '*__pycache__*' ! -name 'registry.idx*' ! -name 'search.sqlite*')

.PHONY: help run test test-full lint types bench catalogue clean
.DEFAULT_GOAL := help

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

# Exit code 1 is a finding and 3 something the system refused to show: bad news about this machine, not a failure.
show = echo '$$ $(strip portulan $(1))'; code=0; $(VENV)/bin/portulan $(1) || code=$$?; \
  case $$code in 0|1|3) ;; *) exit $$code ;; esac

run: $(VENV)/portulan.stamp  ## show what listens on this machine, then the page of port 2528
	@$(call show); echo; $(call show,2528)

test: $(VENV)/portulan.stamp  ## the tests that need neither root nor much time
	@$(VENV)/bin/pytest -m 'not slow and not root'

test-full: $(VENV)/portulan.stamp  ## every test; as root also those that need it
	@$(VENV)/bin/pytest

lint: $(VENV)/tools.stamp  ## layout and rules (ruff)
	@$(VENV)/bin/ruff format --check $(CHECKED)
	@$(VENV)/bin/ruff check $(CHECKED)

types: $(VENV)/tools.stamp  ## types (mypy)
	@$(VENV)/bin/mypy

bench: $(VENV)/portulan.stamp  ## measure against other tools and print ratios; see bench/README.md
	@$(VENV)/bin/python bench/run.py

catalogue: $(VENV)/tools.stamp  ## extract the texts of the pages anew, for translators
	@PYTHONPATH=src $(VENV)/bin/python -m portulan.atlas.catalogues

clean:  ## remove .venv and everything built
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f src/portulan/registry/registry.idx src/portulan/registry/search.sqlite
	@find src tests bench -name __pycache__ -type d -exec rm -rf {} +

# One line for each thing a machine may lack; make adds its own about the target that failed.
lacks = { echo 'error: $(1); hint: $(2)' >&2; exit 1; }
version = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# pip goes first: the launchers written by pip before 25 import `re`, which costs more than the rest of the start-up.
# setuptools, which Python 3.11 puts there unasked, goes: its .pth file is run by each start of the interpreter, 0.5 ms.
$(VENV)/tools.stamp: constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || $(call lacks,there is no $(PYTHON),make PYTHON=/path/to/python3.11)
	@$(PYTHON) -c '$(version)' || $(call lacks,$(PYTHON) is not Python 3.11 to 3.13,make PYTHON=/path/to/python3.11)
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  $(call lacks,$(PYTHON) cannot make virtual environments,install its venv module (Debian: apt install python3-venv))
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || \
	  { echo 'making $(VENV) ...' >&2; $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) uninstall --yes setuptools
	@echo 'installing the tools that constraints.txt pins ...' >&2
	@$(PIP) install --constraint constraints.txt pip && $(PIP) install --constraint constraints.txt --group dev || \
	  $(call lacks,the tools could not be installed,the lines above say why; is the package index within reach?)
	@touch $@

# The build backend is the pinned one in .venv, hence no isolation.
$(VENV)/portulan.stamp: $(VENV)/tools.stamp $(SOURCES)
	@echo 'installing portulan in $(VENV) ...' >&2
	@$(PIP) install --no-deps --no-build-isolation --force-reinstall .
	@touch $@
