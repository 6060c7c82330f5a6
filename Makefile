# Everything from a fresh machine with Python only:   make demo   and   make test
# PYTHON= chooses the interpreter, VENV= the virtual environment.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo quickstart test lint types docs bench wheel check clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   train an agent on CartPole, tracked, and show what came out (about two minutes the first time)"
	@echo "make test   run all tests in the same environment"
	@echo "make lint   check style and types"
	@echo "make docs   build the docs site and check its links: build/docs/index.html"
	@echo "make bench  measure speed against references"
	@echo "make check  lint, types, docs, tests, and the built wheel in a bare environment: what CI runs"

$(READY): setup.cfg pyproject.toml tests/constraints.txt
	@echo "==> making $(VENV) with $$($(PYTHON) --version) and installing (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) --constraint tests/constraints.txt torch
	@$(PIP) --constraint tests/constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	@echo "==> training an agent on CartPole-v1: examples/cartpole.py"
	@$(BIN)/python examples/cartpole.py
	@echo "==> next: look at the run in TensorBoard with the command above, or read README.md"

quickstart: $(READY)
	@$(BIN)/python examples/quickstart.py

test: $(READY)
	@echo "==> running the tests"
	@$(BIN)/python -I -m pytest -n 2 -q $(ARGS)

lint: $(READY)
	@echo "==> checking style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@echo "==> checking types"
	@$(BIN)/mypy

docs: $(READY)
	@echo "==> building the docs site; a link that leads nowhere fails it"
	@$(BIN)/python -I -m sphinx --quiet --builder html --fail-on-warning --fresh-env \
		--conf-dir docs --doctree-dir build/doctrees . build/docs
	@echo "==> the site: build/docs/index.html"

bench: $(READY)
	@echo "==> measuring; every figure is a ratio against a reference in the same run"
	@$(BIN)/python tests/benchmarks/run.py

wheel: $(READY)
	@echo "==> building the wheel and trying it in a bare environment"
	@rm -rf build/lib build/bdist.* dist
	@$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	@rm -rf $(VENV)-wheel && $(PYTHON) -m venv $(VENV)-wheel
	@$(VENV)-wheel/bin/python -m pip --disable-pip-version-check install --quiet \
		--constraint tests/constraints.txt dist/*.whl
	@$(VENV)-wheel/bin/python -I tests/wheel_smoke.py
	@rm -rf build/lib build/bdist.* $(VENV)-wheel

check: lint types docs test wheel
	@echo "==> all checks passed"

clean:
	@rm -rf $(VENV) $(VENV)-wheel build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
