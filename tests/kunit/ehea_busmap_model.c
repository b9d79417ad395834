// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reference model of a busmap, and random changes to both.
 *
 * Functions return NULL if all is well, else what is wrong.
 */

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "ehea_busmap_model.h"
#include "ehea_test_alloc.h"

#define EHEA_MODEL_MAX_LEN	(80 * EHEA_BUSMAP_SIZE)

/* First section of each window: at 0, off every boundary, across one of the
 * tables of the middle level, at 2^50, and up to the last section there is.
 */
static const u32 ehea_model_start[EHEA_MODEL_WINDOWS] = {
	0,
	300 * 512 + 7,
	7 * 512 * 512 - 550,
	1U << 26,
	(1U << 27) - EHEA_MODEL_SECTIONS,
};

/* Number of windows that are taken together in one removal. */
#define EHEA_MODEL_WIDE		2

/* splitmix64: small, and the same everywhere. */
static u64 ehea_model_random(struct ehea_model *model)
{
	u64 z = model->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* A number below @n, without a 64-bit division. */
static u32 ehea_model_below(struct ehea_model *model, u32 n)
{
	return ((ehea_model_random(model) >> 32) * n) >> 32;
}

static u64 ehea_model_real(u32 window, u32 i)
{
	return (u64)(ehea_model_start[window] + i) << EHEA_BUSMAP_SHIFT;
}

static void ehea_model_set(struct ehea_model *model, u64 start, u64 len,
			   u8 present)
{
	u32 window, i;
	u64 real;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		for (i = 0; i < EHEA_MODEL_SECTIONS; i++) {
			real = ehea_model_real(window, i);
			if (real < start + len &&
			    start < real + EHEA_BUSMAP_SIZE)
				model->present[window][i] = present;
		}
	}
}

static u32 ehea_model_count(const struct ehea_model *model)
{
	u32 count = 0, window, i;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		for (i = 0; i < EHEA_MODEL_SECTIONS; i++)
			count += model->present[window][i];
	}

	return count;
}

/* Tables of one level, each covering 1 << @shift sections. */
static u32 ehea_model_tables(const struct ehea_model *model, u32 shift)
{
	u32 last = ~0U, tables = 0, window, i, table;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		for (i = 0; i < EHEA_MODEL_SECTIONS; i++) {
			table = (ehea_model_start[window] + i) >> shift;
			if (!model->present[window][i] || table == last)
				continue;
			last = table;
			tables++;
		}
	}

	return tables;
}

/* A random range inside of a window: whole sections, or any bytes. */
static void ehea_model_range(struct ehea_model *model, u64 *start, u64 *len)
{
	u32 window = ehea_model_below(model, EHEA_MODEL_WINDOWS);
	u64 first = ehea_model_real(window, 0);
	u64 room, want;
	u32 i;

	i = ehea_model_below(model, EHEA_MODEL_SECTIONS);
	room = ehea_model_real(window, EHEA_MODEL_SECTIONS) - first;
	room -= (u64)i << EHEA_BUSMAP_SHIFT;
	*start = first + ((u64)i << EHEA_BUSMAP_SHIFT);

	want = ehea_model_below(model, EHEA_MODEL_MAX_LEN >> 12) + 1;
	want <<= 12;
	if (ehea_model_below(model, 2)) {
		want = (want + EHEA_BUSMAP_SIZE - 1) & ~(EHEA_BUSMAP_SIZE - 1);
	} else {
		want = want - ehea_model_below(model, 1U << 12);
		i = ehea_model_below(model, EHEA_BUSMAP_SIZE);
		*start += i;
		room -= i;
	}
	*len = min(want, room);
}

static const char *ehea_model_add(struct ehea_model *model)
{
	u64 start, len;

	ehea_model_range(model, &start, &len);
	if (ehea_busmap_add(model->map, start, len))
		return "add failed";

	ehea_model_set(model, start, len, 1);
	return NULL;
}

static const char *ehea_model_remove(struct ehea_model *model)
{
	u64 start, len;

	ehea_model_range(model, &start, &len);
	if (ehea_busmap_remove(model->map, start, len))
		return "remove failed";

	ehea_model_set(model, start, len, 0);
	return NULL;
}

/* From inside of one window into a later one, and all that is between. */
static const char *ehea_model_remove_wide(struct ehea_model *model)
{
	u32 window = ehea_model_below(model,
				      EHEA_MODEL_WINDOWS - EHEA_MODEL_WIDE);
	u64 start, end;

	start = ehea_model_real(window, EHEA_MODEL_SECTIONS - 1 -
				ehea_model_below(model, 50));
	end = ehea_model_real(window + EHEA_MODEL_WIDE,
			      ehea_model_below(model, 50));
	if (ehea_busmap_remove(model->map, start, end - start))
		return "wide remove failed";

	ehea_model_set(model, start, end - start, 0);
	return NULL;
}

