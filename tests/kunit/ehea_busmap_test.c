// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of the busmap. They also build in user space. */

#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "../../ehea_busmap.h"
#include "ehea_busmap_model.h"
#include "ehea_test_alloc.h"

/* Random changes for each seed; a native build makes more of them. */
#ifndef EHEA_TEST_STEPS
#define EHEA_TEST_STEPS	60
#endif

#define BASE	BIT_ULL(63)
#define HOLE	EHEA_BUSMAP_HOLE
#define LIMIT	EHEA_BUSMAP_LIMIT
#define SECTION	EHEA_BUSMAP_SIZE
#define LEAF	(SECTION * EHEA_BUSMAP_ENTRIES)
#define MID	(LEAF * EHEA_BUSMAP_ENTRIES)
#define KIB	1024U

static struct ehea_busmap *new_map(struct kunit *test)
{
	struct ehea_busmap *map = ehea_busmap_new();

	KUNIT_ASSERT_NOT_NULL(test, map);
	return map;
}

static struct ehea_busmap *clone_map(struct kunit *test,
				     const struct ehea_busmap *old)
{
	struct ehea_busmap *map = ehea_busmap_clone(old);

	KUNIT_ASSERT_NOT_NULL(test, map);
	return map;
}

static void map_add(struct kunit *test, struct ehea_busmap *map, u64 start,
		    u64 len)
{
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, start, len), 0);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));
}

static void map_remove(struct kunit *test, struct ehea_busmap *map, u64 start,
		       u64 len)
{
	KUNIT_EXPECT_EQ(test, ehea_busmap_remove(map, start, len), 0);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));
}

static void map_seal(struct kunit *test, struct ehea_busmap *map)
{
	ehea_busmap_seal(map, BASE);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));
}

static void expect_run(struct kunit *test, const struct ehea_busmap *map,
		       struct ehea_busmap_run *run, u64 real, u64 bus, u64 len)
{
	KUNIT_EXPECT_TRUE(test, ehea_busmap_next_run(map, run));
	KUNIT_EXPECT_EQ(test, run->real, real);
	KUNIT_EXPECT_EQ(test, run->bus, bus);
	KUNIT_EXPECT_EQ(test, run->len, len);
}

static void busmap_empty_map_has_only_holes(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap_run run = {};

	map_seal(test, map);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 0U);
	KUNIT_EXPECT_EQ(test, ehea_busmap_length(map), 0ULL);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 0), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, LIMIT - 1), HOLE);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_next_run(map, &run));
	KUNIT_EXPECT_EQ(test, run.len, 0ULL);
	ehea_busmap_put(map);
}

static void busmap_dense_64_gib_take_at_most_48_kib(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	u64 length = 64ULL << 30, real;

	map_add(test, map, 0, length);
	map_seal(test, map);
	KUNIT_EXPECT_EQ(test, ehea_busmap_length(map), length);
	KUNIT_EXPECT_LE(test, ehea_busmap_bytes(map), 48 * KIB);
	for (real = 0; real < length; real += SECTION / 2 + 1)
		KUNIT_ASSERT_EQ(test, ehea_busmap_lookup(map, real),
				BASE + real);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, length - 1),
			BASE + length - 1);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, length), HOLE);
	ehea_busmap_put(map);
}

static void busmap_sparse_memory_takes_less_than_64_kib(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	u64 low = 256ULL << 20, high = 1ULL << 50;

	map_add(test, map, 0, low);
	map_add(test, map, high, SECTION);
	map_seal(test, map);
	KUNIT_EXPECT_LT(test, ehea_busmap_bytes(map), 64 * KIB);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, low - 1), BASE + low - 1);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, low), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, high - 1), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, high + 5),
			BASE + low + 5);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, high + SECTION), HOLE);
	ehea_busmap_put(map);
}

static void busmap_refuses_what_it_cannot_hold(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);

	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, 1ULL << 60, SECTION),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, LIMIT, 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, LIMIT - 1, 2), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, SECTION, LIMIT), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, SECTION, ~0ULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, ~0ULL, 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, ~0ULL, 2), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_remove(map, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ehea_busmap_remove(map, LIMIT - 1, 2), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_remove(map, 1, ~0ULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 0U);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 1);
	ehea_busmap_put(map);
}

static void busmap_never_wraps_an_address(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	u32 bit;

	map_add(test, map, 0, SECTION);
	map_add(test, map, LIMIT - SECTION, SECTION);
	map_seal(test, map);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, LIMIT - 1),
			BASE + 2 * SECTION - 1);
	for (bit = EHEA_BUSMAP_ADDR_BITS; bit < 64; bit++) {
		KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 1ULL << bit),
				HOLE);
		KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, ~0ULL << bit),
				HOLE);
	}
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, ~0ULL), HOLE);
	ehea_busmap_put(map);
}

