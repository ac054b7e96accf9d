# Every target works in a fresh checkout: .venv is set up first, once; for the demo the small library, then the rest.

# The first supported Python on the path; `make PYTHON=...` names another.
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3.10 python3; do \
	if $$python -c '$(SUPPORTED)' 2>/dev/null; then echo $$python; break; fi; done)
LIBRARY := .venv/library
ENVIRONMENT := .venv/installed

.PHONY: help demo test lint docs
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(LIBRARY) ## find people in photographs, then train and test on built-in data
	.venv/bin/python tools/demo.py --no-training
	@$(MAKE) --no-print-directory $(ENVIRONMENT)
	.venv/bin/python tools/demo.py --no-people

test: $(ENVIRONMENT) ## run the tests
	.venv/bin/python -m pytest

lint: $(ENVIRONMENT) ## check style and formatting
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

docs: $(ENVIRONMENT) ## build the documentation's site in build/site
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	.venv/bin/mkdocs build --strict

$(LIBRARY): requirements-library.txt pyproject.toml
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "ClassicPose needs Python 3.10 to 3.14, and found none." \
			"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up .venv with $(PYTHON)."
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python tools/set_up.py requirements-library.txt
	@touch $@

$(ENVIRONMENT): $(LIBRARY) requirements.txt requirements-core.txt $(wildcard stubs/*/pyproject.toml stubs/*/*/*.py)
	@echo "Adding PyTorch and MMPose to .venv: about two minutes and 6 GB of disk."
	@.venv/bin/python tools/set_up.py requirements.txt
	@touch $@
