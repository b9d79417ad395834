// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's receiving, with frames that end in the test. */

#include <linux/netdevice.h>

#include "ehea_fake.h"

#define napi_gro_receive(napi, skb)	ehea_fake_receive(napi, skb)

#include "../../ehea_rx.c"
