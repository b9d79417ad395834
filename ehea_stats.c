// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): standard statistics.
 *
 * Frames and bytes are what the driver counted, queue by queue. The adapter's
 * own counters (CB2) are only used for what never reaches a queue, so nothing
 * is counted twice. They take a hypervisor call, which sleeps; so they are
 * read every now and then, and readers get what was read last.
 */
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/netdev_queues.h>

#include "ehea.h"
#include "ehea_compat.h"

#define EHEA_STATS_PERIOD	HZ

static void ehea_stats_add_rx(const struct ehea_rx_stats *rx,
			      struct rtnl_link_stats64 *stats)
{
	u64 packets, bytes, dropped, fcs, other, bad;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&rx->syncp);
		packets = u64_stats_read(&rx->packets);
		bytes = u64_stats_read(&rx->bytes);
		dropped = u64_stats_read(&rx->dropped);
		fcs = u64_stats_read(&rx->fcs_errors);
		other = u64_stats_read(&rx->other_errors);
		bad = u64_stats_read(&rx->bad_cqe);
	} while (u64_stats_fetch_retry(&rx->syncp, start));

	stats->rx_packets += packets;
	stats->rx_bytes += bytes;
	stats->rx_dropped += dropped;
	stats->rx_crc_errors += fcs;
	stats->rx_errors += fcs + other + bad;
}

static void ehea_stats_add_tx(const struct ehea_tx_stats *tx,
			      struct rtnl_link_stats64 *stats)
{
	u64 packets, bytes, errors, bad;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&tx->syncp);
		packets = u64_stats_read(&tx->packets);
		bytes = u64_stats_read(&tx->bytes);
		errors = u64_stats_read(&tx->errors);
		bad = u64_stats_read(&tx->bad_cqe);
	} while (u64_stats_fetch_retry(&tx->syncp, start));

	stats->tx_packets += packets;
	stats->tx_bytes += bytes;
	stats->tx_errors += errors + bad;
}

static void ehea_stats_add_xmit(const struct ehea_xmit_stats *xmit,
				struct rtnl_link_stats64 *stats)
{
	unsigned int start;
	u64 dropped;

	do {
		start = u64_stats_fetch_begin(&xmit->syncp);
		dropped = u64_stats_read(&xmit->dropped);
	} while (u64_stats_fetch_retry(&xmit->syncp, start));

	stats->tx_dropped += dropped;
}

/* What the adapter saw, and no queue. */
static void ehea_stats_add_hw(struct ehea_port *port,
			      struct rtnl_link_stats64 *stats)
{
	u64 too_long, mcast, missed;

	spin_lock_bh(&port->hw_lock);
	missed = port->hw_stats[EHEA_CB2_RX_UCAST_ERRORS];
	too_long = port->hw_stats[EHEA_CB2_RX_TOO_LONG];
	mcast = port->hw_stats[EHEA_CB2_RX_MCAST];
	spin_unlock_bh(&port->hw_lock);

	stats->rx_missed_errors += missed;
	stats->rx_length_errors += too_long;
	stats->rx_errors += too_long;
	stats->multicast += mcast;
}

/**
 * ehea_get_stats64 - standard statistics of a port
 * @netdev: port's network device
 * @stats: zeroed, filled in
 *
 * A counter outlives its queue, so all queues that the port can have are
 * summed, whether they exist now or not.
 *
 * =================  ======================================================
 * rx_packets, bytes  delivered by the driver; bytes with tags, without FCS
 * rx_dropped         received by the adapter, but no memory for an skb
 * rx_missed_errors   meant for the port, but the adapter had no buffer or no
 *                    ready QP for them (CB2, unicast errors)
 * rx_crc_errors      frames that the adapter marked as damaged
 * rx_length_errors   frames that the adapter refused as too long (CB2)
 * rx_errors          these two, other frames marked as bad, and completions
 *                    that made no sense
 * multicast          received multicast frames (CB2), as of the last refresh
 * tx_packets, bytes  completed by the adapter; segments count one by one
 * tx_dropped         not given to the adapter: malformed, or too large
 * tx_errors          completions with an error, or that made no sense
 * =================  ======================================================
 *
 * Unicast frames that CB2 calls discarded are those for somebody else: they
 * are not this port's, and only "ethtool -S" shows them.
 *
 * Context: any, RCU read side; does not sleep.
 */
void ehea_get_stats64(struct net_device *netdev,
		      struct rtnl_link_stats64 *stats)
{
	struct ehea_port *port = netdev_priv(netdev);
	const struct ehea_queue_stats *queue = port->stats[0];
	unsigned int i;

