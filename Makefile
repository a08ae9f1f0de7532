# run: a three-node cluster on this machine (TRANSPORT=zmq: over ZeroMQ).   test: everything that checks this project.
# soak: chaos in virtual time until stopped.   fuzz: a million inputs for every decoder.
# Each target installs what is missing first.

.PHONY: run test soak fuzz build format clean install install-for-tests

run: build
	scripts/run-cluster $(TRANSPORT)

test: install-for-tests
	scripts/check

soak: install
	scripts/soak

fuzz: install-for-tests
	scripts/fuzz

build: install
	swift build -c release --product auto-cluster-sync

format: install
	swift format --in-place --parallel --recursive --configuration .swift-format Package.swift Sources Tests Examples

clean:
	rm -rf .build .build-* run

install:
	scripts/install-missing

install-for-tests:
	scripts/install-missing --for-tests
