# The commands of every day; CMake does the work (see CMakePresets.json).

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
SOURCES = $(shell git ls-files '*.hpp' '*.cpp')

.PHONY: help train build test tsan fuzz bench format lint clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

train: ## set up, build the troupe command, train on the built-in digits
	@scripts/setup build
	@[ -f build/release/build.ninja ] || cmake --preset release -DTROUPE_TESTS=OFF -DTROUPE_BENCH=OFF
	@cmake --build --preset release --parallel $(JOBS) --target troupe
	build/release/bin/troupe train

build: ## set up, build the troupe command and the example apps
	@scripts/setup build
	@[ -f build/release/build.ninja ] || cmake --preset release -DTROUPE_TESTS=OFF -DTROUPE_BENCH=OFF
	@cmake --build --preset release --parallel $(JOBS)

# Sanitizers and fuzzing come first, so that the last lines are the summary of the whole suite.
test: fuzz ## set up, fuzz the parsers, run unit and topology tests under sanitizers, then every test
	@scripts/setup test
	cmake --preset dev
	cmake --build --preset dev --parallel $(JOBS) --target sanitized_tests
	ctest --preset dev --parallel $(JOBS)
	cmake --preset release -DTROUPE_TESTS=ON -DTROUPE_BENCH=ON
	cmake --build --preset release --parallel $(JOBS)
	ctest --preset release --parallel $(JOBS)

tsan: ## set up, run unit and topology tests under ThreadSanitizer
	@scripts/setup tsan
	cmake --preset tsan
	cmake --build --preset tsan --parallel $(JOBS) --target sanitized_tests
	ctest --preset tsan

fuzz: ## set up, run each parser of foreign bytes under libFuzzer for a minute (FUZZ_SECONDS)
	@scripts/setup fuzz
	cmake --preset fuzz -DTROUPE_FUZZ_SECONDS=$(FUZZ_SECONDS)
	cmake --build --preset fuzz --parallel $(JOBS) --target fuzzers
	ctest --preset fuzz --parallel $(JOBS)

bench: ## build and run the benchmark programs
	@scripts/setup test
	cmake --preset release -DTROUPE_BENCH=ON
	cmake --build --preset release --parallel $(JOBS)
	@for program in build/release/bin/bench_*; do echo "== $$program"; $$program || exit 1; done

format: ## lay out the sources with clang-format
	@scripts/setup lint
	clang-format -i $(SOURCES)

lint: ## check the layout, clang-tidy's findings and the code quoted in documents
	@scripts/setup lint
	clang-format --dry-run --Werror $(SOURCES)
	scripts/check_quotes
	cmake --preset lint
	@sed -n 's|^ *"file": "$(CURDIR)/\(.*\.cpp\)".*|\1|p' build/lint/compile_commands.json | grep -v ^build/ | sort -u | \
	  xargs -P $(JOBS) -n 1 clang-tidy --quiet -p build/lint

clean: ## remove build/ (a CAF that scripts/setup built stays in its cache)
	rm -rf build
