# make demo     colorizes samples/ into demo/
# make test     lint, types, layers and tests, in an environment with all extras; tests by two
#               processes of a thread each: make test AT_ONCE=4 by four
# make smoke    builds the package and tries it in an empty environment
# make docs     builds the documentation into build/docs
# make licenses writes docs/licenses.md: every dependency and weight with its license
# make pictures makes the README's pictures again
# make fuzz     hurts files for ten minutes and uses them; any error that is not ours is kept
# make bench    times the package on this machine
# make study    trains and compares all systems (hours; goes on where it was):
#               make study PHOTOS='a.tar b.tar' VALIDATION=v.tar EVAL='kodak.tar diverse.tar'

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

RUNS   ?= runs/study
AT_ONCE ?= 2

.PHONY: demo test check smoke docs licenses fuzz pictures bench study clean

demo: $(VENV)/base
	$(BIN)/opsin colorize samples -o demo --compare --overwrite
	@echo "The colored pictures are in demo/; each -compare picture shows before and after."

test: $(VENV)/all
	$(MAKE) --no-print-directory check

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile

smoke: $(VENV)/all
	$(BIN)/python tests/smoke.py

docs: $(VENV)/all
	$(BIN)/python -m sphinx -q -W --keep-going -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html."

licenses: $(VENV)/all
	$(BIN)/python benchmarks/licenses.py

fuzz: $(VENV)/all
	$(BIN)/python tests/fuzz.py --seconds 600

pictures: $(VENV)/base
	$(BIN)/opsin compare samples --plain --model default --rows 6 -o docs/pictures/samples.jpg

bench: $(VENV)/base
	$(BIN)/opsin bench

study: $(VENV)/all
	$(BIN)/python benchmarks/study.py --data $(PHOTOS) --validation $(VALIDATION) --runs $(RUNS) --on $(EVAL)

$(VENV)/base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

$(VENV)/all: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[train,learn,coco,cluster,opencv,page,video,dev,docs]'
	touch $@ $(VENV)/base

clean:
	rm -rf $(VENV) build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
