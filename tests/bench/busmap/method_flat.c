// SPDX-License-Identifier: GPL-2.0-or-later
/* One entry for each section up to the last one that exists. */

#include "bench.h"

struct flat {
	uint64_t count;
	uint64_t bus[];
};

static size_t flat_bytes(const void *map)
{
	const struct flat *flat = map;

	return sizeof(*flat) + flat->count * sizeof(flat->bus[0]);
}

static void *flat_build(const struct layout *layout)
{
	uint64_t count = (uint64_t)layout->section[layout->count - 1] + 1;
	struct flat *flat;
	uint32_t i;

	flat = bench_alloc(sizeof(*flat) + count * sizeof(flat->bus[0]));
	flat->count = count;
	for (i = 0; i < layout->count; i++)
		flat->bus[layout->section[i]] = bench_bus(i);

	return flat;
}

/* No section is at bus address 0, so 0 is a hole, and cheap to test for. */
static inline uint64_t flat_lookup(const void *map, uint64_t real)
{
	const struct flat *flat = map;
	uint64_t bus;

	if (__builtin_expect(real >> BENCH_SHIFT >= flat->count, 0))
		return BENCH_HOLE;

	bus = flat->bus[real >> BENCH_SHIFT];
	if (__builtin_expect(!bus, 0))
		return BENCH_HOLE;

	return bus + real % BENCH_SIZE;
}

BENCH_RUN(flat_run, flat_lookup)

const struct method method_flat = {
	.name = "flat",
	.build = flat_build,
	.bytes = flat_bytes,
	.run = flat_run,
};
