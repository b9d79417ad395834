// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's own table, with its own lookup. */

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#include "../../../ehea_busmap.h"

static void *table_build(const struct layout *layout)
{
	struct ehea_busmap *map = ehea_busmap_new();
	u64 real;
	u32 i;

	for (i = 0; map && i < layout->count; i++) {
		real = (u64)layout->section[i] << BENCH_SHIFT;
		if (ehea_busmap_add(map, real, BENCH_SIZE))
			map = NULL;
	}
	if (!map) {
		fprintf(stderr, "bench: cannot build the table\n");
		exit(EXIT_FAILURE);
	}
	ehea_busmap_seal(map, BENCH_BASE);

	return map;
}

static size_t table_bytes(const void *map)
{
	return ehea_busmap_bytes(map);
}

BENCH_RUN(table_run, ehea_busmap_lookup)

const struct method method_table = {
	.name = "table",
	.build = table_build,
	.bytes = table_bytes,
	.run = table_run,
};
