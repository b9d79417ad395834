/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): types that the whole driver shares.
 *
 * Locks, outermost first:
 *   hotplug locks of the memory core, held around the memory notifier
 *   adapter->port_lock		adapter->ports
 *   RTNL			a port's configuration, opening and closing it
 *   ehea_mem's mutex		MRs, views and which channels have them; taken
 *				by the work item that a memory notifier waits
 *				for, so nothing above it is taken inside
 *   Tx queue lock		a send queue's producer side
 *   ehea_rq.lock		a receive queue's producer side
 *   ehea_port.link_lock	what firmware says of the link, from asking
 *				on; inside RTNL or adapter->port_lock
 *   ehea_port.carrier_lock	the carrier, and nothing is taken inside
 */
#ifndef EHEA_H
#define EHEA_H

#include <linux/cpumask.h>
#include <linux/if_vlan.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ehea_busmap.h"
#include "ehea_hw.h"
#include "ehea_phyp.h"
#include "ehea_qmr.h"

#define EHEA_DRV_NAME	"ehea"

/* What drmgr reads in "capabilities": DLPAR of ports, memory add, remove. */
#define EHEA_CAPABILITIES	7

/* Any number will do, as long as MR, SMR and QP agree. */
#define EHEA_PD			0x48454100

/* Ring sizes, 2^n - 1. RQ3 is as small as can be unless the MTU asks for it. */
#define EHEA_DEF_ENTRIES_SQ	1023
#define EHEA_DEF_ENTRIES_RQ1	2047
#define EHEA_DEF_ENTRIES_RQ2	1023
#define EHEA_DEF_ENTRIES_RQ3	511

/* Frames and their buffers. A receive buffer also takes a tag and the FCS. */
#define EHEA_FRAME_OVERHEAD	(ETH_HLEN + VLAN_HLEN + ETH_FCS_LEN)
#define EHEA_RQ3_FRAME_MAX	9022	/* largest that the adapter takes */
#define EHEA_MAX_MTU		(EHEA_RQ3_FRAME_MAX - EHEA_FRAME_OVERHEAD)

/* Buffers per send queue for frames whose memory the MR does not cover. */
#define EHEA_TX_BOUNCES		2
#define EHEA_TX_BOUNCE_SIZE	SZ_64K

/* Frames that hold no memory may be sent unsignalled, so many in a row. */
#define EHEA_TX_FRAMES_MAX	256U

struct ehea_adapter;
struct ehea_health;
struct ehea_port;
struct page_pool;
struct seq_file;

/**
 * struct ehea_region - an MR with the map that it was registered from
 * @node: in &ehea_adapter.regions, newest first
 * @mr: memory region
 * @map: where in it a real address is
 * @views: number of &struct ehea_view that use it
 */
struct ehea_region {
	struct list_head node;
	struct ehea_mr mr;
	struct ehea_busmap *map;
	unsigned int views;
};

/**
 * struct ehea_view - how one channel reaches memory: a map and its keys
 * @map: of @region; read together with the keys, so they always match
 * @send_lkey: key for descriptors of the SQ
 * @recv_lkey: key for descriptors of RQ2 and RQ3
 * @region: what the keys belong to
 * @send_smr: SMR behind @send_lkey
 * @recv_smr: SMR behind @recv_lkey
 * @node: in &ehea_channel.old_views once replaced
 * @linear: where linear data of a frame to send was found last; Tx queue lock
 * @frags: where a fragment was; likewise
 * @pages: where a page of buffers for RQ2 or RQ3 was; &ehea_rq.lock
 * @sq_mark: WQEs posted to the SQ when the view was replaced
 */
struct ehea_view {
	const struct ehea_busmap *map;
	__be32 send_lkey;
	__be32 recv_lkey;
	struct ehea_region *region;
	struct ehea_smr send_smr;
	struct ehea_smr recv_smr;
	struct list_head node;
	struct ehea_spot linear;
	struct ehea_spot frags;
	struct ehea_spot pages[2];
	u32 sq_mark;
};

/**
 * ehea_needs_rq3 - does a frame of the MTU need a buffer of RQ3?
 * @mtu: without header, tag and FCS
 *
 * Return: false if RQ2's are large enough.
 */
static inline bool ehea_needs_rq3(u32 mtu)
{
	return mtu + EHEA_FRAME_OVERHEAD > EHEA_RQ2_FRAME_MAX;
}

