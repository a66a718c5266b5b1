# Thin targets around the `spotlabel` command; `make help` lists them.
# Everything that needs an installation makes it first: .venv in this folder.

DATASET ?= demo
DATA ?=
JOBS ?=
SET ?=
SEEDS ?=
TABLE ?=
REPRODUCE ?=
TORCH ?= auto
PYBGS ?= 0

BIN := .venv/bin
SPOTLABEL := $(BIN)/spotlabel
# Lists in SET are written without spaces: SET="masks.classes=[car,bus] masks.median=5"
CHANGES := $(foreach s,$(SET),--set '$(s)')
LOOK := $(if $(DATA),--set 'data=$(DATA)') $(CHANGES)
ARGS := $(LOOK) $(if $(JOBS),--jobs $(JOBS))
# torch and pybgs as they were chosen at the last set-up
CHOSEN = $(shell cat .venv/.ready 2>/dev/null)
RECIPE = workflows/$(DATASET).yaml
# What a dataset trains on, where that is not what it labels: the demo's scenes are too few to learn from.
TRAINING = $(firstword $(wildcard workflows/$(DATASET)-train.yaml) $(RECIPE))
NAME ?=
MODEL ?=
TRUTH ?=

.PHONY: help setup demo test lint format clean clean-runs
.PHONY: labels masks teacher status show report compare verify ua-detrac uavdt cdnet davis
.PHONY: train detect evaluate reference package-test
.PHONY: quality believability instances ablation attentions campaign fuzz scale cluster-test reproduce
.PHONY: test-browser test-processors processor-bytes gpu bench bench-exports bench-labelers bench-costs bench-tune bench-pages bench-pawcs bench-evaluate bench-training bench-feeding

help:  ## list the targets
	@grep -hE '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## make .venv and install everything into it (TORCH=cpu|cuda|none|auto, PYBGS=1)
	TORCH=$(TORCH) PYBGS=$(PYBGS) bash scripts/setup.sh .venv
	@echo $(TORCH) $(PYBGS) > .venv/.ready

# After a pull that changed what is needed; what was chosen stays as in the last `make setup`.
.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	$(MAKE) setup TORCH=$(or $(word 1,$(CHOSEN)),$(TORCH)) PYBGS=$(or $(word 2,$(CHOSEN)),$(PYBGS))

demo: .venv/.ready  ## label the synthetic scenes, measure them against exact masks, make pictures
	$(SPOTLABEL) demo $(CHANGES) $(if $(JOBS),--jobs $(JOBS))

test: lint  ## all checks: ruff, mypy, pytest (one process per core, one thread each)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-browser: .venv/.ready  ## the tests of pages in a real browser; as root on Debian or Ubuntu it is installed
	bash scripts/install-browser.sh
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser tests/pipeline/pages

test-processors: .venv/.ready  ## the tests of numbers under emulated processors: half an hour [PROCESSORS="--quick"]
	$(BIN)/python scripts/test_processors.py $(PROCESSORS)

processor-bytes: .venv/.ready  ## which pixels come out otherwise on emulated processors: make processor-bytes [BYTES="--frames 200"]
	$(BIN)/python -m benchmarks.processors $(BYTES)

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.ready  ## let ruff format and sort
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

labels: .venv/.ready  ## evidence and masks: make labels DATASET=ua-detrac DATA=/data/UA-DETRAC [JOBS=8] [SET="key=value ..."]
	$(SPOTLABEL) label $(RECIPE) $(ARGS)

masks: .venv/.ready  ## masks only, from cached evidence: make masks DATASET=uavdt DATA=... SET=masks.min_fill=0.3
	$(SPOTLABEL) relabel $(RECIPE) $(ARGS)

teacher: .venv/.ready  ## fetch the network of preset learned, 176 MB: make teacher [TO=models/u2net.onnx]
	$(BIN)/python scripts/fetch_teacher.py $(if $(TO),'$(TO)')

status: .venv/.ready  ## what is made, what is stale and why
	@$(SPOTLABEL) status $(RECIPE) $(LOOK) || [ $$? = 1 ]  # 1 only says that something is to be done

