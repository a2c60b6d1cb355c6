# The way in.  Every target makes its own set-up first and may be run again and again.
#
#   make demo    cloud networks before your eyes: VLANs, GRE tunnels, routers, DHCP, metadata (as root)
#   make test    everything that must hold: checks, then pure, host and lab tests (as root)
#   make help    the rest

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo setup setup-dev check lint test test-pure laws test-real test-postgresql firewall mutants trace-check bench walks \
	docs lock kills tempest changelog clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what Netglass needs to run (quick when it is there)
	@tools/bootstrap run

setup-dev: ## Install what checks and tests need as well
	@tools/bootstrap dev

demo: setup ## Bring up two labs and walk through what two documents say of their networks (root)
	@$(BIN)/netglass demo

check: setup-dev lint test-pure ## Before every push: format, lint, types, layers, house rules, pure tests

lint: setup-dev ## Format, lint, types, layers, house rules
	$(BIN)/ruff format --check --quiet src tests tools bench
	$(BIN)/ruff check --quiet src tests tools bench
	$(BIN)/mypy
	$(BIN)/mypy --strict tools
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/check_tree.py

test-pure: setup-dev ## Tests that need neither root nor a machine
	$(BIN)/pytest -q -n auto -m "not server and not host and not lab"

laws: setup-dev ## Look for new counterexamples to the laws, much longer than `make check` does
	$(BIN)/pytest -q -n auto --hypothesis-profile search tests/laws

test-real: setup-dev ## Tests on real servers, kernels, switches and labs (root)
	$(BIN)/pytest -m "server or host or lab" --ignore=tests/unit/api

test-postgresql: setup-dev ## The API's tests once more, on PostgreSQL: minutes that `make test` has not got (root)
	$(BIN)/pytest -q -n auto -m server tests/unit/api

test: ## Everything (root): checks, pure tests, then real ones
	@test "$$(id -u)" = 0 || { echo "make test: host and lab tests make namespaces; run as root" >&2; exit 1; }
	@$(MAKE) check
	@$(MAKE) test-real

tempest: setup-dev ## OpenStack's own tests of the Networking API, unmodified, against a lab; TESTS=regular-expression (root)
	$(BIN)/python tools/run_tempest.py --tests "$(or $(TESTS),tempest.api.network)" $(if $(TESTS),,--keep bench/results)

trace-check: setup-dev ## Hold the tracer to real switches (1,000 random packets in 50 clouds) and real packets (50) (root)
	PYTHONPATH=tests $(BIN)/python -m agreement
	NETGLASS_TRACE_PACKETS=50 $(BIN)/pytest -q -s --timeout 1200 tests/lab/test_packet_agreement.py

firewall: setup-dev ## Shoot every case of the firewall's table at both drivers (root)
	NETGLASS_ALL_CASES=1 $(BIN)/pytest -q -s tests/firewall/test_cases.py

mutants: setup-dev ## Have both drivers forget things, and see the firewall's table notice each (root)
	NETGLASS_ALL_CASES=1 $(BIN)/pytest -q -s tests/firewall/test_mutants.py

bench: setup-dev ## Measure the API, the wiring and routing; print tables (root)
	$(BIN)/python bench/api.py
	$(BIN)/python bench/wiring.py
	$(BIN)/python bench/routing.py

walks: setup-dev ## Every walk with 100 MB each way, and what each process's death costs it (root; twenty minutes)
	NETGLASS_WALK_MEGABYTES=100 $(BIN)/pytest -s tests/lab/test_walks.py tests/lab/test_ipv6_walks.py
	$(BIN)/python bench/process_by_walk.py

kills: setup-dev ## 1,000 kills of random processes under load, half of them with two servers over PostgreSQL (root; an hour)
	$(BIN)/python bench/kills.py --count 500
	$(BIN)/python bench/kills.py --count 500 --database postgresql

docs: setup-dev ## Write docs/reference anew out of the code
	$(BIN)/python tools/gen_reference.py

lock: setup-dev ## Pin dependencies anew: requirements/*.lock
	$(BIN)/python tools/lock.py

changelog: setup-dev ## Move changelog.d into CHANGELOG.md: make changelog VERSION=x.y.z
	$(BIN)/python tools/changelog.py $(VERSION)

clean: ## Remove what tools left in the tree, .venv too; labs are left alone (netglass lab down)
	rm -rf .venv .tempest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
