# `make` lists the targets and the variables. Targets that run Python have `setup` as a prerequisite.

# A variable that is exported and empty counts as unset.
$(foreach name,OUT VENV DEVICE SEEDS CHECK_COUNTS TABLE DTYPE GPU GPUS DATA RESULTS \
	FOLDS ARCHITECTURE SIZE BATCH,\
	$(if $(strip $($(name))),,$(eval override undefine $(name))))

## folder for the environment, data and results; name another if this one is read-only
OUT ?= .
## folder of the Python environment
VENV ?= $(OUT)/.venv
## Python 3.10 to 3.12 that creates the environment; if empty, the first suitable one on this machine
SETUP_PYTHON ?=
## auto, cpu, gpu, or numbers as in cpu:0,1 or gpu:0; auto uses a GPU if MXNet supports it
DEVICE ?= auto
## machines that train together, as in HOSTS=localhost,gpu2; if empty, only this machine
HOSTS ?=
## folder of UT-Podcast (Tables 1, 3, 4, 5); if empty, its synthesised stand-in
UT_PODCAST ?=
## folder of CHAINS (Tables 6, 8, 9); if empty, its synthesised stand-in
CHAINS ?=
## folder of eNTERFACE'05 (Tables 11, 12); if empty, its synthesised stand-in
ENTERFACE ?=
## paper (the paper's sizes) or quick (small, no verdicts); if empty, paper with a corpus and quick without
PROFILE ?=
## number of seeds; each row is trained once per seed, and verdicts need three
SEEDS ?= 1
## number of processes that prepare audio, and of runs at a time; if empty, audio has one per core, a GPU one run, a CPU a run per core; with HOSTS, for audio only
JOBS ?=
## Dask cluster that executes the runs, as in SCHEDULER=tcp://head:8786; if empty, this machine
SCHEDULER ?=
## no: accept a corpus with other counts than the paper's; its results are kept apart and get no verdicts
CHECK_COUNTS ?= yes
## choices that replace those of reproduce/assumptions.toml, as in "schedule=constant initializer=uniform"
ASSUME ?=
## number of the table for `make sensitivity`
TABLE ?= 3
## assumptions whose alternatives `make sensitivity` also combines, as in "attention_input gamma"
TOGETHER ?=
## recordings for `make compare`: a folder with a folder for each label, or a CSV file with path, label and, if known, speaker
SPEECH ?=
## systems for `make compare`, as in "freqcnn svm resnet18"; if empty, all of the paper's
SYSTEMS ?=
## what `make compare` never puts into both training and test: speaker, text, clip, or fold (the CSV's column); if empty, chosen by the CSV
HOLD_OUT ?=
## number of folds for `make compare`
FOLDS ?= 5
## FreqCNN's architecture for `make compare`: table2 (accents), table7 (speakers) or table10 (emotions)
ARCHITECTURE ?= table7
## side of the networks' spectrograms for `make compare`, in pixels
SIZE ?= 64
## epochs of the networks for `make compare`; if empty, 7, or more if 400 steps need more
EPOCHS ?=
## batch size of the networks for `make compare`
BATCH ?= 16
## number format of convolutions: float32, or bfloat16 on a CPU
DTYPE ?= float32
## groups for `make bench`, as in "step memory" or "step-table7"; if empty, all
BENCH ?=
## experiments for `make learning`, as in "normalise-cnn batchnorm-table7"; if empty, all
EXPERIMENTS ?=
## folder of the Free Spoken Digit Dataset with a manifest.csv, for `make learning`
FSDD ?=
## folder of the Berlin Database of Emotional Speech with a manifest.csv, for `make learning`
EMODB ?=
## kind of GPU for the estimates of `make plan`: T4, V100 or A100
GPU ?= V100
## number of GPUs for the estimates of `make plan`
GPUS ?= 1
## folder for prepared audio and spectrograms
DATA ?= $(OUT)/data
## folder for reports, checkpoints and tables
RESULTS ?= $(OUT)/results
PYTHON = $(VENV)/bin/python
export SETUP_PYTHON
# Not passed on: variables of a shell, a cluster's modules or conda that change how scripts, Python and pip work
# (see tools/clean_environment.sh). `make doctor` gets those that matter to Python outside of make, and names them.
shown = PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSAFEPATH
unexport $(shown) PYTHONINSPECT PYTHONSTARTUP PYTHONPLATLIBDIR PYTHONEXECUTABLE PYTHONHASHSEED PYTHONCASEOK \
	PYTHONUSERBASE PYTHONDEVMODE PYTHONVERBOSE CDPATH GREP_OPTIONS BASH_ENV ENV GLOBIGNORE POSIXLY_CORRECT \
	PIP_TARGET PIP_PREFIX PIP_ROOT PIP_DRY_RUN PIP_NO_DEPS PIP_CONSTRAINT PIP_REQUIREMENT PIP_REQUIRE_HASHES \
	PIP_NO_BINARY PIP_ONLY_BINARY PIP_PYTHON PIP_QUIET PIP_LOG PIP_REPORT
