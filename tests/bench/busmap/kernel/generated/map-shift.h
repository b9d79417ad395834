/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As in a kernel that is not built for size. */
#define XA_CHUNK_SHIFT 6
