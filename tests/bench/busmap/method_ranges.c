// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of contiguous memory in ascending order, searched in two ways. */

#include "bench.h"

struct range {
	uint64_t start;
	uint64_t end;
	uint64_t bus;
};

struct ranges {
	size_t count;
	struct range range[];
};

static void *ranges_build(const struct layout *layout)
{
	struct ranges *ranges;
	struct range *last = NULL;
	uint64_t start;
	uint32_t i;

	ranges = bench_alloc(sizeof(*ranges) +
			     layout->count * sizeof(ranges->range[0]));
	for (i = 0; i < layout->count; i++) {
		start = (uint64_t)layout->section[i] << BENCH_SHIFT;
		if (!last || last->end != start) {
			last = &ranges->range[ranges->count++];
			last->start = start;
			last->bus = bench_bus(i);
		}
		last->end = start + BENCH_SIZE;
	}

	return ranges;
}

static size_t ranges_bytes(const void *map)
{
	const struct ranges *ranges = map;

	return sizeof(*ranges) + ranges->count * sizeof(ranges->range[0]);
}

static inline uint64_t linear_lookup(const void *map, uint64_t real)
{
	const struct ranges *ranges = map;
	const struct range *range = ranges->range;
	const struct range *end = range + ranges->count;

	while (range < end && real >= range->end)
		range++;
	if (range == end || real < range->start)
		return BENCH_HOLE;

	return range->bus + (real - range->start);
}

static inline uint64_t binary_lookup(const void *map, uint64_t real)
{
	const struct ranges *ranges = map;
	size_t low = 0, high = ranges->count, mid;
	const struct range *range;

	while (low < high) {
		mid = (low + high) / 2;
		range = &ranges->range[mid];
		if (real < range->start)
			high = mid;
		else if (real >= range->end)
			low = mid + 1;
		else
			return range->bus + (real - range->start);
	}

	return BENCH_HOLE;
}

BENCH_RUN(linear_run, linear_lookup)
BENCH_RUN(binary_run, binary_lookup)

const struct method method_linear = {
	.name = "linear",
	.build = ranges_build,
	.bytes = ranges_bytes,
	.run = linear_run,
};

const struct method method_binary = {
	.name = "binary",
	.build = ranges_build,
	.bytes = ranges_bytes,
	.run = binary_run,
};
