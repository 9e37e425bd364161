# `make` lists what there is; everything sets itself up on a fresh machine (apt packages too, when root).
PREFIX ?= /usr/local
SWIFT ?= swift
DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help setup build test demo bench format check install uninstall clean

help: ## Lists the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup:
	@scripts/setup

build: ## Builds divertd, ipfw and divert into .build/release
	$(SWIFT) build -c release

test: setup ## Runs all tests; those on the kernel need root
	scripts/test

demo: setup build ## A tour: real packets on this kernel as root, else on the simulated host
	.build/release/divert demo

bench: setup build ## Diverted against undiverted traffic, side by side, in under two minutes
	$(SWIFT) run -c release --skip-build Bench

format: ## Formats the sources
	$(SWIFT) format -i -r Sources Tests Benchmarks Examples Package.swift

check: ## Format, warnings, unsafe code outside the listed files
	scripts/check

install: ## Installs programs, libraries, systemd unit and documentation below PREFIX (/usr/local)
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product divertd
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product ipfw
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product divert
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install .build/release/divertd .build/release/ipfw $(DESTDIR)$(PREFIX)/sbin
	install .build/release/divert $(DESTDIR)$(PREFIX)/bin
	sed 's|@PREFIX@|$(PREFIX)|' packaging/divertd.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/divertd.service
	scripts/build-library .build/library
	install -d $(DESTDIR)$(PREFIX)/include/netinet $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 Sources/libdivert/core/include/divert.h $(DESTDIR)$(PREFIX)/include
	install -m 644 Sources/libdivert/core/include/netinet/ip_divert.h $(DESTDIR)$(PREFIX)/include/netinet
	install -m 644 .build/library/libdivert.a .build/library/libdivert.so.1 .build/library/libdivert-preload.so \
	  $(DESTDIR)$(PREFIX)/lib
	ln -sf libdivert.so.1 $(DESTDIR)$(PREFIX)/lib/libdivert.so
	sed 's|@PREFIX@|$(PREFIX)|' packaging/libdivert.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libdivert.pc
	install -m 644 docs/man/divert.3 $(DESTDIR)$(PREFIX)/share/man/man3

uninstall: ## Takes the installation back
	rm -f $(DESTDIR)$(PREFIX)/sbin/divertd $(DESTDIR)$(PREFIX)/sbin/ipfw $(DESTDIR)$(PREFIX)/bin/divert \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system/divertd.service \
	  $(DESTDIR)$(PREFIX)/include/divert.h $(DESTDIR)$(PREFIX)/include/netinet/ip_divert.h \
	  $(DESTDIR)$(PREFIX)/lib/libdivert.a $(DESTDIR)$(PREFIX)/lib/libdivert.so $(DESTDIR)$(PREFIX)/lib/libdivert.so.1 \
	  $(DESTDIR)$(PREFIX)/lib/libdivert-preload.so $(DESTDIR)$(PREFIX)/lib/pkgconfig/libdivert.pc \
	  $(DESTDIR)$(PREFIX)/share/man/man3/divert.3

clean: ## Removes what was built
	rm -rf .build
