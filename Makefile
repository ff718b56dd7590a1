# What a person and CI type. Every target sets up what it needs first.
.PHONY: run setup kernel test test-slow test-all test-anew storms check fmt bench evals pictures lock catboost docs clean
BIN := .venv/bin
# one process more than cores, at most four: some tests wait, and each process collects all and loads what it uses
PROCESSES := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 3 ? n + 1 : 4)))
PYTEST := $(BIN)/pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

run: setup        ## start the desk on embedded defaults
	$(BIN)/nightdesk up

setup:            ## .venv from the hashed lock, the kernel compiled
	@scripts/bootstrap.sh

kernel: setup     ## compiled for this source, once, before several test processes want it at the same time
	@$(BIN)/python -m engine.core.kernel
	@$(BIN)/python -m engine.core.basket_kernel
	@$(BIN)/python -m engine.l2.kernel
	@$(BIN)/python -m engine.making.kernel

.pytest_cache/collected: | kernel   # once a clone: else every process compiles all tests for itself
	@$(BIN)/pytest --collect-only -qq >/dev/null || $(BIN)/pytest --collect-only
	@mkdir -p $(@D) && touch $@

test: .pytest_cache/collected ## the default suite
	$(PYTEST)

test-slow: .pytest_cache/collected ## what takes seconds and is not in the default suite
	$(PYTEST) -m 'slow and not long'

test-all: test test-slow ## the default suite, the slow tests and the long ones; stopped or red, it goes on with the long ones that have not passed on this source
	$(PYTEST) -m long --go-on

test-anew: test test-slow ## the same from the beginning
	$(PYTEST) -m long

storms: kernel    ## ten simulated days and every fault at each venue; stopped, it goes on; the whole plan: see docs/reliability.md
	$(BIN)/python -m tests.storms --plan short

check: kernel     ## what must hold before a commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --collect-only -qq >/dev/null || $(BIN)/pytest --collect-only
	$(PYTEST)

fmt: setup        ## format, and fix what lint can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup      ## the benchmark tables, peers side by side in one run
	$(BIN)/python -m bench

evals: setup      ## what a hostile model can do; how often the checker of answers errs; how the offline model's answers were judged
	$(BIN)/python -m tests.evals.claims.measure
	$(BIN)/python -m tests.evals.answers
	$(BIN)/python -m tests.evals.safety

pictures: kernel  ## the pictures of the docs, of the real page on a demonstration desk (needs Chromium)
	$(BIN)/python -m tests.app.ui.pictures

lock:             ## resolve anew: names, versions and hashes only, no hosts
	@test -x .uv/bin/uv || scripts/bootstrap.sh
	.uv/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --quiet --no-header -o requirements.lock
	printf 'catboost>=1.2.10,<1.3\n' | .uv/bin/uv pip compile - --universal --python-version 3.11 --generate-hashes --quiet --no-header \
		-c requirements.lock -o requirements-catboost.lock
	printf 'mkdocs-material>=9.8,<10\n' | .uv/bin/uv pip compile - --universal --python-version 3.11 --generate-hashes --quiet --no-header \
		-c requirements.lock -o requirements-docs.lock

catboost: setup   ## the optional learner, 270 MB, from a hashed lock of its own
	.uv/bin/uv pip install --quiet --require-hashes --python .venv/bin/python -r requirements-catboost.lock

docs: setup       ## the documentation as a site in site/, links checked, from a hashed lock of its own
	.uv/bin/uv pip install --quiet --require-hashes --python .venv/bin/python -r requirements-docs.lock
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:            ## forget the environments; var/ (your desk) stays
	rm -rf .venv .uv
