# The first make creates an environment by itself; see tools/dev/environment.sh.
#   HOST=openmmlab (default) or onedl    which of the two stacks of OpenMMLab packages
#   PYTHON=python3.12                    which interpreter
#   SUITE=all (default), fast or host    which tests
#   ARGS='-k radius'                     more for pytest
#   WORKERS=4                            processes that run tests (default 2; 0: none beside pytest itself)

# Not `?=`: some shells and conda export a HOST of their own. PYTHON and ARGS are taken from either.
HOST = openmmlab
SUITE = all
export HOST

# Small networks on small images gain nothing from more threads.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
# Two that come with every start: mim and MMEngine import pkg_resources, MMCV lite has no CUDA operators.
PYTHONWARNINGS ?= ignore:pkg_resources is deprecated:UserWarning,ignore:Fail to import ``MultiScale:UserWarning
export PYTHONWARNINGS

WORKERS = 2

IN_ENVIRONMENT = sh tools/dev/environment.sh
PYTEST_all =
PYTEST_fast = -m 'not slow'
PYTEST_host = -m host
ifeq ($(filter $(SUITE),all fast host),)
$(error expected SUITE=all, fast or host, got SUITE=$(SUITE))
endif
TRAININGS = ce_r8_digits-lt crt_r8_digits-lt drl_r8_digits-lt
DIGITS_NOTE = 'One seed says little. Over twelve (README.md) nearly all of the gain over ce is that of crt, balanced stages with more iterations and no DR loss; \
the effect of the DR loss itself, drl against crt, is within the noise on this small set.'

.PHONY: help setup train $(TRAININGS) test pytest lint format docs report soak watch clean
.NOTPARALLEL:

help:
	@echo 'make setup   make the environment, or update it'
	@echo 'make train   train three methods on long-tailed digits and compare them'
	@echo 'make test    lint, then run the tests (SUITE=all|fast|host, ARGS=...)'
	@echo 'make lint    ruff, mypy, import-linter'
	@echo 'make format  let ruff rewrite the code'
	@echo 'make docs    build the documentation site: docs/_build/html/index.html'
	@echo 'make report  train three methods with four seeds, and make docs/digits: report, tables, figures'
	@echo 'make soak    kill trainings again and again, and compare what is left (CYCLES=50)'
	@echo 'make watch   measure speed ratios for a minute or two, and compare them with the recorded ones'
	@echo 'make clean   remove builds and caches, but no environment and no run'
	@echo 'All but help and clean take HOST=openmmlab|onedl and PYTHON=python3.12.'

setup:
	@$(IN_ENVIRONMENT)

train: $(TRAININGS)
	@$(IN_ENVIRONMENT) python tools/analysis/compare_runs.py $(TRAININGS:%=work_dirs/%) --note $(DIGITS_NOTE)

$(TRAININGS):
	@$(IN_ENVIRONMENT) mim train mmdrl configs/$@.py --gpus 0

test: lint pytest

pytest:
	@$(IN_ENVIRONMENT) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_$(SUITE)) $(ARGS)

lint:
	@$(IN_ENVIRONMENT) ruff format --check .
	@$(IN_ENVIRONMENT) ruff check .
	@$(IN_ENVIRONMENT) mypy
	@$(IN_ENVIRONMENT) lint-imports

format:
	@$(IN_ENVIRONMENT) ruff format .
	@$(IN_ENVIRONMENT) ruff check --fix .

# Parts that the default stack alone installs: HOST=onedl has no Sphinx.
docs:
	@$(IN_ENVIRONMENT) python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo 'docs/_build/html/index.html'

report:
	@for training in $(TRAININGS); do for seed in 0 1 2 3; do \
		$(IN_ENVIRONMENT) python tools/train.py configs/$$training.py --gpus 0 \
			--work-dir work_dirs/report-digits/$$training-seed$$seed --cfg-options randomness.seed=$$seed || exit 1; \
	done; done
	@$(IN_ENVIRONMENT) python tools/analysis/report.py work_dirs/report-digits/*-seed[0-3] --out docs/digits \
		--title 'Three methods on long-tailed digits, four seeds'

CYCLES = 50
soak:
	@$(IN_ENVIRONMENT) python -W ignore benchmarks/soak.py --cycles $(CYCLES)

watch:
	@$(IN_ENVIRONMENT) python -W ignore benchmarks/run.py --quick

clean:
	rm -rf docs/_build docs/reference
	rm -rf build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find mmdrl tools tests configs -name __pycache__ -type d -prune -exec rm -rf {} +
