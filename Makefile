# `make` lists what there is to make. Targets that run Python have `setup` as a prerequisite.

## where the environment is
VENV ?= .venv
## auto, cpu, gpu, or numbers as in cpu:0,1 or gpu:0; auto takes a GPU where MXNet can use one
DEVICE ?= auto
## UT-Podcast's folder; the embedded stand-in is used where it is empty
UT_PODCAST ?=
## paper (the paper's sizes) or quick; paper with a corpus, quick with the stand-in where it is empty
PROFILE ?=
## how many seeds each row is trained with
SEEDS ?= 1
## processes that prepare audio; one a core where it is empty
JOBS ?=
## no: go on with a corpus whose counts are not the paper's, as a source of its own
CHECK_COUNTS ?= yes
## other choices than reproduce/assumptions.toml has, as in "schedule=constant initializer=uniform"
ASSUME ?=
## where prepared audio and spectrograms go
DATA ?= data
## where reports, checkpoints and tables go
RESULTS ?= results
PYTHON = $(VENV)/bin/python

table_options = --device "$(DEVICE)" --seeds "$(SEEDS)" --data "$(DATA)" --results "$(RESULTS)" \
	$(if $(UT_PODCAST),--ut-podcast "$(UT_PODCAST)") $(if $(PROFILE),--profile "$(PROFILE)") \
	$(if $(JOBS),--jobs "$(JOBS)") $(if $(filter no,$(CHECK_COUNTS)),--no-check-counts) \
	$(foreach choice,$(ASSUME),--assume "$(choice)")

.DEFAULT_GOAL := help
.PHONY: help setup table3 reference test check-gpu-setup clean

help:  ## this list
	@echo 'make TARGET [VARIABLE=value ...]'
	@awk '/^## / { about = substr($$0, 4); next } \
	      /^[A-Z][A-Z0-9_]* *\?=/ && about { name = $$1; sub(/^[^=]*= */, ""); \
	          variables = variables sprintf("  %-18s %s [%s]\n", name, about, $$0) } \
	      /^[a-z][a-z0-9-]*:.*  ## / { name = $$1; sub(/:.*/, "", name); sub(/^.*  ## /, ""); \
	          targets = targets sprintf("  %-18s %s\n", name, $$0) } \
	      { about = "" } \
	      END { printf "targets\n%svariables\n%s", targets, variables }' $(MAKEFILE_LIST)

setup:  ## make the environment, with the CPU or the GPU set of packages; does nothing when it is ready
	@tools/setup.sh "$(VENV)" "$(DEVICE)"

table3: setup  ## Table 3: accents, six networks trained and compared with the paper
	@"$(PYTHON)" -m reproduce table 3 $(table_options)

reference: setup  ## render results/reference and README.md again from the committed reports
	@"$(PYTHON)" -m reproduce reference

# One thread a worker, or the workers fight over the cores. A file stays with one worker, which
# shares its fixtures.
test: setup  ## run the tests
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -n auto --maxprocesses 4 --dist loadfile

check-gpu-setup:  ## build the GPU environment in .venv-gpu (5 GB) and prove that MXNet loads from it
	@tools/setup.sh .venv-gpu gpu
	@.venv-gpu/bin/python tools/check_gpu_setup.py

clean:  ## remove the environments and the caches; data and results stay
	@for folder in "$(VENV)" .venv-gpu; do [ ! -f "$$folder/pyvenv.cfg" ] || rm -rf "$$folder"; done
	@rm -rf .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