/*
 * Add to a counter that has one writer: u64_stats_add() excludes interrupts on
 * this architecture, which takes a while.
 */
static inline void ehea_stats_add(u64_stats_t *counter, u64 count)
{
	u64_stats_set(counter, u64_stats_read(counter) + count);
}

/* Counters of a send queue's completion side. */
struct ehea_tx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets;		/* on the wire: segments count */
	u64_stats_t bytes;		/* with tags and padding, without FCS */
	u64_stats_t wake;
	u64_stats_t errors;		/* completions with an error */
	u64_stats_t bad_cqe;		/* completions that make no sense */
};

/* Counters of a send queue's producer side. */
struct ehea_xmit_stats {
	struct u64_stats_sync syncp;
	u64_stats_t csum;		/* checksums left to the adapter */
	u64_stats_t gso_packets;	/* skbs that the adapter segments */
	u64_stats_t gso_wire_packets;
	u64_stats_t stop;
	u64_stats_t linearized;		/* copied: too many pieces */
	u64_stats_t mr_miss;		/* copied: memory not in the MR */
	u64_stats_t dropped;
};

/* Counters of a channel's receive side. */
struct ehea_rx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets;
	u64_stats_t bytes;		/* with tags, without FCS */
	u64_stats_t inlined;		/* frames that came in RQ1 */
	u64_stats_t csum_complete;
	u64_stats_t csum_unnecessary;
	u64_stats_t csum_none;
	u64_stats_t fcs_errors;
	u64_stats_t csum_errors;	/* delivered, for the stack to judge */
	u64_stats_t other_errors;
	u64_stats_t bad_cqe;		/* completions that make no sense */
	u64_stats_t dropped;		/* frames lost: no memory for an skb */
	u64_stats_t alloc_fail;		/* no memory for an skb or a buffer */
	u64_stats_t mr_miss;		/* pages passed over: not in the MR */
	u64_stats_t copied;		/* frames copied to keep the buffer */
};

/* While a set of channels replaces another, both count: a bank for each. */
#define EHEA_STATS_BANKS	2

/* A queue's counters outlive it: down, up and reset lose nothing. */
struct ehea_queue_stats {
	struct ehea_tx_stats tx ____cacheline_aligned_in_smp;
	struct ehea_xmit_stats xmit ____cacheline_aligned_in_smp;
	struct ehea_rx_stats rx ____cacheline_aligned_in_smp;
};

/**
 * struct ehea_tx_group - send WQEs that complete together
 * @head: &ehea_tx.head behind the last of them, which is signalled
 * @skb_head: &ehea_tx.skb_head behind the last frame that they hold on to
 * @bytes: on the wire, with tags and padding, without FCS; reported to BQL
 * @extra: frames on the wire beyond one per WQE
 * @bounces: bitmap of bounce buffers in use
 * @held: some of them point into an skb or a bounce buffer
 *
 * A signalled WQE's wr_id is the index of its group, so what a completion
 * costs does not depend on how many frames it stands for.
 */
struct ehea_tx_group {
	u32 head;
	u32 skb_head;
	u32 bytes;
	s32 extra;
	u8 bounces;
	bool held;
};

/**
 * struct ehea_tx - send queue
 * @wqe: the ring
 * @skb: frames that posted WQEs point into
 * @group: groups of WQEs
 * @open: the one that is being filled
 * @mask: slots - 1, of the ring and of both arrays
 * @entries: most WQEs that may be posted
 * @lazy_max: WQEs that hold nothing and may be posted unsignalled in a row
 * @head: WQEs written; free running like the other positions, and written
 *	under the Tx queue lock like all up to @group_head
 * @limit: what @head must not pass, when @tail was last looked at
 * @bytes: written since the doorbell last rang
 * @rung: WQEs that the adapter was told of
 * @closed: WQEs up to the last signalled one
 * @skb_head: frames put into @skb
 * @group_head: groups closed
 * @tail: WQEs completed; written by NAPI only, like all down to @unacked
 * @group_tail: groups completed
 * @skb_tail: frames freed
 * @unacked: CQEs not yet given back
 * @ack_batch: CQEs to give back at once
 * @quiet: the stack's queue stays stopped, whatever completes
 * @bounce_busy: bitmap of @bounce in use
 * @bounce: buffers known to be in the MR
 */
