# Two to know: `make demo` shows it, `make check` tests it. Both install what they need on a bare Debian with Rust.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

# Static binaries: they start in half a millisecond, and one build runs on every suite of the ring.
static := $(CARGO_TARGET_DIR)/static
stage := $(CARGO_TARGET_DIR)/stage
units := $(wildcard units/*.service units/*.socket units/*.target units/*.path units/*.timer units/*.slice)
# At every boot, without being enabled: they cost nothing until there is a network.
wanted := berth-network.path berth-names.socket berth-console.socket
helpers := berth-executor berth-init berth-names
manuals := $(wildcard man/*.[1-8])
schemas := $(wildcard share/berth/*.schema.json)
tmpfiles := $(wildcard units/*.conf)

.PHONY: all build stage demo deb rpm check check-full reproducible mutants bench fuzz host vm install uninstall fmt lint clean

all: build

build:
	tests/bed/release

demo: stage
	tests/bed/demo $(stage)

# Packages, in target/packages.
deb rpm: stage
	packaging/$@ $(stage)

check:
	tests/check

# Every count in full, the benchmark's budgets, mutants that show that the tests of escapes bite, the fuzz targets.
check-full:
	BERTH_FULL=1 tests/check

# Two builds in two places, compared; and how long they took.
reproducible:
	tests/bed/reproducible

mutants:
	tests/mutants/run

bench: stage
	tests/bench/run $(stage)

# Two minutes for each target (FUZZ_SECONDS=), from the corpora that `make check` replays.
fuzz:
	fuzz/run

# A shell on a throwaway host with berth installed; the host ends with it.
host: stage
	tests/bed/host start hand --with $(stage)
	tests/bed/host shell hand; tests/bed/host stop hand

# The same on a virtual machine with Debian's kernel and every cgroup controller.
vm: stage
	tests/bed/vm start hand --with $(stage)
	tests/bed/vm shell hand; tests/bed/vm stop hand

# What `make install` installs, as a directory the ring lays over its trees.
stage: build
	rm -rf $(stage)
	$(MAKE) --no-print-directory install DESTDIR=$(stage) PREFIX=/usr

install:
	@test -x $(static)/berthctl || $(MAKE) --no-print-directory build
	install -Dm755 $(static)/berthctl $(DESTDIR)$(PREFIX)/bin/berthctl
	install -Dm755 -t $(DESTDIR)/usr/lib/berth $(helpers:%=$(static)/%)
	install -Dm755 -t $(DESTDIR)/usr/lib/systemd/system-generators $(static)/berth-generator
	install -Dm644 -t $(DESTDIR)/usr/lib/systemd/system $(units)
	for unit in $(wanted); do \
		wants=$(DESTDIR)/usr/lib/systemd/system/$${unit##*.}s.target.wants; \
		install -d $$wants; ln -sfn ../$$unit $$wants/$$unit; \
	done
	install -Dm644 -t $(DESTDIR)$(PREFIX)/share/berth $(schemas)
	install -Dm644 completions/berthctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berthctl
	install -Dm644 -t $(DESTDIR)$(PREFIX)/share/zsh/site-functions completions/_berthctl
	install -Dm644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d completions/berthctl.fish
ifneq ($(tmpfiles),)
	install -Dm644 -t $(DESTDIR)/usr/lib/tmpfiles.d $(tmpfiles)
endif
ifneq ($(manuals),)
	for page in $(manuals); do install -Dm644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page; done
endif

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/berthctl $(DESTDIR)/usr/lib/systemd/system-generators/berth-generator
	rm -f $(helpers:%=$(DESTDIR)/usr/lib/berth/%) $(units:units/%=$(DESTDIR)/usr/lib/systemd/system/%)
	for unit in $(wanted); do rm -f $(DESTDIR)/usr/lib/systemd/system/$${unit##*.}s.target.wants/$$unit; done
	rm -f $(tmpfiles:units/%=$(DESTDIR)/usr/lib/tmpfiles.d/%)
	for page in $(notdir $(manuals)); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; done
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berthctl \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_berthctl \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/berthctl.fish
	rm -f $(schemas:%=$(DESTDIR)$(PREFIX)/%)
	-rmdir $(DESTDIR)/usr/lib/berth $(DESTDIR)$(PREFIX)/share/berth

fmt:
	$(CARGO) fmt

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	tests/mutants/run --check
	mandoc -Tlint $(manuals)
	shellcheck -x tests/check tests/bench/run tests/bed/lib.sh tests/bed/tree tests/bed/host tests/bed/vm tests/bed/finish tests/bed/finish-vm \
		tests/bed/release tests/bed/reproducible tests/bed/demo tests/mutants/run fuzz/run .ci/run packaging/deb packaging/rpm packaging/check packaging/copyright packaging/scriptlets

clean:
	$(CARGO) clean
