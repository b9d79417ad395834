// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IBM eHEA network driver: bus addresses of real memory
 *
 * A pure data structure: it knows neither the hypervisor nor the kernel's
 * memory model, and builds outside the kernel too.
 */

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "ehea_busmap.h"

/* Sections that the map, and a table of the middle level, have room for. */
#define EHEA_BUSMAP_COUNT	BIT(3 * EHEA_BUSMAP_LEVEL_BITS)
#define EHEA_BUSMAP_MID_COUNT	BIT(2 * EHEA_BUSMAP_LEVEL_BITS)

/* In a map that is not sealed: the section is there, but has no number yet. */
#define EHEA_BUSMAP_PRESENT	0

/* What absent tables point to, so that a lookup needs no NULL test. */
static struct ehea_busmap_leaf ehea_busmap_no_leaf __ro_after_init = {
	.bus = { [0 ... EHEA_BUSMAP_ENTRIES - 1] = EHEA_BUSMAP_HOLE },
};

static struct ehea_busmap_mid ehea_busmap_no_mid __ro_after_init = {
	.leaf = { [0 ... EHEA_BUSMAP_ENTRIES - 1] = &ehea_busmap_no_leaf },
};

/* Sections, counted from address 0, that a range of addresses touches. */
struct ehea_busmap_span {
	u32 first;
	u32 end;
};

static u32 ehea_busmap_leaf_index(u32 section)
{
	return section / EHEA_BUSMAP_ENTRIES % EHEA_BUSMAP_ENTRIES;
}

static struct ehea_busmap_mid **
ehea_busmap_mid_slot(struct ehea_busmap *map, u32 section)
{
	return &map->top[section / EHEA_BUSMAP_MID_COUNT];
}

static struct ehea_busmap_leaf **
ehea_busmap_leaf_slot(struct ehea_busmap *map, u32 section)
{
	struct ehea_busmap_mid *mid = *ehea_busmap_mid_slot(map, section);

	return &mid->leaf[ehea_busmap_leaf_index(section)];
}

static u64 *ehea_busmap_entry(struct ehea_busmap *map, u32 section)
{
	struct ehea_busmap_leaf *leaf = *ehea_busmap_leaf_slot(map, section);

	return &leaf->bus[section % EHEA_BUSMAP_ENTRIES];
}

static u32 ehea_busmap_leaf_end(u32 section)
{
	return (section | (EHEA_BUSMAP_ENTRIES - 1)) + 1;
}

static u32 ehea_busmap_mid_end(u32 section)
{
	return (section | (EHEA_BUSMAP_MID_COUNT - 1)) + 1;
}

/* The first section from @section on that is present or, on demand, absent. */
static u32 ehea_busmap_find(const struct ehea_busmap *map, u32 section,
			    bool present)
{
	const struct ehea_busmap_leaf *leaf;
	const struct ehea_busmap_mid *mid;
	bool found;
	u64 bus;

	while (section < EHEA_BUSMAP_COUNT) {
		mid = map->top[section / EHEA_BUSMAP_MID_COUNT];
		leaf = mid->leaf[ehea_busmap_leaf_index(section)];
		bus = leaf->bus[section % EHEA_BUSMAP_ENTRIES];
		found = bus != EHEA_BUSMAP_HOLE;
		if (found == present)
			break;

		if (mid == &ehea_busmap_no_mid)
			section = ehea_busmap_mid_end(section);
		else if (leaf == &ehea_busmap_no_leaf)
			section = ehea_busmap_leaf_end(section);
		else
			section++;
	}

	return section;
}

static int ehea_busmap_set_span(struct ehea_busmap_span *span,
				const struct ehea_busmap *map, u64 start,
				u64 len)
{
	if (map->sealed)
		return -EBUSY;
	if (!len)
		return -EINVAL;
	if (start >= EHEA_BUSMAP_LIMIT || len > EHEA_BUSMAP_LIMIT - start)
		return -ERANGE;

	span->first = start >> EHEA_BUSMAP_SHIFT;
	span->end = ((start + len - 1) >> EHEA_BUSMAP_SHIFT) + 1;
	return 0;
}

/* Makes the tables that lead to @section. */
static int ehea_busmap_grow(struct ehea_busmap *map, u32 section)
{
	struct ehea_busmap_mid **mid = ehea_busmap_mid_slot(map, section);
	struct ehea_busmap_leaf **leaf;
	void *table;

	if (*mid == &ehea_busmap_no_mid) {
		table = kmemdup(*mid, sizeof(**mid), GFP_KERNEL);
		if (!table)
			return -ENOMEM;
		*mid = table;
		map->tables++;
	}

	leaf = ehea_busmap_leaf_slot(map, section);
	if (*leaf == &ehea_busmap_no_leaf) {
		table = kmemdup(*leaf, sizeof(**leaf), GFP_KERNEL);
		if (!table)
			return -ENOMEM;
		*leaf = table;
		map->tables++;
	}

	return 0;
}

