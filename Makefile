# make book and make test are all a reader needs; both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= 2
NOTEBOOKS = $(shell find book -name '*.ipynb' -not -path '*/_build/*' -not -path '*/.ipynb_checkpoints/*')

# $(call stage,NAME,COMMAND) runs COMMAND and prints how long it took.
stage = @echo "== $(1)"; start=$$(date +%s); $(2) && echo "== $(1): $$(( $$(date +%s) - start )) s"

export OMP_NUM_THREADS ?= 1
export TF_CPP_MIN_LOG_LEVEL ?= 3

# nni pins what others need newer, so that its tests run against an environment of its own.
NNI := .venv-nni
NNI_PYTHON = $${HPCOURSE_NNI_PYTHON:-$$(test -e $(NNI)/.ready && echo "$(CURDIR)/$(NNI)/bin/python")}

.PHONY: book test unit nni notebook-test book-test lint notebooks record colab picture gpu-test lock clean

$(READY): pyproject.toml requirements.lock
	$(call stage,set up,$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet -c requirements.lock -e ".[all]" && touch $@)

## book: execute the notebooks that changed, then build the book; warnings are errors
book: $(READY)
	$(call stage,execute notebooks,$(BIN)/python tools/execute_book.py --workers $(WORKERS))
	$(call stage,build book,$(BIN)/jupyter-book build -W -n --keep-going book)
	@echo "Open book/_build/html/index.html"

## test: linters, unit tests, every notebook, and the built book in a browser
test: lint unit notebook-test book-test

## nni: the environment for the tests with nni; where it cannot be made, they skip
nni: $(READY)
	@test -e $(NNI)/.ready -a ! tests/interop/nni.lock -nt $(NNI)/.ready || \
	  { rm -rf $(NNI); echo "== set up nni"; start=$$(date +%s); \
	    $(PYTHON) -m venv $(NNI) && $(NNI)/bin/pip install --quiet -r tests/interop/nni.lock && \
	    $(NNI)/bin/python -c "import nni.algorithms.hpo.tpe_tuner" && touch $(NNI)/.ready && \
	    echo "== set up nni: $$(( $$(date +%s) - start )) s"; } || \
	  echo "== nni cannot be installed here: the tests with it skip"

unit: $(READY) nni
	$(call stage,unit tests,HPCOURSE_NNI_PYTHON=$(NNI_PYTHON) $(BIN)/pytest -n $(WORKERS) -m "not book and not browser" tests hpcourse)

notebook-test: $(READY)
	$(call stage,notebooks,$(BIN)/pytest --nbval-lax --nbval-cell-timeout=600 -n $(WORKERS) --dist loadfile $(NOTEBOOKS))

book-test: book
	$(call stage,built book,$(BIN)/pytest -m "book or browser" tests/book)

lint: $(READY)
	$(call stage,ruff,$(BIN)/ruff check . && $(BIN)/ruff format --check .)
	$(call stage,mypy,$(BIN)/mypy)
	$(call stage,layers,$(BIN)/lint-imports)
	$(call stage,notebook form,$(BIN)/python tools/notebooks.py normalise --check && $(BIN)/python tools/notebooks.py colab --check && $(BIN)/python tools/notebooks.py lint)

## notebooks: bring every notebook to its normal form
notebooks: $(READY)
	$(BIN)/ruff check --fix --quiet $(NOTEBOOKS)
	$(BIN)/ruff format --quiet $(NOTEBOOKS)
	$(BIN)/python tools/notebooks.py normalise

## record: store the outputs of the cells whose output is checked
record: $(READY)
	$(BIN)/python tools/notebooks.py record

## colab: write the repository's address from _config.yml into notebooks and README
colab: $(READY)
	$(BIN)/python tools/notebooks.py colab

## picture: draw the README's picture from the stored evidence
picture: $(READY)
	$(BIN)/python tools/picture.py

## gpu-test: unit tests that need CUDA, then every notebook on the GPU
gpu-test: $(READY)
	nvidia-smi
	$(call stage,GPU tests,HPCOURSE_DEVICE=cuda $(BIN)/pytest -m gpu tests)
	$(call stage,notebooks on GPU,HPCOURSE_DEVICE=cuda $(BIN)/pytest --nbval-lax --nbval-cell-timeout=600 $(NOTEBOOKS))

## lock: resolve requirements.lock anew from pyproject.toml; TORCH=2.13.0 holds torch at that version
lock:
	echo "$(if $(TORCH),torch==$(TORCH))" | uv pip compile pyproject.toml --universal --python-version 3.11 \
	  --all-extras --no-annotate --no-header --constraint - --output-file requirements.lock

clean:
	rm -rf book/_build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
