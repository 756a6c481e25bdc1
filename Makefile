# `make` lists what there is to make. Targets that run Python have `setup` as a prerequisite.

## where all that is made goes: the environment, data, results; a folder elsewhere where this one is read-only
OUT ?= .
## where the environment is
VENV ?= $(OUT)/.venv
## auto, cpu, gpu, or numbers as in cpu:0,1 or gpu:0; auto takes a GPU where MXNet can use one
DEVICE ?= auto
## machines that train together, as in HOSTS=localhost,gpu2; this one alone where it is empty
HOSTS ?=
## UT-Podcast's folder (Tables 1, 3, 4, 5); its embedded stand-in is used where it is empty
UT_PODCAST ?=
## CHAINS's folder (Tables 6, 8, 9); the same
CHAINS ?=
## eNTERFACE'05's folder (Tables 11, 12); the same
ENTERFACE ?=
## paper (the paper's sizes) or quick (no verdicts); paper with a corpus, quick with the stand-in where it is empty
PROFILE ?=
## how many seeds each row is trained with
SEEDS ?= 1
## processes at a time; where it is empty, one a core to prepare audio, and one run with all cores; beside HOSTS for audio alone
JOBS ?=
## a Dask cluster that the runs are handed to, as in SCHEDULER=tcp://head:8786; this machine where it is empty
SCHEDULER ?=
## no: go on with a corpus whose counts are not the paper's, as a source of its own
CHECK_COUNTS ?= yes
## other choices than reproduce/assumptions.toml has, as in "schedule=constant initializer=uniform"
ASSUME ?=
## which table's open points `make sensitivity` varies
TABLE ?= 3
## what convolutions compute in: float32, or bfloat16 on a CPU
DTYPE ?= float32
## which groups `make bench` measures, as in "step memory" or "step-table7"; all where it is empty
BENCH ?=
## kind of GPU that `make plan` estimates for: T4, V100 or A100
GPU ?= V100
## how many of them
GPUS ?= 1
## where prepared audio and spectrograms go
DATA ?= $(OUT)/data
## where reports, checkpoints and tables go
RESULTS ?= $(OUT)/results
PYTHON = $(VENV)/bin/python
# Large arrays in pages of 2 MB where Linux has them on request: a training step takes some percent less.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

corpora = $(if $(UT_PODCAST),--ut-podcast "$(UT_PODCAST)") $(if $(CHAINS),--chains "$(CHAINS)") \
	$(if $(ENTERFACE),--enterface "$(ENTERFACE)")
table_options = --device "$(DEVICE)" --seeds "$(SEEDS)" --data "$(DATA)" --results "$(RESULTS)" \
	$(corpora) $(if $(PROFILE),--profile "$(PROFILE)") $(if $(JOBS),--jobs "$(JOBS)") \
	$(if $(SCHEDULER),--scheduler "$(SCHEDULER)") --dtype "$(DTYPE)" \
	$(if $(filter no,$(CHECK_COUNTS)),--no-check-counts) \
	$(foreach choice,$(ASSUME),--assume "$(choice)")

launched = $(if $(HOSTS),"$(PYTHON)" -m freqcnn_gluon launch --hosts "$(HOSTS)" --)

.DEFAULT_GOAL := help
numbered = $(addprefix table,1 2 3 4 5 6 7 8 9 10 11 12)
.PHONY: help setup $(numbered) tables report notebooks audit assumptions plan sensitivity reference test test-kill \
	test-long fuzz verify-results bench doctor check-gpu-setup clean

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

table1:   ## UT-Podcast's clips counted, beside the paper's
table2:   ## FreqCNN for accents, layer for layer beside the paper's
table3:   ## accents: six networks trained and compared with the paper
table4:   ## accents: 0 to 8 frequency segments, alone and with the global path
table5:   ## accents: splits by frequency and time, 0 to 3 attention blocks of two kinds
table6:   ## CHAINS's folds counted, beside the paper's
table7:   ## FreqCNN for speakers, layer for layer beside the paper's
table8:   ## speakers: five networks on three folds
table9:   ## speakers: seven pairs of activations on three folds
table10:  ## FreqCNN for emotions, layer for layer beside the paper's
table11:  ## emotions: FreqCNN on ten folds of speakers
table12:  ## emotions: its confusion matrix, as table and figure
$(numbered): table%: setup
	@$(launched) "$(PYTHON)" -m reproduce table $* $(table_options)

tables: setup  ## all twelve
	@$(launched) "$(PYTHON)" -m reproduce table $(table_options)

