# PYTHON=python3.12 make ... chooses the interpreter of the environment; see `make help`.
PYTHON ?=
python := $(shell for name in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.10; do \
    command -v $$name && break; done)
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup train test check format docs bench nightly torture fuzz meaning lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

setup: ## make or update .venv: pinned packages, Horovod, pdehvd
	@test -n "$(python)" || { echo "pdehvd setup: no Python was found; install Python 3.10 to 3.13" >&2; exit 3; }
	@"$(python)" -m scripts.setup.environment --python "$(PYTHON)"

train: setup ## train configs/burgers.yaml on 2 processes
	@$(bin)/pdehvd train configs/burgers.yaml --np 2

test: setup ## run all tests and the notebooks
	@$(bin)/python -m pytest -q -n auto --maxprocesses 4 --dist loadscope --nbmake \
	    tests docs/notebooks

check: setup ## lint, types and the order of imports
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports

format: setup ## format the code
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

docs: setup ## build the documentation into docs/_build/html
	$(bin)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: setup ## compare with DeepXDE (long; its own environment is made in the user's cache)
	$(bin)/python -m scripts.bench.peers $(ARGS)

torture: setup ## kill runs at every moment, resume them, compare bits (long)
	@$(bin)/python -m scripts.torture --markdown build/torture.md $(ARGS)

fuzz: setup ## type commands with 10,000 bad configs, data files and checkpoints (long)
	@$(bin)/python -m scripts.fuzz $(ARGS)

meaning: setup ## compare random problems with an independent evaluation (long)
	@$(bin)/python -m scripts.meaning $(ARGS)

nightly: setup ## train all configs to their stated errors, then cases and campaigns (hours)
	@$(bin)/python -m scripts.nightly $(ARGS)

lock: setup ## resolve setup.cfg and requirements.in to requirements.txt
	$(bin)/python -m venv build/lock
	build/lock/bin/pip install -q uv
	build/lock/bin/uv pip compile setup.cfg requirements.in --all-extras --universal \
	    --python-version 3.10 --custom-compile-command "make lock" -o requirements.txt

clean: ## remove .venv and everything that was built here (runs and the user's cache stay)
	rm -rf .venv build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
