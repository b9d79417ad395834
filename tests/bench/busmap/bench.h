/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to find the bus address of a real address, side by side.
 *
 * No kernel type here: some methods are built against the kernel's headers,
 * the table against the driver's.
 */

#ifndef _BENCH_H
#define _BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_SHIFT	24
#define BENCH_SIZE	(1ULL << BENCH_SHIFT)
#define BENCH_BASE	(1ULL << 63)
#define BENCH_HOLE	(~0ULL)

/**
 * struct layout - the memory of a partition
 * @section: numbers of the 16 MiB sections that exist, ascending
 * @count: how many there are
 */
struct layout {
	uint32_t *section;
	uint32_t count;
};

/**
 * struct method - one way to look an address up
 * @name: what the tables call it
 * @build: makes the data structure; does not return if there is no memory
 * @bytes: memory that the data structure takes in the kernel
 * @run: looks @n addresses up and adds the bus addresses; 0 at a hole
 */
struct method {
	const char *name;
	void *(*build)(const struct layout *layout);
	size_t (*bytes)(const void *map);
	uint64_t (*run)(const void *map, const uint64_t *real, size_t n);
};

extern const struct method method_none, method_table, method_flat;
extern const struct method method_linear, method_binary;
extern const struct method method_xarray, method_hash;

void *bench_alloc(size_t size);

static inline uint64_t bench_bus(uint32_t rank)
{
	return BENCH_BASE + ((uint64_t)rank << BENCH_SHIFT);
}

/*
 * The loop around all methods, the same for each, with the lookup inline. The
 * empty asm keeps the compiler from treating several addresses at once.
 */
#define BENCH_RUN(name, lookup) \
static __attribute__((__noinline__)) \
uint64_t name(const void *map, const uint64_t *real, size_t n) \
{ \
	uint64_t sum = 0, at, bus; \
	size_t i; \
	\
	for (i = 0; i < n; i++) { \
		at = real[i]; \
		__asm__ volatile("" : "+r" (at)); \
		bus = lookup(map, at); \
		if (__builtin_expect(bus == BENCH_HOLE, 0)) \
			return 0; \
		sum += bus; \
	} \
	\
	return sum; \
}

#endif /* _BENCH_H */
