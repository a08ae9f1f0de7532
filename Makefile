# run: a three-node cluster on this machine.   test: everything that checks this project.
# Each target installs what is missing first.

.PHONY: run test build format clean install

run: build
	scripts/run-cluster

test: install
	scripts/check

build: install
	swift build -c release --product auto-cluster-sync

format: install
	swift format --in-place --parallel --recursive --configuration .swift-format Package.swift Sources Tests

clean:
	rm -rf .build run

install:
	scripts/install-missing