	for (i = 0; i < port->max_channels * EHEA_STATS_BANKS; i++, queue++) {
		ehea_stats_add_rx(&queue->rx, stats);
		ehea_stats_add_tx(&queue->tx, stats);
		ehea_stats_add_xmit(&queue->xmit, stats);
	}
	ehea_stats_add_hw(port, stats);
}

static void ehea_bank_read_rx(const struct ehea_rx_stats *rx,
			      struct netdev_queue_stats_rx *stats)
{
	unsigned int start;
	u64 summed;

	do {
		start = u64_stats_fetch_begin(&rx->syncp);
		stats->packets = u64_stats_read(&rx->packets);
		stats->bytes = u64_stats_read(&rx->bytes);
		stats->alloc_fail = u64_stats_read(&rx->alloc_fail);
		summed = u64_stats_read(&rx->csum_complete);
		stats->csum_unnecessary = u64_stats_read(&rx->csum_unnecessary);
		stats->csum_none = u64_stats_read(&rx->csum_none);
		stats->csum_bad = u64_stats_read(&rx->csum_errors);
	} while (u64_stats_fetch_retry(&rx->syncp, start));
	ehea_qstats_set_csum_complete(stats, summed);
}

static void ehea_bank_read_xmit(const struct ehea_xmit_stats *xmit,
				struct netdev_queue_stats_tx *stats)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&xmit->syncp);
		stats->needs_csum = u64_stats_read(&xmit->csum);
		stats->hw_gso_packets = u64_stats_read(&xmit->gso_packets);
		stats->hw_gso_wire_packets =
			u64_stats_read(&xmit->gso_wire_packets);
		stats->stop = u64_stats_read(&xmit->stop);
	} while (u64_stats_fetch_retry(&xmit->syncp, start));
}

static void ehea_bank_read_tx(const struct ehea_tx_stats *tx,
			      struct netdev_queue_stats_tx *stats)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&tx->syncp);
		stats->packets = u64_stats_read(&tx->packets);
		stats->bytes = u64_stats_read(&tx->bytes);
		stats->wake = u64_stats_read(&tx->wake);
	} while (u64_stats_fetch_retry(&tx->syncp, start));
}

static void ehea_bank_add_rx(const struct ehea_queue_stats *bank,
			     struct netdev_queue_stats_rx *sum)
{
	struct netdev_queue_stats_rx rx;

	ehea_bank_read_rx(&bank->rx, &rx);
	sum->packets += rx.packets;
	sum->bytes += rx.bytes;
	sum->alloc_fail += rx.alloc_fail;
	ehea_qstats_add_csum_complete(sum, &rx);
	sum->csum_unnecessary += rx.csum_unnecessary;
	sum->csum_none += rx.csum_none;
	sum->csum_bad += rx.csum_bad;
}

static void ehea_bank_add_tx(const struct ehea_queue_stats *bank,
			     struct netdev_queue_stats_tx *sum)
{
	struct netdev_queue_stats_tx tx;

	ehea_bank_read_tx(&bank->tx, &tx);
	ehea_bank_read_xmit(&bank->xmit, &tx);
	sum->packets += tx.packets;
	sum->bytes += tx.bytes;
	sum->needs_csum += tx.needs_csum;
	sum->hw_gso_packets += tx.hw_gso_packets;
	sum->hw_gso_wire_packets += tx.hw_gso_wire_packets;
	sum->stop += tx.stop;
	sum->wake += tx.wake;
}

/* Say which counters there are: what is left alone is not reported. */
static void ehea_stats_clear_rx(struct netdev_queue_stats_rx *rx)
{
	rx->packets = 0;
	rx->bytes = 0;
	rx->alloc_fail = 0;
	ehea_qstats_set_csum_complete(rx, 0);
	rx->csum_unnecessary = 0;
	rx->csum_none = 0;
	rx->csum_bad = 0;
}

static void ehea_stats_clear_tx(struct netdev_queue_stats_tx *tx)
{
	tx->packets = 0;
	tx->bytes = 0;
	tx->needs_csum = 0;
	tx->hw_gso_packets = 0;
	tx->hw_gso_wire_packets = 0;
	tx->stop = 0;
	tx->wake = 0;
}

static void ehea_queue_add_rx(const struct ehea_port *port, unsigned int idx,
			      struct netdev_queue_stats_rx *sum)
{
	unsigned int bank;

