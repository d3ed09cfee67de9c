#!/bin/sh
# How long a province's pages and syncs take on both databases (bench/rooms.c).
set -eu
cd "$(dirname "$0")/.."
build=${KHIEN_BUILD:-build}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

KHIEN_POSTGRES_DURABLE=1 tests/support/postgres run sh -c \
	"'$build/bench/bench_rooms' . 'sqlite:$folder/bench.db' \
	\"\$KHIEN_TEST_POSTGRES\""
