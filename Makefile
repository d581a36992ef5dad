# Two commands for a fresh checkout: `make demo` and `make test`. Both set everything up in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.built
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.PHONY: demo test test-rust test-python test-long lint bench bench-accuracy build clean

build: $(STAMP)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --group dev
	touch $@

# The tests run what users get: the release build, with every extra.
$(STAMP): $(VENV)/.installed $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet --extras all
	touch $@

test: test-rust test-python

test-rust:
	cargo test --release --workspace --quiet

test-python: build
	$(BIN)/python -m pytest tests -q -n auto --dist worksteal

test-long: build
	CRM_LONG=1 cargo test --release --workspace --quiet
	CRM_LONG=1 $(BIN)/python benchmarks/record_run.py test-long -- $(BIN)/python -m pytest tests -q

# Sample exports, the main job on them, and where to look.
demo: build
	rm -rf demo
	$(BIN)/crm-engine demo -o demo/exports
	$(BIN)/crm-engine dedupe demo/exports/hubspot_contacts.csv demo/exports/bitrix24_*.csv demo/exports/klienti.xlsx \
	    demo/exports/webshop_customers.parquet -o demo/out
	$(BIN)/crm-engine evaluate demo/out demo/exports/truth.csv
	@echo
	@echo "The exports are in demo/exports, the golden contacts and all they rest on in demo/out."
	@echo "Look further:  $(BIN)/crm-engine profile demo/exports/klienti.xlsx"

bench: build
	$(BIN)/python benchmarks/dedupe_speed.py

bench-accuracy: build
	$(BIN)/python benchmarks/accuracy.py

lint: build
	cargo fmt --check
	cargo clippy --release --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check python tests benchmarks
	$(BIN)/ruff format --check python tests benchmarks
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest crm_engine._core --ignore-missing-stub --allowlist tests/stubtest-allow.txt

clean:
	rm -rf $(VENV) target