/* Memory that comes and goes at once: each section is there, or is not. */
static const char *ehea_model_cancel(struct ehea_model *model)
{
	struct ehea_busmap *map = ehea_busmap_clone(model->map);
	const char *wrong = NULL;
	u64 start, len;

	if (!map)
		return "clone failed";

	ehea_model_range(model, &start, &len);
	if (ehea_busmap_add(map, start, len))
		wrong = "add failed";
	else if (!ehea_busmap_covers(map, model->map))
		wrong = "add lost a section";
	else if (ehea_busmap_remove(map, start, len))
		wrong = "remove failed";
	else if (!ehea_busmap_covers(model->map, map))
		wrong = "remove left a section";
	else if (ehea_busmap_remove(model->map, start, len))
		wrong = "remove failed in the original";
	else if (!ehea_busmap_equal(model->map, map))
		wrong = "add and remove differ from remove";
	ehea_model_set(model, start, len, 0);
	ehea_busmap_put(map);

	return wrong;
}

/* Goes on with a clone of the sealed map, as every change of memory does. */
static const char *ehea_model_renew(struct ehea_model *model)
{
	struct ehea_busmap *map;

	ehea_busmap_seal(model->map, EHEA_BUSMAP_SIZE);
	if (ehea_busmap_add(model->map, 0, 1) != -EBUSY)
		return "a sealed map took an add";

	map = ehea_busmap_clone(model->map);
	if (!map)
		return "clone failed";
	if (!ehea_busmap_equal(map, model->map))
		return "clone differs";

	ehea_busmap_put(model->map);
	model->map = map;
	return NULL;
}

static const char *ehea_model_starve(struct ehea_model *model)
{
	struct ehea_busmap *map;
	u64 start, len;
	int live, err;

	live = ehea_test_alloc_live();
	ehea_test_alloc_fail_at(1 + ehea_model_below(model, 8));
	map = ehea_busmap_clone(model->map);
	ehea_busmap_put(map);
	ehea_test_alloc_fail_at(0);
	if (ehea_test_alloc_live() != live)
		return "clone leaks";

	ehea_model_range(model, &start, &len);
	ehea_test_alloc_fail_at(1 + ehea_model_below(model, 2));
	err = ehea_busmap_add(model->map, start, len);
	ehea_test_alloc_fail_at(0);
	if (err && err != -ENOMEM)
		return "add failed for another reason than memory";
	if (!err)
		ehea_model_set(model, start, len, 1);

	return NULL;
}

/**
 * ehea_model_init - begin with an empty map
 * @model: the model to set up
 * @seed: what all random numbers follow from
 *
 * Return: NULL, or what is wrong
 */
const char *ehea_model_init(struct ehea_model *model, u64 seed)
{
	memset(model, 0, sizeof(*model));
	model->random = seed;
	model->map = ehea_busmap_new();

	return model->map ? NULL : "no memory";
}

/**
 * ehea_model_exit - free the map
 * @model: the model
 */
void ehea_model_exit(struct ehea_model *model)
{
	ehea_busmap_put(model->map);
}

/**
 * ehea_model_step - change map and model at random
 * @model: the model
 *
 * Return: NULL, or what is wrong
 */
const char *ehea_model_step(struct ehea_model *model)
{
	switch (ehea_model_below(model, 16)) {
	case 0:
		return ehea_model_renew(model);
	case 1:
		return ehea_model_starve(model);
	case 2:
		return ehea_model_remove_wide(model);
	case 3:
	case 4:
		return ehea_model_cancel(model);
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		return ehea_model_remove(model);
	default:
		return ehea_model_add(model);
	}
}

static const char *ehea_model_check_section(struct ehea_model *model,
					    const struct ehea_busmap *map,
					    u64 real, u64 bus)
{
	u64 last = EHEA_BUSMAP_SIZE - 1;
	u64 at = ehea_model_below(model, EHEA_BUSMAP_SIZE);

	if (bus == EHEA_BUSMAP_HOLE) {
		if (ehea_busmap_lookup(map, real) != bus ||
		    ehea_busmap_lookup(map, real + at) != bus ||
		    ehea_busmap_lookup(map, real + last) != bus)
			return "an absent section has a bus address";
		return NULL;
	}

	if (ehea_busmap_lookup(map, real) != bus ||
	    ehea_busmap_lookup(map, real + at) != bus + at ||
	    ehea_busmap_lookup(map, real + last) != bus + last)
		return "wrong bus address";

	return NULL;
}

