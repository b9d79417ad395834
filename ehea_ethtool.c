// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): administration by ethtool.
 */
#include <linux/ethtool.h>

#include "ehea.h"

static void ehea_get_drvinfo(struct net_device *netdev,
			     struct ethtool_drvinfo *info)
{
	strscpy(info->driver, EHEA_DRV_NAME, sizeof(info->driver));
	strscpy(info->bus_info, dev_name(netdev->dev.parent),
		sizeof(info->bus_info));
}

const struct ethtool_ops ehea_ethtool_ops = {
	.get_drvinfo		= ehea_get_drvinfo,
	.get_link		= ethtool_op_get_link,
};
