// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): administration by ethtool. All operations run
 * under RTNL and may sleep, unless said otherwise.
 */
#include <linux/ethtool.h>
#include <linux/jiffies.h>
#include <linux/linkmode.h>
#include <linux/log2.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "ehea.h"
#include "ehea_compat.h"
#include "ehea_ethtool.h"

/* Reading the adapter's counters takes a hypervisor call. */
#define EHEA_STATS_PERIOD_MIN	100000	/* microseconds */

static void ehea_get_drvinfo(struct net_device *netdev,
			     struct ethtool_drvinfo *info)
{
	struct ehea_port *port = netdev_priv(netdev);

	strscpy(info->driver, EHEA_DRV_NAME, sizeof(info->driver));
	snprintf(info->bus_info, sizeof(info->bus_info), "%s/%s",
		 dev_name(&port->adapter->pdev->dev),
		 dev_name(&port->pdev->dev));
}

static u32 ehea_get_msglevel(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	return port->msg_enable;
}

static void ehea_set_msglevel(struct net_device *netdev, u32 level)
{
	struct ehea_port *port = netdev_priv(netdev);

	port->msg_enable = level;
}

/* The logical port hangs on the physical one, so that is looked at first. */
static int ehea_get_link_ext_state(struct net_device *netdev,
				   struct ethtool_link_ext_state_info *info)
{
	struct ehea_port *port = netdev_priv(netdev);

	if (netif_carrier_ok(netdev) ||
	    READ_ONCE(port->adapter->no_mr))
		return -ENODATA;
	if (!test_bit(EHEA_PORT_EXT_UP, &port->flags))
		info->link_ext_state = ETHTOOL_LINK_EXT_STATE_NO_CABLE;
	else if (!test_bit(EHEA_PORT_LINK_UP, &port->flags))
		info->link_ext_state =
			ETHTOOL_LINK_EXT_STATE_LINK_LOGICAL_MISMATCH;
	else
		return -ENODATA;
	return 0;
}

/*
 * What a port can do is not told; a 10G port is known by its speed. Any port
 * takes "negotiate" as a speed, which leaves it to firmware.
 */
static void ehea_get_supported(struct ethtool_link_ksettings *cmd, u32 speed)
{
	ethtool_link_ksettings_zero_link_mode(cmd, supported);
	ethtool_link_ksettings_add_link_mode(cmd, supported, Pause);
	ethtool_link_ksettings_add_link_mode(cmd, supported, Autoneg);
	if (speed == EHEA_SPEED_10G_F) {
		ethtool_link_ksettings_add_link_mode(cmd, supported,
						     10000baseSR_Full);
		ethtool_link_ksettings_add_link_mode(cmd, supported, FIBRE);
		cmd->base.port = PORT_FIBRE;
		return;
	}
	ethtool_link_ksettings_add_link_mode(cmd, supported, 10baseT_Half);
	ethtool_link_ksettings_add_link_mode(cmd, supported, 10baseT_Full);
	ethtool_link_ksettings_add_link_mode(cmd, supported, 100baseT_Half);
	ethtool_link_ksettings_add_link_mode(cmd, supported, 100baseT_Full);
	ethtool_link_ksettings_add_link_mode(cmd, supported, 1000baseT_Full);
	ethtool_link_ksettings_add_link_mode(cmd, supported, TP);
	cmd->base.port = PORT_TP;
}

static const struct {
	u32 hw;
	u32 speed;
	u8 duplex;
} ehea_speeds[] = {
	{ EHEA_SPEED_10M_H, SPEED_10, DUPLEX_HALF },
	{ EHEA_SPEED_10M_F, SPEED_10, DUPLEX_FULL },
	{ EHEA_SPEED_100M_H, SPEED_100, DUPLEX_HALF },
	{ EHEA_SPEED_100M_F, SPEED_100, DUPLEX_FULL },
	{ EHEA_SPEED_1G_F, SPEED_1000, DUPLEX_FULL },
	{ EHEA_SPEED_10G_F, SPEED_10000, DUPLEX_FULL },
};

