/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IBM eHEA network driver: bus addresses of real memory
 *
 * A memory region (MR) of the adapter is one range of bus addresses without
 * holes, while the memory of a partition is sparse. A busmap numbers the
 * 16 MiB sections of memory that exist, in ascending order, and so says
 * where in the MR a real address lies.
 *
 * Life of a map: new or clone, any number of add and remove, seal, and from
 * then on it never changes. Until it is sealed it belongs to one writer, who
 * provides the locking. A sealed map may be read by anyone without a lock.
 * The map does nothing about RCU: whoever publishes one through a pointer
 * drops that reference after the grace period.
 */

#ifndef _EHEA_BUSMAP_H
#define _EHEA_BUSMAP_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/refcount.h>
#include <linux/types.h>

/* The unit of the map; not the kernel's own unit of sparse memory. */
#define EHEA_BUSMAP_SHIFT	24
#define EHEA_BUSMAP_SIZE	BIT_ULL(EHEA_BUSMAP_SHIFT)

/* Three levels of 512 entries cover 51 bits, all that a ppc64 kernel uses. */
#define EHEA_BUSMAP_LEVEL_BITS	9
#define EHEA_BUSMAP_ENTRIES	BIT(EHEA_BUSMAP_LEVEL_BITS)
#define EHEA_BUSMAP_MID_SHIFT	(EHEA_BUSMAP_SHIFT + EHEA_BUSMAP_LEVEL_BITS)
#define EHEA_BUSMAP_TOP_SHIFT	(EHEA_BUSMAP_MID_SHIFT + EHEA_BUSMAP_LEVEL_BITS)
#define EHEA_BUSMAP_ADDR_BITS	(EHEA_BUSMAP_TOP_SHIFT + EHEA_BUSMAP_LEVEL_BITS)
#define EHEA_BUSMAP_LIMIT	BIT_ULL(EHEA_BUSMAP_ADDR_BITS)

/* What a lookup answers for an address that the map does not cover. */
#define EHEA_BUSMAP_HOLE	(~0ULL)

struct ehea_busmap_leaf {
	u64 bus[EHEA_BUSMAP_ENTRIES];
};

struct ehea_busmap_mid {
	struct ehea_busmap_leaf *leaf[EHEA_BUSMAP_ENTRIES];
};

/**
 * struct ehea_busmap - real addresses to bus addresses
 * @refs: references; the last put frees the map
 * @sealed: the sections are numbered, and the map is immutable
 * @sections: number of 16 MiB sections in the map
 * @tables: number of tables of the two lower levels that are allocated
 * @base: bus address of the first section, once the map is sealed
 * @top: upper level; where nothing is, it points to a shared table of holes
 */
struct ehea_busmap {
	refcount_t refs;
	bool sealed;
	u32 sections;
	u32 tables;
	u64 base;
	struct ehea_busmap_mid *top[EHEA_BUSMAP_ENTRIES];
};

/**
 * struct ehea_busmap_run - contiguous real memory, and so contiguous in the MR
 * @real: real address, a multiple of 16 MiB
 * @bus: bus address of @real, EHEA_BUSMAP_HOLE if the map is not sealed
 * @len: length in bytes, a multiple of 16 MiB
 */
struct ehea_busmap_run {
	u64 real;
	u64 bus;
	u64 len;
};

/**
 * struct ehea_spot - section where a lookup found what it looked for last
 * @end: real address behind it, 0 if none is known
 * @offset: from a real address in it to the bus address
 */
struct ehea_spot {
	u64 end;
	u64 offset;
};

struct ehea_busmap *ehea_busmap_new(void);
struct ehea_busmap *ehea_busmap_clone(const struct ehea_busmap *old);
struct ehea_busmap *ehea_busmap_get(struct ehea_busmap *map);
void ehea_busmap_put(struct ehea_busmap *map);

int ehea_busmap_add(struct ehea_busmap *map, u64 start, u64 len);
int ehea_busmap_remove(struct ehea_busmap *map, u64 start, u64 len);
void ehea_busmap_seal(struct ehea_busmap *map, u64 base);

bool ehea_busmap_next_run(const struct ehea_busmap *map,
			  struct ehea_busmap_run *run);
bool ehea_busmap_covers(const struct ehea_busmap *a,
			const struct ehea_busmap *b);
