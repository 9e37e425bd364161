# `make` lists what there is; everything sets itself up on a fresh machine (apt packages too, when root).
PREFIX ?= /usr/local
SWIFT ?= swift
DESTDIR ?=
MAN = $(DESTDIR)$(PREFIX)/share/man
BASH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/zsh/site-functions

.DEFAULT_GOAL := help
.PHONY: help setup build test demo bench bench-evaluator bench-rules bench-preload fuzz format check install install-library uninstall clean

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup:
	@scripts/setup

build: ## Builds divertd, ipfw and divert into .build/release
	$(SWIFT) build -c release

test: setup ## Runs all tests; those on the kernel need root
	scripts/test

demo: setup build ## A tour: real packets on this kernel as root, else on the simulated host
	.build/release/divert demo

bench: export ROUNDS ?= 5
bench: export ONLY ?=
bench: setup ## Diverted against undiverted traffic and NFQUEUE, in some three minutes; ONLY="UDP in", ROUNDS=5
	scripts/bench

bench-evaluator: setup ## Rules judged in user space: ns a packet by number of rules, replay; half a minute
	$(SWIFT) run -c release EvaluatorBench

bench-rules: setup ## Rule sets by kind and size: what a hook takes for a packet, rules to load and to add, memory; root
	$(SWIFT) build -c release --product RuleBench
	.build/release/RuleBench

bench-preload: setup ## What programs without divert sockets pay under `divert exec`, by kind of call
	$(SWIFT) build -c release --product divert-preload
	$(SWIFT) run -c release PreloadBench

fuzz: SECONDS ?= 600
fuzz: ## Feeds every parser of outside bytes with nonsense, for SECONDS (600) each
	SECONDS_EACH=$(SECONDS) scripts/fuzz

format: ## Formats the sources
	$(SWIFT) format -i -r Sources Tests Benchmarks Examples Fuzz Package.swift

check: setup ## Format, manual pages, and the other rules of the house
	scripts/check

install: ## Installs programs, libraries, systemd unit, completions and manual below PREFIX (/usr/local)
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product divertd
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product ipfw
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product divert
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system \
	  $(MAN)/man1 $(MAN)/man8 $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS)
	install -m 644 docs/man/*.1 $(MAN)/man1
	install -m 644 docs/man/*.8 $(MAN)/man8
	install .build/release/divertd .build/release/ipfw $(DESTDIR)$(PREFIX)/sbin
	install .build/release/divert $(DESTDIR)$(PREFIX)/bin
	sed 's|@PREFIX@|$(PREFIX)|' packaging/divertd.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/divertd.service
	install -d $(DESTDIR)$(PREFIX)/share/doc/divert
	sed 's|@PREFIX@|$(PREFIX)|' packaging/fail-closed.conf > $(DESTDIR)$(PREFIX)/share/doc/divert/fail-closed.conf
	install -m 644 packaging/completions/ipfw.bash $(BASH_COMPLETIONS)/ipfw
	install -m 644 packaging/completions/_ipfw $(ZSH_COMPLETIONS)
	for program in divertd divert; do \
	  .build/release/$$program --generate-completion-script bash > $(BASH_COMPLETIONS)/$$program && \
	  .build/release/$$program --generate-completion-script zsh > $(ZSH_COMPLETIONS)/_$$program || exit 1; \
	done
	$(MAKE) install-library

install-library: ## Of these the library for C programs only, which needs no Swift
	scripts/build-library .build/library
	install -d $(DESTDIR)$(PREFIX)/include/netinet $(DESTDIR)$(PREFIX)/lib/pkgconfig $(MAN)/man3
	install -m 644 Sources/libdivert/core/include/divert.h $(DESTDIR)$(PREFIX)/include
	install -m 644 Sources/libdivert/core/include/netinet/ip_divert.h $(DESTDIR)$(PREFIX)/include/netinet
	install -m 644 .build/library/libdivert.a .build/library/libdivert.so.1 .build/library/libdivert-preload.so \
	  $(DESTDIR)$(PREFIX)/lib
	ln -sf libdivert.so.1 $(DESTDIR)$(PREFIX)/lib/libdivert.so
	sed 's|@PREFIX@|$(PREFIX)|' packaging/libdivert.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libdivert.pc
	install -m 644 docs/man/*.3 $(MAN)/man3
	[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall: ## Takes the installation back
	rm -f $(addprefix $(MAN)/man1/,$(notdir $(wildcard docs/man/*.1))) \
	  $(addprefix $(MAN)/man8/,$(notdir $(wildcard docs/man/*.8)))
	rm -f $(DESTDIR)$(PREFIX)/sbin/divertd $(DESTDIR)$(PREFIX)/sbin/ipfw $(DESTDIR)$(PREFIX)/bin/divert \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system/divertd.service $(DESTDIR)$(PREFIX)/share/doc/divert/fail-closed.conf \
	  $(foreach program,ipfw divertd divert,$(BASH_COMPLETIONS)/$(program) $(ZSH_COMPLETIONS)/_$(program)) \
	  $(DESTDIR)$(PREFIX)/include/divert.h $(DESTDIR)$(PREFIX)/include/netinet/ip_divert.h \
	  $(DESTDIR)$(PREFIX)/lib/libdivert.a $(DESTDIR)$(PREFIX)/lib/libdivert.so $(DESTDIR)$(PREFIX)/lib/libdivert.so.1 \
	  $(DESTDIR)$(PREFIX)/lib/libdivert-preload.so $(DESTDIR)$(PREFIX)/lib/pkgconfig/libdivert.pc \
	  $(MAN)/man3/divert.3

clean: ## Removes what was built
	rm -rf .build
