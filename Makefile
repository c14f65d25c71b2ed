# Machines that hold the shape. `./sauma test` builds .venv with every tool at its locked version; in development
# another environment can be named: VENV=/path make check. A tool that is missing is a failure, never a silent pass.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON := PYTHONPATH=src $(BIN)/python
# mypy runs without PYTHONPATH: what it finds by it counts as somebody else's, and is not reported

.PHONY: test check tools lint types imports shapes shape contract demo faults slow bench bench-scale lint-api diff-api fuzz-api canary

test: tools
	$(PYTHON) -m pytest

check: tools lint types imports shapes shape
	@echo "check: all machines green"

tools:
	@for tool in python ruff mypy lint-imports ast-grep pytest; do \
	  test -x $(BIN)/$$tool || { echo "$(BIN)/$$tool is missing: run ./sauma test once, or name another environment with VENV=…" >&2; exit 1; }; \
	done

lint: tools
	$(BIN)/ruff check src tests verify
	$(BIN)/ruff format --check src tests verify

types: tools
	env -u PYTHONPATH $(BIN)/mypy
	cd verify && env -u PYTHONPATH $(abspath $(BIN))/mypy

imports: tools
	PYTHONPATH=src $(BIN)/lint-imports

shapes: tools
	$(BIN)/ast-grep test --skip-snapshot-tests
	$(BIN)/ast-grep scan --error

shape: tools
	$(PYTHON) -m pytest tests/shape tests/typing

contract: tools
	$(PYTHON) -m sauma contract write

demo: tools
	$(PYTHON) -m sauma demo

# the long form of what the suite does in a few rounds: kill -9 under traffic, races against a withdrawal
faults: tools
	FAULT_ROUNDS=$${FAULT_ROUNDS:-20} RACES=$${RACES:-1500} $(PYTHON) -m pytest tests/faults tests/attacks/test_race.py

# a healthy client's slowest answers beside 400 slow connections, held against those of a quiet server
slow: tools
	SLOW_RATIO=$${SLOW_RATIO:-2} $(PYTHON) -m pytest -s tests/faults/test_slow_clients.py -k healthy

# the product against a bare application and a naive pipeline: docs/bench.md says what the figures mean
bench: tools
	@PYTHONPATH=src:tests $(BIN)/python -m bench.run $(BENCH_FLAGS)

# the same query over 10 000 … SCALE records and ledger rows (default 100 000; docs/bench.md has SCALE=1000000)
bench-scale: tools
	@PYTHONPATH=src:tests $(BIN)/python -m bench.scale $(BENCH_FLAGS)

# what four linters find in openapi/sauma.json; NL_RULES names the Dutch rule set, without which it is skipped aloud
lint-api: export NL_RULES := $(or $(NL_RULES),$(firstword $(wildcard ../*/lint/nl-adr.yaml)))
lint-api: tools
	$(PYTHON) -m pytest -s tests/contract/test_lint.py

# the description held against the running server by schemathesis; FUZZ_EXAMPLES for more of them
fuzz-api: tools
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-10} $(PYTHON) -m pytest -s tests/contract/test_schemathesis.py

# the journeys with nothing but invented people, then a search for every one of them wherever bytes may lie
canary: tools
	$(PYTHON) -m pytest tests/journeys tests/contract tests/web/test_metrics.py tests/web/test_tracing.py

# what a client relies on and the last tag promised is still there
diff-api: tools
	@PYTHONPATH=src:tests $(BIN)/python -m contract.gate
