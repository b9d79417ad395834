# SPDX-License-Identifier: GPL-2.0-or-later
# IBM eHEA driver: read by kbuild, and the entry out of tree (make help).

obj-$(CONFIG_EHEA) := ehea.o

ehea-y := ehea_main.o
ehea-y += ehea_netdev.o
ehea-y += ehea_filter.o
ehea-y += ehea_channel.o
ehea-y += ehea_tx.o
ehea-y += ehea_rx.o
ehea-y += ehea_mem.o
ehea-y += ehea_region.o
ehea-y += ehea_qmr.o
ehea-y += ehea_busmap.o
ehea-y += ehea_phyp.o
ehea-y += ehea_cb.o
ehea-y += ehea_stats.o
ehea-y += ehea_ethtool.o
ehea-y += ehea_ethtool_stats.o
ehea-y += ehea_devlink.o
ehea-y += ehea_debugfs.o

obj-$(CONFIG_EHEA_KUNIT_TEST) += tests/kunit/

# ehea_trace.h is included by path when the tracepoints are instantiated.
CFLAGS_ehea_phyp.o := -I$(src)

ifeq ($(KERNELRELEASE),)

KDIR ?= /lib/modules/$(shell uname -r)/build
LAB := tests/lab/lab

KBUILD := $(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_EHEA=m

modules:
	$(KBUILD) modules

install: modules
	$(KBUILD) modules_install
	depmod -a

clean:
	$(KBUILD) clean

demo:
	$(LAB) demo

check:
	$(LAB) check $(if $(K),-k '$(K)') $(if $(CPU),--cpu $(CPU)) \
		$(if $(KERNEL),--kernel $(KERNEL)) \
		$(if $(FAULTS),--faults) $(if $(SEED),--seed $(SEED))

coverage:
	$(LAB) coverage $(if $(K),-k '$(K)')

shell:
	$(LAB) shell

bench:
	$(LAB) bench $(if $(MEMORY),--memory)

lint:
	tests/static/lint

docs:
	tests/static/docs

intree:
	scripts/intree '$(TREE)'

patches:
	scripts/patches $(if $(CHECK),--check) '$(TREE)'

help:
	@echo 'On a POWER LPAR, or with ARCH and CROSS_COMPILE for one:'
	@echo '  make           build ehea.ko against KDIR=$(KDIR)'
	@echo '  make install   install it for that kernel'
	@echo '  make clean     remove what make built'
	@echo 'Anywhere, in a guest with a virtual HEA (Debian 12; builds what it'
	@echo 'needs in ~/.cache/ehea-lab at the first run):'
	@echo '  make demo      load the driver, pass traffic, add and remove memory'
	@echo '  make check     all cases; K=PATTERN, CPU=power7|power8|power9,'
	@echo '                 KERNEL=plain|debug choose some; FAULTS=1: faults'
	@echo '                 in full, for hours; SEED=N: of what is random'
	@echo '  make coverage  which lines of the driver the cases run; K=PATTERN'
	@echo '  make shell     a guest with the driver at hand'
	@echo '  make bench     measurements of speed; MEMORY=1: of memory hotplug'
	@echo '  make lint      static checks'
	@echo '  tests/lab/lab --help   more of the lab'
	@echo '  make docs      the documentation as HTML in out/docs'
	@echo 'Into a kernel source, 6.12 to 7.2:'
	@echo '  make intree TREE=DIR    the driver in the place of the old one'
	@echo '  make patches TREE=DIR   the same as patches in out/patches;'
	@echo '                          CHECK=1: compile after each, checkpatch'

.PHONY: modules install clean demo check coverage shell bench lint docs intree \
	patches help
.DEFAULT_GOAL := modules

endif
