/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the driver uses. */
#ifndef _NATIVE_LINUX_BITS_H
#define _NATIVE_LINUX_BITS_H

#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))

#endif /* _NATIVE_LINUX_BITS_H */
