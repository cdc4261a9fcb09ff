# Selectivity Lab. `make serve` and `make test` do all their set-up on a machine that has rustup and apt.

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
comma := ,
SITE := $(CARGO_TARGET_DIR)/site
WASM := $(CARGO_TARGET_DIR)/wasm32-unknown-unknown/wasm-release/app.wasm
BINARY := $(CARGO_TARGET_DIR)/release/selectivity-lab
# One selection of packages for every build of the server's side: another selection would turn
# other features on, and compile burn once more.
# GPU=auto builds for GPUs where there is one, GPU=yes and GPU=no say so.
GPU ?= auto
$(if $(filter-out auto yes no,$(GPU)),$(error GPU is auto, yes or no, not `$(GPU)`))
GPU_FOUND := $(if $(filter auto,$(GPU)),$(if $(wildcard /dev/dri/render* /dev/nvidia[0-9]* /dev/kfd),yes,no),$(GPU))
# Burn's fusion or autotune on GPUs, with GPU=yes; not both (burn #5257): see docs/gpu.md.
GPU_TUNING ?=
$(if $(filter-out fusion autotune,$(GPU_TUNING))$(word 2,$(GPU_TUNING)),$(error GPU_TUNING is fusion or autotune, not `$(GPU_TUNING)`))
$(if $(GPU_TUNING),$(if $(filter no,$(GPU_FOUND)),$(error GPU_TUNING needs GPU=yes)))
SERVER := -p server -p engine -p analysis -p statistics -p protocol -p app --no-default-features --features app/ssr$(if $(filter yes,$(GPU_FOUND)),$(comma)server/wgpu$(addprefix $(comma)server/,$(GPU_TUNING)))
HOST ?= 127.0.0.1
PORT ?= 3000
DEVICE ?= cpu
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help serve test axe soak bench build site wasm bundler server setup setup-test lint

help:
	@echo "make serve   the dashboard on http://$(HOST):$(PORT) (set PORT, HOST)"
	@echo "make test    formatting, clippy, unit, API and browser tests"
	@echo "make axe     axe-core over every page (fetches it from npm)"
	@echo "make soak    servers and workers killed a hundred times, and 200 listeners at once"
	@echo "make bench   images a second by network and device, beside PyTorch at its best where it is installed (set DEVICE=wgpu for the first GPU, PYTHON)"
	@echo "GPU=yes      with each: built for GPUs; GPU=no: without, quicker to build (GPU=auto, the default, looks for one: here $(GPU_FOUND))"
	@echo "GPU_TUNING=fusion  with GPU=yes: built with burn's fusion; autotune: with its autotune (docs/gpu.md)"

serve: build
	$(BINARY) serve --host $(HOST) --port $(PORT) --site-root $(SITE) $(addprefix --example ,$(wildcard example/*.tar.zst))

# Both at once: the browser's side ends in a long link on one core.
build: setup
	$(MAKE) --no-print-directory -j3 server site

server: setup
	cargo build --release --locked $(SERVER)

wasm: setup
	cargo build --locked -p app --lib --no-default-features --features hydrate --target wasm32-unknown-unknown --profile wasm-release

# A folder of its own: in the server's it would have to wait until the server is built.
bundler: setup
	cargo build --release --locked -p bundle --target-dir $(CARGO_TARGET_DIR)/bundler

site: wasm bundler
	CARGO_MANIFEST_DIR=$(CURDIR)/app/bundle $(CARGO_TARGET_DIR)/bundler/release/bundle --wasm $(WASM) --out $(SITE)

test: setup-test build lint
	cargo test --release --locked --no-fail-fast $(SERVER) -- --nocapture
	cargo test --release --locked -p bundle --target-dir $(CARGO_TARGET_DIR)/bundler
	SELECTIVITY_LAB_BINARY=$(BINARY) SELECTIVITY_LAB_SITE=$(SITE) cargo test --release --locked -p browser -- --nocapture --test-threads=1

# What a program can tell of whether everyone can use the pages.
AXE := $(CARGO_TARGET_DIR)/axe.min.js
axe: setup-test build
	curl -fsSL https://registry.npmjs.org/axe-core/-/axe-core-4.10.3.tgz | tar -xzO package/axe.min.js > $(AXE)
	SELECTIVITY_LAB_AXE=$(AXE) SELECTIVITY_LAB_BINARY=$(BINARY) SELECTIVITY_LAB_SITE=$(SITE) cargo test --release --locked -p browser --test axe -- --nocapture

lint: setup
	cargo fmt --all --check
	cargo clippy --release --locked $(SERVER) --all-targets -- -D warnings
	cargo clippy --release --locked -p bundle --all-targets --target-dir $(CARGO_TARGET_DIR)/bundler -- -D warnings
	cargo clippy --release --locked -p browser --all-targets -- -D warnings
	cargo clippy --locked -p app --lib --no-default-features --features hydrate --target wasm32-unknown-unknown --profile wasm-release -- -D warnings

# Half an hour: a hundred kills of servers and of workers, and 200 listeners at once.
soak: setup
	SELECTIVITY_LAB_SOAK=100 cargo test --release --locked $(SERVER) --test soak -- --nocapture --test-threads=1

bench: build
	$(BINARY) bench --device $(DEVICE)

# A C compiler (SQLite, ring) and the browser's compilation target; nothing is touched that is there.
setup:
	@command -v cc >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q build-essential; }
	@rustup target list --installed | grep -q wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
	@rustup component list --installed | grep -q clippy || rustup component add clippy rustfmt

# The browser for the browser tests; its software GPU serves the wgpu test.
setup-test: setup
	@command -v chromedriver >/dev/null && command -v chromium >/dev/null && ldconfig -p | grep -q libvulkan.so.1 \
		|| { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q chromium chromium-driver libvulkan1; }
