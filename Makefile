# `make demo` shows it, `make test` proves it; both set up everything they need first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SPHINX = $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --doctree-dir build/doctrees
# Services are fast only with bytecode, so it is written even where the shell says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-stop test quick lint format docs links tour bench clean

help:
	@echo "make demo       create a Venue and an Act, and show the URL that answers"
	@echo "make demo-stop  stop the demo and remove it"
	@echo "make test       run the whole test suite"
	@echo "make quick      run the tests that take seconds"
	@echo "make lint       check style and types"
	@echo "make docs       build the site in build/site, and write the manual and the help texts anew"
	@echo "make links      ask every external link of the site; needs the network"
	@echo "make tour       take the tour of the command anew, and write down what it shows"
	@echo "make bench      measure, side by side with doing it by hand"

setup: $(VENV)/ready

$(VENV)/ready: setup.cfg pyproject.toml .ci/setup
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
	@.ci/packages "the tutorial" python3-venv python3-dev gcc libpcre2-dev libssl-dev libcap-dev certbot pebble
	$(BIN)/python -m pytest

quick: setup
	$(BIN)/python -m pytest -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
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

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
