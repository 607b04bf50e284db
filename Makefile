# Boxoffice. `make` alone lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Without cached bytecode, each of the processes that tests and checks start compiles for seconds.
export PYTHONDONTWRITEBYTECODE :=

PYTHON := .venv/bin/python
# Each worker runs a PostgreSQL of its own and a system or two, so eight are enough for any machine. One more
# than processors: tests often wait for processes.
WORKERS := $(shell echo $$(($$(nproc) + 1)))
PYTEST := $(PYTHON) -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile
UV := $(shell command -v uv 2>/dev/null)
# A `python3.11` on PATH may be a version manager's stand-in, so it is asked to run.
BASE_PYTHON ?= $(shell python3.11 -c 'import sys; print(sys.executable)' 2>/dev/null || command -v python3)

ifdef UV
  MAKE_VENV = $(UV) venv --quiet --clear --python "$(BASE_PYTHON)" .venv
  INSTALL = $(UV) pip install --python $(PYTHON)
else
  MAKE_VENV = "$(BASE_PYTHON)" -m venv --clear .venv
  INSTALL = $(PYTHON) -m pip install --disable-pip-version-check
endif
INSTALL_FILE = $(PYTHON) deploy/local/install.py

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: .venv/run.stamp ## Start everything and load sample data; Ctrl-C stops it, the data stays
	@exec $(PYTHON) -m deploy.local

.PHONY: migrate
migrate: .venv/run.stamp ## Bring the database to the newest schema, and stop
	@exec $(PYTHON) -m deploy.local.migrate

.PHONY: seed
seed: .venv/run.stamp ## Load sample accounts and events into a running Boxoffice
	@exec $(PYTHON) -m deploy.operator seed

.PHONY: test
test: .venv/dev.stamp ## Run every test, on all processors
	$(PYTEST) $(ARGS)

# What decides about seats: races, batches, keys, seats, the waiting list, and the checker.
CITUS_TESTS := $(addprefix tests/services/bookings/, citus_nodes.py test_inventory.py inventory/test_payment_races.py \
	inventory/test_seat_races.py inventory/test_seats_store.py inventory/test_store_reference.py \
	reservations/test_batches.py reservations/test_idempotency.py reservations/test_reservations.py \
	reservations/test_cancellations.py reservations/test_reading.py reservations/test_servicer.py \
	seats/test_servicer.py waiting_list/test_waiting_list.py waiting_list/test_sweeping.py \
	waiting_list/test_notices.py catalogue/test_reconciling.py catalogue/test_reconciling_seats.py live/test_live.py \
	tickets/test_servicer.py tickets/test_check_in.py tickets/test_letters.py test_leases.py \
	payments/test_looks.py payments/test_refunds.py queue reports \
	inventory/test_restoring.py inventory/test_measuring.py feed rankings test_rankings_reference.py \
	webhooks/test_deliveries.py webhooks/test_letters.py test_distributing.py)
# These write statements of their own, expect several events in a transaction, or look into the one
# PostgreSQL: at plans, at numbers of transactions, at counters of rows, and at what waits in it.
NOT_ON_CITUS := one_postgresql or claims_alone or a_map_that_is_loaded or holds_of_many_events \
	or signs_of_life or a_report_is_of_one_moment

.PHONY: test-citus
test-citus: .venv/dev.stamp ## Run the tests of the core on a Citus cluster: make test-citus CITUS_URL=…
	@test -n "$(CITUS_URL)" || { echo "Say which cluster: make test-citus \
	CITUS_URL=postgresql://owner@coordinator/boxoffice_test (see docs/scaling.md)" >&2; exit 2; }
	CITUS_URL="$(CITUS_URL)" $(PYTHON) -m pytest -n 0 -k "not ($(NOT_ON_CITUS))" $(CITUS_TESTS) $(ARGS)

.PHONY: coverage
coverage: .venv/dev.stamp ## Run every test and show which lines none reached; takes longer
	$(PYTEST) --cov --cov-report=term $(ARGS)

.PHONY: fuzz
fuzz: .venv/dev.stamp ## Send requests made up at random from the OpenAPI document, other ones each time
	FUZZ_EXAMPLES=$(or $(EXAMPLES),500) $(PYTHON) -m pytest tests/e2e/test_openapi.py $(ARGS)

.PHONY: search
search: .venv/dev.stamp ## Repeat the random searches of the tests for many more commands
	BOXOFFICE_RANDOM_COMMANDS=$(or $(COMMANDS),500000) BOXOFFICE_PAYMENT_LIVES=$(or $(LIVES),200) \
		$(PYTEST) tests/services/bookings --keyword "reference or machine" --timeout 0 $(ARGS)

