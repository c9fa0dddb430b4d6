# Everything a newcomer needs. Python 3.11 or later and make are enough; the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test attack check bench interop docs lock clean

demo: $(READY)  ## make pictures through a real MCP client, into ./atelier-demo
	$(BIN)/atelier demo "a lighthouse in a storm, oil painting"

test: $(READY)  ## the whole test suite
	$(BIN)/pytest -n 2 --dist worksteal

attack: $(READY)  ## the attacks of tests/attack at full length, with their counts
	ATTACK=full $(BIN)/pytest -n 0 -rP --no-header tests/attack

check: $(READY)  ## formatting, lint, types, generated documents, and what of each contract is really sent
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m atelier_mcp.server.cli.readme_tables --check README.md
	$(BIN)/pytest -n 2 -m wire_coverage -rP --no-header tests/e2e

bench: $(READY)  ## measured figures beside their targets
	$(BIN)/python -m tests.bench

interop: $(READY)  ## public clients and frameworks against the server, each in an environment of its own
	$(BIN)/python -m tests.interop

docs: $(READY)  ## write the generated tables into README.md
	$(BIN)/python -m atelier_mcp.server.cli.readme_tables README.md

lock:  ## pin every dependency, with hashes
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --extra engine --extra heif --extra bucket --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) atelier-demo dist build

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
