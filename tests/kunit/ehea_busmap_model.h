/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reference model of a busmap: one byte for each section of a few windows
 * of the address space, searched by brute force. Slow, and plainly right.
 */

#ifndef _EHEA_BUSMAP_MODEL_H
#define _EHEA_BUSMAP_MODEL_H

#include <linux/types.h>

#include "../../ehea_busmap.h"

#define EHEA_MODEL_WINDOWS	5
#define EHEA_MODEL_SECTIONS	1100

/**
 * struct ehea_model - a busmap and what it must be
 * @map: the map under test, not sealed
 * @random: state of the random numbers; they follow from the seed alone
 * @present: is that section of that window in the map?
 */
struct ehea_model {
	struct ehea_busmap *map;
	u64 random;
	u8 present[EHEA_MODEL_WINDOWS][EHEA_MODEL_SECTIONS];
};

const char *ehea_model_init(struct ehea_model *model, u64 seed);
void ehea_model_exit(struct ehea_model *model);
const char *ehea_model_step(struct ehea_model *model);
const char *ehea_model_check(struct ehea_model *model);

#endif /* _EHEA_BUSMAP_MODEL_H */
