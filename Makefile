# Every target needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
FOLDERS := audit audit/energy audit/explain audit/explain/core audit/explain/conclusion audit/explain/checks audit/explain/methods audit/explain/paths audit/explain/shapley audit/explain/quality audit/explain/gap audit/explain/summaries audit/explain/modality audit/fairness audit/fairness/numeric audit/fairness/table audit/fairness/comparison audit/fairness/small audit/fairness/conditional audit/fairness/scores audit/fairness/standards audit/fairness/monitoring audit/fairness/mitigation audit/fairness/counterfactual models models/datasets models/reference reports reports/words reports/sentences dashboards

.PHONY: demo test setup check test-all bench

demo: .venv/linked
	$(BIN)/gnomon demo

test: .venv/linked
	$(BIN)/pytest -n 2 -m "not slow"

test-all: .venv/linked
	$(BIN)/pytest -n 2

check: .venv/linked
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest -q tests/test_house.py

bench: .venv/linked
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

setup: .venv/linked

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt setuptools -e ".[dashboard,dev]"
	touch $@

# A strict editable install is a tree of links that editors and pyright can follow: renewed when a folder gains a file.
.venv/linked: .venv/installed $(FOLDERS)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=strict -e .
	touch $@
