# make run and make test need only Python 3.11 to 3.13, make and git; all else goes into .venv
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
BIN := .venv/bin
# A file's tests stay together, as they share servers. Two at a time: more starve those that wait for real processes.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile -q

.PHONY: env run test quick lab benchmark notebooks lock
env: .venv/installed

# --no-deps: the lock names every package; --require-hashes: and what each must contain.
.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version), about a minute …"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: env  ## evaluate the ticket model on the embedded sample
	$(BIN)/daybook run notebooks/evaluate_ticket_model.ipynb

test: env  ## everything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(PYTEST)

quick: env  ## what a person runs while editing
	$(PYTEST) -m "not slow"

lab: env  ## JupyterLab on notebooks/
	$(BIN)/daybook lab

benchmark: env  ## speed and memory, as ratios from one run
	$(BIN)/python -m tests.benchmarks.evaluation
	$(BIN)/python -m tests.benchmarks.ticks
	$(BIN)/python -m tests.benchmarks.scale
	$(BIN)/python -m tests.benchmarks.watching

notebooks: env  ## execute the notebooks anew, as they are committed
	$(BIN)/python -m tests.execute_notebooks $(NOTEBOOKS)

lock: env  ## resolve the dependencies anew; needs uv
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
		--no-annotate --no-header --quiet --extra test pyproject.toml -o requirements.lock.new
	{ head -n 1 requirements.lock; cat requirements.lock.new; } > requirements.lock.part
	mv requirements.lock.part requirements.lock
	rm requirements.lock.new
