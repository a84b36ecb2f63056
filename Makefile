# make reproduce   every table and figure of a profile (PROFILE=demo); run again, only what is not fresh
# make report      the run of a profile as one HTML page: results beside the paper, notebooks, provenance
# make test        all tests
# make bench     speed and memory: WHAT=data, synthesis, training, latency, processors or pilot
# make lab         JupyterLab at the notebook to start with
# make publish     make everything committed of the drawn faces anew: tables, figures, notebooks, pictures, numbers in documents
# make clean       remove the environment and all working files, runs too; what is committed stays

PROFILE ?= demo
ARGS ?=
TESTS ?=
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help reproduce report test bench lab publish clean

help:
	@grep '^# make' Makefile | cut -c 3-

reproduce: $(READY)
	@$(PYTHON) -m fer_utils reproduce --profile $(PROFILE) $(ARGS)

report: $(READY)
	@$(PYTHON) -m fer_utils report --profile $(PROFILE) $(ARGS)

test: $(READY)
	@$(PYTHON) -m pytest -n logical --maxprocesses 4 --dist loadgroup $(TESTS)

bench: $(READY)
	@$(PYTHON) -m bench $(WHAT)

# FER_ROOT and FER_DATA as seen from here: a kernel's working folder is that of its notebook. What
# begins with ~ is left to Python.
from_here = $(if $(filter /% ~%,$(firstword $(1))),$(1),$(CURDIR)/$(1))
ifneq ($(FER_ROOT),)
lab: override export FER_ROOT := $(call from_here,$(FER_ROOT))
endif
ifneq ($(FER_DATA),)
lab: override export FER_DATA := $(call from_here,$(FER_DATA))
endif
lab: $(READY)
	@$(PYTHON) -m jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

publish: $(READY)
	@$(PYTHON) -m fer_utils reproduce --profile demo $(ARGS)
	@$(PYTHON) -m fer_utils reproduce --profile demo_controls $(ARGS)
	@$(PYTHON) -m fer_utils publish --profile demo
	@$(PYTHON) -m fer_utils publish --profile demo_controls

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .hypothesis

# A mark without its environment (half of it was deleted) marks nothing.
ifeq ($(wildcard $(PYTHON)),)
$(shell rm -f $(READY))
endif

# Made again only when the pinned versions or the project's metadata change; otherwise make needs no network.
$(READY): requirements.lock pyproject.toml
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  for name in python3.11 python3.12 python3.13 python3; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$name; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Found no Python 3.11 or newer (looked for python3.11, python3.12, python3.13 and python3)." >&2; \
	    echo "Install one, for instance with conda: conda create -n fer python=3.11, then activate it." >&2; exit 2; \
	  fi; \
	  echo "Making $(VENV) with $$($$found --version)"; \
	  $$found -m venv --clear $(VENV) || { \
	    echo "$$found cannot make a virtual environment; on Debian and Ubuntu install python3-venv." >&2; exit 2; }; \
	fi
	@echo "Installing the pinned packages (the first time this takes some minutes)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
