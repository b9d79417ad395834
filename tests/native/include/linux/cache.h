/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header: only what the driver uses. */
#ifndef _NATIVE_LINUX_CACHE_H
#define _NATIVE_LINUX_CACHE_H

#define __ro_after_init

#endif /* _NATIVE_LINUX_CACHE_H */
