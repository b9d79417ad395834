/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the tests use. */
#ifndef _NATIVE_LINUX_MINMAX_H
#define _NATIVE_LINUX_MINMAX_H

#define min(a, b) ({			\
	__typeof__(a) __a = (a);	\
	__typeof__(b) __b = (b);	\
					\
	__a < __b ? __a : __b;		\
})

#endif /* _NATIVE_LINUX_MINMAX_H */
