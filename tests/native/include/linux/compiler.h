/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the driver uses. */
#ifndef _NATIVE_LINUX_COMPILER_H
#define _NATIVE_LINUX_COMPILER_H

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#endif /* _NATIVE_LINUX_COMPILER_H */
