// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): statistics by ethtool. Those of the driver
 * have names of its own; those of the physical port (CB6) are reported in the
 * standard groups, and stay unset where firmware keeps them to itself.
 */
#include <linux/ethtool.h>
#include <linux/netdevice.h>

#include "ehea.h"
#include "ehea_ethtool.h"

/**
 * struct ehea_counter - a counter by name
 * @name: what follows the queue's number, or all of the name
 * @offset: where it is
 */
struct ehea_counter {
	const char *name;
	size_t offset;
};

#define EHEA_TX_COUNTER(member) \
	{ #member, offsetof(struct ehea_tx_stats, member) }
#define EHEA_XMIT_COUNTER(member) \
	{ #member, offsetof(struct ehea_xmit_stats, member) }
#define EHEA_RX_COUNTER(member) \
	{ #member, offsetof(struct ehea_rx_stats, member) }
#define EHEA_MEM_COUNTER(member) \
	{ "mr_" #member, offsetof(struct ehea_mem_info, stats.member) }
#define EHEA_MR_COUNTER(member) \
	{ "mr_" #member, offsetof(struct ehea_mem_info, member) }

static const struct ehea_counter ehea_tx_counters[] = {
	EHEA_TX_COUNTER(packets),
	EHEA_TX_COUNTER(bytes),
	EHEA_TX_COUNTER(wake),
	EHEA_TX_COUNTER(errors),
	EHEA_TX_COUNTER(bad_cqe),
};

static const struct ehea_counter ehea_xmit_counters[] = {
	EHEA_XMIT_COUNTER(csum),
	EHEA_XMIT_COUNTER(gso_packets),
	EHEA_XMIT_COUNTER(gso_wire_packets),
	EHEA_XMIT_COUNTER(stop),
	EHEA_XMIT_COUNTER(linearized),
	EHEA_XMIT_COUNTER(mr_miss),
	EHEA_XMIT_COUNTER(dropped),
};

static const struct ehea_counter ehea_rx_counters[] = {
	EHEA_RX_COUNTER(packets),
	EHEA_RX_COUNTER(bytes),
	EHEA_RX_COUNTER(inlined),
	EHEA_RX_COUNTER(csum_complete),
	EHEA_RX_COUNTER(csum_unnecessary),
	EHEA_RX_COUNTER(csum_none),
	EHEA_RX_COUNTER(fcs_errors),
	EHEA_RX_COUNTER(csum_errors),
	EHEA_RX_COUNTER(other_errors),
	EHEA_RX_COUNTER(bad_cqe),
	EHEA_RX_COUNTER(dropped),
	EHEA_RX_COUNTER(alloc_fail),
	EHEA_RX_COUNTER(mr_miss),
	EHEA_RX_COUNTER(copied),
};

/* Of the adapter, the same for all of its ports. */
static const struct ehea_counter ehea_mem_counters[] = {
	EHEA_MEM_COUNTER(registrations),
	EHEA_MEM_COUNTER(failures),
	EHEA_MEM_COUNTER(quiesced),
	EHEA_MEM_COUNTER(blocks),
	EHEA_MEM_COUNTER(page_calls),
	EHEA_MEM_COUNTER(duration_us),
	EHEA_MR_COUNTER(size_mib),
	EHEA_MR_COUNTER(page_kib),
	EHEA_MR_COUNTER(regions),
};

/* Control block 2, by &enum ehea_cb2_counter. */
static const char * const ehea_hw_counters[EHEA_CB2_COUNTERS] = {
	[EHEA_CB2_RX_OCTETS]		= "hw_rx_octets",
	[EHEA_CB2_RX_UCAST]		= "hw_rx_unicast",
	[EHEA_CB2_RX_UCAST_DISCARDS]	= "hw_rx_unicast_filtered",
	[EHEA_CB2_RX_UCAST_ERRORS]	= "hw_rx_unicast_errors",
	[EHEA_CB2_RX_TOO_LONG]		= "hw_rx_too_long",
	[EHEA_CB2_RX_MCAST]		= "hw_rx_multicast",
	[EHEA_CB2_RX_BCAST]		= "hw_rx_broadcast",
	[EHEA_CB2_TX_OCTETS]		= "hw_tx_octets",
	[EHEA_CB2_TX_UCAST]		= "hw_tx_unicast",
	[EHEA_CB2_TX_MCAST]		= "hw_tx_multicast",
	[EHEA_CB2_TX_BCAST]		= "hw_tx_broadcast",
};

#define EHEA_QUEUE_COUNTERS	(ARRAY_SIZE(ehea_rx_counters) + \
				 ARRAY_SIZE(ehea_tx_counters) + \
				 ARRAY_SIZE(ehea_xmit_counters))
#define EHEA_PORT_COUNTERS	(1 + ARRAY_SIZE(ehea_hw_counters) + \
				 ARRAY_SIZE(ehea_mem_counters))

/**
 * ehea_ethtool_stats_count - number of a port's counters
 * @port: port
 *
 * Queues that are not in use keep theirs.
 *
 * Context: any.
 * Return: the number.
 */
int ehea_ethtool_stats_count(const struct ehea_port *port)
{
	return EHEA_PORT_COUNTERS + port->max_channels * EHEA_QUEUE_COUNTERS;
}

static void ehea_queue_strings(u8 **data, const char *kind, unsigned int queue,
			       const struct ehea_counter *counters,
			       unsigned int count)
{
	while (count--) {
		ethtool_sprintf(data, "%s%u_%s", kind, queue, counters->name);
		counters++;
	}
}

/**
 * ehea_ethtool_stats_strings - names of a port's counters
 * @port: port
 * @data: room for as many as ehea_ethtool_stats_count() says
 *
 * Context: any.
 */
void ehea_ethtool_stats_strings(const struct ehea_port *port, u8 *data)
{
	unsigned int i;

	ethtool_puts(&data, "resets");
	for (i = 0; i < ARRAY_SIZE(ehea_hw_counters); i++)
		ethtool_puts(&data, ehea_hw_counters[i]);
	for (i = 0; i < ARRAY_SIZE(ehea_mem_counters); i++)
		ethtool_puts(&data, ehea_mem_counters[i].name);
	for (i = 0; i < port->max_channels; i++) {
		ehea_queue_strings(&data, "rx", i, ehea_rx_counters,
				   ARRAY_SIZE(ehea_rx_counters));
		ehea_queue_strings(&data, "tx", i, ehea_tx_counters,
				   ARRAY_SIZE(ehea_tx_counters));
		ehea_queue_strings(&data, "tx", i, ehea_xmit_counters,
				   ARRAY_SIZE(ehea_xmit_counters));
	}
}

/* Return: where the next counters go. */
static u64 *ehea_queue_add(const void *stats,
			   const struct u64_stats_sync *syncp,
			   const struct ehea_counter *counters,
			   unsigned int count, u64 *data)
{
	unsigned int start;
	u64 value;

	for (; count--; counters++) {
		do {
			start = u64_stats_fetch_begin(syncp);
			value = u64_stats_read(stats + counters->offset);
		} while (u64_stats_fetch_retry(syncp, start));
		*data++ += value;
	}
	return data;
}

static u64 *ehea_bank_add(const struct ehea_queue_stats *bank, u64 *data)
{
	data = ehea_queue_add(&bank->rx, &bank->rx.syncp, ehea_rx_counters,
			      ARRAY_SIZE(ehea_rx_counters), data);
	data = ehea_queue_add(&bank->tx, &bank->tx.syncp, ehea_tx_counters,
			      ARRAY_SIZE(ehea_tx_counters), data);
	return ehea_queue_add(&bank->xmit, &bank->xmit.syncp,
			      ehea_xmit_counters,
			      ARRAY_SIZE(ehea_xmit_counters), data);
}

static u64 *ehea_hw_read(struct ehea_port *port, u64 *data)
{
	/* When firmware refuses, what it told last has to do. */
	ehea_stats_refresh(port);
	spin_lock_bh(&port->hw_lock);
	memcpy(data, port->hw_stats, sizeof(port->hw_stats));
	spin_unlock_bh(&port->hw_lock);
	return data + ARRAY_SIZE(port->hw_stats);
}

static u64 *ehea_mem_read(struct ehea_port *port, u64 *data)
{
	struct ehea_mem_info info;
	unsigned int i;

	ehea_mem_query(port->adapter, &info);
	for (i = 0; i < ARRAY_SIZE(ehea_mem_counters); i++)
		*data++ = *(u64 *)((void *)&info + ehea_mem_counters[i].offset);
	return data;
}

void ehea_get_ethtool_stats(struct net_device *netdev,
			    struct ethtool_stats *stats, u64 *data)
{
	struct ehea_port *port = netdev_priv(netdev);
	unsigned int i, bank;

	*data++ = atomic_read(&port->resets);
	data = ehea_hw_read(port, data);
	data = ehea_mem_read(port, data);
	for (i = 0; i < port->max_channels; i++) {
		memset(data, 0, EHEA_QUEUE_COUNTERS * sizeof(*data));
		for (bank = 0; bank < EHEA_STATS_BANKS; bank++)
			ehea_bank_add(&port->stats[i][bank], data);
		data += EHEA_QUEUE_COUNTERS;
	}
}

/* Counters of the physical port, which not every partition may see. */
static bool ehea_mib_read(struct net_device *netdev, u64 *mib)
{
	struct ehea_port *port = netdev_priv(netdev);

	return !ehea_phyp_query_cb6(&port->adapter->hea, port->id, mib);
}

/* As in RFC 2819, the counters by size take in @bad frames as well. */
static u64 ehea_mib_good(const u64 *mib, enum ehea_cb6_counter first,
			 enum ehea_cb6_counter last, u64 bad)
{
	u64 sum = 0;
	int i;

	for (i = first; i <= last; i++)
		sum += mib[i];
	return sum - min(sum, bad);
}

void ehea_get_pause_stats(struct net_device *netdev,
			  struct ethtool_pause_stats *stats)
{
	u64 mib[EHEA_CB6_COUNTERS];

	if (!ehea_mib_read(netdev, mib))
		return;
	stats->rx_pause_frames = mib[EHEA_CB6_RX_PAUSE];
	stats->tx_pause_frames = mib[EHEA_CB6_TX_PAUSE];
}

static void ehea_fill_mac_rx(struct ethtool_eth_mac_stats *stats,
			     const u64 *mib)
{
	stats->FramesReceivedOK =
		ehea_mib_good(mib, EHEA_CB6_RX_64, EHEA_CB6_RX_1024,
			      mib[EHEA_CB6_RX_BAD_FCS] +
			      mib[EHEA_CB6_RX_ALIGNMENT]);
	stats->FrameCheckSequenceErrors = mib[EHEA_CB6_RX_BAD_FCS];
	stats->AlignmentErrors = mib[EHEA_CB6_RX_ALIGNMENT];
	stats->OctetsReceivedOK = mib[EHEA_CB6_RX_OCTETS];
	stats->FramesLostDueToIntMACRcvError = mib[EHEA_CB6_RX_MAC_ERR];
	stats->MulticastFramesReceivedOK = mib[EHEA_CB6_RX_MCAST];
	stats->BroadcastFramesReceivedOK = mib[EHEA_CB6_RX_BCAST];
	stats->InRangeLengthErrors = mib[EHEA_CB6_RX_IN_RANGE_LEN];
	stats->OutOfRangeLengthField = mib[EHEA_CB6_RX_OUT_RANGE_LEN];
	stats->FrameTooLongErrors = mib[EHEA_CB6_RX_TOO_LONG];
}

static void ehea_fill_mac_tx(struct ethtool_eth_mac_stats *stats,
			     const u64 *mib)
{
	stats->FramesTransmittedOK =
		ehea_mib_good(mib, EHEA_CB6_TX_64, EHEA_CB6_TX_1024,
			      mib[EHEA_CB6_TX_BAD_FCS]);
	stats->SingleCollisionFrames = mib[EHEA_CB6_TX_SINGLE_COLL];
	stats->MultipleCollisionFrames = mib[EHEA_CB6_TX_MULTI_COLL];
	stats->OctetsTransmittedOK = mib[EHEA_CB6_TX_OCTETS];
	stats->FramesWithDeferredXmissions = mib[EHEA_CB6_TX_DEFERRED];
	stats->LateCollisions = mib[EHEA_CB6_TX_LATE_COLL];
	stats->FramesAbortedDueToXSColls = mib[EHEA_CB6_TX_EXCESS_COLL];
	stats->FramesLostDueToIntMACXmitError = mib[EHEA_CB6_TX_MAC_ERR];
	stats->CarrierSenseErrors = mib[EHEA_CB6_TX_CARRIER];
	stats->MulticastFramesXmittedOK = mib[EHEA_CB6_TX_MCAST];
	stats->BroadcastFramesXmittedOK = mib[EHEA_CB6_TX_BCAST];
}

void ehea_get_eth_mac_stats(struct net_device *netdev,
			    struct ethtool_eth_mac_stats *stats)
{
	u64 mib[EHEA_CB6_COUNTERS];

	if (!ehea_mib_read(netdev, mib))
		return;
	ehea_fill_mac_rx(stats, mib);
	ehea_fill_mac_tx(stats, mib);
}

void ehea_get_eth_ctrl_stats(struct net_device *netdev,
			     struct ethtool_eth_ctrl_stats *stats)
{
	u64 mib[EHEA_CB6_COUNTERS];
	u64 unknown;

	if (!ehea_mib_read(netdev, mib))
		return;
	unknown = mib[EHEA_CB6_RX_UNSUPP_OPCODES];
	/* Pause is the only MAC control frame that is sent or understood. */
	stats->MACControlFramesTransmitted = mib[EHEA_CB6_TX_PAUSE];
	stats->MACControlFramesReceived = mib[EHEA_CB6_RX_PAUSE] + unknown;
	stats->UnsupportedOpcodesReceived = unknown;
}

static const struct ethtool_rmon_hist_range ehea_rmon_ranges[] = {
	{ 0, 64 },
	{ 65, 127 },
	{ 128, 255 },
	{ 256, 511 },
	{ 512, 1023 },
	{ 1024, EHEA_RQ3_FRAME_MAX },
	{}
};

void ehea_get_rmon_stats(struct net_device *netdev,
			 struct ethtool_rmon_stats *stats,
			 const struct ethtool_rmon_hist_range **ranges)
{
	u64 mib[EHEA_CB6_COUNTERS];
	unsigned int i;

	if (!ehea_mib_read(netdev, mib))
		return;
	stats->undersize_pkts = mib[EHEA_CB6_RX_RUNTS];
	stats->oversize_pkts = mib[EHEA_CB6_RX_TOO_LONG];
	stats->fragments = mib[EHEA_CB6_RX_FRAGMENTS];
	stats->jabbers = mib[EHEA_CB6_RX_JABBER];
	for (i = 0; i < ARRAY_SIZE(ehea_rmon_ranges) - 1; i++) {
		stats->hist[i] = mib[EHEA_CB6_RX_64 + i];
		stats->hist_tx[i] = mib[EHEA_CB6_TX_64 + i];
	}
	*ranges = ehea_rmon_ranges;
}
