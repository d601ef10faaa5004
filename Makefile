.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types bench docs clean
PY := .venv/bin/python

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Make .venv with everything for development
	@tools/setup.sh dev

demo:  ## Simulate three PET/CT centres and one SPECT centre, and ask the lake
	@tools/setup.sh run
	@tools/demo.sh

test: setup  ## Run all tests, with the services they need
	@tools/services.sh
	@tools/test.sh

lint: setup  ## Style, types, layers
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

bench: setup  ## Measure against peers; writes benchmarks/RESULTS.md
	@$(PY) -m benchmarks

docs: setup  ## Regenerate the reference pages and build the site
	@$(PY) tools/reference.py
	@$(PY) -m tests.support.standard_table
	@.venv/bin/mkdocs build --strict --quiet

clean:  ## Remove everything that was made here
	rm -rf .venv demo site build dist benchmarks/data .mypy_cache .ruff_cache .pytest_cache .hypothesis