show: .venv/.ready  ## overlays and contact sheets
	$(SPOTLABEL) show $(RECIPE) $(LOOK)

report: .venv/.ready  ## one page: what was made, how good it is, where to look closer
	$(SPOTLABEL) report $(RECIPE) $(LOOK)

compare: .venv/.ready  ## what changed between two label versions: make compare A=old.yaml B=new.yaml DATA=...
	$(SPOTLABEL) compare $(A) $(B) $(LOOK)

verify: .venv/.ready  ## re-check every store of a dataset: make verify DATASET=ua-detrac DATA=...
	$(SPOTLABEL) verify stores $(RECIPE) $(LOOK)

train: .venv/.ready  ## label what is missing, then train a detector: make train DATASET=demo; make train DATASET=ua-detrac DATA=...
	$(SPOTLABEL) label $(TRAINING) $(ARGS) --quiet
	$(SPOTLABEL) train $(TRAINING) $(LOOK) $(if $(NAME),--name $(NAME))

detect: .venv/.ready  ## detect in a dataset: make detect DATASET=ua-detrac DATA=... MODEL=runs/ua-detrac/training/spotnet-paper/best.safetensors
	$(SPOTLABEL) detect $(MODEL) --recipe $(RECIPE) $(LOOK)

evaluate: .venv/.ready  ## measure these detections: make evaluate DATASET=ua-detrac TRUTH=/data/UA-DETRAC/DETRAC-Train-Annotations-XML
	$(SPOTLABEL) evaluate $(DATASET) --truth $(TRUTH) --detections runs/$(DATASET)/detections --report runs/$(DATASET)/report

ua-detrac uavdt cdnet davis:  ## label one dataset: make ua-detrac DATA=/data/UA-DETRAC
	$(MAKE) labels DATASET=$@

reference: .venv/.ready  ## docs/settings.md and workflows/recipe.schema.json, from the settings' own docstrings
	$(SPOTLABEL) schema > workflows/recipe.schema.json
	$(SPOTLABEL) schema --markdown > docs/settings.md

package-test: .venv/.ready  ## build wheel and sdist, install them into a fresh environment and use them there
	bash scripts/check-package.sh $(abspath $(BIN)/python)

reproduce: .venv/.ready  ## a table of a paper anew, beside the paper's: make reproduce TABLE=als-voc07 DATA=/data [SET="training.bf16=true"] [REPRODUCE="--dry-run"]
	$(BIN)/python -m benchmarks.reproduce $(TABLE) --data '$(DATA)' $(CHANGES) $(if $(JOBS),--jobs $(JOBS)) $(REPRODUCE)

bench: .venv/.ready  ## measure the label path: mask stage, stores, rim of the evidence stage [DATA=../shared/data]
	$(BIN)/python -m benchmarks.bench_labels $(if $(DATA),--data '$(DATA)/ua-detrac')

bench-exports: .venv/.ready  ## frames/s and memory of exports in every format: make bench-exports [DATA=../shared/data]
	$(BIN)/python -m benchmarks.bench_exports $(if $(DATA),--data '$(DATA)')

bench-labelers: .venv/.ready  ## frames/s of boxbg, egoflow and egoflow-cut: make bench-labelers [DATA=../shared/data]
	$(BIN)/python -m benchmarks.bench_labelers $(if $(DATA),--data '$(DATA)')

bench-costs: .venv/.ready  ## what forecasts are made from: seconds and memory of each labeler [DATA=../shared/data] [COSTS="--only mog2"]
	$(BIN)/python -m benchmarks.bench_costs $(if $(DATA),--data '$(DATA)') $(COSTS)

bench-tune: .venv/.ready  ## from slider to picture in the tuner, in a real browser, at 960x540
	bash scripts/install-browser.sh
	$(BIN)/python -m benchmarks.bench_tune

bench-pages: .venv/.ready  ## report, tuner and review of 200 videos, one of 1,000 frames, in a real browser
	bash scripts/install-browser.sh
	$(BIN)/python -m benchmarks.bench_pages

