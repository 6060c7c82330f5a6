# Everything from a fresh machine with Python only:   make demo   and   make test
# PYTHON= chooses the interpreter, VENV= the virtual environment; other environments stand beside it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
DEMO = $(VENV)-demo
PEERS = $(VENV)-peers
REMOTE = $(VENV)-remote
# The oldest and the newest that setup.cfg names.
PYTHONS = 3.10 3.13

# An editable installation gives a warning that concerns no user.
PIP = PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check install --quiet
DEMO_PIP = $(subst $(BIN)/,$(DEMO)/bin/,$(PIP))

.PHONY: help demo quickstart test core core-tests remote $(PYTHONS:%=core-%) lint types docs bench bench-peers kills soak wheel check clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   train an agent on CartPole, tracked, in a small environment, $(DEMO) (two minutes the first time)"
	@echo "make test   run all tests, in the full environment, $(VENV)"
	@echo "make core   run the core tests on the oldest and the newest Python, where this machine has them"
	@echo "make remote run the tests of S3, which does not resolve beside the others, in $(REMOTE)"
	@echo "make lint   check style and types"
	@echo "make docs   build the docs site and check its links: build/docs/index.html"
	@echo "make bench  measure speed against references (ARGS=step: some of it); make bench-peers: other trackers beside it"
	@echo "make kills  kill, interrupt, resume and starve trainings by the hundred, and tell what was lost"
	@echo "make soak   attack trainings side by side for 20 minutes, and resume them (ARGS='--minutes 5')"
	@echo "make check  lint, types, docs, test, core, and the built wheel in a bare environment: what CI runs"

$(READY): setup.cfg pyproject.toml tests/constraints.txt
	@echo "==> making $(VENV) with $$($(PYTHON) --version) and installing (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) --constraint tests/constraints.txt torch
	@$(PIP) --constraint tests/constraints.txt --editable '.[dev]'
	@touch $@

# The folders of PYTHON's packages, or a failure where these hold no torch that is new enough. They are named in a .pth
# file: --system-site-packages would name those of the Python that a virtual environment was made from, not its own.
FOLDERS_WITH_TORCH = $(PYTHON) -c 'import sys, torch; assert torch.__version__ >= "2.1"; \
	print(*(folder for folder in sys.path if folder.endswith("-packages")), sep="\n")' 2>/dev/null

# With the packages of PYTHON no versions are pinned: its torch goes with its numpy.
$(DEMO)/.ready: setup.cfg pyproject.toml tests/constraints.txt
	@echo "==> making $(DEMO) with $$($(PYTHON) --version) and installing (two minutes the first time)"
	@$(PYTHON) -m venv --clear $(DEMO)
	@if folders=$$($(FOLDERS_WITH_TORCH)); then \
		echo "==> using the torch that $(PYTHON) has"; \
		echo "$$folders" > $$($(DEMO)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/python.pth; \
	else \
		echo "==> downloading torch. On Linux the registry's build is for GPUs and takes gigabytes. To have a small one,"; \
		echo "    stop, install a CPU build of torch into the Python that PYTHON= names, and make demo uses that."; \
		constraint="--constraint tests/constraints.txt"; \
	fi; \
	$(DEMO_PIP) --upgrade pip && $(DEMO_PIP) $$constraint --editable '.[demo]'
	@touch $@

demo: $(DEMO)/.ready
	@echo "==> training an agent on CartPole-v1: examples/cartpole.py"
	@$(DEMO)/bin/python examples/cartpole.py
	@echo "==> next: look at the run in TensorBoard with the command above, or read README.md"

quickstart: $(READY)
	@$(BIN)/python examples/quickstart.py

# The tests make a hundred thousand small files: in memory where Linux has 6 GB for them, and runs programs that lie
# there. TMPDIR= chooses another folder: one on a disk, say.
IN_MEMORY = $$([ "$$(df -k --output=avail /dev/shm 2>&1 | tail -1)" -gt 6000000 ] 2>/dev/null && \
	! grep -q ' /dev/shm .*noexec' /proc/mounts && echo /dev/shm)
IN_TEMPORARY_FOLDER = export TMPDIR="$${TMPDIR:-$(IN_MEMORY)}"; TMPDIR="$$(mktemp -d -t rla-XXXXXX)"; \
	trap 'rm -rf "$$TMPDIR"' EXIT INT TERM

# A test that fails is tried once more, and listed at the end under RERUN: it is to be mended.
TRIED_AGAIN = --reruns 1 -r R

test: $(READY)
	@echo "==> running the tests"
	@$(IN_TEMPORARY_FOLDER); $(BIN)/python -I -m pytest -n 2 --dist worksteal -q $(TRIED_AGAIN) $(ARGS)

# A Python may be on PATH more than once: a shim of pyenv stands there, and fails, for versions that are not chosen.
find_python = for each in python$(1) $$(which -a python$(1)) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(1).*/bin/python$(1); do \
	"$$each" -c 'import ensurepip' && echo "$$each" && break; done 2>/dev/null

$(PYTHONS:%=core-%): core-%:
	@python=$$($(call find_python,$*)); \
	if [ -n "$$python" ]; then $(MAKE) --no-print-directory core-tests VENV=$(VENV)-$* PYTHON="$$python"; \
	else echo "==> no Python $* is found here: the core tests are not run on it"; fi

core: $(PYTHONS:%=core-%)

$(VENV)/.ready-for-core: setup.cfg pyproject.toml tests/constraints.txt
	@echo "==> making $(VENV) with $$($(PYTHON) --version), for the core tests"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) --constraint tests/constraints.txt --editable '.[core-tests]'
	@touch $@

