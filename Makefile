# Every target works in a fresh checkout: the environment in .venv is set up first, once.

# The first supported Python on the path; `make PYTHON=...` names another.
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3.10 python3; do \
	if $$python -c '$(SUPPORTED)' 2>/dev/null; then echo $$python; break; fi; done)
ENVIRONMENT := .venv/installed

.PHONY: help demo test lint docs
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(ENVIRONMENT) ## find people in photographs, then train and test on built-in data
	.venv/bin/python tools/demo.py

test: $(ENVIRONMENT) ## run the tests
	.venv/bin/python -m pytest

lint: $(ENVIRONMENT) ## check style and formatting
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

docs: $(ENVIRONMENT) ## build the documentation's site in build/site
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	.venv/bin/mkdocs build --strict

$(ENVIRONMENT): requirements.txt requirements-core.txt pyproject.toml $(wildcard stubs/*/pyproject.toml stubs/*/*/*.py)
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "ClassicPose needs Python 3.10 to 3.14, and found none." \
			"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up .venv with $(PYTHON): about two minutes and 6 GB of disk."
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python tools/set_up.py requirements.txt
	@touch $@
