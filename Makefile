# `make demo` shows the program, `make test` tests it; both set up everything they need first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Tests wait half of the time, so four keep two processors busy. On these, more would not be faster:
# each process makes a Venue and Acts of its own. On more processors, give more.
WORKERS ?= 4
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS)
SPHINX = $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --doctree-dir build/doctrees
# Services start fast only with bytecode, so it is written even if the shell disables it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-stop test quick lint format lock docs links tour bench fuzz dist clean

help:
	@echo "make demo       create a Venue and an Act, and print its URL"
	@echo "make demo-stop  stop the demo and remove it"
	@echo "make test       run the whole test suite"
	@echo "make quick      run the suite without the slow tests"
	@echo "make lint       check style and types"
	@echo "make lock       pin the development requirements"
	@echo "make docs       build the site in build/site, and renew the manual and the help texts"
	@echo "make links      check every external link of the site; needs the network"
	@echo "make tour       run the tour of the command again and record its output"
	@echo "make bench      run the benchmarks, compared with doing the same by hand"
	@echo "make fuzz       fuzz the parsers of what others can write; installs atheris"
	@echo "make dist       build the sdist and the wheel in dist/ and check them"

setup: $(VENV)/ready

$(VENV)/ready: setup.cfg pyproject.toml .ci/setup $(wildcard requirements/*.txt)
	@.ci/setup "$(PYTHON)" "$(VENV)"
	@touch $@

demo: setup
	@$(BIN)/python docs/demo.py start

demo-stop: setup
	@$(BIN)/python docs/demo.py stop

test: setup
	@.ci/packages "the tests with a browser and with editors" chromium vim-tiny nano emacs-nox rsync
	@.ci/packages "the tests with shells, a terminal and the manual" zsh fish tmux groff-base man-db
	@.ci/packages "the tests with systemd" systemd-container libpam-systemd dbus-user-session
	@.ci/packages "the tests with control groups v2" user-mode-linux kmod
	@.ci/packages "the tests with nginx" nginx openssl curl iproute2
	@.ci/packages "the tests with PostgreSQL" postgresql
	@.ci/packages "the tests with git" git git-lfs
	@.ci/packages "the tutorial" python3-venv python3-dev gcc libpcre2-dev libssl-dev libcap-dev certbot pebble
	$(PYTEST)

quick: setup
	$(PYTEST) -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Keeps the versions that still fit; `make lock LOCK=--upgrade` upgrades them all.
lock: setup
	$(BIN)/uv pip compile setup.cfg --all-extras --universal --python-version 3.11 --no-emit-package uwsgi \
		--quiet --custom-compile-command "make lock" --output-file requirements/development.txt $(LOCK)

docs: setup
	rm -rf build/doctrees
	BACKSTAGE_RENEW=1 $(BIN)/python -m pytest -q tests/cli/test_help.py
	$(SPHINX) --write-all -b html docs build/site
	$(SPHINX) -b man docs build/man
	cp build/man/backstage.1 docs/

links: setup
	$(SPHINX) -b linkcheck docs build/links

tour: setup
	BACKSTAGE_RENEW=1 $(BIN)/python -m pytest tests/integration/test_tour.py

bench: setup
	$(BIN)/python -m benchmarks

# Some minutes for each parser; what makes one fail is left in crash-… or timeout-…. atheris has wheels for Linux, up to Python 3.13.
fuzz: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python "atheris>=3,<4"
	$(BIN)/python -m fuzz $(or $(PARSER),all) $(or $(SECONDS),180)

dist: setup
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
