# `make demo` tries it, `make test` proves it. Both need nothing but python3 (3.11 or newer) and make.
# `make bench` measures it, `make lock` renews the lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TRIABLE := $(VENV)/.triable

.PHONY: demo test check bench lock clean

demo: $(TRIABLE)
	@$(BIN)/python -m bot demo

test: check
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks

# The lock files hold versions and hashes for every supported Python and platform, never addresses.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-find-links --no-emit-index-url

lock: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet uv
	@$(LOCK) --extra postgres --output-file requirements.txt pyproject.toml
	@$(LOCK) --extra demo --constraint requirements.txt --output-file requirements-demo.txt pyproject.toml
	@$(LOCK) --extra postgres --extra demo --group dev --constraint requirements.txt \
		--output-file requirements-dev.txt pyproject.toml

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Threadsight needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# Names each package as it comes, and fails when pip does.
define INSTALL
	@echo "Installing into $(VENV)/ (once):"
	@rm -f $(VENV)/.failed
	@{ $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $< || touch $(VENV)/.failed; } | \
		sed -n 's/^Collecting \([^ ;=]*\).*/  \1/p'
	@test ! -e $(VENV)/.failed
	@touch $@
endef

$(TRIABLE): requirements-demo.txt | $(BIN)/python
	$(INSTALL)

$(INSTALLED): requirements-dev.txt | $(BIN)/python
	$(INSTALL)
	@touch $(TRIABLE)

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache
