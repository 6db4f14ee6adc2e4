# Every target sets up what it needs and is quick when that is there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench-views bench-training bench-search

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "natviews needs Python 3.11 to 3.13; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	rm -rf runs/demo
	$(BIN)/natviews demo --out runs/demo

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What is compared with natviews, beside what development needs.
bench-views: .venv/.bench
	$(BIN)/python benchmarks/views.py

bench-training: .venv/.bench
	$(BIN)/python benchmarks/training.py

bench-search: .venv/.bench
	$(BIN)/python benchmarks/search.py --size $(or $(SIZE),100000)

.venv/.bench: .venv/.installed pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --progress-bar off --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	touch $@
