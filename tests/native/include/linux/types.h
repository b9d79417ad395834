/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the driver uses. */
#ifndef _NATIVE_LINUX_TYPES_H
#define _NATIVE_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#endif /* _NATIVE_LINUX_TYPES_H */
