// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's lib/xarray.c, unchanged, with an allocator that counts. A file
 * of its own, since in the kernel xa_load() is not inlined either.
 */

#include <stdlib.h>

#include "kernel_xarray.h"

#include "lib/xarray.c"

struct kmem_cache *radix_tree_node_cachep;

static size_t kernel_nodes;

void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru,
			   int gfp)
{
	struct xa_node *node = calloc(1, sizeof(*node));

	if (node) {
		INIT_LIST_HEAD(&node->private_list);
		kernel_nodes++;
	}

	return node;
}

void kmem_cache_free(struct kmem_cache *cache, void *node)
{
	kernel_nodes--;
	free(node);
}

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kmem_cache_free(NULL, container_of(head, struct xa_node, rcu_head));
}

size_t kernel_xarray_nodes(void)
{
	return kernel_nodes;
}