static bool ehea_busmap_leaf_is_empty(const struct ehea_busmap_leaf *leaf)
{
	return !memcmp(leaf, &ehea_busmap_no_leaf, sizeof(*leaf));
}

static bool ehea_busmap_mid_is_empty(const struct ehea_busmap_mid *mid)
{
	return !memcmp(mid, &ehea_busmap_no_mid, sizeof(*mid));
}

static void ehea_busmap_prune_leaf(struct ehea_busmap *map, u32 section)
{
	struct ehea_busmap_leaf **leaf = ehea_busmap_leaf_slot(map, section);

	if (*leaf == &ehea_busmap_no_leaf || !ehea_busmap_leaf_is_empty(*leaf))
		return;

	kfree(*leaf);
	*leaf = &ehea_busmap_no_leaf;
	map->tables--;
}

static void ehea_busmap_prune_mid(struct ehea_busmap *map, u32 section)
{
	struct ehea_busmap_mid **mid = ehea_busmap_mid_slot(map, section);

	if (*mid == &ehea_busmap_no_mid || !ehea_busmap_mid_is_empty(*mid))
		return;

	kfree(*mid);
	*mid = &ehea_busmap_no_mid;
	map->tables--;
}

/* Frees the tables of a span that lead to nothing. */
static void ehea_busmap_prune(struct ehea_busmap *map,
			      const struct ehea_busmap_span *span)
{
	u32 n;

	for (n = span->first; n < span->end; n = ehea_busmap_leaf_end(n))
		ehea_busmap_prune_leaf(map, n);
	for (n = span->first; n < span->end; n = ehea_busmap_mid_end(n))
		ehea_busmap_prune_mid(map, n);
}

static void ehea_busmap_free_mid(struct ehea_busmap_mid *mid)
{
	u32 i;

	for (i = 0; i < EHEA_BUSMAP_ENTRIES; i++) {
		if (mid->leaf[i] != &ehea_busmap_no_leaf)
			kfree(mid->leaf[i]);
	}
	kfree(mid);
}

static void ehea_busmap_free(struct ehea_busmap *map)
{
	u32 i;

	for (i = 0; i < EHEA_BUSMAP_ENTRIES; i++) {
		if (map->top[i] != &ehea_busmap_no_mid)
			ehea_busmap_free_mid(map->top[i]);
	}
	kfree(map);
}

/**
 * ehea_busmap_new - make an empty map
 *
 * Context: may sleep.
 * Return: a map that is not sealed, with one reference, or NULL if there is
 *	   no memory
 */
struct ehea_busmap *ehea_busmap_new(void)
{
	struct ehea_busmap *map;
	u32 i;

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return NULL;

	refcount_set(&map->refs, 1);
	for (i = 0; i < EHEA_BUSMAP_ENTRIES; i++)
		map->top[i] = &ehea_busmap_no_mid;

	return map;
}

/**
 * ehea_busmap_clone - make a map with the sections of another
 * @old: the map to copy, sealed or not; it is not changed
 *
 * Context: may sleep.
 * Return: a map that is not sealed, with one reference, or NULL if there is
 *	   no memory
 */
struct ehea_busmap *ehea_busmap_clone(const struct ehea_busmap *old)
{
	struct ehea_busmap *map = ehea_busmap_new();
	struct ehea_busmap_run run = {};

	if (!map)
		return NULL;

	while (ehea_busmap_next_run(old, &run)) {
		if (ehea_busmap_add(map, run.real, run.len)) {
			ehea_busmap_free(map);
			return NULL;
		}
	}

	return map;
}

/**
 * ehea_busmap_get - take another reference to a map
 * @map: a map that the caller has a reference to
 *
 * Context: any.
 * Return: @map
 */
struct ehea_busmap *ehea_busmap_get(struct ehea_busmap *map)
{
	refcount_inc(&map->refs);
	return map;
}

/**
 * ehea_busmap_put - drop a reference to a map
 * @map: the map, or NULL
 *
 * The last one frees the map at once, so a grace period must have passed
 * since readers could find the map.
 *
 * Context: any.
 */