core-tests: $(VENV)/.ready-for-core
	@echo "==> running the core tests with $$($(BIN)/python --version)"
	@$(IN_TEMPORARY_FOLDER); \
		$(BIN)/python -I -m pytest -n 2 --dist worksteal -q -r fE $(TRIED_AGAIN) tests --ignore=tests/integrations $(ARGS)

# Beside the full environment S3's packages do not resolve: botocore wants python-dateutil below 3.
$(REMOTE)/.ready: setup.cfg pyproject.toml tests/constraints.txt
	@echo "==> making $(REMOTE) with $$($(PYTHON) --version), for the tests of S3"
	@$(PYTHON) -m venv $(REMOTE)
	@sed '/^python-dateutil==/d' tests/constraints.txt > $(REMOTE)/constraints.txt
	@$(subst $(BIN)/,$(REMOTE)/bin/,$(PIP)) --constraint $(REMOTE)/constraints.txt --editable '.[remote-tests]'
	@touch $@

remote: $(REMOTE)/.ready
	@echo "==> running the tests of S3"
	@$(IN_TEMPORARY_FOLDER); $(REMOTE)/bin/python -I -m pytest -q -r fE $(TRIED_AGAIN) tests/test_remote_s3.py $(ARGS)

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
	@$(BIN)/python tests/benchmarks/run.py $(ARGS)

bench-peers: $(READY)
	@echo "==> measuring other trackers; the first time, each is installed into an environment of its own, $(PEERS)"
	@$(BIN)/python tests/benchmarks/peers/run.py --environments $(PEERS) $(ARGS)

kills: $(READY)
	@echo "==> attacking running trainings; a few minutes, as root also on a small disk"
	@$(BIN)/python tests/benchmarks/kills.py

soak: $(READY)
	@echo "==> attacking and resuming trainings side by side; as root also on small disks"
	@$(BIN)/python tests/benchmarks/soak.py $(ARGS)

wheel: $(READY)
	@echo "==> building the wheel and trying it in a bare environment"
	@rm -rf build/lib build/bdist.* dist
	@$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	@rm -rf $(VENV)-wheel && $(PYTHON) -m venv $(VENV)-wheel
	@$(VENV)-wheel/bin/python -m pip --disable-pip-version-check install --quiet \
		--constraint tests/constraints.txt dist/*.whl
	@$(VENV)-wheel/bin/python -I tests/wheel_smoke.py
	@rm -rf build/lib build/bdist.* $(VENV)-wheel

check: lint types docs test core remote wheel
	@echo "==> all checks passed"

clean:
	@rm -rf $(VENV) $(VENV)-wheel $(DEMO) $(PEERS) $(REMOTE) $(PYTHONS:%=$(VENV)-%) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
