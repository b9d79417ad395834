/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: what the pseries machine needs to know of it.
 */
#ifndef HW_PPC_SPAPR_HEA_H
#define HW_PPC_SPAPR_HEA_H

#include "hw/ppc/spapr.h"

#define TYPE_SPAPR_HEA "spapr-hea"

/* Answer of RTAS to the isolation of memory that the adapter still uses */
#define RTAS_OUT_OUTSTANDING_TRANSLATION        -9001

/**
 * spapr_dt_hea: add the nodes of all adapters to a device tree
 * @fdt: the tree under construction
 *
 * Called for the boot tree and again for the one that CAS sends, so that
 * both are the same.  Returns 0 or a negative libfdt error.
 */
int spapr_dt_hea(void *fdt);

/**
 * spapr_hea_may_isolate: may this memory be taken from the partition?
 * @addr: first real address
 * @size: bytes
 *
 * False if an adapter still has a memory region or a queue there and its
 * lmb-policy is "refuse".  Counts a violation unless the policy is "off".
 */
bool spapr_hea_may_isolate(hwaddr addr, hwaddr size);

#endif
