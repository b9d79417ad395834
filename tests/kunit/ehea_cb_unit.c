// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's packing and parsing of hypervisor calls, under test. */

#include "../../ehea_cb.c"
