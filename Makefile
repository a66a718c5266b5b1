# Thin targets around the `spotlabel` command; `make help` lists them.
# Everything that needs an installation makes it first: .venv in this folder.

DATASET ?= demo
DATA ?=
JOBS ?=
SET ?=
TORCH ?= auto

BIN := .venv/bin
SPOTLABEL := $(BIN)/spotlabel
ARGS := $(if $(DATA),--set data=$(DATA)) $(if $(JOBS),--jobs $(JOBS)) $(foreach s,$(SET),--set $(s))
LOOK := $(if $(DATA),--set data=$(DATA)) $(foreach s,$(SET),--set $(s))
RECIPE = workflows/$(DATASET).yaml

.PHONY: help setup demo test lint format labels masks status show verify bench ua-detrac uavdt cdnet davis clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv and install everything into it (TORCH=cpu|cuda|none|auto)
	TORCH=$(TORCH) bash scripts/setup.sh .venv
	@touch .venv/.ready

.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	$(MAKE) setup

demo: .venv/.ready  ## label the synthetic scenes, measure them against exact masks, make pictures
	$(SPOTLABEL) demo

test: lint  ## all checks: ruff, mypy, pytest
	$(BIN)/python -m pytest

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.ready  ## let ruff format and sort
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

labels: .venv/.ready  ## evidence and masks: make labels DATASET=ua-detrac DATA=/data/UA-DETRAC [JOBS=8] [SET="key=value ..."]
	$(SPOTLABEL) label $(RECIPE) $(ARGS)

masks: .venv/.ready  ## masks only, from cached evidence: make masks DATASET=uavdt DATA=... SET=masks.motion_threshold=1.5
	$(SPOTLABEL) relabel $(RECIPE) $(ARGS)

status: .venv/.ready  ## what is made, what is stale and why
	$(SPOTLABEL) status $(RECIPE) $(LOOK)

show: .venv/.ready  ## overlays and contact sheets
	$(SPOTLABEL) show $(RECIPE) $(LOOK)

verify: .venv/.ready  ## re-check every store of a dataset: make verify DATASET=ua-detrac DATA=...
	$(SPOTLABEL) verify stores $(RECIPE) $(LOOK)

ua-detrac uavdt cdnet davis:  ## label one dataset: make ua-detrac DATA=/data/UA-DETRAC
	$(MAKE) labels DATASET=$@

bench: .venv/.ready  ## measure the label path: mask stage, stores, rim of the evidence stage
	$(BIN)/python -m benchmarks.bench_labels

clean:  ## delete what was made here (runs/, caches), keep .venv
	rm -rf runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