bool ehea_busmap_equal(const struct ehea_busmap *a,
		       const struct ehea_busmap *b);
u64 ehea_busmap_lookup_spot(const struct ehea_busmap *map,
			    struct ehea_spot *spot, u64 real, u32 len);
size_t ehea_busmap_bytes(const struct ehea_busmap *map);
bool ehea_busmap_is_valid(const struct ehea_busmap *map);

/**
 * ehea_busmap_sections - number of sections in a map
 * @map: the map, sealed or not
 *
 * Return: the number of 16 MiB sections
 */
static inline u32 ehea_busmap_sections(const struct ehea_busmap *map)
{
	return map->sections;
}

/**
 * ehea_busmap_length - length of the MR that a map describes
 * @map: the map, sealed or not
 *
 * Return: the length in bytes, a multiple of 16 MiB
 */
static inline u64 ehea_busmap_length(const struct ehea_busmap *map)
{
	return (u64)map->sections << EHEA_BUSMAP_SHIFT;
}

/**
 * ehea_busmap_lookup - bus address of a real address
 * @map: a sealed map
 * @real: any real address; one beyond the table is a hole, never wrapped
 *
 * Three loads and no test for absent tables: those are tables of holes.
 *
 * Context: any; takes no lock, and the caller keeps @map alive.
 * Return: the bus address, or EHEA_BUSMAP_HOLE
 */
static inline u64 ehea_busmap_lookup(const struct ehea_busmap *map, u64 real)
{
	const struct ehea_busmap_leaf *leaf;
	const struct ehea_busmap_mid *mid;
	u64 bus;

	if (unlikely(real >> EHEA_BUSMAP_TOP_SHIFT >= EHEA_BUSMAP_ENTRIES))
		return EHEA_BUSMAP_HOLE;

	mid = map->top[real >> EHEA_BUSMAP_TOP_SHIFT];
	leaf = mid->leaf[(real >> EHEA_BUSMAP_MID_SHIFT) % EHEA_BUSMAP_ENTRIES];
	bus = leaf->bus[(real >> EHEA_BUSMAP_SHIFT) % EHEA_BUSMAP_ENTRIES];
	if (unlikely(bus == EHEA_BUSMAP_HOLE))
		return EHEA_BUSMAP_HOLE;

	return bus + real % EHEA_BUSMAP_SIZE;
}

/**
 * ehea_busmap_lookup_range - bus address of a buffer
 * @map: a sealed map
 * @real: real address of the first byte
 * @len: length in bytes, at least 1
 *
 * Sections are numbered in ascending order, so a buffer that is as long in
 * the MR as it is in memory has no hole inside.
 *
 * Context: any; takes no lock, and the caller keeps @map alive.
 * Return: the bus address of @real, or EHEA_BUSMAP_HOLE unless all of the
 *	   buffer is covered
 */
static inline u64 ehea_busmap_lookup_range(const struct ehea_busmap *map,
					   u64 real, u32 len)
{
	u64 bus = ehea_busmap_lookup(map, real);
	u64 last = (u64)len - 1;

	if (likely(real % EHEA_BUSMAP_SIZE + last < EHEA_BUSMAP_SIZE))
		return bus;
	if (ehea_busmap_lookup(map, real + last) != bus + last)
		return EHEA_BUSMAP_HOLE;

	return bus;
}

/**
 * ehea_busmap_lookup_near - bus address of a buffer, probably near the last one
 * @map: a sealed map
 * @spot: where the last one was; zeroed at first, and of use with @map only
 * @real: real address of the first byte, below EHEA_BUSMAP_LIMIT
 * @len: length in bytes, at least 1 and at most a section
 * @bus: the bus address of @real
 *
 * Context: any; takes no lock, and the caller keeps @map alive and @spot to
 *	    itself.
 * Return: true if all of the buffer is covered
 */
static inline bool ehea_busmap_lookup_near(const struct ehea_busmap *map,
					   struct ehea_spot *spot, u64 real,
					   u32 len, u64 *bus)
{
	*bus = real + spot->offset;
	/* Beyond the end this is a very large number. */
	if (likely(spot->end - real - len <= EHEA_BUSMAP_SIZE - len))
		return true;
	*bus = ehea_busmap_lookup_spot(map, spot, real, len);
	return *bus != EHEA_BUSMAP_HOLE;
}

#endif /* _EHEA_BUSMAP_H */
