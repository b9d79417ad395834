// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's sending, on a channel without an adapter. */

#include "../../ehea_tx.c"