ablation: .venv/.ready  ## does attention help? 24 small trainings on synthetic scenes: an hour on 2 cores [JOBS=1] [ABLATION="--quick"]
	$(BIN)/python -m benchmarks.ablation $(if $(JOBS),--jobs $(JOBS)) $(ABLATION)

attentions: .venv/.ready  ## what do masks bring? 7 detectors under 6 seeds, into docs/attentions.md: an hour on 2 cores [JOBS=1] [ATTENTIONS="--quick"]
	$(BIN)/python -m benchmarks.attentions $(if $(JOBS),--jobs $(JOBS)) $(ATTENTIONS)

helps: .venv/.ready  ## do better masks make better detectors? 27 small trainings, into docs/helps.md: two hours, and labels [DATA=../shared/data] [HELPS="--quick"]
	$(BIN)/python -m benchmarks.helps $(or $(DATA),../shared/data) $(if $(JOBS),--jobs $(JOBS)) $(HELPS)

bench-pawcs: .venv/.ready  ## our PAWCS beside pybgs: time, memory; F too: make bench-pawcs DATA=../shared/data [SEEDS=5]
	$(BIN)/python -m benchmarks.bench_pawcs $(if $(DATA),--data '$(DATA)') $(if $(SEEDS),--seeds $(SEEDS))

bench-evaluate: .venv/.ready  ## measure the UAVDT evaluation on synthetic sequences of full size
	$(BIN)/python -m benchmarks.bench_evaluate

quality: .venv/.ready  ## every labeler against pixel ground truth, into docs/quality.md: make quality DATA=../shared/data [JOBS=2] [QUALITY="--only moving"]
	$(BIN)/python -m benchmarks.quality $(or $(DATA),../shared/data) $(if $(JOBS),--jobs $(JOBS)) $(QUALITY)

campaign: .venv/.ready  ## break things on purpose and count what is lost, into docs/reliability.md: half an hour [DATA=../shared/data] [CAMPAIGN="--quick --only R1,R5"]
	$(BIN)/python -m benchmarks.campaign $(if $(DATA),--data '$(DATA)') $(CAMPAIGN)

fuzz: .venv/.ready  ## mutate every file that is read, see that it is refused in a line or makes sense [INPUTS=100000] [FUZZ="--only masks --seed 7"]
	$(BIN)/python -m benchmarks.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(FUZZ)

believability: .venv/.ready  ## does a box's believability tell its real IoU? into docs/believability.md, from the stores of make quality: make believability DATA=../shared/data
	$(BIN)/python -m benchmarks.believability $(or $(DATA),../shared/data)

instances: .venv/.ready  ## whose pixels are told right? into docs/instances.md
	$(BIN)/python -m benchmarks.instances --docs docs/instances.md

bench-training: .venv/.ready  ## measure a training step and inference with each switch: make bench-training [BENCH="--backbone hourglass-104 --batch 16 --size 512"]
	$(BIN)/python -m benchmarks.bench_training $(BENCH)

bench-feeding: .venv/.ready  ## measure what training needs beside its network: loader, averaged weights, writing the state [DATA=../shared/data]
	$(BIN)/python -m benchmarks.bench_feeding $(if $(DATA),--data '$(DATA)')

gpu: .venv/.ready  ## everything that only a GPU can tell, in 8 minutes: make gpu [DATA=../shared/data] [GPU="--only pawcs steps --out runs/gpu"]
	$(BIN)/python -m benchmarks.gpu $(if $(DATA),--data '$(DATA)') $(GPU)

scale: .venv/.ready  ## simulate 10,000 videos on 100 and 1,000 cores, into docs/scale.md
	$(BIN)/python -m benchmarks.scale

cluster-test: .venv/.ready  ## label on a real one-node Slurm, killing jobs; root; installs slurm-wlm: a quarter of an hour
	bash scripts/cluster-test.sh $(abspath $(BIN)/python)

clean:  ## delete caches; labels and .venv stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

clean-runs:  ## delete runs/: ALL evidence, masks and pictures made here with the bundled recipes
	rm -rf runs
