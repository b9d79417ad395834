/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the driver uses. */
#ifndef _NATIVE_LINUX_SLAB_H
#define _NATIVE_LINUX_SLAB_H

#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

#define gfp_t	unsigned int

#define GFP_KERNEL	0U

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	return calloc(1, size);
}

static inline void *kmemdup(const void *src, size_t size, gfp_t gfp)
{
	void *p = malloc(size);

	(void)gfp;
	return p ? memcpy(p, src, size) : NULL;
}

static inline void kfree(const void *p)
{
	free((void *)p);
}

/* The kernel's caches of 4 KiB and more are powers of two. */
static inline size_t kmalloc_size_roundup(size_t size)
{
	size_t rounded = 4096;

	while (rounded < size)
		rounded *= 2;

	return rounded;
}

#endif /* _NATIVE_LINUX_SLAB_H */