static const char *ehea_model_check_lookup(struct ehea_model *model,
					   const struct ehea_busmap *map)
{
	u64 next = map->base, bus, real;
	const char *wrong = NULL;
	u32 window, i;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		for (i = 0; i < EHEA_MODEL_SECTIONS && !wrong; i++) {
			bus = EHEA_BUSMAP_HOLE;
			if (model->present[window][i]) {
				bus = next;
				next += EHEA_BUSMAP_SIZE;
			}
			real = ehea_model_real(window, i);
			wrong = ehea_model_check_section(model, map, real,
							 bus);
		}
	}

	return wrong;
}

/* Outside of the windows nothing was ever added. */
static const char *ehea_model_check_outside(const struct ehea_busmap *map)
{
	u32 window;
	u64 real;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		real = ehea_model_real(window, 0);
		if (ehea_busmap_lookup(map, real - 1) != EHEA_BUSMAP_HOLE)
			return "a bus address before a window";
		real = ehea_model_real(window, EHEA_MODEL_SECTIONS);
		if (ehea_busmap_lookup(map, real) != EHEA_BUSMAP_HOLE)
			return "a bus address behind a window";
	}

	return NULL;
}

/* The windows do not touch each other, so no run goes from one to the next. */
static const char *ehea_model_check_run(const struct ehea_model *model,
					const struct ehea_busmap *map,
					u32 window, u32 *i,
					struct ehea_busmap_run *run)
{
	u32 first = *i, end = first;

	while (end < EHEA_MODEL_SECTIONS && model->present[window][end])
		end++;
	*i = end;

	if (!ehea_busmap_next_run(map, run))
		return "a run is missing";
	if (run->real != ehea_model_real(window, first))
		return "a run starts elsewhere";
	if (run->real + run->len != ehea_model_real(window, end))
		return "a run ends elsewhere";
	if (run->bus != ehea_busmap_lookup(map, run->real))
		return "a run has the wrong bus address";

	return NULL;
}

static const char *ehea_model_check_runs(const struct ehea_model *model,
					 const struct ehea_busmap *map)
{
	struct ehea_busmap_run run = {};
	const char *wrong = NULL;
	u32 window, i;

	for (window = 0; window < EHEA_MODEL_WINDOWS; window++) {
		for (i = 0; i < EHEA_MODEL_SECTIONS && !wrong; i++) {
			if (!model->present[window][i])
				continue;
			wrong = ehea_model_check_run(model, map, window, &i,
						     &run);
		}
	}
	if (!wrong && ehea_busmap_next_run(map, &run))
		wrong = "a run too many";

	return wrong;
}

static const char *ehea_model_check_counts(const struct ehea_model *model,
					   const struct ehea_busmap *map)
{
	u32 count = ehea_model_count(model);
	u32 tables = ehea_model_tables(model, 9) + ehea_model_tables(model, 18);
	size_t bytes = kmalloc_size_roundup(sizeof(*map));

	bytes += tables * sizeof(struct ehea_busmap_leaf);
	if (!ehea_busmap_is_valid(map))
		return "the self test fails";
	if (ehea_busmap_sections(map) != count)
		return "wrong number of sections";
	if (ehea_busmap_length(map) != (u64)count << EHEA_BUSMAP_SHIFT)
		return "wrong length";
	if (ehea_busmap_bytes(map) != bytes)
		return "wrong number of tables";

	return NULL;
}

/**
 * ehea_model_check - compare all of the map with the model
 * @model: the model
 *
 * Seals a clone, so that the map can be changed further.
 *
 * Return: NULL, or what is wrong
 */
const char *ehea_model_check(struct ehea_model *model)
{
	struct ehea_busmap *map;
	const char *wrong;
	u64 base;

	wrong = ehea_model_check_counts(model, model->map);
	if (wrong)
		return wrong;

	map = ehea_busmap_clone(model->map);
	if (!map)
		return "clone failed";

	base = (u64)ehea_model_below(model, 2) << 63;
	base += (u64)ehea_model_below(model, 16) << EHEA_BUSMAP_SHIFT;
	ehea_busmap_seal(map, base);
	wrong = ehea_model_check_counts(model, map);
	if (!wrong)
		wrong = ehea_model_check_lookup(model, map);
	if (!wrong)
		wrong = ehea_model_check_outside(map);
	if (!wrong)
		wrong = ehea_model_check_runs(model, map);
	ehea_busmap_put(map);

	return wrong;
}
