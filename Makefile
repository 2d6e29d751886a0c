# p11kms. GNU make. Everything is made below build/ (BUILD=…).
#
#   make deps        install the Debian packages below (root or sudo)
#   make             programs in build/bin, preload library in build/lib
#   make check       every test; all but repeats again under ASan+UBSan
#   make install     programs, man pages, examples (DESTDIR, prefix); uninstall
#   make quickstart  from an empty token to an encrypted tape and back
#   make house lint  what CI asks of the code besides (make deps LINT=1)
#
# WERROR=1, SAN=1, CC=clang, BUILD=dir, ONLY=word (of a test), JOBS=n (tests)

# The one list of Debian packages.
PKG_BUILD = gcc libc6-dev make pkg-config libp11-dev libp11-kit-dev \
	libssl-dev libsqlite3-dev libsgutils2-dev libjansson-dev libinih-dev \
	libqrencode-dev libsystemd-dev
PKG_TEST  = softhsm2 check openssl mt-st tar strace sg3-utils stenc opensc \
	libgfshare-bin mandoc groff-base libxml2-utils zbar-tools sqlite3 \
	python3-pykmip systemd
PKG_LINT  = clang clang-format clang-tidy cppcheck shellcheck universal-ctags
PKG_DEEP  = valgrind libclang-rt-dev

BUILD ?= build
O := $(BUILD)
ifeq ($(origin CC),default)
CC = gcc
endif
SAN ?=
WERROR ?= $(CI)

# V=1 shows the commands.
Q = $(if $(V),,@)
SAY = @$(if $(V),:,echo)

WARN = -std=c11 -Wall -Wextra -pedantic -Wshadow -Wcast-qual -Wwrite-strings \
	-Wmissing-prototypes -Wbad-function-cast -Wimplicit-fallthrough \
	-Wconversion -Wsign-conversion -Wvla -Wframe-larger-than=$(if $(SAN),16384,8192) \
	-Wstrict-prototypes -Wpointer-arith -Wformat=2 $(if $(WERROR),-Werror)
HARD = -fstack-protector-strong -fPIE
comma := ,
# SAN=1: address and undefined; SAN=thread
SANITIZE = $(if $(SAN),-fsanitize=$(if $(filter thread,$(SAN)),thread,address$(comma)undefined))
SANFLAGS = $(if $(SAN),$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -O1,-O2 -D_FORTIFY_SOURCE=2)
CPPFLAGS_ALL = -I. -D_GNU_SOURCE -MMD -MP $(CPPFLAGS)
CFLAGS_ALL = $(WARN) $(HARD) -g $(SANFLAGS) -pthread $(PC_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANITIZE) -pthread $(LDFLAGS)

pc = $(shell pkg-config --$1 $2 2>/dev/null)
PC_CFLAGS := $(patsubst -I%,-isystem %,$(call pc,cflags,libp11 p11-kit-1 jansson libqrencode))

L_base = -lcrypto
L_kms  = -lsqlite3 $(L_base)
L_kmip = -lssl $(L_kms)
L_hsm  = -lp11 -lp11-kit $(L_base)
L_tape = -lsgutils2 $(L_base)
L_vtape = $(L_base)
# -lcrypto first: most symbols that the loader looks for at start are its.
L_tools = -lcrypto -lp11 -lp11-kit -lsgutils2 -lsqlite3 -ljansson -linih -lqrencode -lsystemd -lssl

