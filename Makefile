# Every command makes its own environment first; see README.md. Without make: `scripts/bootstrap dev`, then the lines below.
BIN := .venv/bin
# What Python compiles is kept, even where the environment says not to: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test check fmt bench lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: ## weave three agents over the documents in examples/research, offline, into a fresh folder
	@scripts/bootstrap run
	@scripts/demo

test: ## every test, the slow ones too
	@scripts/bootstrap dev
	@$(BIN)/python -m pytest -n 2 --reruns 1 -r fER

check: ## format, lint, types, import contracts and the fast tests
	@scripts/bootstrap dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n 2 -m "not slow"

fmt: ## format and fix what can be fixed
	@scripts/bootstrap dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: ## compare with peers, side by side (under 15 minutes)
	@scripts/bootstrap dev
	@scripts/bootstrap bench
	@$(BIN)/python benchmarks/run.py

lock: ## write requirements/*.lock anew
	@scripts/lock

clean: ## remove the environments, caches and outputs of this folder
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
