#!/bin/sh
# Detections stored a second, durable, on both databases (bench/store.c).
set -eu
cd "$(dirname "$0")/.."
build=${KHIEN_BUILD:-build}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

KHIEN_POSTGRES_DURABLE=1 tests/support/postgres run sh -c \
	"'$build/bench/bench_store' 'sqlite:$folder/bench.db' \
	\"\$KHIEN_TEST_POSTGRES\""