report: setup  ## all results on one page, RESULTS/index.html, for a browser or a phone
	@"$(PYTHON)" -m reproduce report --data "$(DATA)" --results "$(RESULTS)"

notebooks: setup  ## run the notebooks, with their pictures, into RESULTS/notebooks
	@mkdir -p "$(DATA)" "$(RESULTS)/notebooks"
	@at() { [ -z "$$1" ] || (cd "$$1" && pwd); }; \
	    data=$$(at "$(DATA)") && results=$$(at "$(RESULTS)") && made="$$results/notebooks" && \
	    podcast=$$(at "$(UT_PODCAST)") && films=$$(at "$(ENTERFACE)") && \
	    DATA="$$data" RESULTS="$$results" UT_PODCAST="$$podcast" ENTERFACE="$$films" \
	    MODEL="$$made/model$${podcast:+-ut_podcast}" \
	    "$(PYTHON)" -c "from nbclient.cli import main; main()" \
	    --output "$$made/{notebook_name}.ipynb" notebooks/*.ipynb

audit: setup  ## check the paper's own numbers against each other
	@"$(PYTHON)" -m reproduce audit --results "$(RESULTS)"

assumptions: setup  ## print what the paper leaves open, what was chosen and what else there is
	@"$(PYTHON)" -m reproduce assumptions

plan: setup  ## what each table will cost: runs, hours, memory, disk, and hours on GPUS; takes a minute
	@"$(PYTHON)" -m reproduce plan $(table_options) --gpu "$(GPU)" --gpus "$(GPUS)"

sensitivity: setup  ## run the alternatives of TABLE's assumptions one at a time: what each is worth
	@$(launched) "$(PYTHON)" -m reproduce sensitivity $(TABLE) $(table_options)

reference: setup  ## render results/reference and README.md again from the committed reports
	@"$(PYTHON)" -m reproduce reference

# One thread a worker, or the workers fight over the cores. A file stays with one worker, which
# shares its fixtures.
test: setup  ## run the tests
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -n auto --maxprocesses 4 --dist loadfile

test-kill: setup  ## stop every stage at random moments, 120 times in all: it must end the same (5 minutes)
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -m kill tests/test_interruptions.py

test-long: setup  ## 200 epochs and a store of 10,000 clips: memory, files and threads must stay flat (a few minutes)
	"$(PYTHON)" -m pytest -m long tests/test_long.py

# Into a folder of its own, since not every Python has the same version, and the tests need none.
fuzz: setup  ## feed all that reads files millions of bytes that coverage leads to (8 minutes); RESULTS/fuzz has what is found
	@cmp -s tests/fuzz/requirements.txt "$(OUT)/.venv-fuzz/requirements.txt" || { rm -rf "$(OUT)/.venv-fuzz" && \
	    "$(PYTHON)" -m pip install --quiet --target "$(OUT)/.venv-fuzz" -r tests/fuzz/requirements.txt && \
	    cp tests/fuzz/requirements.txt "$(OUT)/.venv-fuzz"; }
	@OMP_NUM_THREADS=1 PYTHONPATH="$(OUT)/.venv-fuzz" "$(PYTHON)" tests/fuzz/run.py --out "$(RESULTS)/fuzz"

verify-results: setup  ## run some of results/reference again and compare: the same bytes on the same machine
	@"$(PYTHON)" -m reproduce verify --data "$(DATA)" $(corpora) $(if $(JOBS),--jobs "$(JOBS)")

doctor:  ## say what is wrong with this machine, in plain words
	@tools/doctor.sh "$(VENV)" "$(DATA)" "$(RESULTS)"

bench:  ## measure speed and memory beside PyTorch, onnxruntime and librosa; fill docs/speed.md
	@tools/setup.sh "$(OUT)/.venv-bench" cpu
	@"$(OUT)/.venv-bench/bin/python" -m pip install --quiet --no-input -r benchmarks/requirements.txt
	@"$(OUT)/.venv-bench/bin/python" benchmarks/speed $(BENCH)

check-gpu-setup:  ## build the GPU environment in .venv-gpu (5 GB) and prove that MXNet loads from it
	@tools/setup.sh "$(OUT)/.venv-gpu" gpu
	@"$(OUT)/.venv-gpu/bin/python" tools/check_gpu_setup.py

clean:  ## remove the environments and the caches; data and results stay
	@for folder in "$(VENV)" "$(OUT)/.venv-gpu"; do [ ! -f "$$folder/pyvenv.cfg" ] || rm -rf "$$folder"; done
	@rm -rf .pytest_cache "$(OUT)/.venv-fuzz" "$(OUT)/.venv-bench"
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