# Races, batches, seats, the waiting list, idempotency, and crashes while a batch is decided. Not the
# plans of prepared statements, which PgBouncer has none of, and not a control without any lock whose
# transactions miss each other while PgBouncer connects.
CORE_TESTS := $(addprefix tests/services/bookings/,inventory reservations seats waiting_list) \
	$(addprefix tests/e2e/test_,reservation_rush.py seat_rush.py waiting_list_rush.py) \
	$(addprefix tests/faults/test_,crash_in_a_rush.py stopped_replica.py) \
	--ignore tests/services/bookings/inventory/test_plans.py \
	--deselect tests/services/bookings/inventory/test_payment_races.py::test_without_lock_and_constraints_a_payment_is_counted_twice

.PHONY: test-pgbouncer
test-pgbouncer: .venv/dev.stamp ## Run the tests of the core through PgBouncer (needs pgbouncer)
	@command -v pgbouncer >/dev/null || { echo "pgbouncer is not there: apt-get install pgbouncer" >&2; exit 1; }
	$(PYTEST) -p tests.pgbouncer $(or $(ARGS),$(CORE_TESTS))

.PHONY: bench
bench: .venv/dev.stamp ## Measure everything under load, beside its goals (with wrk, if it is there)
	$(PYTHON) -m tests.bench $(ARGS)

.PHONY: lint
lint: .venv/dev.stamp ## Check style, types, the contract and who imports whom
	@$(MAKE) --jobs 2 types-check style-check

# It takes three times as long as all other checks, and one processor.
.PHONY: types-check
types-check: .venv/dev.stamp
	$(PYTHON) -m mypy