void ehea_busmap_put(struct ehea_busmap *map)
{
	if (map && refcount_dec_and_test(&map->refs))
		ehea_busmap_free(map);
}

/**
 * ehea_busmap_add - add memory to a map
 * @map: a map that is not sealed
 * @start: real address
 * @len: length in bytes
 *
 * Every section that the range touches is added, be it only in part: a block
 * of memory that holds its own memmap is announced with a late start, though
 * it begins at a section boundary. Adding what is there changes nothing.
 *
 * Context: may sleep.
 * Return: 0; -EBUSY if the map is sealed, -EINVAL if @len is 0, -ERANGE if
 *	   any part of the range is beyond EHEA_BUSMAP_LIMIT, -ENOMEM. On
 *	   error the map is as it was before.
 */
int ehea_busmap_add(struct ehea_busmap *map, u64 start, u64 len)
{
	struct ehea_busmap_span span;
	u64 *entry;
	int err;
	u32 n;

	err = ehea_busmap_set_span(&span, map, start, len);
	if (err)
		return err;

	for (n = span.first; n < span.end; n = ehea_busmap_leaf_end(n)) {
		err = ehea_busmap_grow(map, n);
		if (err)
			goto prune;
	}

	for (n = span.first; n < span.end; n++) {
		entry = ehea_busmap_entry(map, n);
		if (*entry == EHEA_BUSMAP_HOLE)
			map->sections++;
		*entry = EHEA_BUSMAP_PRESENT;
	}

	return 0;

prune:
	ehea_busmap_prune(map, &span);
	return err;
}

/**
 * ehea_busmap_remove - take memory out of a map
 * @map: a map that is not sealed
 * @start: real address
 * @len: length in bytes
 *
 * Every section that the range touches is removed, be it only in part, the
 * mirror of ehea_busmap_add(): memory that the MR still covers cannot leave
 * the partition, while memory that it lacks costs a copy. Removing what is
 * not there changes nothing. Needs no memory.
 *
 * Context: any.
 * Return: 0; -EBUSY if the map is sealed, -EINVAL if @len is 0, -ERANGE if
 *	   any part of the range is beyond EHEA_BUSMAP_LIMIT. On error the
 *	   map is as it was before.
 */
int ehea_busmap_remove(struct ehea_busmap *map, u64 start, u64 len)
{
	struct ehea_busmap_span span;
	int err;
	u32 n;

	err = ehea_busmap_set_span(&span, map, start, len);
	if (err)
		return err;

	for (n = ehea_busmap_find(map, span.first, true); n < span.end;
	     n = ehea_busmap_find(map, n + 1, true)) {
		*ehea_busmap_entry(map, n) = EHEA_BUSMAP_HOLE;
		map->sections--;
	}
	ehea_busmap_prune(map, &span);

	return 0;
}

/**
 * ehea_busmap_seal - number the sections of a map
 * @map: a map that is not sealed
 * @base: bus address of the first section, a multiple of 16 MiB and at most
 *	  2^63
 *
 * From here on the map never changes.
 *
 * Context: any.
 */
void ehea_busmap_seal(struct ehea_busmap *map, u64 base)
{
	u64 bus = base;
	u32 n;

	for (n = ehea_busmap_find(map, 0, true); n < EHEA_BUSMAP_COUNT;
	     n = ehea_busmap_find(map, n + 1, true)) {
		*ehea_busmap_entry(map, n) = bus;
		bus += EHEA_BUSMAP_SIZE;
	}

	map->base = base;
	map->sealed = true;
}

/**
 * ehea_busmap_next_run - walk the contiguous parts of a map
 * @map: the map, sealed or not
 * @run: all zero to begin; then the run from the call before
 *
 * Runs are as long as they can be, and ascend in real and in bus addresses.
 * The walk keeps no state but @run, so it may stop and be resumed at will.
 *
 * Context: any; takes no lock.
 * Return: true with the next run in @run; false, and @run as it was, if there
 *	   is none
 */
bool ehea_busmap_next_run(const struct ehea_busmap *map,
			  struct ehea_busmap_run *run)
{
	u32 first, end;

	first = (run->real + run->len) >> EHEA_BUSMAP_SHIFT;
	first = ehea_busmap_find(map, first, true);
	if (first >= EHEA_BUSMAP_COUNT)
		return false;

	end = ehea_busmap_find(map, first, false);
	run->real = (u64)first << EHEA_BUSMAP_SHIFT;
	run->len = (u64)(end - first) << EHEA_BUSMAP_SHIFT;
	run->bus = EHEA_BUSMAP_HOLE;
	if (map->sealed)
		run->bus = ehea_busmap_lookup(map, run->real);

