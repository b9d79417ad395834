/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocations of a driver file under test: counted, and failing on demand.
 *
 * A file of the driver is put under test by one that includes
 * ehea_test_redirect.h and then the driver's file itself.
 */

#ifndef _EHEA_TEST_ALLOC_H
#define _EHEA_TEST_ALLOC_H

#include <linux/slab.h>
#include <linux/types.h>

/**
 * ehea_test_alloc_reset - forget all allocations and let none fail
 */
void ehea_test_alloc_reset(void);

/**
 * ehea_test_alloc_fail_at - let one allocation fail
 * @nth: 1 for the next one, 2 for the one after it; 0 lets none fail
 */
void ehea_test_alloc_fail_at(unsigned int nth);

/**
 * ehea_test_alloc_live - allocations that were not freed
 *
 * Return: their number since the last reset; negative if too many were freed
 */
int ehea_test_alloc_live(void);

void *ehea_test_kzalloc(size_t size, gfp_t gfp);
void *ehea_test_kmemdup(const void *src, size_t size, gfp_t gfp);
void ehea_test_kfree(const void *p);

#endif /* _EHEA_TEST_ALLOC_H */