.PHONY: style-check
style-check: .venv/dev.stamp protos-check postman-check settings-check
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) protos/lint.py
	.venv/bin/lint-imports
	.venv/bin/hadolint deploy/container/Containerfile
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	.venv/bin/kubernetes-validate --strict --quiet -k 1.33 \
		$(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*/*.yaml))

.PHONY: format
format: .venv/dev.stamp ## Rewrite the code in the house style
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

.PHONY: protos
protos: .venv/dev.stamp ## Generate the Python of the contract
	$(PYTHON) protos/generate.py

.PHONY: protos-check
protos-check: .venv/dev.stamp ## Fail where the generated Python is not that of the contract
	$(PYTHON) protos/generate.py --check

.PHONY: typescript
typescript: .venv/dev.stamp ## Generate TypeScript as the README does, and check its types (needs npm)
	$(PYTHON) -m tests.protos.typescript

.PHONY: node-receiver
node-receiver: .venv/dev.stamp ## Run the receiver of docs/webhooks.md in Node, and deliver to it (needs npm)
	$(PYTHON) -m pytest tests/services/bookings/webhooks/node_receiver.py $(ARGS)

.PHONY: socket-io
socket-io: .venv/dev.stamp ## Check live updates with the official client of Socket.IO (needs npm)
	$(PYTHON) -m tests.gateway.sockets.conformance

SWAGGER_UI := LICENSE NOTICE package.json favicon-32x32.png swagger-ui.css \
	swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt

PRETTIER = npm exec --yes --package prettier@3 -- prettier --log-level warn --print-width 100

.PHONY: pages-check
pages-check: ## Check the types of the pages' scripts, which are comments, and their style (needs npm)
	@npm exec --yes --package typescript@7 -- tsc --project gateway/pages
	@$(PRETTIER) --check 'gateway/pages/static/*/*.js'

.PHONY: pages-format
pages-format: ## Rewrite the pages' scripts in their style (needs npm)
	@$(PRETTIER) --write 'gateway/pages/static/*/*.js'

.PHONY: lit-html
lit-html: ## Take the newest release of lit-html, which the pages use (needs npm)
	@cd gateway/pages/static/vendor/lit-html && archive=$$(npm pack --silent lit-html@latest) \
		&& tar xzf $$archive --strip-components 1 package/LICENSE package/package.json package/lit-html.js \
		&& rm $$archive

.PHONY: swagger-ui
swagger-ui: ## Take the newest release of Swagger UI (needs npm)
	@cd gateway/reference/static/swagger-ui && archive=$$(npm pack --silent swagger-ui-dist@latest) \
		&& tar xzf $$archive --strip-components 1 $(SWAGGER_UI:%=package/%) && rm $$archive

.PHONY: postman
postman: .venv/run.stamp ## Make the Postman collection of the contract
	$(PYTHON) -m gateway.reference.postman

.PHONY: postman-check
postman-check: .venv/run.stamp ## Fail where the Postman collection is not that of the contract
	$(PYTHON) -m gateway.reference.postman --check

.PHONY: settings
settings: .venv/run.stamp ## Write docs/settings.md from the settings classes
	$(PYTHON) -m deploy.local.settings_page

.PHONY: settings-check
settings-check: .venv/run.stamp ## Fail where docs/settings.md is not that of the settings classes
	$(PYTHON) -m deploy.local.settings_page --check

.PHONY: pictures
pictures: .venv/dev.stamp ## Draw the pictures of docs/best-seats.md with the real algorithm
	$(PYTHON) -m tests.docs.pictures

.PHONY: alerts-check
alerts-check: ## Test the alerts of Prometheus (needs promtool)
	cd deploy/monitoring && promtool check rules rules.yaml && promtool test rules rules_test.yaml

.PHONY: page-pictures
page-pictures: .venv/dev.stamp ## Take the pictures of docs/pages.md, of a system of its own
	$(PYTHON) -m tests.pages.pictures

.PHONY: docs
docs: build/docs.stamp ## Build the documents as a site in build/site; broken links fail
	build/docs/bin/zensical build --clean --strict

.PHONY: wheels
wheels: .venv/run.stamp ## Build the wheels boxoffice and boxoffice-server into dist/
	@$(PYTHON) -m deploy.wheels dist
	@ls dist/boxoffice*.whl

.PHONY: wheels-check
wheels-check: .venv/dev.stamp ## Install both wheels into an empty environment, run them and book a seat
	$(PYTHON) -m tests.deploy.wheels_check

.PHONY: upgrade-check
upgrade-check: .venv/dev.stamp ## Upgrade from the commit FROM to this one under load, and back
	$(PYTHON) -m tests.deploy.upgrade_check $(or $(FROM),HEAD~20)

.PHONY: sbom
sbom: build/sbom.stamp ## List the pinned dependencies of the server in dist/sbom.json (CycloneDX)
	@mkdir -p dist
	build/sbom/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file dist/sbom.json

.PHONY: image
image: ## Build the container image (needs docker, podman or buildah); see docs/containers.md
	@sh deploy/container/build.sh

.PHONY: image-test
image-test: .venv/dev.stamp ## Start every process from the image and book a seat (needs the same)
	@$(PYTHON) -m tests.deploy.container.image

.PHONY: base-image
base-image: ## Make a base image from Debian's packages, where no registry is reachable (needs buildah)
	@sh deploy/container/debian_base.sh

.PHONY: kustomize
kustomize: .venv/dev.stamp ## Render the overlays with kubectl, which it installs, and check the result
	@$(PYTHON) -m tests.deploy.container.kustomize

.PHONY: lock
lock: ## Pin every dependency again, with hashes (needs uv)
	$(LOCK) --upgrade --extra dev --output-file requirements-dev.txt
	$(LOCK) --constraint requirements-dev.txt --extra checkout --output-file requirements-run.txt
	$(LOCK) --constraint requirements-dev.txt --output-file requirements.txt
	$(LOCK) --constraint requirements-dev.txt --extra stripe --output-file requirements-stripe.txt
	$(LOCK) --constraint requirements-dev.txt --extra tracing --output-file requirements-tracing.txt
	$(LOCK_GROUP) docs --output-file requirements-docs.txt
	$(LOCK_GROUP) sbom --output-file requirements-sbom.txt

# Extras are named, or pip would take the newest release of what is asked for with one.
COMPILE = uv pip compile --quiet --generate-hashes --universal --no-header --no-strip-extras \
	--no-annotate --python-version 3.11 --no-emit-package boxoffice
LOCK = $(COMPILE) pyproject.toml
LOCK_GROUP = $(COMPILE) --upgrade --group

.PHONY: clean
clean: ## Remove the virtual environment and every cache; the data stays
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache .schemathesis build dist protos/*.egg-info
	find . -name .data -prune -o -name __pycache__ -type d -exec rm -rf {} +

.PHONY: reset
reset: .venv/run.stamp ## Remove the development database, after asking; FORCE=1 does not ask
	@exec $(PYTHON) -m deploy.local.reset

.venv/bin/python:
	@"$(BASE_PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Boxoffice needs Python 3.11 or later: make BASE_PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making .venv"
	@$(MAKE_VENV)

# What `make run` needs, and this checkout in place of the two packages that it makes.
.venv/run.stamp: requirements-run.txt pyproject.toml protos/pyproject.toml | .venv/bin/python
	@$(INSTALL_FILE) requirements-run.txt $(INSTALL)
	@$(INSTALL) --quiet --no-deps --no-build-isolation --editable protos --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	@$(INSTALL_FILE) requirements-dev.txt $(INSTALL)
	@touch $@

# The generator of the site has an environment of its own: nothing else needs it.
build/docs.stamp: requirements-docs.txt | .venv/bin/python
	@"$(BASE_PYTHON)" -m venv --clear build/docs
	@build/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements-docs.txt
	@touch $@

# So has the tool that lists dependencies, and that it does not list itself.
build/sbom.stamp: requirements-sbom.txt | .venv/bin/python
	@"$(BASE_PYTHON)" -m venv --clear build/sbom
	@build/sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements-sbom.txt
	@touch $@