	for (bank = 0; bank < EHEA_STATS_BANKS; bank++)
		ehea_bank_add_rx(&port->stats[idx][bank], sum);
}

static void ehea_queue_add_tx(const struct ehea_port *port, unsigned int idx,
			      struct netdev_queue_stats_tx *sum)
{
	unsigned int bank;

	for (bank = 0; bank < EHEA_STATS_BANKS; bank++)
		ehea_bank_add_tx(&port->stats[idx][bank], sum);
}

static void ehea_queue_stats_rx(struct net_device *netdev, int idx,
				struct netdev_queue_stats_rx *stats)
{
	ehea_stats_clear_rx(stats);
	ehea_queue_add_rx(netdev_priv(netdev), idx, stats);
}

static void ehea_queue_stats_tx(struct net_device *netdev, int idx,
				struct netdev_queue_stats_tx *stats)
{
	ehea_stats_clear_tx(stats);
	ehea_queue_add_tx(netdev_priv(netdev), idx, stats);
}

/* What queues have counted that are not in use any more. */
static void ehea_base_stats(struct net_device *netdev,
			    struct netdev_queue_stats_rx *rx,
			    struct netdev_queue_stats_tx *tx)
{
	const struct ehea_port *port = netdev_priv(netdev);
	unsigned int i;

	ehea_stats_clear_rx(rx);
	ehea_stats_clear_tx(tx);
	for (i = netdev->real_num_rx_queues; i < port->max_channels; i++)
		ehea_queue_add_rx(port, i, rx);
	for (i = netdev->real_num_tx_queues; i < port->max_channels; i++)
		ehea_queue_add_tx(port, i, tx);
}

const struct netdev_stat_ops ehea_stat_ops = {
	.get_queue_stats_rx	= ehea_queue_stats_rx,
	.get_queue_stats_tx	= ehea_queue_stats_tx,
	.get_base_stats		= ehea_base_stats,
};

/**
 * ehea_stats_refresh - read the adapter's counters of a port
 * @port: port
 *
 * Context: process, sleeps; takes no RTNL.
 * Return: 0; -EPERM if firmware keeps them from this partition; another
 *	   negative error number. The counters are as they were then.
 */
int ehea_stats_refresh(struct ehea_port *port)
{
	u64 counters[EHEA_CB2_COUNTERS];
	int err;

	err = ehea_phyp_query_cb2(&port->adapter->hea, port->id, counters);
	if (err)
		return err;
	spin_lock_bh(&port->hw_lock);
	memcpy(port->hw_stats, counters, sizeof(port->hw_stats));
	spin_unlock_bh(&port->hw_lock);
	return 0;
}

static void ehea_stats_work(struct work_struct *work)
{
	struct ehea_port *port = container_of(to_delayed_work(work),
					      struct ehea_port, stats_work);
	unsigned long period = READ_ONCE(port->stats_period);
	int err;

	err = ehea_stats_refresh(port);
	/* What is not allowed now is not until somebody has changed that. */
	if (!period || err == -EPERM || err == -EOPNOTSUPP)
		return;
	queue_delayed_work(system_long_wq, &port->stats_work, period);
}

/**
 * ehea_stats_start - read the adapter's counters from now on
 * @port: port that is being opened
 *
 * Also has a new @port->stats_period take effect.
 *
 * Context: process; RTNL.
 */
void ehea_stats_start(struct ehea_port *port)
{
	mod_delayed_work(system_long_wq, &port->stats_work, 0);
}

/**
 * ehea_stats_stop - stop reading the adapter's counters
 * @port: port that is being closed
 *
 * They are read once more, so that what is seen of a closed port is true.
 *
 * Context: process, sleeps.
 */
void ehea_stats_stop(struct ehea_port *port)
{
	cancel_delayed_work_sync(&port->stats_work);
	ehea_stats_refresh(port);
}

/**
 * ehea_stats_init - make a port ready to count
 * @port: port that is being created, its memory zeroed
 *
 * Context: any.
 */
void ehea_stats_init(struct ehea_port *port)
{
	struct ehea_queue_stats *queue = port->stats[0];
	unsigned int i;

	for (i = 0; i < EHEA_MAX_QPS * EHEA_STATS_BANKS; i++, queue++) {
		u64_stats_init(&queue->tx.syncp);
		u64_stats_init(&queue->xmit.syncp);
		u64_stats_init(&queue->rx.syncp);
	}
	spin_lock_init(&port->hw_lock);
	INIT_DELAYED_WORK(&port->stats_work, ehea_stats_work);
	port->stats_period = EHEA_STATS_PERIOD;
}