export PIP_USER := 0
$(foreach name,$(shown),$(if $($(name)),$(eval doctor: export $(name) := $$(value $(name)))))
# Variables of this file that come from the environment; other programs use some of the names too.
inherited = $(foreach name,OUT VENV DEVICE HOSTS UT_PODCAST CHAINS ENTERFACE PROFILE SEEDS JOBS SCHEDULER CHECK_COUNTS \
	ASSUME TABLE TOGETHER SPEECH SYSTEMS HOLD_OUT FOLDS ARCHITECTURE SIZE EPOCHS BATCH DTYPE BENCH EXPERIMENTS FSDD EMODB \
	GPU GPUS DATA RESULTS,$(if $(filter environment,$(origin $(name))),$(if $($(name)),$(name))))
# Put large arrays in pages of 2 MB if Linux offers them: a training step is then a few percent faster.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

corpora = $(if $(UT_PODCAST),--ut-podcast "$(UT_PODCAST)") $(if $(CHAINS),--chains "$(CHAINS)") \
	$(if $(ENTERFACE),--enterface "$(ENTERFACE)")
run_options = --device "$(DEVICE)" --seeds "$(SEEDS)" --data "$(DATA)" --results "$(RESULTS)" \
	$(if $(JOBS),--jobs "$(JOBS)") $(if $(SCHEDULER),--scheduler "$(SCHEDULER)") --dtype "$(DTYPE)" \
	$(foreach choice,$(ASSUME),--assume "$(choice)")
table_options = $(run_options) $(corpora) $(if $(PROFILE),--profile "$(PROFILE)") \
	$(if $(filter no,$(CHECK_COUNTS)),--no-check-counts)
compare_options = $(run_options) --folds "$(FOLDS)" --architecture "$(ARCHITECTURE)" --size "$(SIZE)" \
	--batch-size "$(BATCH)" $(if $(HOLD_OUT),--hold-out "$(HOLD_OUT)") $(if $(EPOCHS),--epochs "$(EPOCHS)") \
	$(if $(SYSTEMS),--systems $(SYSTEMS))

together = $(foreach id,$(TOGETHER),--together "$(id)")
launched = $(if $(HOSTS),"$(PYTHON)" -m freqcnn_gluon launch --hosts "$(HOSTS)" --)

.DEFAULT_GOAL := help
numbered = $(addprefix table,1 2 3 4 5 6 7 8 9 10 11 12)
.PHONY: help setup $(numbered) tables compare report notebooks audit assumptions plan sensitivity claims reference test test-kill \
	test-long fuzz lint verify-results bench learning doctor check-gpu-setup check-gpu clean

