# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
WORKERS ?= 2
PIP = -m pip --disable-pip-version-check install --quiet

.PHONY: demo learn test proof crosscheck lint golden benchmark clean

demo: .venv-demo/ready
	.venv-demo/bin/python examples/demo.py build/demo.png

learn: .venv-learn/ready
	.venv-learn/bin/python examples/digits.py build/digits.png
	.venv-learn/bin/python examples/em.py
	.venv-learn/bin/python examples/pitch_class.py build/pitch_class.png

test: .venv/ready
	.venv/bin/python -m pytest -n $(WORKERS)

proof: .venv/ready
	.venv/bin/python -m pytest -n $(WORKERS) tests/proof tests/torch/test_grid.py tests/cuda/test_cuda_grid.py --full-product

crosscheck: .venv-crosscheck/ready
	.venv-crosscheck/bin/python -m pytest tests/crosscheck

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

golden: .venv/ready
	.venv/bin/python -m pytest tests/lower tests/cuda -k golden --update-golden

benchmark: .venv-benchmark/ready .venv-benchmark-aeon/ready
	.venv-benchmark/bin/python -m benchmarks --python aeon=.venv-benchmark-aeon/bin/python --chart docs/images/benchmark.png $(BENCHMARK)

.venv/ready: requirements/test.txt requirements/learning.txt requirements/recording.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -r requirements/test.txt
	.venv/bin/python $(PIP) --no-deps -r requirements/recording.txt
	.venv/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv-demo/ready: requirements/demo.txt requirements/recording.txt pyproject.toml
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python $(PIP) -r requirements/demo.txt
	.venv-demo/bin/python $(PIP) --no-deps -r requirements/recording.txt
	.venv-demo/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv-learn/ready: requirements/learning.txt pyproject.toml
	$(PYTHON) -m venv .venv-learn
	.venv-learn/bin/python $(PIP) -r requirements/learning.txt
	.venv-learn/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv-crosscheck/ready: requirements/crosscheck.txt pyproject.toml
	$(PYTHON) -m venv .venv-crosscheck
	.venv-crosscheck/bin/python $(PIP) -r requirements/crosscheck.txt
	.venv-crosscheck/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv-benchmark/ready: benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-benchmark
	.venv-benchmark/bin/python $(PIP) hatchling==1.33.0 -r benchmarks/requirements.txt
	-.venv-benchmark/bin/python $(PIP) --no-deps --no-build-isolation -r benchmarks/requirements-built.txt
	.venv-benchmark/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	mkdir -p build
	touch $@

.venv-benchmark-aeon/ready: benchmarks/requirements-aeon.txt
	$(PYTHON) -m venv .venv-benchmark-aeon
	.venv-benchmark-aeon/bin/python $(PIP) -r benchmarks/requirements-aeon.txt
	touch $@

clean:
	rm -rf .venv .venv-demo .venv-learn .venv-benchmark .venv-benchmark-aeon .venv-crosscheck build
