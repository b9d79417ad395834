/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-space stand-in for the kernel header. */
#ifndef _NATIVE_LINUX_STRING_H
#define _NATIVE_LINUX_STRING_H

#include <string.h>

#endif /* _NATIVE_LINUX_STRING_H */
