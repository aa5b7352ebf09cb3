# Two commands do all the set-up: `make demo` and `make test`. Both make .venv on their first call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# Several processes that each use all cores slow each other down.
ONE_THREAD := OMP_NUM_THREADS=1

SAMPLES := bundles/brain_mri_detector/runs/template_samples bundles/brain_mri_reformer/runs/template_samples

.PHONY: help demo samples test lint types unit reliability mutants configs bundles dist audit licences lowest deploy label pacs docs benchmarks device-check results paper clean

help:
	@echo "make demo        install, fit the guard on generated brains, and show a clean one and three spoilt copies on one page"
	@echo "make test        install, linter, types and tests"
	@echo "make reliability  the promises of docs/reliability.md at full length, and its figures (PROMISE=NAME: one of them)"
	@echo "make mutants     change single lines of the core, one by one, and see whether the tests notice it"
	@echo "make samples     generated brains, part of the training data of detector and reformer"
	@echo "make configs     write the JSON configurations of the bundles from bundle_configs/"
	@echo "make bundles     check the bundles as the model zoo does, and pack them into dist/"
	@echo "make dist        wheel, source archive and bundles with their checksums, in dist/"
	@echo "make audit       known weaknesses of the dependencies (needs a network), and a bill of materials, dist/sbom.json"
	@echo "make licences    docs/dependencies.md: versions and licences of the dependencies"
	@echo "make lowest      tests with the lowest versions that setup.cfg allows (own environment)"
	@echo "make deploy      the guard in a MONAI Deploy application equals monai.bundle run (own environment)"
	@echo "make label       the guard in a MONAI Label server equals monai.bundle run (own environment)"
	@echo "make pacs        a study in a real archive, Orthanc, is screened and answered (Debian or Ubuntu)"
	@echo "make docs        the documentation site, docs/build/index.html"
	@echo "make benchmarks  speed and memory"
	@echo "make device-check  whether a GPU gives what the CPU gives, with time and memory (without a GPU: a dry run)"
	@echo "make results     the figures of docs/results.md, of the screen, the certificates and all defences (needs DATASET_DIR)"
	@echo "make paper       the experiments of the paper (needs DATASET_DIR and WORK_DIR; hours, resumable)"
	@echo "make clean       remove the environment and what the demo wrote"

$(READY): setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[sample,train,experiments,export,dicom,docs,dev]"
	@touch $@

demo: $(READY)
	$(BIN)/python -m demo --output_dir build/demo

samples: $(READY)
	@for folder in $(SAMPLES); do for split in train:6 validation:2 calibration:3; do \
		$(BIN)/python -m monai_advdefense.data.template_sample --output_dir $$folder \
			--split $${split%:*} --count $${split#*:} || exit; done; done

# mypy takes one core: beside it the tests go on.
test: lint
	$(MAKE) --jobs=2 types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n 2 --dist loadfile

reliability: $(READY)
	$(ONE_THREAD) $(BIN)/python -m pytest -q tests/reliability$(PROMISE:%=/test_%.py) --figures docs/reliability.md

mutants: $(READY)
	$(BIN)/python -m mutants

configs: $(READY)
	$(BIN)/python -m bundle_configs

bundles: $(READY)
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/bundles/test_metadata.py tests/bundles/test_configs.py \
		tests/bundles/test_export.py
	$(BIN)/python -m monai_advdefense.bundle_tools.package $(wildcard bundles/*/) --output_dir dist

# The time of the last commit: the same source gives the same wheel.
dist: $(READY)
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --outdir dist .
	$(BIN)/python -m monai_advdefense.bundle_tools.package $(wildcard bundles/*/) --output_dir dist
	cd dist && sha256sum *.whl *.tar.gz *.zip > SHA256SUMS

build/audit/.installed: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet cyclonedx-bom==7.5.0 pip_audit==2.10.1
	@touch $@

audit: $(READY) build/audit/.installed
	mkdir -p dist
	build/audit/bin/cyclonedx-py environment --output-reproducible --output-file dist/sbom.json $(BIN)/python
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

licences: $(READY)
	$(BIN)/python docs/dependencies.py

# Only the ranges of what users install; pytest is needed as well.
build/lowest/.installed: setup.cfg
	$(PYTHON) -m venv $(@D)
	sed -n '/^install_requires/,/^$$/p' setup.cfg | sed -n 's/^    \(.*\)>=\(.*\)/\1==\2/p' > $(@D)/lowest.txt
	$(@D)/bin/pip install --quiet --requirement $(@D)/lowest.txt pytest
	$(@D)/bin/pip install --quiet --no-deps --editable .
	@touch $@

LOWEST := tests/attacks tests/data tests/guard tests/networks tests/losses tests/metrics tests/runs tests/transforms \
	tests/test_atomic_path.py tests/commands/test_check.py

lowest: build/lowest/.installed
	$(ONE_THREAD) build/lowest/bin/python -m pytest -q $(LOWEST)

build/deploy/.installed: examples/monai_deploy/requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --requirement $<
	$(@D)/bin/pip install --quiet --constraint $< --editable .
	@touch $@

deploy: $(READY) build/deploy/.installed
	$(BIN)/python -m examples.monai_deploy.check --python build/deploy/bin/python

# sam2 is built from its source, with the torch that is already there: an isolated build takes another one.
build/label/.installed: examples/monai_label/requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --constraint $< torch setuptools wheel ninja
	SAM2_BUILD_CUDA=0 $(@D)/bin/pip install --quiet --no-build-isolation --requirement $<
	$(@D)/bin/pip install --quiet --constraint $< --editable .
	@$(@D)/bin/python -c "import torchvision" || \
		{ echo "torchvision: expected the build of torch, found another: see docs/monai-label.md"; exit 1; }
	@touch $@

label: $(READY) build/label/.installed
	$(BIN)/python -m examples.monai_label.check --python build/label/bin/python

build/orthanc/.unpacked: examples/orthanc/unpack.sh
	$< $(@D)
	@touch $@

pacs: $(READY) build/orthanc/.unpacked
	$(ONE_THREAD) $(BIN)/python -m examples.orthanc.check --orthanc build/orthanc

docs: $(READY)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/build

benchmarks: $(READY)
	$(BIN)/python -m benchmarks

device-check: $(READY)
	$(BIN)/python -m benchmarks.device_check

results: $(READY)
	$(BIN)/python -m experiments.evaluation --dataset_dir $(DATASET_DIR)
	$(BIN)/python -m experiments.screen.against_attacker --dataset_dir $(DATASET_DIR)
	$(BIN)/python -m experiments.screen --dataset_dir $(DATASET_DIR)
	$(BIN)/python -m experiments.screen --dataset_dir $(DATASET_DIR) --overlays adversarial
	$(BIN)/python -m experiments.certified --dataset_dir $(DATASET_DIR)
	$(BIN)/python -m experiments.defences --dataset_dir $(DATASET_DIR)

paper: $(READY)
	$(ONE_THREAD) $(BIN)/torchrun --standalone --nproc_per_node 2 -m experiments.paper \
		--dataset_dir $(DATASET_DIR) --work_dir $(WORK_DIR)

clean:
	rm -rf $(VENV) build
