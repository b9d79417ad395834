// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's busmap, with allocations that the tests watch. */

#include "ehea_test_redirect.h"

#include "../../ehea_busmap.c"