struct ehea_tx {
	struct ehea_swqe *wqe;
	struct sk_buff **skb;
	struct ehea_tx_group *group;
	struct ehea_tx_group *open;
	u32 mask;
	u32 entries;
	u32 lazy_max;
	u32 head;
	u32 limit;
	u32 bytes;
	u32 rung;
	u32 closed;
	u32 skb_head;
	u32 group_head;

	u32 tail ____cacheline_aligned_in_smp;
	u32 group_tail;
	u32 skb_tail;
	u32 unacked;
	u32 ack_batch;
	bool quiet;
	unsigned long bounce_busy;
	void *bounce[EHEA_TX_BOUNCES];
};

/**
 * struct ehea_rq - receive queue with buffers: RQ2 or RQ3
 * @wqe: the ring
 * @buf: buffer per slot, NULL when the slot is not posted
 * @pool: where pages come from
 * @frag: next unused buffer of the page at hand
 * @left: unused buffers of that page
 * @recycle: buffers to be posted again, chained through their headroom
 * @reg: doorbell
 * @mask: slots - 1
 * @want: WQEs to keep posted; 0 leaves the queue empty
 * @batch: WQEs worth a doorbell
 * @head: WQEs posted, free running
 * @free: WQEs that may be posted: @want less those posted
 * @frags: buffers per page
 * @truesize: bytes of a buffer with its headroom and skb_shared_info
 * @frame_max: bytes of a buffer that the adapter may write
 * @build_below: an skb is built around a frame with less payload than this; 0
 *	if buffers are hard to get, so that frames are copied out of them
 * @lock: excludes posting from re-keying; protects all above but @buf, whose
 *	entries NAPI takes out without it
 */
struct ehea_rq {
	struct ehea_rwqe *wqe;
	void **buf;
	struct page_pool *pool;
	void *frag;
	u32 left;
	void *recycle;
	u32 reg;
	u32 mask;
	u32 want;
	u32 batch;
	u32 head;
	u32 free;
	u32 frags;
	u32 truesize;
	u32 frame_max;
	u32 build_below;
	spinlock_t lock;	/* excludes posting from re-keying */
};

/*
 * CQs that had completions are armed twice: the event after an arming may tell
 * of completions that had been read before it.
 */
#define EHEA_FIRED_SEND		(BIT(0) | BIT(2))
#define EHEA_FIRED_RECV		(BIT(1) | BIT(3))
#define EHEA_FIRED_ONCE		(BIT(0) | BIT(1))
#define EHEA_FIRED_SHIFT	2

/**
 * enum ehea_chore - what a poll does beside completions
 * @EHEA_CHORE_RINGS: post receive buffers, have unsignalled WQEs completed
 * @EHEA_CHORE_TURN: a replaced view is still in use by posted WQEs: see
 *	whether it is, until it is not
 */
enum ehea_chore {
	EHEA_CHORE_RINGS,
	EHEA_CHORE_TURN,
};

/**
 * struct ehea_channel - a QP with its CQs, EQ, interrupt and NAPI
 * @napi: polls send and receive completions
 * @netdev: the port's
 * @port: the port's
 * @view: how memory is reached; NULL while there is no MR. Written under
 *	ehea_mem's mutex
 * @stats: a bank of the queue index, owned by the port
 * @txq: the stack's queue
 * @tx: send side
 * @rq: RQ2 and RQ3
 * @rq1_owed: slots of RQ1 not yet given back
 * @rq1_batch: slots of RQ1 to give back at once
 * @rx_bad: receive completions that made no sense
 * @gap: where a receive completion seems to be missing, or NULL
 * @chores: bitmap of &enum ehea_chore, for the next poll
 * @fired: CQs to be armed, EHEA_FIRED_ONCE of them when the poll at hand is
 *	done, the others after the next one
 * @qp: queue pair
 * @send_cq: send completions
 * @recv_cq: event arming of receive completions
 * @eq: interrupt
 * @irq: Linux interrupt number of @eq
 * @irq_name: as /proc/interrupts shows it
 * @index: queue number
 * @refill: has EHEA_CHORE_RINGS done when something was left over
 * @node: in &ehea_adapter.channels; ehea_mem's mutex, likewise:
 * @old_views: &struct ehea_view that posted WQEs may still use
 * @running: the QP may be paused and resumed
 * @timed_out: the stack gave up waiting for completions
 * @failed: an event told of an error of the QP
 * @rcu: whoever saw @napi is done with it
 */
