// SPDX-License-Identifier: GPL-2.0-or-later
/* A hash table of sections, with the kernel's lists and hash function. */

#include <linux/hash.h>
#include <linux/list.h>

#include "bench.h"

struct hash_entry {
	struct hlist_node node;
	uint64_t section;
	uint64_t bus;
};

struct hash_table {
	unsigned int bits;
	uint32_t entries;
	struct hlist_head head[];
};

/* One bucket for each section, rounded up to a power of two. */
static void *hash_build(const struct layout *layout)
{
	struct hash_table *table;
	struct hash_entry *entry;
	unsigned int bits = 1;
	uint32_t i;

	while (1U << bits < layout->count)
		bits++;

	table = bench_alloc(sizeof(*table) +
			    (sizeof(table->head[0]) << bits));
	table->bits = bits;
	table->entries = layout->count;
	for (i = 0; i < layout->count; i++) {
		entry = bench_alloc(sizeof(*entry));
		entry->section = layout->section[i];
		entry->bus = bench_bus(i);
		hlist_add_head(&entry->node,
			       &table->head[hash_64(entry->section, bits)]);
	}

	return table;
}

static size_t hash_bytes(const void *map)
{
	const struct hash_table *table = map;

	return sizeof(*table) + (sizeof(table->head[0]) << table->bits) +
	       table->entries * sizeof(struct hash_entry);
}

static inline uint64_t hash_lookup(const void *map, uint64_t real)
{
	const struct hash_table *table = map;
	uint64_t section = real >> BENCH_SHIFT;
	const struct hash_entry *entry;
	const struct hlist_head *head;

	head = &table->head[hash_64(section, table->bits)];
	hlist_for_each_entry(entry, head, node) {
		if (entry->section == section)
			return entry->bus + real % BENCH_SIZE;
	}

	return BENCH_HOLE;
}

BENCH_RUN(hash_run, hash_lookup)

const struct method method_hash = {
	.name = "hash",
	.build = hash_build,
	.bytes = hash_bytes,
	.run = hash_run,
};
