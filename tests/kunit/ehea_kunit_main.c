// SPDX-License-Identifier: GPL-2.0-or-later
/* The module that holds all KUnit suites; loading it runs them. */

#include <linux/module.h>

MODULE_DESCRIPTION("KUnit tests of the IBM eHEA network driver");
MODULE_LICENSE("GPL");
