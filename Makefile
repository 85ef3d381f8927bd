# `make demo` and `make test` do all the set-up on a bare machine: Python 3.11 or newer with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet
JOBS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
# Two processes of many threads each slow one another down; the nets of the tests are small.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo lab test test-gpu lint bench bench-gpu bench-anomaly clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/'

demo: $(VENV)/demo ## train every kind on embedded data and write runs/demo/report.html
	$(BIN)/isthmus demo

lab: $(VENV)/lab ## run every experiment of the lab and write their page, docs/lab/gallery.html
	$(BIN)/python docs/lab/index.py
	rm -f runs/lab/gallery.html
	$(BIN)/isthmus lab run all; ended=$$?; cp runs/lab/gallery.html docs/lab/gallery.html && exit $$ended

test: $(VENV)/test ## run the tests
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

test-gpu: ## the tests that need a GPU, with the Python that is there
	PYTHONPATH=src:tests $(PYTHON) -m pytest -q -p no:cacheprovider tests_gpu

lint: $(VENV)/test ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/bench ## time training against other libraries; a quarter of an hour on a quiet machine
	$(BIN)/python benchmarks/training.py $(BENCH_ARGS)

# With the Python at hand: a GPU's torch is not the one that constraints.txt pins. Peers that it lacks are left out.
bench-gpu: ## the same on a GPU
	PYTHONPATH=src $(PYTHON) benchmarks/training.py --device cuda $(BENCH_ARGS)

bench-anomaly: $(VENV)/bench ## compare detectors on the tables of ISTHMUS_DATA
	$(ONE_THREAD) $(BIN)/python benchmarks/anomaly.py

clean: ## remove the environment, the caches and built files; runs/ stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than the files that say what to install, or it is made again.
$(VENV)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "isthmus needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/demo: $(VENV)/python pyproject.toml constraints.txt
	$(PIP) -e '.[report]'
	touch $@

$(VENV)/test: $(VENV)/python pyproject.toml constraints.txt
	$(PIP) -e '.[report,data,lab,test,dev]'
	touch $@ $(VENV)/demo $(VENV)/lab

$(VENV)/lab: $(VENV)/python pyproject.toml constraints.txt
	$(PIP) -e '.[report,lab]'
	touch $@ $(VENV)/demo

$(VENV)/bench: $(VENV)/python pyproject.toml constraints.txt
	$(PIP) -e '.[report,data,bench]'
	touch $@