static void busmap_covers_the_last_section(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap_run run = {};

	map_add(test, map, LIMIT - 1, 1);
	map_seal(test, map);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, LIMIT - SECTION), BASE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, LIMIT - SECTION - 1),
			HOLE);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_next_run(map, &run));
	KUNIT_EXPECT_EQ(test, run.real + run.len, LIMIT);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_next_run(map, &run));
	ehea_busmap_put(map);
}

static void busmap_second_report_changes_nothing(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);

	map_add(test, map, 4 * SECTION, 16 * SECTION);
	map_add(test, map, 4 * SECTION, 16 * SECTION);
	map_add(test, map, 8 * SECTION, SECTION);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 16U);

	map_remove(test, map, 4 * SECTION, 8 * SECTION);
	map_remove(test, map, 4 * SECTION, 8 * SECTION);
	map_remove(test, map, 0, SECTION);
	map_remove(test, map, MID, MID);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 8U);
	ehea_busmap_put(map);
}

/* A block with its own memmap is announced without its first megabytes. */
static void busmap_rounds_outward(struct kunit *test)
{
	u64 block = 256ULL << 20, memmap = 4ULL << 20, start = 4ULL << 30;
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap_run run = {};

	map_add(test, map, start + memmap, block - memmap);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_next_run(map, &run));
	KUNIT_EXPECT_EQ(test, run.real, start);
	KUNIT_EXPECT_EQ(test, run.len, block);

	map_remove(test, map, start + memmap, block - memmap);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 0U);

	map_add(test, map, start + SECTION - 1, 2);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 2U);
	map_remove(test, map, start + SECTION - 1, 1);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 1U);
	map_remove(test, map, start + 2 * SECTION - 1, 1);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 0U);
	ehea_busmap_put(map);
}

static void busmap_frees_empty_tables(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	size_t empty = ehea_busmap_bytes(map);

	map_add(test, map, LEAF - SECTION, 2 * SECTION);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 4);
	map_remove(test, map, LEAF - SECTION, SECTION);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 3);
	map_add(test, map, MID, SECTION);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 5);
	map_remove(test, map, MID, SECTION);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 3);
	map_remove(test, map, 0, LIMIT);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 1);
	KUNIT_EXPECT_EQ(test, ehea_busmap_bytes(map), empty);
	ehea_busmap_put(map);
}

/* Searches that begin in the middle of a table that is not there. */
static void busmap_skips_absent_tables_and_no_more(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap_run run = { .real = LEAF / 2 };

	map_add(test, map, LEAF, SECTION);
	map_add(test, map, 3 * LEAF, SECTION);
	map_add(test, map, MID, SECTION);
	expect_run(test, map, &run, LEAF, HOLE, SECTION);

	map_remove(test, map, LEAF / 2, LEAF);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 2U);
	map_remove(test, map, 2 * LEAF + LEAF / 2, LEAF);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 1U);
	map_remove(test, map, MID / 2, MID);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 0U);
	ehea_busmap_put(map);
}

static void busmap_is_immutable_once_sealed(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);

	map_add(test, map, 0, 2 * SECTION);
	map_seal(test, map);
	KUNIT_EXPECT_EQ(test, ehea_busmap_add(map, 5 * SECTION, SECTION),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, ehea_busmap_remove(map, 0, SECTION), -EBUSY);
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 2U);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 5 * SECTION), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 0), BASE);
	ehea_busmap_put(map);
}

static void busmap_renumbers_a_clone_and_not_the_old_map(struct kunit *test)
{
	struct ehea_busmap *old = new_map(test);
	struct ehea_busmap *map;

	map_add(test, old, SECTION, SECTION);
	map_add(test, old, MID + SECTION, SECTION);
	map_seal(test, old);

	map = clone_map(test, old);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_equal(old, map));
	map_add(test, map, 0, SECTION);
	map_add(test, map, LEAF, SECTION);
	map_remove(test, map, SECTION, SECTION);
	ehea_busmap_seal(map, SECTION);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));

	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 0), SECTION);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, SECTION), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, LEAF), 2 * SECTION);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, MID + SECTION),
			3 * SECTION);

	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(old));
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(old, 0), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(old, SECTION), BASE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(old, LEAF), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(old, MID + SECTION),
			BASE + SECTION);
	ehea_busmap_put(old);
	ehea_busmap_put(map);
}