SRC_base  := $(wildcard kms/base/*.c)
SRC_kms   := $(wildcard kms/*.c)
SRC_kmip  := $(wildcard kms/kmip/*.c)
SRC_hsm   := $(wildcard hsm/*.c)
SRC_tape  := $(wildcard tape/*.c)
SRC_preload := $(wildcard tape/virtual/preload*.c)
SRC_vtape := $(filter-out $(SRC_preload),$(wildcard tape/virtual/*.c))
MAINS     := p11kms p11kmsutil p11kmsdrive vtaped
SRC_tools := $(filter-out $(MAINS:%=tools/%.c),$(wildcard tools/*.c))
# These are libraries and a program of their own.
SRC_tlib  := $(filter-out $(addprefix tests/lib/,p11fault.c memscan.c asroot.c liar.c),$(wildcard tests/lib/*.c))

obj = $(patsubst %.c,$(O)/obj/%.o,$1)
lib = $(if $(SRC_$1),$(O)/lib$1.a)
ALL_MAINS := $(foreach m,$(MAINS),$(if $(wildcard tools/$m.c),$(O)/bin/$m))
PRELOAD := $(if $(SRC_preload),$(O)/lib/libvtape-preload.so)

all: $(ALL_MAINS) $(PRELOAD)

$(O)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(SAY) "  CC  $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

define archive
$(O)/lib$1.a: $(call obj,$(SRC_$1))
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
ARCHIVES := base kms kmip hsm tape vtape
$(foreach a,$(ARCHIVES) tools,$(eval $(call archive,$a)))

# The preload library goes into other people's programs: libc only.
$(O)/lib/libvtape-preload.so: $(SRC_preload) tape/wire.c tape/virtual/preload.h tape/wire.h
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE $(WARN) -fPIC -fvisibility=hidden -O2 -g -fstack-protector-strong -shared -Wl,-z,relro,-z,now -o $@ $(SRC_preload) tape/wire.c -ldl -pthread

TOOL_LIBS = $(call lib,tools) $(call lib,kmip) $(call lib,kms) $(call lib,hsm) $(call lib,vtape) $(call lib,tape) $(call lib,base)
$(O)/bin/%: $(O)/obj/tools/%.o $(TOOL_LIBS)
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(L_tools)

# A test program for each archive, linked whole and with nothing the archive
# may not use: a wrong dependency is a link error.
D_base  = base
D_kms   = kms base
D_kmip  = kmip kms base
D_hsm   = hsm base
D_tape  = tape base
D_vtape = vtape tape base
D_tools = tools kmip kms hsm vtape tape base
define unit
$(O)/test/test-$1: $(call obj,$(wildcard tests/unit/$1/*.c) $(SRC_tlib)) $(foreach d,$(D_$1),$(call lib,$d))
	@mkdir -p $$(@D)
	$(SAY) "  LD  $$@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $(call obj,$(wildcard tests/unit/$1/*.c) $(SRC_tlib)) -Wl,--whole-archive $(call lib,$1) -Wl,--no-whole-archive $(foreach d,$(filter-out $1,$(D_$1)),$(call lib,$d)) $(L_$1) -lcheck -lsubunit -lrt -lm
endef
UNITS := $(foreach u,$(ARCHIVES) tools,$(if $(wildcard tests/unit/$u/*.c),$u))
$(foreach u,$(UNITS),$(eval $(call unit,$u)))

# Stays loaded, so that its counts outlive a reload of the module.
$(O)/test/p11fault.so: tests/lib/p11fault.c
	@mkdir -p $(@D)
	$(CC) -I. -D_GNU_SOURCE $(WARN) $(PC_CFLAGS) -fPIC -O2 -g -shared -Wl,-z,nodelete -o $@ $< -ldl -pthread

# Preloaded into programs by tests/cli: secrets_in_memory.sh, stenc_agrees.sh.
$(O)/test/memscan.so $(O)/test/asroot.so: $(O)/test/%.so: tests/lib/%.c
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE $(WARN) -fPIC -O2 -g -shared -o $@ $< -ldl

# Between p11kmsdrive and vtaped, in tests/cli/lying_drive.sh.
$(O)/test/liar: $(call obj,tests/lib/liar.c tape/wire.c)
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^

$(O)/test/test-hsm: | $(O)/test/p11fault.so

# Some start the programs of this build.
$(O)/test/test-vtape $(O)/test/test-tape: | $(O)/bin/vtaped $(PRELOAD)

unit: $(UNITS:%=$(O)/test/test-%)

# Another compiler's warnings, without its code.
SYNTAX = $(patsubst %.c,%.syntax,$(shell find kms hsm tape tools tests/lib tests/unit bench -maxdepth 2 -name '*.c' ! -path '*/floor/*'))
syntax: $(SYNTAX)
$(SYNTAX): %.syntax: %.c
	$(Q)$(CC) -I. -D_GNU_SOURCE $(CFLAGS_ALL) -U_FORTIFY_SOURCE -fsyntax-only $<

# A fuzz target for each tests/fuzz/fuzz_X.c. make replay: its corpus and all
# small changes of it, with any compiler. FUZZ_X: what else it is made of. make fuzz: libFuzzer, FUZZ_TIME
# seconds each; what it finds new goes to build/fuzz/corpus/X, what fails
# to build/fuzz/corpus/X-….
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TIME ?= 60
F_page = tape base
F_sde = tape base
F_sense = tape base
F_wire = tape base
F_drive = tape base
F_vtaped = vtape tape base
F_vdrive = vtape tape base
F_kmip = kmip kms base
F_kmip_batch = kmip kms base
F_kmip_work = kmip kms base
F_kmip_cert = kmip kms base
FUZZ_kmip_batch = tests/fuzz/kmip_world.c
FUZZ_kmip_work = tests/fuzz/kmip_world.c
define fuzz
$(O)/test/replay-$1: $(call obj,tests/fuzz/fuzz_$1.c $(FUZZ_$1) tests/fuzz/begin.c tests/fuzz/replay.c $(SRC_tlib)) $(foreach d,$(F_$1),$(call lib,$d))
	@mkdir -p $$(@D)
	$(SAY) "  LD  $$@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(L_$(firstword $(F_$1)))

$(O)/test/fuzz-$1: $(call obj,tests/fuzz/fuzz_$1.c $(FUZZ_$1) tests/fuzz/begin.c $(SRC_tlib)) $(foreach d,$(F_$1),$(call lib,$d))
	@mkdir -p $$(@D)
	$(SAY) "  LD  $$@"
	$(Q)$(CC) -fsanitize=fuzzer $(LDFLAGS_ALL) -o $$@ $$^ $(L_$(firstword $(F_$1)))

replay-$1: $(O)/test/replay-$1
	$$< tests/fuzz/corpus/$1

fuzz-$1: $(O)/test/fuzz-$1
	@mkdir -p $(O)/corpus/$1
	$$< -max_total_time=$(FUZZ_TIME) -print_final_stats=1 -artifact_prefix=$(O)/corpus/$1- $(O)/corpus/$1 tests/fuzz/corpus/$1
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz,$f)))

replay: $(FUZZ:%=replay-%)
fuzz:
	$(MAKE) CC=clang SAN=1 CFLAGS=-fsanitize=fuzzer-no-link BUILD=$(O)/fuzz $(FUZZ:%=fuzz-%)

# Each bench/bench_X.c is a program; how it is run stands here.
BENCHES := $(patsubst bench/%.c,$(O)/bench/%,$(wildcard bench/bench_*.c))
BENCH_DIR ?= $(O)/bench/tmp

# the rest of bench/ is what they share
OBJ_bench := $(call obj,$(filter-out bench/bench_%,$(wildcard bench/*.c)))
$(O)/bench/%: $(O)/obj/bench/%.o $(OBJ_bench) $(TOOL_LIBS)
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(L_tools)

benches: $(BENCHES)
bench: all $(BENCHES:%=%.run)

$(O)/bench/bench_vtape.run: $(O)/bench/bench_vtape $(O)/bin/vtaped
	@mkdir -p $(BENCH_DIR)
	$(O)/bench/bench_vtape $(O)/bin/vtaped $(BENCH_DIR)

BENCH_TOKEN = rm -rf $(BENCH_DIR)/$1 && softhsm-conf/make-token.sh $(BENCH_DIR)/$1 >/dev/null && . $(BENCH_DIR)/$1/token.env

$(O)/bench/bench_release.run: $(O)/bench/bench_release
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,release) && $< $(BENCH_DIR)/release

$(O)/bench/bench_kmip.run: $(O)/bench/bench_kmip
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,kmip) && $< $(BENCH_DIR)/kmip

$(O)/bench/bench_pykmip.run: $(O)/bench/bench_pykmip
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,pykmip) && $< $(BENCH_DIR)/pykmip

$(O)/bench/bench_hsm.run: $(O)/bench/bench_hsm
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,hsm) && $< $(BENCH_DIR)/hsm

$(O)/bench/bench_create.run: $(O)/bench/bench_create
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,create) && $< $(BENCH_DIR)/create

$(O)/bench/bench_rotate.run: $(O)/bench/bench_rotate
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,rotate) && $< $(BENCH_DIR)/rotate

$(O)/bench/bench_recovery.run: $(O)/bench/bench_recovery
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,lost) && $< make $(BENCH_DIR)/lost
	@$(call BENCH_TOKEN,new) && $< from $(BENCH_DIR)/lost $(BENCH_DIR)/new

# the least program that bench_cold compares with: libc alone
$(O)/bench/cold_floor: bench/floor/cold.c
	@mkdir -p $(@D)
	$(SAY) "  LD  $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE $(WARN) $(PC_CFLAGS) -O2 -o $@ $< -ldl

$(O)/bench/bench_cold.run: $(O)/bench/bench_cold $(O)/bench/cold_floor $(O)/bin/p11kmsutil
	@mkdir -p $(BENCH_DIR)
	@$(call BENCH_TOKEN,cold) && $< $(O)/bin/p11kmsutil $(O)/bench/cold_floor $(BENCH_DIR)/cold

$(O)/bench/bench_open: $(call obj,$(SRC_tlib))
$(O)/bench/bench_open.run: $(O)/bench/bench_open
	@mkdir -p $(BENCH_DIR)
	$(O)/bench/bench_open $(BENCH_DIR) $(BENCH_RECORDS)

# deps, then a new make: what pkg-config said above was said before it.
AGAIN = $(MAKE) --no-print-directory
ASAN_BUILD = $(O)/asan
TESTED = all unit $(O)/test/memscan.so $(O)/test/asroot.so $(O)/test/liar $(FUZZ:%=$(O)/test/replay-%)

# (make itself sets LINT to "lint")
deps:
	@tests/house/deps.sh $(PKG_BUILD) $(PKG_TEST) $(if $(filter-out lint,$(LINT))$(CI),$(PKG_LINT)) $(if $(DEEP),$(PKG_DEEP))

quickstart: deps
	@$(AGAIN) -j2 all
	@packaging/quickstart.sh $(O)

check: deps
	@$(AGAIN) -j2 tested
	@$(AGAIN) -j2 SAN=1 BUILD=$(ASAN_BUILD) tested
	@tests/run.sh $(O) $(ASAN_BUILD)

check-plain: deps
	@$(AGAIN) -j2 tested
	@tests/run.sh $(O)

check-asan: deps
	@$(AGAIN) -j2 SAN=1 BUILD=$(ASAN_BUILD) tested
	@tests/run.sh $(ASAN_BUILD)

# The unit programs: what the tools do with memory and threads is theirs.
check-tsan: deps
	@$(AGAIN) -j2 SAN=thread BUILD=$(O)/tsan tested
	@KIND=unit tests/run.sh $(O)/tsan

check-valgrind:
	@$(AGAIN) DEEP=1 deps
	@$(AGAIN) -j2 tested
	@CK_TIMEOUT_MULTIPLIER=20 KIND=unit TEST_TIMEOUT=3600 WRAP="valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9" tests/run.sh $(O)

tested: $(TESTED)

COVER = $(O)/cover
cover: deps
	@$(AGAIN) -j2 CFLAGS="--coverage -O1 -U_FORTIFY_SOURCE" LDFLAGS=--coverage BUILD=$(COVER) tested
	@find $(COVER) -name '*.gcda' -delete
	@tests/run.sh $(COVER) || echo "coverage of what ran:"
	@tests/house/cover.sh $(COVER)

# Rules that a program can check (doc/ARCHITECTURE.md, CONTRIBUTING.md), after
# the proof that it does.
house:
	@tests/house/selftest.sh
	@tests/house/house.sh

lint:
	@tests/house/lint.sh -std=c11 -I. -D_GNU_SOURCE $(PC_CFLAGS)

format-check:
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

# Programs find the preload library as ../lib/p11kms from where they lie.
prefix ?= /usr/local
sbindir ?= $(prefix)/sbin
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/p11kms
systemddir ?= $(prefix)/lib
INSTALL ?= install

MAN := $(wildcard doc/man/*.[578])
# FROM:TO of each file but the programs and the unit
INSTALLED = $(foreach m,$(MAN),$m:$(mandir)/man$(subst .,,$(suffix $m))/$(notdir $m)) \
	$(foreach d,README.md $(wildcard doc/*.md),$d:$(docdir)/$(notdir $d)) \
	packaging/p11kms.conf:$(docdir)/examples/p11kms.conf \
	packaging/p11kms.sysusers:$(systemddir)/sysusers.d/p11kms.conf \
	packaging/p11kms.tmpfiles:$(systemddir)/tmpfiles.d/p11kms.conf
UNITS_OF_SYSTEMD := $(wildcard packaging/*.service packaging/*.socket packaging/*.timer)

install: all
	@$(INSTALL) -d -m 755 $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/p11kms
	@$(INSTALL) -m 755 $(filter-out %/vtaped,$(ALL_MAINS)) packaging/p11kms-changer $(DESTDIR)$(sbindir)
	@$(INSTALL) -m 755 $(O)/bin/vtaped $(DESTDIR)$(bindir)
	@$(INSTALL) -m 644 $(PRELOAD) $(DESTDIR)$(libdir)/p11kms
	@set -e; for f in $(INSTALLED); do \
		$(INSTALL) -d -m 755 "$(DESTDIR)$$(dirname "$${f#*:}")"; \
		$(INSTALL) -m 644 "$${f%%:*}" "$(DESTDIR)$${f#*:}"; done
	@set -e; for f in $(UNITS_OF_SYSTEMD); do \
		$(INSTALL) -d -m 755 $(DESTDIR)$(systemddir)/systemd/system; \
		sed 's|/usr/bin/p11kms|$(sbindir)/p11kms|' $$f \
			>$(DESTDIR)$(systemddir)/systemd/system/$${f##*/}; \
		chmod 644 $(DESTDIR)$(systemddir)/systemd/system/$${f##*/}; done

uninstall:
	@rm -f $(ALL_MAINS:$(O)/bin/%=$(DESTDIR)$(sbindir)/%) $(DESTDIR)$(bindir)/vtaped \
		$(DESTDIR)$(sbindir)/p11kms-changer $(foreach f,$(INSTALLED),$(DESTDIR)$(lastword $(subst :, ,$f))) \
		$(UNITS_OF_SYSTEMD:packaging/%=$(DESTDIR)$(systemddir)/systemd/system/%)
	@rm -rf $(DESTDIR)$(libdir)/p11kms $(DESTDIR)$(docdir)

clean:
	rm -rf $(O)

.PHONY: all unit syntax $(SYNTAX) bench benches clean quickstart replay fuzz $(FUZZ:%=replay-%) $(FUZZ:%=fuzz-%)
.PHONY: deps check check-plain check-asan check-tsan check-valgrind tested
.PHONY: cover house lint format-check install uninstall
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