struct ehea_channel {
	struct napi_struct napi;
	struct net_device *netdev;
	struct ehea_port *port;
	struct ehea_view __rcu *view;
	struct ehea_queue_stats *stats;
	struct netdev_queue *txq;
	struct ehea_tx tx;
	struct ehea_rq rq[2] ____cacheline_aligned_in_smp;
	u32 rq1_owed;
	u32 rq1_batch;
	u32 rx_bad;
	const void *gap;
	unsigned long chores;
	atomic_t fired;

	/* Slow path fields follow */
	struct ehea_qp qp;
	struct ehea_cq send_cq;
	struct ehea_cq recv_cq;
	struct ehea_eq eq;
	unsigned int irq;
	char irq_name[IFNAMSIZ + 16];
	unsigned int index;
	struct timer_list refill;
	struct list_head node;
	struct list_head old_views;
	bool running;
	bool timed_out;
	bool failed;
	struct rcu_head rcu;
};

/**
 * ehea_tx_pending - is a send completion waiting?
 * @ch: channel
 *
 * Context: NAPI; elsewhere the answer may be old.
 * Return: true if one is.
 */
static inline bool ehea_tx_pending(const struct ehea_channel *ch)
{
	return ehea_ring_pending(&ch->send_cq.ring);
}

/**
 * ehea_channel_fired - a CQ is to be armed when nothing more is to be done
 * @ch: channel
 * @cq: EHEA_FIRED_SEND or EHEA_FIRED_RECV, whose completions have been read
 *
 * What ehea_channel_arm() takes at the same time may stay: then a CQ is armed
 * once too often, which does no harm.
 *
 * Context: NAPI.
 */
static inline void ehea_channel_fired(struct ehea_channel *ch, int cq)
{
	atomic_set(&ch->fired, atomic_read(&ch->fired) | cq);
}

/**
 * ehea_rx_pending - is a receive completion waiting?
 * @ch: channel
 *
 * Context: NAPI; elsewhere the answer may be old.
 * Return: true if one is.
 */
static inline bool ehea_rx_pending(const struct ehea_channel *ch)
{
	return ehea_ring_pending(&ch->qp.ring[EHEA_RQ1]);
}

/**
 * struct ehea_config - what an administrator chooses for a port's queues
 * @channels: number of QPs
 * @mtu: as of the network device; decides on the buffers
 * @entries: ring sizes by queue, each 2^n - 1
 */
struct ehea_config {
	unsigned int channels;
	u32 mtu;
	u32 entries[EHEA_QP_QUEUES];
};

/**
 * struct ehea_channels - the channels of an open port
 * @ch: the channels
 * @port: port
 * @count: number of @ch
 * @bank: of the port's statistics
 * @aff_eq: affiliated (error) events of the QPs
 * @aff_lock: protects @aff_eq's position
 * @aff_name: as /proc/interrupts shows it
 */
struct ehea_channels {
	struct ehea_channel *ch[EHEA_MAX_QPS];
	struct ehea_port *port;
	unsigned int count;
	unsigned int bank;
	struct ehea_eq aff_eq;
	spinlock_t aff_lock;		/* protects @aff_eq's position */
	char aff_name[IFNAMSIZ + 16];
};

enum ehea_port_flag {
	EHEA_PORT_LINK_UP,		/* logical port, by firmware */
	EHEA_PORT_EXT_UP,		/* external switch port */
	EHEA_PORT_PROP_CARRIER,		/* carrier follows the external port */
	EHEA_PORT_READY,		/* open, so there may be carrier */
	EHEA_PORT_GONE,			/* no new resets */
};

