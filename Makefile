# Two commands on a fresh machine with Rust and Python 3.11 or later:
#   make demo    make test
PYTHON ?= python3
BIN := .venv/bin
RUST := $(shell find rust -name '*.rs')
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python lint format bench bench-full accuracy wheel clean

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'harmonium needs Python 3.11 or later: make PYTHON=python3.11 ...'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.stamp: $(BIN)/python pyproject.toml Cargo.toml Cargo.lock $(RUST)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/.stamp  ## Fit real tables and draw what was found (writes demo/index.html)
	$(BIN)/harmonium demo --output demo

test: lint test-rust test-python  ## Lint, type-check and test Rust and Python

test-rust:  ## Test the kernels, without Python
	cargo test --quiet

test-python: .venv/.stamp  ## Test the package
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: .venv/.stamp  ## rustfmt, clippy, ruff, mypy, stubtest
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --lib --features python -- -D warnings
	$(BIN)/ruff format --check python tests benches docs
	$(BIN)/ruff check python tests benches docs
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest harmonium._kernels --ignore-missing-stub

format: .venv/.stamp  ## Format Rust and Python
	cargo fmt
	$(BIN)/ruff format python tests benches docs
	$(BIN)/ruff check --fix python tests benches docs

bench: .venv/.stamp  ## Kernel benchmarks and side-by-side runs against peers, in short
	cargo bench --bench kernels -- --quick --noplot
	$(BIN)/python -m pip install --quiet --disable-pip-version-check threadpoolctl
	$(BIN)/python benches/peers/families.py --quick
	$(BIN)/python benches/peers/expectation.py --quick

bench-full: .venv/.stamp  ## The same with more runs: the tables of docs/benchmarks.md
	cargo bench --bench kernels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check threadpoolctl
	$(BIN)/python benches/peers/families.py --pairs 5 --markdown
	$(BIN)/python benches/peers/expectation.py --markdown

accuracy: .venv/.stamp  ## Every family against mpmath: writes docs/accuracy.md
	$(BIN)/python benches/accuracy.py

wheel: .venv/.stamp  ## Build the abi3 wheel into dist/
	$(BIN)/maturin build --release --out dist

clean:  ## Remove everything that was built
	rm -rf target .venv demo dist python/harmonium/_kernels*.so
