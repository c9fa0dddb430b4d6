# Everything a newcomer needs. Python 3.11 or later and make are enough; the environment is made on first use.
# Without make, as on Windows: CONTRIBUTING.md has the same as plain commands.

# The first Python that is new enough; where none is, python3, which then is told about.
IS_NEW := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name $(IS_NEW) && echo $$name && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made
DEMO := $(VENV)/.ready-demo
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

# An environment that does not work here any more (its Python is gone, or the folder was moved) is made anew.
# One that is a link belongs to somebody else.
STALE := $(shell test -d $(VENV) && ! test -L $(VENV) \
	&& ! { $(BIN)/python $(IS_NEW) && head -1 $(BIN)/pip 2>/dev/null | grep -qF '$(CURDIR)/$(VENV)/'; } && echo yes)
ifeq ($(STALE),yes)
.PHONY: $(MADE) $(DEMO) $(READY)
endif

.PHONY: help demo test attack chaos browser views check bench interop docs site bundle lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-14s %s\n", $$1, $$2 }'

demo: $(DEMO)  ## make pictures through a real MCP client, into ./atelier-demo
	$(BIN)/atelier demo "a lighthouse in a storm, oil painting"

test: $(READY)  ## the whole test suite
	$(BIN)/pytest -n 3 --dist worksteal

attack: $(READY)  ## the attacks of tests/attack at full length, with their counts
	ATTACK=full $(BIN)/pytest -n 0 -rP --no-header tests/attack

chaos: $(READY)  ## kills and faults amid jobs, on one server and on three, with what was lost or paid twice
	$(BIN)/python -m tests.chaos

# axe-core comes by npm, and holds the pages to accessibility: without it those tests alone are skipped.
browser: $(READY)  ## the pages in headless Chromium, on the real server; skipped where there is none
	@$(MAKE) --no-print-directory .views/.ready || echo "No axe-core: the pages are not held to its rules."
	ATELIER_AXE=.views/node_modules/axe-core $(BIN)/pytest -n 2 --dist worksteal tests/browser

views: .views/.ready  ## build the pages from server/views/source; needs Node 20 or later
	find .views -maxdepth 1 -type f ! -name .ready -delete
	cp server/views/source/* .views/
	cd .views && npm run --silent check && node build.mjs ../server/views

.views/.ready: server/views/source/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not here: it comes with Node." >&2; exit 1; }
	mkdir -p .views
	cp server/views/source/package.json server/views/source/package-lock.json .views/
	cd .views && npm ci --silent --no-audit --no-fund --fetch-retries=1 --fetch-retry-maxtimeout=5000 --fetch-timeout=20000
	touch $@

check: $(READY)  ## formatting, lint, types, generated documents, the site, and what of each contract is really sent
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m atelier_mcp.server.cli.readme_tables --check README.md README.zh-CN.md docs/hosts.md
	$(BIN)/python -m atelier_mcp.server.cli.tool_pages --check docs/tools
	$(BIN)/python -m atelier_mcp.server.cli.hosts.examples --check examples/clients
	$(BIN)/python -m atelier_mcp.server.cli.registry_entry --check server.json
	$(BIN)/python -m atelier_mcp.server.cli.api_page --check docs/api.md
	$(BIN)/zensical build --strict
	$(BIN)/pytest -n 2 -m wire_coverage -rP --no-header tests/e2e

bench: $(READY)  ## measured figures beside their targets
	$(BIN)/python -m tests.bench

interop: $(READY)  ## public clients, frameworks and hosts against the server, each in an environment of its own
	$(BIN)/python -m tests.interop

docs: $(READY)  ## write what is generated: tables of README.md, pages of tools and API, host configurations, server.json
	$(BIN)/python -m atelier_mcp.server.cli.readme_tables README.md README.zh-CN.md docs/hosts.md
	$(BIN)/python -m atelier_mcp.server.cli.tool_pages docs/tools
	$(BIN)/python -m atelier_mcp.server.cli.hosts.examples examples/clients
	$(BIN)/python -m atelier_mcp.server.cli.registry_entry server.json
	$(BIN)/python -m atelier_mcp.server.cli.api_page docs/api.md

site: $(READY)  ## build the documentation as a site, into ./site
	$(BIN)/zensical build --strict

bundle: $(READY)  ## dist/atelier.mcpb, which Claude Desktop installs by a double click
	$(BIN)/python -m build --no-isolation --wheel --outdir dist . >/dev/null
	$(BIN)/python -m atelier_mcp.server.cli.bundle dist

lock:  ## pin every dependency, with hashes: requirements.lock for everything, others for the demo and the image
	$(PYTHON) -m venv $(VENV)
	$(PIP) uv
	$(BIN)/uv pip compile pyproject.toml --extra engine --extra heif --extra bucket --extra dev $(COMPILE) \
		--upgrade -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra engine --group build $(COMPILE) \
		--constraint requirements.lock -o requirements-demo.lock
	$(BIN)/uv pip compile pyproject.toml --extra engine --extra postgres --extra bucket --group build $(COMPILE) \
		--constraint requirements.lock -o requirements-image.lock
COMPILE := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

clean:  ## take away what was made here
	rm -rf $(VENV) atelier-demo dist build site

$(MADE):
	@command -v $(PYTHON) >/dev/null || { echo "Atelier needs Python 3.11 or later, and there is no $(PYTHON)." >&2; exit 1; }
	@$(PYTHON) $(IS_NEW) || { echo "Atelier needs Python 3.11 or later, and this is $$($(PYTHON) --version 2>&1): name another with make PYTHON=/path/to/python3." >&2; exit 1; }
	@test -L $(VENV) || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(DEMO): requirements-demo.lock pyproject.toml | $(MADE)
	@echo "Installing what pictures need into $(VENV): some 400 MB, a minute or so, once."
	$(PIP) --require-hashes -r requirements-demo.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(READY): requirements.lock pyproject.toml | $(MADE)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(DEMO)
