// SPDX-License-Identifier: GPL-2.0-or-later
/* Allocations of a driver file under test: counted, and failing on demand. */

#include "ehea_test_alloc.h"

/* Cases run one after the other, so plain counters do. */
static unsigned int ehea_test_fail_at;
static int ehea_test_live;

void ehea_test_alloc_reset(void)
{
	ehea_test_fail_at = 0;
	ehea_test_live = 0;
}

void ehea_test_alloc_fail_at(unsigned int nth)
{
	ehea_test_fail_at = nth;
}

int ehea_test_alloc_live(void)
{
	return ehea_test_live;
}

static bool ehea_test_must_fail(void)
{
	return ehea_test_fail_at && !--ehea_test_fail_at;
}

static void *ehea_test_count(void *p)
{
	if (p)
		ehea_test_live++;

	return p;
}

void *ehea_test_kzalloc(size_t size, gfp_t gfp)
{
	if (ehea_test_must_fail())
		return NULL;

	return ehea_test_count(kzalloc(size, gfp));
}

void *ehea_test_kmemdup(const void *src, size_t size, gfp_t gfp)
{
	if (ehea_test_must_fail())
		return NULL;

	return ehea_test_count(kmemdup(src, size, gfp));
}

void ehea_test_kfree(const void *p)
{
	if (p)
		ehea_test_live--;

	kfree(p);
}
