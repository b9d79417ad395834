/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included before a driver file under test: its allocations are ours. */

#ifndef _EHEA_TEST_REDIRECT_H
#define _EHEA_TEST_REDIRECT_H

#include "ehea_test_alloc.h"

#undef kzalloc
#undef kmemdup
#undef kfree
#define kzalloc(size, gfp)		ehea_test_kzalloc(size, gfp)
#define kmemdup(src, size, gfp)		ehea_test_kmemdup(src, size, gfp)
#define kfree(p)			ehea_test_kfree(p)

#endif /* _EHEA_TEST_REDIRECT_H */