static void busmap_may_begin_at_bus_address_0(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);

	map_add(test, map, SECTION, SECTION);
	ehea_busmap_seal(map, 0);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, SECTION), 0ULL);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup(map, 0), HOLE);
	ehea_busmap_put(map);
}

static void busmap_cancelled_add_leaves_an_equal_map(struct kunit *test)
{
	struct ehea_busmap *old = new_map(test);
	struct ehea_busmap *map;

	map_add(test, old, 0, 16 * SECTION);
	map_seal(test, old);
	map = clone_map(test, old);
	map_add(test, map, LEAF, 16 * SECTION);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_equal(old, map));
	map_remove(test, map, LEAF, 16 * SECTION);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_equal(old, map));
	KUNIT_EXPECT_EQ(test, ehea_busmap_bytes(old), ehea_busmap_bytes(map));
	ehea_busmap_put(old);
	ehea_busmap_put(map);
}

static void busmap_runs_are_maximal_and_ascend(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap_run run = {}, again;

	map_add(test, map, MID - SECTION, 3 * SECTION);
	map_add(test, map, 9 * SECTION, SECTION);
	map_add(test, map, 0, 2 * SECTION);
	map_add(test, map, LEAF, LEAF);
	expect_run(test, map, &run, 0, HOLE, 2 * SECTION);

	map_seal(test, map);
	run = (struct ehea_busmap_run){};
	expect_run(test, map, &run, 0, BASE, 2 * SECTION);
	expect_run(test, map, &run, 9 * SECTION, BASE + 2 * SECTION, SECTION);
	again = run;
	expect_run(test, map, &run, LEAF, BASE + 3 * SECTION, LEAF);
	expect_run(test, map, &run, MID - SECTION, BASE + 3 * SECTION + LEAF,
		   3 * SECTION);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_next_run(map, &run));
	KUNIT_EXPECT_EQ(test, run.real, MID - SECTION);
	expect_run(test, map, &again, LEAF, BASE + 3 * SECTION, LEAF);
	ehea_busmap_put(map);
}

static void busmap_compares_maps(struct kunit *test)
{
	struct ehea_busmap *a = new_map(test);
	struct ehea_busmap *b = new_map(test);

	KUNIT_EXPECT_TRUE(test, ehea_busmap_equal(a, b));
	map_add(test, a, 0, 4 * SECTION);
	map_add(test, a, MID, 4 * SECTION);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_covers(a, b));
	KUNIT_EXPECT_FALSE(test, ehea_busmap_covers(b, a));

	map_add(test, b, SECTION, 2 * SECTION);
	map_add(test, b, MID + 3 * SECTION, SECTION);
	KUNIT_EXPECT_TRUE(test, ehea_busmap_covers(a, b));
	KUNIT_EXPECT_FALSE(test, ehea_busmap_covers(b, a));

	map_add(test, b, MID + 4 * SECTION, SECTION);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_covers(a, b));

	map_remove(test, a, 0, LIMIT);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_equal(a, b));
	KUNIT_EXPECT_FALSE(test, ehea_busmap_equal(b, a));
	map_remove(test, b, 0, LIMIT);
	map_add(test, a, 0, SECTION);
	map_add(test, b, LEAF, SECTION);
	KUNIT_EXPECT_FALSE(test, ehea_busmap_equal(a, b));
	ehea_busmap_put(a);
	ehea_busmap_put(b);
}

static void busmap_finds_buffers_across_sections(struct kunit *test)
{
	u64 hole = 5 * SECTION, next = 6 * SECTION;
	struct ehea_busmap *map = new_map(test);

	map_add(test, map, SECTION, 4 * SECTION);
	map_add(test, map, next, SECTION);
	map_seal(test, map);

	/* Inside of a section, to its last byte, and over its end. */
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, SECTION, 1), BASE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, SECTION, SECTION),
			BASE);
	KUNIT_EXPECT_EQ(test,
			ehea_busmap_lookup_range(map, SECTION + 1, SECTION),
			BASE + 1);
	KUNIT_EXPECT_EQ(test,
			ehea_busmap_lookup_range(map, SECTION, 4 * SECTION),
			BASE);

	/* Ends in a hole, begins in one, has one in the middle. */
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, hole - 1, 2),
			HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, SECTION - 1, 2),
			HOLE);
	KUNIT_EXPECT_EQ(test,
			ehea_busmap_lookup_range(map, hole - 1, SECTION + 2),
			HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, hole, 1), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, LIMIT - 1, 2),
			HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, ~0ULL, 2), HOLE);
	KUNIT_EXPECT_EQ(test, ehea_busmap_lookup_range(map, SECTION, ~0U),
			HOLE);
	ehea_busmap_put(map);
}