static void ehea_fill_speed(struct ethtool_link_ksettings *cmd, u32 hw)
{
	unsigned int i;

	cmd->base.speed = SPEED_UNKNOWN;
	cmd->base.duplex = DUPLEX_UNKNOWN;
	for (i = 0; i < ARRAY_SIZE(ehea_speeds); i++) {
		if (ehea_speeds[i].hw != hw)
			continue;
		cmd->base.speed = ehea_speeds[i].speed;
		cmd->base.duplex = ehea_speeds[i].duplex;
	}
}

/* Asks firmware and changes nothing, neither there nor here. */
static int ehea_get_link_ksettings(struct net_device *netdev,
				   struct ethtool_link_ksettings *cmd)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_port_attr attr;
	int err;

	err = ehea_phyp_query_port(&port->adapter->hea, port->id, &attr);
	if (err)
		return err;
	ehea_get_supported(cmd, attr.speed ?: port->speed);
	ehea_fill_speed(cmd, attr.ext_state ? attr.speed : 0);
	ethtool_link_ksettings_zero_link_mode(cmd, advertising);
	cmd->base.autoneg = AUTONEG_DISABLE;
	if (port->speed_forced)
		return 0;
	cmd->base.autoneg = AUTONEG_ENABLE;
	linkmode_copy(cmd->link_modes.advertising, cmd->link_modes.supported);
	return 0;
}

/* Return: enum ehea_speed, or -EINVAL. */
static int ehea_wanted_speed(const struct ethtool_link_ksettings *cmd)
{
	unsigned int i;

	if (cmd->base.autoneg == AUTONEG_ENABLE)
		return EHEA_SPEED_AUTONEG;
	for (i = 0; i < ARRAY_SIZE(ehea_speeds); i++)
		if (ehea_speeds[i].speed == cmd->base.speed &&
		    ehea_speeds[i].duplex == cmd->base.duplex)
			return ehea_speeds[i].hw;
	return -EINVAL;
}

/*
 * Firmware negotiates all speeds that the port can do; no speed named means
 * that. The tool names speeds only.
 */
static bool ehea_advertises_all(const struct ethtool_link_ksettings *cmd,
				const struct ethtool_link_ksettings *now)
{
	__ETHTOOL_DECLARE_LINK_MODE_MASK(missing);

	linkmode_andnot(missing, now->link_modes.supported,
			cmd->link_modes.advertising);
	linkmode_clear_bit(ETHTOOL_LINK_MODE_Autoneg_BIT, missing);
	linkmode_clear_bit(ETHTOOL_LINK_MODE_Pause_BIT, missing);
	linkmode_clear_bit(ETHTOOL_LINK_MODE_TP_BIT, missing);
	linkmode_clear_bit(ETHTOOL_LINK_MODE_FIBRE_BIT, missing);
	return linkmode_empty(missing) ||
	       linkmode_empty(cmd->link_modes.advertising);
}

static int ehea_set_link_ksettings(struct net_device *netdev,
				   const struct ethtool_link_ksettings *cmd)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ethtool_link_ksettings now = {};
	int speed = ehea_wanted_speed(cmd);
	int err;

	if (speed < 0)
		return speed;
	err = ehea_get_link_ksettings(netdev, &now);
	if (err)
		return err;
	if (speed == EHEA_SPEED_AUTONEG && !ehea_advertises_all(cmd, &now))
		return -EOPNOTSUPP;
	err = ehea_phyp_set_link(&port->adapter->hea, port->id,
				 EHEA_CB4_SPEED, speed);
	if (!err)
		port->speed_forced = speed;
	return err;
}

static int ehea_nway_reset(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	if (port->speed_forced)
		return -EINVAL;
	return ehea_phyp_set_link(&port->adapter->hea, port->id,
				  EHEA_CB4_SPEED, EHEA_SPEED_AUTONEG);
}

