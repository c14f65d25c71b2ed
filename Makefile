# Machines that hold the shape. `./sauma test` builds .venv with every tool at its locked version; in development
# another environment can be named: VENV=/path make check. A tool that is missing is a failure, never a silent pass.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON := PYTHONPATH=src $(BIN)/python
# mypy runs without PYTHONPATH: what it finds by it counts as somebody else's, and is not reported

.PHONY: test check tools lint types imports shapes shape contract demo faults

test: tools
	$(PYTHON) -m pytest

check: tools lint types imports shapes shape
	@echo "check: all machines green"

tools:
	@for tool in python ruff mypy lint-imports ast-grep pytest; do \
	  test -x $(BIN)/$$tool || { echo "$(BIN)/$$tool is missing: run ./sauma test once, or name another environment with VENV=…" >&2; exit 1; }; \
	done

lint: tools
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests

types: tools
	env -u PYTHONPATH $(BIN)/mypy

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