/**
 * struct ehea_port - logical port
 * @netdev: its network device
 * @adapter: its adapter
 * @pdev: its device in sysfs
 * @id: logical port number
 * @flags: &enum ehea_port_flag, by atomic bit operations
 * @link_lock: an older answer does not come after a newer one
 * @carrier_lock: what the conditions say is what the carrier is
 * @max_channels: default QPs of the port, checked
 * @config: queues of the next open; RTNL
 * @indir: channels by hash bucket, once the administrator has chosen; RTNL
 * @tx_frames: frames that may go unsignalled in a row; RTNL
 * @speed_forced: enum ehea_speed that the administrator wants; RTNL
 * @channels: queues of the open port; written under RTNL, RCU for readers
 * @rx_control: receive control that firmware was given; RTNL
 * @jumbo: firmware lets frames be larger than 1518 bytes
 * @promisc: the unicast default QP is set; RTNL
 * @allmulti: the all-multicast filter is set; RTNL
 * @allmulti_lost: its removal timed out: registered or not; RTNL
 * @mc_list: multicast addresses that firmware passes to us; RTNL
 * @bc_mac: MAC that the broadcast filters were registered with; RTNL
 * @bc_registered: they are; RTNL
 * @vlans: VLAN ids to be received; RTNL
 * @rx_mode_work: applies the receive filters where the core cannot sleep
 * @reset_work: closes and opens the queues again
 * @kick_work: polls channels whose interrupt was lost
 * @reset_delay: of a reset soon after the last one, jiffies
 * @last_reset: jiffies
 * @resets: how often
 * @speed: enum ehea_speed, as last reported
 * @stats_work: reads @hw_stats while the port is open
 * @stats_period: how often, jiffies
 * @hw_lock: protects @hw_stats
 * @hw_stats: CB2 as last read
 * @msg_enable: message level
 * @affinity: of the queues' interrupts, kept while the port is down; RTNL
 * @stats: of the queues, by index; what counts is the sum of the banks
 */
struct ehea_port {
	struct net_device *netdev;
	struct ehea_adapter *adapter;
	struct platform_device *pdev;
	u16 id;
	unsigned long flags;
	struct mutex link_lock;		/* from asking firmware to the act */
	spinlock_t carrier_lock;	/* from a look at @flags to the act */
	unsigned int max_channels;
	struct ehea_config config;
	u8 indir[EHEA_MAX_QPS];
	u32 tx_frames;
	u32 speed_forced;
	struct ehea_channels __rcu *channels;
	u64 rx_control;
	bool jumbo;
	bool promisc;
	bool allmulti;
	bool allmulti_lost;
	struct list_head mc_list;
	u8 bc_mac[ETH_ALEN];
	bool bc_registered;
	unsigned long vlans[BITS_TO_LONGS(VLAN_N_VID)];
	struct delayed_work rx_mode_work;
	struct delayed_work reset_work;
	struct delayed_work kick_work;
	unsigned long reset_delay;
	unsigned long last_reset;
	atomic_t resets;
	u32 speed;
	struct delayed_work stats_work;
	unsigned long stats_period;
	spinlock_t hw_lock;		/* protects hw_stats */
	u64 hw_stats[EHEA_CB2_COUNTERS];
	u32 msg_enable;
	struct cpumask affinity[EHEA_MAX_QPS];
	struct ehea_queue_stats stats[EHEA_MAX_QPS][EHEA_STATS_BANKS];
};

/**
 * struct ehea_mem_stats - what memory changes cost an adapter
 * @registrations: MRs registered
 * @failures: registrations that firmware refused
 * @quiesced: changes for which the ports had to be stopped
 * @blocks: memory blocks that came or went
 * @page_calls: page registration calls of the last MR
 * @duration_us: of the last change
 */
struct ehea_mem_stats {
	u64 registrations;
	u64 failures;
	u64 quiesced;
	u64 blocks;
	u64 page_calls;
	u64 duration_us;
};

/**
 * struct ehea_mem_info - how an adapter reaches memory
 * @stats: what memory changes cost
 * @size_mib: length of the current MR
 * @page_kib: size of its pages
 * @regions: MRs alive, replaced ones that are still in use included
 * @map_valid: the maps of all of them are sound
 */
struct ehea_mem_info {
	struct ehea_mem_stats stats;
	u64 size_mib;
	u64 page_kib;
	u64 regions;
	bool map_valid;
};

/**
 * struct ehea_adapter - logical HEA
 * @pdev: its device
 * @hea: for hypervisor calls
 * @attr: what H_QUERY_HEA told, checked
 * @neq: notification events
 * @neq_work: reads @neq
 * @neq_spent: @neq does not interrupt before H_RESET_EVENTS
 * @neq_retry: jiffies; not to be called before; @neq_work only, likewise:
 * @neq_pause: jiffies from one failed call to the next, 0 after a good one
 * @port_lock: protects @ports against removal
 * @ports: &struct ehea_port by logical port number
 * @node: in ehea_mem's list; ehea_mem's mutex, likewise:
 * @regions: &struct ehea_region, newest first; the first is current
 * @channels: &struct ehea_channel that have a view or wait for one
 * @no_mr: firmware gave none; the channels are paused
 * @too_large: sections of a map that firmware had no room for, or 0
 * @mem_stats: for ethtool and debugfs
 * @debugfs: directory
 * @health: what devlink reports
 * @crash_node: in the crash handler's list
 */