# Checked here, because the recipes run only after `setup`, which takes minutes.
ifneq ($(filter compare,$(MAKECMDGOALS)),)
ifeq ($(strip $(SPEECH)),)
$(error SPEECH is not set; name the recordings, as in `make compare SPEECH=clips.csv`)
endif
endif
ifneq ($(filter $(numbered) tables plan sensitivity,$(MAKECMDGOALS)),)
ifneq ($(strip $(CHECK_COUNTS)),$(filter yes no,$(firstword $(CHECK_COUNTS))))
$(error CHECK_COUNTS=$(CHECK_COUNTS) is not known; give yes or no)
endif
endif

help:  ## print this list
	@echo 'make TARGET [VARIABLE=value ...]'
	@awk '/^## / { about = substr($$0, 4); next } \
	      /^[A-Z][A-Z0-9_]* *\?=/ && about { name = $$1; sub(/^[^=]*= */, ""); \
	          variables = variables sprintf("  %-18s %s [%s]\n", name, about, $$0) } \
	      /^[a-z][a-z0-9-]*:.*  ## / { name = $$1; sub(/:.*/, "", name); sub(/^.*  ## /, ""); \
	          targets = targets sprintf("  %-18s %s\n", name, $$0) } \
	      { about = "" } \
	      END { printf "targets\n%svariables\n%s", targets, variables }' $(MAKEFILE_LIST)

setup:  ## create the environment with the CPU or the GPU packages; an existing one is kept
	@tools/setup.sh "$(VENV)" "$(DEVICE)"

table1:   ## count UT-Podcast's clips, and compare with the paper's counts
table2:   ## print FreqCNN's layers for accents, and mark what the paper's table does not state
table3:   ## accents: FreqCNN, five other networks and i-vectors
table4:   ## accents: 0 to 8 frequency segments, with and without the global path
table5:   ## accents: splits by frequency and time, 0 to 3 attention blocks of two kinds
table6:   ## count the clips of CHAINS's folds, and compare with the paper's counts
table7:   ## print FreqCNN's layers for speakers, and mark what the paper's table does not state
table8:   ## speakers: FreqCNN, four other networks, i-vectors and GMMs on three folds
table9:   ## speakers: seven pairs of activations on three folds
table10:  ## print FreqCNN's layers for emotions, and mark what the paper's table does not state
table11:  ## emotions: FreqCNN and four other systems on ten folds of speakers
table12:  ## emotions: FreqCNN's confusion matrix, as table and figure
$(numbered): table%: setup
	@$(launched) "$(PYTHON)" -m reproduce table $* $(table_options)

tables: setup  ## run all twelve tables
	@$(launched) "$(PYTHON)" -m reproduce table $(table_options)

compare: setup  ## run the systems of Tables 3, 8 and 11 on the recordings in SPEECH, on the same clips and folds
	@$(launched) "$(PYTHON)" -m reproduce compare "$(SPEECH)" $(compare_options)

report: setup  ## write all results to one page, RESULTS/index.html, for a browser or a phone
	@"$(PYTHON)" -m reproduce report --data "$(DATA)" --results "$(RESULTS)"

notebooks: setup  ## run the notebooks and write them, with their pictures, to RESULTS/notebooks
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

claims: setup  ## check the paper's claims on our numbers, from the finished runs in RESULTS
	@"$(PYTHON)" -m reproduce claims --results "$(RESULTS)"

assumptions: setup  ## print the points that the paper leaves open, with our choices and the alternatives
	@"$(PYTHON)" -m reproduce assumptions

plan: setup  ## estimate each table's runs, hours, memory, disk, and hours on GPUS; takes a minute
	@"$(PYTHON)" -m reproduce plan $(table_options) --gpu "$(GPU)" --gpus "$(GPUS)"

sensitivity: setup  ## run the alternatives of TABLE's assumptions one at a time, and those of TOGETHER combined
	@$(launched) "$(PYTHON)" -m reproduce sensitivity $(TABLE) $(table_options) $(together)

reference: setup  ## render results/reference, README.md and docs/protocol.md again from the committed reports
	@"$(PYTHON)" -m reproduce reference

