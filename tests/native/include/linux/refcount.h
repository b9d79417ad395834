/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header, for one thread. */
#ifndef _NATIVE_LINUX_REFCOUNT_H
#define _NATIVE_LINUX_REFCOUNT_H

#include <assert.h>

#include <linux/types.h>

struct native_refcount {
	unsigned int count;
};

#define refcount_t	struct native_refcount

static inline void refcount_set(refcount_t *ref, unsigned int n)
{
	ref->count = n;
}

static inline void refcount_inc(refcount_t *ref)
{
	assert(ref->count);
	ref->count++;
}

static inline bool refcount_dec_and_test(refcount_t *ref)
{
	assert(ref->count);
	return --ref->count == 0;
}

#endif /* _NATIVE_LINUX_REFCOUNT_H */
