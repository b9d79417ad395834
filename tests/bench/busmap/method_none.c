// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop alone: what is taken off the figures of the others. */

#include "bench.h"

static void *none_build(const struct layout *layout)
{
	(void)layout;
	return NULL;
}

static size_t none_bytes(const void *map)
{
	(void)map;
	return 0;
}

static inline uint64_t none_lookup(const void *map, uint64_t real)
{
	(void)map;
	return real;
}

BENCH_RUN(none_run, none_lookup)

const struct method method_none = {
	.name = "none",
	.build = none_build,
	.bytes = none_bytes,
	.run = none_run,
};