static void ehea_get_ringparam(struct net_device *netdev,
			       struct ethtool_ringparam *ring,
			       struct kernel_ethtool_ringparam *kernel_ring,
			       struct netlink_ext_ack *extack)
{
	struct ehea_port *port = netdev_priv(netdev);
	const u32 *entries = port->config.entries;

	ring->rx_mini_max_pending = EHEA_MAX_ENTRIES_RQ1;
	ring->rx_max_pending = EHEA_MAX_ENTRIES_RQ2;
	ring->rx_jumbo_max_pending = EHEA_MAX_ENTRIES_RQ3;
	ring->tx_max_pending = EHEA_MAX_ENTRIES_SQ;
	ring->rx_mini_pending = entries[EHEA_RQ1];
	ring->rx_pending = entries[EHEA_RQ2];
	ring->rx_jumbo_pending = entries[EHEA_RQ3];
	ring->tx_pending = entries[EHEA_SQ];
}

/* Rings have 2^n - 1 entries; the core has checked that @wanted is allowed. */
static u32 ehea_ring_entries(u32 wanted)
{
	return max_t(u32, roundup_pow_of_two(wanted + 1) - 1, EHEA_MIN_ENTRIES);
}

static int ehea_reconfigure(struct ehea_port *port,
			    const struct ehea_config *config,
			    struct netlink_ext_ack *extack)
{
	int err;

	if (!memcmp(config, &port->config, sizeof(*config)))
		return 0;
	err = ehea_port_reconfigure(port, config);
	switch (err) {
	case 0:
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG(extack, "Firmware has no room for such queues");
		break;
	case -ENOMEM:
		NL_SET_ERR_MSG(extack, "Not enough memory for such queues");
		break;
	case -EAGAIN:
		NL_SET_ERR_MSG(extack, "Firmware gives no memory region now");
		break;
	default:
		NL_SET_ERR_MSG(extack,
			       "New queues cannot be had, the present ones stay");
	}
	return err;
}

static int ehea_set_ringparam(struct net_device *netdev,
			      struct ethtool_ringparam *ring,
			      struct kernel_ethtool_ringparam *kernel_ring,
			      struct netlink_ext_ack *extack)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_config config = port->config;

	config.entries[EHEA_RQ1] = ehea_ring_entries(ring->rx_mini_pending);
	config.entries[EHEA_RQ2] = ehea_ring_entries(ring->rx_pending);
	config.entries[EHEA_RQ3] = ehea_ring_entries(ring->rx_jumbo_pending);
	config.entries[EHEA_SQ] = ehea_ring_entries(ring->tx_pending);
	return ehea_reconfigure(port, &config, extack);
}

static void ehea_get_channels(struct net_device *netdev,
			      struct ethtool_channels *channels)
{
	struct ehea_port *port = netdev_priv(netdev);

	channels->max_combined = port->max_channels;
	channels->combined_count = port->config.channels;
}

static int ehea_set_channels(struct net_device *netdev,
			     struct ethtool_channels *channels)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_config config = port->config;

	config.channels = channels->combined_count;
	return ehea_reconfigure(port, &config, NULL);
}

static u32 ehea_get_rxfh_indir_size(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	return port->max_channels;
}

/* How the adapter hashes is not known, and it has no key. */
static int ehea_get_rxfh(struct net_device *netdev,
			 struct ethtool_rxfh_param *rxfh)
{
	struct ehea_port *port = netdev_priv(netdev);
	unsigned int channels = port->config.channels;
	unsigned int i;

	rxfh->hfunc = ETH_RSS_HASH_UNKNOWN;
	if (!rxfh->indir)
		return 0;
	for (i = 0; i < port->max_channels; i++)
		rxfh->indir[i] = ehea_port_indir(port, i, channels);
	return 0;
}