struct ehea_adapter {
	struct platform_device *pdev;
	struct ehea_hea hea;
	struct ehea_hea_attr attr;
	struct ehea_eq neq;
	struct delayed_work neq_work;
	bool neq_spent;
	unsigned long neq_retry;
	unsigned long neq_pause;
	struct mutex port_lock;		/* protects @ports against removal */
	struct xarray ports;
	struct list_head node;
	struct list_head regions;
	struct list_head channels;
	bool no_mr;
	u32 too_large;
	struct ehea_mem_stats mem_stats;
	struct dentry *debugfs;
	struct ehea_health *health;
	struct list_head crash_node;
};

/* ehea_mem.c */
int ehea_mem_init(void);
void ehea_mem_exit(void);
int ehea_mem_add_adapter(struct ehea_adapter *adapter);
void ehea_mem_remove_adapter(struct ehea_adapter *adapter);
int ehea_mem_attach(struct ehea_channel *ch);
int ehea_mem_start(struct ehea_channel *ch);
void ehea_mem_stop(struct ehea_channel *ch);
int ehea_mem_detach(struct ehea_channel *ch);
void ehea_mem_turned(struct ehea_channel *ch);
void ehea_mem_query(struct ehea_adapter *adapter, struct ehea_mem_info *info);
void ehea_mem_show(struct ehea_adapter *adapter, struct seq_file *m);

/* ehea_region.c; all under ehea_mem's mutex */
int ehea_region_init(struct ehea_adapter *adapter, struct ehea_busmap *map);
void ehea_region_exit(struct ehea_adapter *adapter);
int ehea_region_update(struct ehea_adapter *adapter, struct ehea_busmap *map);
void ehea_region_withdraw(struct ehea_adapter *adapter);
void ehea_region_reap(struct ehea_adapter *adapter);
int ehea_region_attach(struct ehea_channel *ch);
void ehea_region_detach(struct ehea_channel *ch);
void ehea_region_query(struct ehea_adapter *adapter,
		       struct ehea_mem_info *info);
void ehea_region_show(struct ehea_adapter *adapter, struct seq_file *m);

/* ehea_tx.c */
int ehea_tx_create(struct ehea_channel *ch);
void ehea_tx_set_frames(struct ehea_channel *ch, u32 frames);
int ehea_tx_prepare(struct ehea_channel *ch);
void ehea_tx_destroy(struct ehea_channel *ch);
void ehea_tx_clean(struct ehea_channel *ch, int budget);
void ehea_tx_flush(struct ehea_channel *ch);
void ehea_tx_set_quiet(struct ehea_channel *ch, bool quiet);
void ehea_tx_finish(struct ehea_channel *ch);
void ehea_tx_wake(struct ehea_channel *ch);
void ehea_tx_mark(struct ehea_channel *ch, struct ehea_view *view);
bool ehea_tx_turned(const struct ehea_channel *ch,
		    const struct ehea_view *view);
netdev_tx_t ehea_start_xmit(struct sk_buff *skb, struct net_device *netdev);
netdev_features_t ehea_features_check(struct sk_buff *skb,
				      struct net_device *netdev,
				      netdev_features_t features);

/* ehea_rx.c */
int ehea_rx_create(struct ehea_channel *ch, u32 mtu);
void ehea_rx_fill(struct ehea_channel *ch);
void ehea_rx_destroy(struct ehea_channel *ch);
int ehea_rx_poll(struct ehea_channel *ch, int budget);
void ehea_rx_refill(struct ehea_channel *ch);
bool ehea_rx_turned(const struct ehea_channel *ch,
		    const struct ehea_view *view);
int ehea_rx_rekey(struct ehea_channel *ch, const struct ehea_view *view);

