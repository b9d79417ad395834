/* SPDX-License-Identifier: GPL-2.0-or-later */
#define CONFIG_64BIT 1