/* Write a table to firmware that is not yet @port's. */
static int ehea_write_indir(struct ehea_port *port, const u32 *indir)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	u32 qpns[EHEA_MAX_QPS];
	unsigned int i;

	if (!set)
		return 0;
	for (i = 0; i < port->max_channels; i++)
		qpns[i] = set->ch[indir[i]]->qp.number;
	return ehea_phyp_set_port_qps(&port->adapter->hea, port->id, qpns,
				      port->max_channels);
}

static int ehea_set_rxfh(struct net_device *netdev,
			 struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack)
{
	struct ehea_port *port = netdev_priv(netdev);
	unsigned int i;
	int err;

	if (rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE || rxfh->key) {
		NL_SET_ERR_MSG(extack,
			       "The adapter's hash function cannot be changed");
		return -EOPNOTSUPP;
	}
	if (!rxfh->indir)
		return 0;
	/* The core looked at the channels that are configured. */
	for (i = 0; i < port->max_channels; i++)
		if (rxfh->indir[i] >= port->config.channels)
			return -EINVAL;
	err = ehea_write_indir(port, rxfh->indir);
	if (err) {
		NL_SET_ERR_MSG(extack, "Firmware refuses the table");
		return err;
	}
	for (i = 0; i < port->max_channels; i++)
		port->indir[i] = rxfh->indir[i];
	return 0;
}

#ifdef EHEA_HAVE_RX_RING_COUNT
static u32 ehea_get_rx_ring_count(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	return port->config.channels;
}
#else
static int ehea_get_rxnfc(struct net_device *netdev,
			  struct ethtool_rxnfc *cmd, u32 *rule_locs)
{
	struct ehea_port *port = netdev_priv(netdev);

	if (cmd->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	cmd->data = port->config.channels;
	return 0;
}
#endif

static int ehea_get_coalesce(struct net_device *netdev,
			     struct ethtool_coalesce *coalesce,
			     struct kernel_ethtool_coalesce *kernel_coalesce,
			     struct netlink_ext_ack *extack)
{
	struct ehea_port *port = netdev_priv(netdev);

	coalesce->tx_max_coalesced_frames = port->tx_frames;
	coalesce->stats_block_coalesce_usecs =
		jiffies_to_usecs(port->stats_period);
	return 0;
}

static void ehea_set_tx_frames(struct ehea_port *port, u32 frames)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	unsigned int i;

	port->tx_frames = frames;
	for (i = 0; set && i < set->count; i++)
		ehea_tx_set_frames(set->ch[i], frames);
}

static int ehea_set_coalesce(struct net_device *netdev,
			     struct ethtool_coalesce *coalesce,
			     struct kernel_ethtool_coalesce *kernel_coalesce,
			     struct netlink_ext_ack *extack)
{
	u32 usecs = coalesce->stats_block_coalesce_usecs;
	u32 frames = coalesce->tx_max_coalesced_frames;
	struct ehea_port *port = netdev_priv(netdev);
	unsigned long period = usecs_to_jiffies(usecs);

	if (!frames || frames > EHEA_TX_FRAMES_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "tx-frames must be 1 to %u",
				   EHEA_TX_FRAMES_MAX);
		return -EINVAL;
	}
	if (usecs && usecs < EHEA_STATS_PERIOD_MIN) {
		NL_SET_ERR_MSG_FMT(extack,
				   "stats-block-usecs must be 0 (never) or at least %u",
				   EHEA_STATS_PERIOD_MIN);
		return -EINVAL;
	}
	ehea_set_tx_frames(port, frames);
	if (period == port->stats_period)
		return 0;
	WRITE_ONCE(port->stats_period, period);
	if (rtnl_dereference(port->channels))
		ehea_stats_start(port);
	return 0;
}

/* Nothing tells pause of one direction from pause of the other. */
static void ehea_get_pauseparam(struct net_device *netdev,
				struct ethtool_pauseparam *pause)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_port_link link;

	if (ehea_phyp_query_link(&port->adapter->hea, port->id, &link))
		return;
	pause->rx_pause = !!link.pause;
	pause->tx_pause = !!link.pause;
}