/**
 * struct ehea_qp_regs - state of a QP, as "ethtool -d" gives it
 * @number: of the QP; 0 if the queue is not in use
 * @enabled: by control block 0, likewise up to @cb_aer
 * @state: state that the QP is in; 0 means error
 * @sizes: SQ in the upper half, RQ in the lower
 * @cb_aer: affiliated errors
 * @aer: by the register page, likewise the rest
 * @aerr: affiliated errors, details
 * @sq_head: head of SQ
 * @sq_tail: tail of SQ
 * @rq1_head: head of RQ1
 * @rq1_tail: tail of RQ1
 */
struct ehea_qp_regs {
	u64 number;
	u64 enabled;
	u64 state;
	u64 sizes;
	u64 cb_aer;
	u64 aer;
	u64 aerr;
	u64 sq_head;
	u64 sq_tail;
	u64 rq1_head;
	u64 rq1_tail;
};

/* ehea_channel.c */
int ehea_request_irq(const struct ehea_eq *eq, irq_handler_t handler,
		     const char *name, void *arg);
struct ehea_channels *ehea_channels_create(struct ehea_port *port,
					   const struct ehea_config *config);
void ehea_channels_destroy(struct ehea_channels *set);
int ehea_channels_start(struct ehea_channels *set);
void ehea_channels_stop(struct ehea_channels *set);
void ehea_channels_save_affinity(const struct ehea_channels *set);
void ehea_channels_kick(struct ehea_channels *set);
void ehea_channel_read_regs(const struct ehea_channel *ch,
			    struct ehea_qp_regs *regs);
unsigned int ehea_port_indir(const struct ehea_port *port, unsigned int bucket,
			     unsigned int channels);
void ehea_channels_qpns(const struct ehea_channels *set, u32 *qpns,
			unsigned int count);

/**
 * struct ehea_mc_snapshot - multicast addresses to be received
 * @overflow: they were more than firmware takes, and are left out
 * @count: number of @addr
 * @addr: the addresses
 */
struct ehea_mc_snapshot {
	bool overflow;
	unsigned int count;
	u8 addr[][ETH_ALEN];
};

/* ehea_filter.c */
int ehea_filter_open(struct ehea_port *port);
void ehea_filter_close(struct ehea_port *port);
void ehea_filter_exit(struct ehea_port *port);
struct ehea_mc_snapshot *ehea_filter_snapshot(struct ehea_port *port,
					      struct netdev_hw_addr_list *mc);
int ehea_filter_sync(struct ehea_port *port,
		     const struct ehea_mc_snapshot *snap);
int ehea_filter_set_mac(struct ehea_port *port, const u8 *mac);
int ehea_filter_vlans(struct ehea_port *port);
void ehea_filter_crash(struct ehea_port *port, unsigned int *naps);
int ehea_filter_set_promisc(struct ehea_port *port, bool on);
int ehea_filter_apply_rx_control(struct ehea_port *port,
				 netdev_features_t features);

/* ehea_netdev.c */
struct ehea_port *ehea_port_create(struct ehea_adapter *adapter, u16 id,
				   struct platform_device *pdev);
void ehea_port_destroy(struct ehea_port *port);
void ehea_port_schedule_reset(struct ehea_port *port, const char *why);
void ehea_port_update_carrier(struct ehea_port *port);
void ehea_port_link_event(struct ehea_port *port, bool link, bool ext);
int ehea_port_reconfigure(struct ehea_port *port,
			  const struct ehea_config *config);

/* ehea_stats.c */
extern const struct netdev_stat_ops ehea_stat_ops;
void ehea_stats_init(struct ehea_port *port);
void ehea_stats_start(struct ehea_port *port);
void ehea_stats_stop(struct ehea_port *port);
int ehea_stats_refresh(struct ehea_port *port);
void ehea_get_stats64(struct net_device *netdev,
		      struct rtnl_link_stats64 *stats);

/* ehea_ethtool.c */
extern const struct ethtool_ops ehea_ethtool_ops;

/* ehea_devlink.c */
int ehea_health_init(struct ehea_adapter *adapter);
void ehea_health_exit(struct ehea_adapter *adapter);
void ehea_health_tx_timeout(struct ehea_channel *ch);
void ehea_health_qp_error(struct ehea_channel *ch);
void ehea_health_malfunction(struct ehea_adapter *adapter,
			     struct ehea_port *port);

/* ehea_debugfs.c */
void ehea_debugfs_init(void);
void ehea_debugfs_exit(void);
void ehea_debugfs_add(struct ehea_adapter *adapter);
void ehea_debugfs_remove(struct ehea_adapter *adapter);

#endif /* EHEA_H */