static void near_finds(struct kunit *test, const struct ehea_busmap *map,
		       struct ehea_spot *spot, u64 real, u32 len)
{
	u64 right = ehea_busmap_lookup_range(map, real, len);
	u64 bus;

	KUNIT_EXPECT_EQ(test,
			ehea_busmap_lookup_near(map, spot, real, len, &bus),
			right != HOLE);
	KUNIT_EXPECT_EQ(test, bus, right);
}

static void busmap_finds_buffers_near_the_last_one(struct kunit *test)
{
	static const u64 places[] = {
		0, SECTION - 1, SECTION, 2 * SECTION - 2, 2 * SECTION - 1,
		3 * SECTION, 5 * SECTION - 1, 5 * SECTION, 6 * SECTION,
		LEAF - 1, LEAF, LIMIT - 1,
	};
	static const u32 lengths[] = { 1, 2, 3, SECTION };
	struct ehea_busmap *map = new_map(test);
	unsigned int count = ARRAY_SIZE(places);
	unsigned int n;

	map_add(test, map, SECTION, 2 * SECTION);
	map_add(test, map, 4 * SECTION, SECTION);
	map_add(test, map, LEAF, SECTION);
	map_seal(test, map);

	for (n = 0; n < count * count * ARRAY_SIZE(lengths); n++) {
		struct ehea_spot spot = {};

		near_finds(test, map, &spot, places[n % count], 1);
		near_finds(test, map, &spot, places[n / count % count],
			   lengths[n / count / count]);
	}
	ehea_busmap_put(map);
}

static void busmap_lives_until_the_last_put(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);

	map_add(test, map, 0, SECTION);
	KUNIT_EXPECT_PTR_EQ(test, ehea_busmap_get(map), map);
	ehea_busmap_put(map);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 3);
	ehea_busmap_put(map);
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 0);
	ehea_busmap_put(NULL);
}

static void busmap_failed_add_changes_nothing(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	struct ehea_busmap *old;
	unsigned int nth;
	int err, live;

	map_add(test, map, MID - 2 * SECTION, SECTION);
	old = clone_map(test, map);
	live = ehea_test_alloc_live();

	/* Needs one table of the middle level and two leaves. */
	for (nth = 1; nth <= 4; nth++) {
		ehea_test_alloc_fail_at(nth);
		err = ehea_busmap_add(map, MID - SECTION, 2 * LEAF + SECTION);
		KUNIT_EXPECT_EQ(test, err, nth < 4 ? -ENOMEM : 0);
		ehea_test_alloc_fail_at(0);
		if (!err)
			break;
		KUNIT_EXPECT_TRUE(test, ehea_busmap_equal(map, old));
		KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));
		KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), live);
	}
	KUNIT_EXPECT_EQ(test, ehea_busmap_sections(map), 1026U);
	ehea_busmap_put(old);
	ehea_busmap_put(map);
}

static void busmap_failed_new_and_clone_leave_nothing(struct kunit *test)
{
	struct ehea_busmap *map, *clone;
	int live, nth;

	ehea_test_alloc_fail_at(1);
	KUNIT_EXPECT_NULL(test, ehea_busmap_new());

	map = new_map(test);
	map_add(test, map, LEAF - SECTION, 2 * SECTION);
	map_add(test, map, MID, SECTION);
	live = ehea_test_alloc_live();
	for (nth = 1; nth <= live; nth++) {
		ehea_test_alloc_fail_at(nth);
		clone = ehea_busmap_clone(map);
		KUNIT_EXPECT_NULL(test, clone);
		ehea_busmap_put(clone);
		KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), live);
	}
	ehea_test_alloc_fail_at(nth);
	clone = clone_map(test, map);
	ehea_test_alloc_fail_at(0);
	ehea_busmap_put(clone);
	ehea_busmap_put(map);
}

