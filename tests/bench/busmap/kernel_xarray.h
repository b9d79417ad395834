/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _KERNEL_XARRAY_H
#define _KERNEL_XARRAY_H

#include <stddef.h>

size_t kernel_xarray_nodes(void);

#endif /* _KERNEL_XARRAY_H */
