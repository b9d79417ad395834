// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs one method on one layout of memory.
 *
 *	bench METHOD LAYOUT GIB SEED PASSES	one pass: all addresses once
 *	bench METHOD LAYOUT GIB SEED time	nanoseconds per lookup
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define ADDRESSES	4096
#define TIME_RUNS	7
#define TIME_NS		50e6

static const struct method *const methods[] = {
	&method_none, &method_table, &method_flat, &method_linear,
	&method_binary,
#ifdef BENCH_KERNEL
	&method_xarray, &method_hash,
#endif
};

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void *bench_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		perror("bench");
		exit(EXIT_FAILURE);
	}

	return p;
}

static void layout_dense(struct layout *layout, uint32_t count)
{
	while (layout->count < count) {
		layout->section[layout->count] = layout->count;
		layout->count++;
	}
}

/* Exactly half of the sections of twice the room, each half as likely. */
static void layout_fragmented(struct layout *layout, uint32_t count)
{
	uint32_t room = 2 * count, i;

	for (i = 0; layout->count < count; i++) {
		if (random_u64() % (room - i) < count - layout->count)
			layout->section[layout->count++] = i;
	}
}

/* 256 MiB at 0, 16 MiB at 2^50. */
static void layout_sparse(struct layout *layout)
{
	layout_dense(layout, 16);
	layout->section[layout->count++] = 1U << 26;
}

static int make_layout(struct layout *layout, const char *name, uint32_t gib)
{
	uint32_t count = gib << (30 - BENCH_SHIFT);

	layout->section = bench_alloc((count + 17) * sizeof(uint32_t));
	if (!strcmp(name, "dense"))
		layout_dense(layout, count);
	else if (!strcmp(name, "fragmented"))
		layout_fragmented(layout, count);
	else if (!strcmp(name, "sparse"))
		layout_sparse(layout);

	return layout->count ? 0 : -1;
}

/* Addresses of memory that exists, any byte of it, in random order. */
static uint64_t *make_addresses(const struct layout *layout)
{
	uint64_t *real = bench_alloc(ADDRESSES * sizeof(*real));
	uint64_t section;
	size_t i;

	for (i = 0; i < ADDRESSES; i++) {
		section = layout->section[random_u64() % layout->count];
		real[i] = (section << BENCH_SHIFT) + random_u64() % BENCH_SIZE;
	}

	return real;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The best of several runs, for all else that the machine does adds time. */
static double measure(const struct method *method, const void *map,
		      const uint64_t *real)
{
	double best = 1e9, start, ns;
	size_t passes;
	int i;

	for (i = 0; i < TIME_RUNS; i++) {
		start = now_ns();
		passes = 0;
		do {
			method->run(map, real, ADDRESSES);
			passes++;
			ns = now_ns() - start;
		} while (ns < TIME_NS);
		ns /= (double)passes * ADDRESSES;
		if (ns < best)
			best = ns;
	}

	return best;
}

static const struct method *find_method(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!strcmp(methods[i]->name, name))
			return methods[i];
	}

	return NULL;
}

/* What every method but "none" must answer, without any of them. */
static uint64_t expected_sum(const struct layout *layout, const uint64_t *real)
{
	uint64_t sum = 0;
	uint32_t rank;
	size_t i;

	for (rank = 0; rank < layout->count; rank++) {
		for (i = 0; i < ADDRESSES; i++) {
			if (real[i] >> BENCH_SHIFT == layout->section[rank])
				sum += bench_bus(rank) + real[i] % BENCH_SIZE;
		}
	}

	return sum;
}

static int report(const struct method *method, const struct layout *layout,
		  const void *map, const uint64_t *real)
{
	uint64_t sum = method->run(map, real, ADDRESSES);

	if (method != &method_none && sum != expected_sum(layout, real)) {
		fprintf(stderr, "bench: %s gives wrong addresses\n",
			method->name);
		return EXIT_FAILURE;
	}
	printf("{\"nanoseconds\": %.3f, \"bytes\": %zu, \"sections\": %" PRIu32
	       ", \"lookups\": %d}\n", measure(method, map, real),
	       method->bytes(map), layout->count, ADDRESSES);

	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct method *method;
	struct layout layout = {};
	unsigned long passes;
	uint64_t *real;
	void *map;

	method = argc == 6 ? find_method(argv[1]) : NULL;
	if (!method) {
		fprintf(stderr,
			"usage: bench METHOD LAYOUT GIB SEED PASSES|time\n");
		return 2;
	}
	random_state = strtoull(argv[4], NULL, 0);
	if (make_layout(&layout, argv[2], strtoul(argv[3], NULL, 0))) {
		fprintf(stderr, "bench: no such layout: %s\n", argv[2]);
		return 2;
	}
	real = make_addresses(&layout);
	map = method->build(&layout);
	if (!strcmp(argv[5], "time"))
		return report(method, &layout, map, real);

	for (passes = strtoul(argv[5], NULL, 0); passes; passes--)
		method->run(map, real, ADDRESSES);

	return EXIT_SUCCESS;
}
