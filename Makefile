# Everything a newcomer needs. Python 3.11 or later and make are enough; the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test browser views check bench interop docs lock clean

demo: $(READY)  ## make pictures through a real MCP client, into ./atelier-demo
	$(BIN)/atelier demo "a lighthouse in a storm, oil painting"

test: $(READY)  ## the whole test suite
	$(BIN)/pytest -n 2 --dist worksteal

browser: $(READY) .views/.ready  ## the pages in headless Chromium, on the real server
	ATELIER_AXE=.views/node_modules/axe-core $(BIN)/pytest -n 2 --dist worksteal tests/browser

views: .views/.ready  ## build the pages from server/views/source; needs Node 20 or later
	cp server/views/source/* .views/
	cd .views && npm run --silent check && node build.mjs ../server/views

.views/.ready: server/views/source/package-lock.json
	mkdir -p .views
	cp server/views/source/package.json server/views/source/package-lock.json .views/
	cd .views && npm ci --silent --no-audit --no-fund
	touch $@

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