/* How firmware takes the field is an assumption: believe what it confirms. */
static int ehea_set_pauseparam(struct net_device *netdev,
			       struct ethtool_pauseparam *pause)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_hea *hea = &port->adapter->hea;
	struct ehea_port_link link;
	int err;

	if (pause->autoneg || pause->rx_pause != pause->tx_pause)
		return -EOPNOTSUPP;
	err = ehea_phyp_set_link(hea, port->id, EHEA_CB4_PAUSE,
				 pause->rx_pause);
	if (!err)
		err = ehea_phyp_query_link(hea, port->id, &link);
	if (err)
		return err == -EPERM ? err : -EOPNOTSUPP;
	return !!link.pause == !!pause->rx_pause ? 0 : -EOPNOTSUPP;
}

static const char ehea_priv_flags[][ETH_GSTRING_LEN] = {
	"prop-carrier-state",
};

#define EHEA_PRIV_PROP_CARRIER	BIT(0)

static u32 ehea_get_priv_flags(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	return test_bit(EHEA_PORT_PROP_CARRIER, &port->flags) ?
	       EHEA_PRIV_PROP_CARRIER : 0;
}

static int ehea_set_priv_flags(struct net_device *netdev, u32 flags)
{
	struct ehea_port *port = netdev_priv(netdev);

	assign_bit(EHEA_PORT_PROP_CARRIER, &port->flags,
		   flags & EHEA_PRIV_PROP_CARRIER);
	ehea_port_update_carrier(port);
	return 0;
}

enum ehea_test {
	EHEA_TEST_ADAPTER,
	EHEA_TEST_PORT,
	EHEA_TEST_QPS,
	EHEA_TEST_MAP,
	EHEA_TEST_REBUILD,
	EHEA_TESTS,
};

static const char ehea_tests[EHEA_TESTS][ETH_GSTRING_LEN] = {
	[EHEA_TEST_ADAPTER]	= "Adapter answers   (online)",
	[EHEA_TEST_PORT]	= "Port answers      (online)",
	[EHEA_TEST_QPS]		= "QPs are ready     (online)",
	[EHEA_TEST_MAP]		= "Memory map valid  (online)",
	[EHEA_TEST_REBUILD]	= "Queues rebuild    (offline)",
};

/* Return: number of QPs that are not as they should be. */
static u64 ehea_test_qps(struct ehea_port *port)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	struct ehea_qp_status status;
	unsigned int i;
	u64 bad = 0;

	for (i = 0; set && i < set->count; i++) {
		struct ehea_qp *qp = &set->ch[i]->qp;

		if (ehea_phyp_query_qp(qp->hea, qp->res.handle, &status) ||
		    !status.enabled || !status.state)
			bad++;
	}
	return bad;
}

static void ehea_self_test(struct net_device *netdev,
			   struct ethtool_test *test, u64 *data)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_adapter *adapter = port->adapter;
	struct ehea_port_attr port_attr;
	struct ehea_hea_attr attr;
	struct ehea_mem_info mem;
	unsigned int i;

	ehea_mem_query(adapter, &mem);
	data[EHEA_TEST_ADAPTER] = !!ehea_phyp_query_hea(&adapter->hea, &attr);
	data[EHEA_TEST_PORT] = !!ehea_phyp_query_port(&adapter->hea, port->id,
						      &port_attr);
	data[EHEA_TEST_QPS] = ehea_test_qps(port);
	data[EHEA_TEST_MAP] = !mem.map_valid || !mem.regions;
	data[EHEA_TEST_REBUILD] = 0;
	if (test->flags & ETH_TEST_FL_OFFLINE)
		data[EHEA_TEST_REBUILD] =
			!!ehea_port_reconfigure(port, &port->config);
	for (i = 0; i < EHEA_TESTS; i++)
		if (data[i])
			test->flags |= ETH_TEST_FL_FAILED;
}

