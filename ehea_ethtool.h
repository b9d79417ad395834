/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): ethtool operations that count; they have a
 * file of their own.
 */
#ifndef EHEA_ETHTOOL_H
#define EHEA_ETHTOOL_H

#include <linux/ethtool.h>

int ehea_ethtool_stats_count(const struct ehea_port *port);
void ehea_ethtool_stats_strings(const struct ehea_port *port, u8 *data);
void ehea_get_ethtool_stats(struct net_device *netdev,
			    struct ethtool_stats *stats, u64 *data);
void ehea_get_pause_stats(struct net_device *netdev,
			  struct ethtool_pause_stats *stats);
void ehea_get_eth_mac_stats(struct net_device *netdev,
			    struct ethtool_eth_mac_stats *stats);
void ehea_get_eth_ctrl_stats(struct net_device *netdev,
			     struct ethtool_eth_ctrl_stats *stats);
void ehea_get_rmon_stats(struct net_device *netdev,
			 struct ethtool_rmon_stats *stats,
			 const struct ethtool_rmon_hist_range **ranges);

#endif /* EHEA_ETHTOOL_H */
