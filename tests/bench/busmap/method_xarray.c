// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's XArray, section number to number in the MR. */

#include <stdio.h>
#include <stdlib.h>

#include <linux/xarray.h>

#include "bench.h"
#include "kernel_xarray.h"

static void *array_build(const struct layout *layout)
{
	struct xarray *xa = bench_alloc(sizeof(*xa));
	void *old;
	uint32_t i;

	xa_init(xa);
	for (i = 0; i < layout->count; i++) {
		old = xa_store(xa, layout->section[i], xa_mk_value(i),
			       GFP_KERNEL);
		if (xa_is_err(old)) {
			fprintf(stderr, "bench: cannot build the XArray\n");
			exit(EXIT_FAILURE);
		}
	}

	return xa;
}

static size_t array_bytes(const void *map)
{
	(void)map;
	return sizeof(struct xarray) +
	       kernel_xarray_nodes() * sizeof(struct xa_node);
}

static inline uint64_t array_lookup(const void *map, uint64_t real)
{
	struct xarray *xa = (struct xarray *)map;
	void *entry = xa_load(xa, real >> BENCH_SHIFT);

	if (__builtin_expect(!entry, 0))
		return BENCH_HOLE;

	return bench_bus(xa_to_value(entry)) + real % BENCH_SIZE;
}

BENCH_RUN(array_run, array_lookup)

const struct method method_xarray = {
	.name = "xarray",
	.build = array_build,
	.bytes = array_bytes,
	.run = array_run,
};