	return true;
}

/**
 * ehea_busmap_covers - does a map cover all that another one covers?
 * @a: the map that may be larger
 * @b: the map that may be smaller
 *
 * Context: any; takes no lock.
 * Return: true if every section of @b is in @a
 */
bool ehea_busmap_covers(const struct ehea_busmap *a,
			const struct ehea_busmap *b)
{
	struct ehea_busmap_run run = {};
	u32 first, end;

	while (ehea_busmap_next_run(b, &run)) {
		first = run.real >> EHEA_BUSMAP_SHIFT;
		end = (run.real + run.len) >> EHEA_BUSMAP_SHIFT;
		if (ehea_busmap_find(a, first, false) < end)
			return false;
	}

	return true;
}

/**
 * ehea_busmap_equal - do two maps cover the same memory?
 * @a: a map
 * @b: another map
 *
 * Whether they are sealed, and where, makes no difference.
 *
 * Context: any; takes no lock.
 * Return: true if both have the same sections
 */
bool ehea_busmap_equal(const struct ehea_busmap *a,
		       const struct ehea_busmap *b)
{
	return a->sections == b->sections && ehea_busmap_covers(a, b);
}

/**
 * ehea_busmap_bytes - memory that a map takes
 * @map: the map, sealed or not
 *
 * Context: any.
 * Return: bytes, with what the allocator rounds up to
 */
size_t ehea_busmap_bytes(const struct ehea_busmap *map)
{
	return kmalloc_size_roundup(sizeof(*map)) +
	       map->tables * sizeof(struct ehea_busmap_leaf);
}

/* Counts the tables; 0 if there is one that leads to nothing. */
static u32 ehea_busmap_count_leaves(const struct ehea_busmap_mid *mid)
{
	u32 count = 0, i;

	for (i = 0; i < EHEA_BUSMAP_ENTRIES; i++) {
		if (mid->leaf[i] == &ehea_busmap_no_leaf)
			continue;
		if (ehea_busmap_leaf_is_empty(mid->leaf[i]))
			return 0;
		count++;
	}

	return count;
}

static bool ehea_busmap_tables_are_valid(const struct ehea_busmap *map)
{
	u32 tables = 0, leaves, i;

	for (i = 0; i < EHEA_BUSMAP_ENTRIES; i++) {
		if (map->top[i] == &ehea_busmap_no_mid)
			continue;
		leaves = ehea_busmap_count_leaves(map->top[i]);
		if (!leaves)
			return false;
		tables += leaves + 1;
	}

	return tables == map->tables;
}

/**
 * ehea_busmap_lookup_spot - look a buffer up, and remember its section
 * @map: a sealed map
 * @spot: where it was found, if it was
 * @real: real address of the first byte
 * @len: length in bytes, at least 1
 *
 * The slow part of ehea_busmap_lookup_near().
 *
 * Context: any; takes no lock, and the caller keeps @map alive.
 * Return: the bus address of @real, or EHEA_BUSMAP_HOLE unless all of the
 *	   buffer is covered
 */
u64 ehea_busmap_lookup_spot(const struct ehea_busmap *map,
			    struct ehea_spot *spot, u64 real, u32 len)
{
	u64 bus = ehea_busmap_lookup_range(map, real, len);

	if (bus != EHEA_BUSMAP_HOLE) {
		spot->end = real - real % EHEA_BUSMAP_SIZE + EHEA_BUSMAP_SIZE;
		spot->offset = bus - real;
	}

	return bus;
}

/**
 * ehea_busmap_is_valid - self test of a map
 * @map: the map, sealed or not
 *
 * Walks all of the map, so it is for tests and not for the data path.
 *
 * Context: any; takes no lock.
 * Return: true if the counts agree with the tables, no table leads to
 *	   nothing, and the bus addresses of a sealed map are dense and ascend
 */
bool ehea_busmap_is_valid(const struct ehea_busmap *map)
{
	u64 bus = map->base;
	u32 sections = 0, n;
	u64 real;

	for (n = ehea_busmap_find(map, 0, true); n < EHEA_BUSMAP_COUNT;
	     n = ehea_busmap_find(map, n + 1, true)) {
		real = (u64)n << EHEA_BUSMAP_SHIFT;
		if (map->sealed && ehea_busmap_lookup(map, real) != bus)
			return false;
		bus += EHEA_BUSMAP_SIZE;
		sections++;
	}

	return sections == map->sections && ehea_busmap_tables_are_valid(map);
}