static void busmap_self_test_finds_damage(struct kunit *test)
{
	struct ehea_busmap *map = new_map(test);
	u64 *entry;

	map_add(test, map, 0, 3 * SECTION);
	map_seal(test, map);

	map->sections++;
	KUNIT_EXPECT_FALSE(test, ehea_busmap_is_valid(map));
	map->sections--;

	map->tables++;
	KUNIT_EXPECT_FALSE(test, ehea_busmap_is_valid(map));
	map->tables--;

	entry = &map->top[0]->leaf[0]->bus[1];
	*entry += SECTION;
	KUNIT_EXPECT_FALSE(test, ehea_busmap_is_valid(map));
	*entry = HOLE;
	KUNIT_EXPECT_FALSE(test, ehea_busmap_is_valid(map));
	*entry = BASE + SECTION;
	KUNIT_EXPECT_TRUE(test, ehea_busmap_is_valid(map));

	/* Counts that agree, but a table that leads to nothing. */
	entry[-1] = HOLE;
	entry[0] = HOLE;
	entry[1] = HOLE;
	map->sections = 0;
	KUNIT_EXPECT_FALSE(test, ehea_busmap_is_valid(map));
	ehea_busmap_put(map);
}

static void busmap_model_finds_damage(struct kunit *test)
{
	struct ehea_model *model;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	KUNIT_ASSERT_NULL(test, ehea_model_init(model, 1));
	KUNIT_EXPECT_NULL(test, ehea_model_check(model));
	model->present[2][17] = 1;
	KUNIT_EXPECT_NOT_NULL(test, ehea_model_check(model));
	map_add(test, model->map, MID * 6, SECTION);
	KUNIT_EXPECT_NOT_NULL(test, ehea_model_check(model));
	ehea_model_exit(model);
}

static void busmap_agrees_with_the_model(struct kunit *test)
{
	const u64 *seed = test->param_value;
	struct ehea_model *model;
	const char *wrong;
	u32 step;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	wrong = ehea_model_init(model, *seed);
	for (step = 0; step < EHEA_TEST_STEPS && !wrong; step++) {
		wrong = ehea_model_step(model);
		if (!wrong)
			wrong = ehea_model_check(model);
	}
	KUNIT_EXPECT_NULL_MSG(test, wrong, "seed %llu, step %u: %s",
			      (unsigned long long)*seed, step, wrong);
	ehea_model_exit(model);
}

static const u64 busmap_seeds[] = { 1, 2008, 20261122, 0xffffffffffffffffULL };

static void busmap_seed_name(const u64 *seed, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "seed %llu",
		 (unsigned long long)*seed);
}

KUNIT_ARRAY_PARAM(busmap_seeds, busmap_seeds, busmap_seed_name);

static int busmap_test_init(struct kunit *test)
{
	ehea_test_alloc_reset();
	return 0;
}

/* Whatever a case did, all that it took is given back. */
static void busmap_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ehea_test_alloc_live(), 0);
}

static struct kunit_case busmap_test_cases[] = {
	KUNIT_CASE(busmap_empty_map_has_only_holes),
	KUNIT_CASE(busmap_dense_64_gib_take_at_most_48_kib),
	KUNIT_CASE(busmap_sparse_memory_takes_less_than_64_kib),
	KUNIT_CASE(busmap_refuses_what_it_cannot_hold),
	KUNIT_CASE(busmap_never_wraps_an_address),
	KUNIT_CASE(busmap_covers_the_last_section),
	KUNIT_CASE(busmap_second_report_changes_nothing),
	KUNIT_CASE(busmap_rounds_outward),
	KUNIT_CASE(busmap_frees_empty_tables),
	KUNIT_CASE(busmap_skips_absent_tables_and_no_more),
	KUNIT_CASE(busmap_is_immutable_once_sealed),
	KUNIT_CASE(busmap_renumbers_a_clone_and_not_the_old_map),
	KUNIT_CASE(busmap_may_begin_at_bus_address_0),
	KUNIT_CASE(busmap_cancelled_add_leaves_an_equal_map),
	KUNIT_CASE(busmap_runs_are_maximal_and_ascend),
	KUNIT_CASE(busmap_compares_maps),
	KUNIT_CASE(busmap_finds_buffers_across_sections),
	KUNIT_CASE(busmap_finds_buffers_near_the_last_one),
	KUNIT_CASE(busmap_lives_until_the_last_put),
	KUNIT_CASE(busmap_failed_add_changes_nothing),
	KUNIT_CASE(busmap_failed_new_and_clone_leave_nothing),
	KUNIT_CASE(busmap_self_test_finds_damage),
	KUNIT_CASE(busmap_model_finds_damage),
	KUNIT_CASE_PARAM(busmap_agrees_with_the_model, busmap_seeds_gen_params),
	{}
};

static struct kunit_suite busmap_test_suite = {
	.name = "ehea_busmap",
	.init = busmap_test_init,
	.exit = busmap_test_exit,
	.test_cases = busmap_test_cases,
};

kunit_test_suite(busmap_test_suite);