lint: setup  ## check style and types: ruff check, ruff format --check, mypy (under a minute)
	"$(PYTHON)" -m ruff check .
	"$(PYTHON)" -m ruff format --check .
	"$(PYTHON)" -m mypy

# Each worker has one thread, because the workers would compete for the cores otherwise. All tests of a file run in
# the same worker, so that they share its fixtures.
test: setup  ## run the tests (6 to 11 minutes)
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -n logical --maxprocesses 4 --dist loadfile \
	    --no-loadscope-reorder

test-kill: setup  ## interrupt every stage at random moments, 120 times in all, and compare the results (5 minutes)
	OMP_NUM_THREADS=1 "$(PYTHON)" -m pytest -m kill tests/test_interruptions.py

test-long: setup  ## check that memory, files and threads stay constant over 200 epochs; run all of check-gpu on the CPU (8 minutes)
	"$(PYTHON)" -m pytest -m long tests/test_long.py tests/test_check_gpu.py

# The fuzzer is installed into its own folder: its version depends on the Python, and the tests do not need it.
fuzz: setup  ## feed a fuzzer's input to everything that reads a file (8 minutes); findings go to RESULTS/fuzz
	@cmp -s tests/fuzz/requirements.txt "$(OUT)/.venv-fuzz/requirements.txt" || { rm -rf "$(OUT)/.venv-fuzz" && \
	    "$(PYTHON)" -m pip install --quiet --target "$(OUT)/.venv-fuzz" -r tests/fuzz/requirements.txt && \
	    cp tests/fuzz/requirements.txt "$(OUT)/.venv-fuzz"; }
	@OMP_NUM_THREADS=1 PYTHONPATH="$(OUT)/.venv-fuzz" "$(PYTHON)" tests/fuzz/run.py --out "$(RESULTS)/fuzz"

verify-results: setup  ## rerun committed results; identical environments must match byte for byte (2 to 6 minutes)
	@"$(PYTHON)" -m reproduce verify --data "$(DATA)" $(corpora) $(if $(JOBS),--jobs "$(JOBS)")

doctor:  ## print this machine's versions and what is wrong with it; paste the output into a bug report
	@tools/doctor.sh "$(VENV)" "$(DATA)" "$(RESULTS)" $(inherited)

bench:  ## compare speed and memory with PyTorch, onnxruntime and librosa; update docs/speed.md
	@tools/setup.sh "$(OUT)/.venv-bench" cpu
	@"$(OUT)/.venv-bench/bin/python" -m pip install --quiet --no-input -r benchmarks/requirements.txt
	@"$(OUT)/.venv-bench/bin/python" benchmarks/speed $(BENCH)

learning: setup  ## train the experiments of docs/learning.md that have no result yet, and update the page
	@"$(PYTHON)" benchmarks/learning.py run $(EXPERIMENTS) --data "$(DATA)" --dtype "$(DTYPE)" --device "$(DEVICE)" \
	    $(if $(FSDD),--fsdd "$(FSDD)") $(if $(EMODB),--emodb "$(EMODB)")

check-gpu-setup:  ## build the GPU environment in .venv-gpu (5 GB) and check that MXNet loads from it
	@tools/setup.sh "$(OUT)/.venv-gpu" gpu
	@"$(OUT)/.venv-gpu/bin/python" tools/check_gpu_setup.py

check-gpu: setup  ## compare, time and train on a GPU (under 10 minutes); writes RESULTS/check-gpu.json to send back
	@"$(PYTHON)" tools/check_gpu.py --device "$(DEVICE)" --data "$(DATA)" --results "$(RESULTS)"

clean:  ## remove the environments and the caches; data and results stay
	@for folder in "$(VENV)" "$(OUT)/.venv-gpu"; do [ ! -f "$$folder/pyvenv.cfg" ] || rm -rf "$$folder"; done
	@rm -rf .pytest_cache "$(OUT)/.venv-fuzz" "$(OUT)/.venv-bench"
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