static int ehea_get_sset_count(struct net_device *netdev, int sset)
{
	switch (sset) {
	case ETH_SS_STATS:
		return ehea_ethtool_stats_count(netdev_priv(netdev));
	case ETH_SS_PRIV_FLAGS:
		return ARRAY_SIZE(ehea_priv_flags);
	case ETH_SS_TEST:
		return EHEA_TESTS;
	default:
		return -EOPNOTSUPP;
	}
}

static void ehea_get_strings(struct net_device *netdev, u32 sset, u8 *data)
{
	switch (sset) {
	case ETH_SS_STATS:
		ehea_ethtool_stats_strings(netdev_priv(netdev), data);
		break;
	case ETH_SS_PRIV_FLAGS:
		memcpy(data, ehea_priv_flags, sizeof(ehea_priv_flags));
		break;
	case ETH_SS_TEST:
		memcpy(data, ehea_tests, sizeof(ehea_tests));
		break;
	}
}

/* Layout of &struct ehea_qp_regs. */
#define EHEA_REGS_VERSION	1

static int ehea_get_regs_len(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	return port->max_channels * sizeof(struct ehea_qp_regs);
}

/* One &struct ehea_qp_regs for each queue that the port can have. */
static void ehea_get_regs(struct net_device *netdev, struct ethtool_regs *info,
			  void *data)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_channels *set = rtnl_dereference(port->channels);
	struct ehea_qp_regs *regs = data;
	unsigned int i;

	info->version = EHEA_REGS_VERSION;
	memset(data, 0, ehea_get_regs_len(netdev));
	for (i = 0; set && i < set->count; i++)
		ehea_channel_read_regs(set->ch[i], &regs[i]);
}

const struct ethtool_ops ehea_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_TX_MAX_FRAMES |
				     ETHTOOL_COALESCE_STATS_BLOCK_USECS,
	.get_drvinfo		= ehea_get_drvinfo,
	.get_regs_len		= ehea_get_regs_len,
	.get_regs		= ehea_get_regs,
	.get_msglevel		= ehea_get_msglevel,
	.set_msglevel		= ehea_set_msglevel,
	.nway_reset		= ehea_nway_reset,
	.get_link		= ethtool_op_get_link,
	.get_link_ext_state	= ehea_get_link_ext_state,
	.get_coalesce		= ehea_get_coalesce,
	.set_coalesce		= ehea_set_coalesce,
	.get_ringparam		= ehea_get_ringparam,
	.set_ringparam		= ehea_set_ringparam,
	.get_pause_stats	= ehea_get_pause_stats,
	.get_pauseparam		= ehea_get_pauseparam,
	.set_pauseparam		= ehea_set_pauseparam,
	.self_test		= ehea_self_test,
	.get_strings		= ehea_get_strings,
	.get_ethtool_stats	= ehea_get_ethtool_stats,
	.get_priv_flags		= ehea_get_priv_flags,
	.set_priv_flags		= ehea_set_priv_flags,
	.get_sset_count		= ehea_get_sset_count,
#ifdef EHEA_HAVE_RX_RING_COUNT
	.get_rx_ring_count	= ehea_get_rx_ring_count,
#else
	.get_rxnfc		= ehea_get_rxnfc,
#endif
	.get_rxfh_indir_size	= ehea_get_rxfh_indir_size,
	.get_rxfh		= ehea_get_rxfh,
	.set_rxfh		= ehea_set_rxfh,
	.get_channels		= ehea_get_channels,
	.set_channels		= ehea_set_channels,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_link_ksettings	= ehea_get_link_ksettings,
	.set_link_ksettings	= ehea_set_link_ksettings,
	.get_eth_mac_stats	= ehea_get_eth_mac_stats,
	.get_eth_ctrl_stats	= ehea_get_eth_ctrl_stats,
	.get_rmon_stats		= ehea_get_rmon_stats,
};
