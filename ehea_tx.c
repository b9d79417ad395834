// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): sending.
 *
 * A frame of up to 224 bytes is copied into its WQE and freed at once: the
 * adapter has all of it, so nobody waits for its completion. Of such WQEs
 * only one in many is signalled. The others point into the skb, which is
 * kept until a completion says that they are done; these are signalled when
 * the doorbell rings. WQEs complete in order, so one completion is enough for
 * the group of WQEs up to it.
 */
#include <linux/gfp.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/netdev_queues.h>

#include "ehea.h"
#include "ehea_frame.h"

/* How long unsignalled WQEs may lie there in the end. */
#define EHEA_TX_LAZY_TIME	msecs_to_jiffies(20)

/* Free WQEs at which a stopped queue goes on: a quarter of them. */
#define EHEA_TX_WAKE_SHIFT	2

/* Tries to find a bounce buffer that the MR covers. */
#define EHEA_TX_BOUNCE_TRIES	16

/* A small frame is copied in a piece that is never all of it, and others. */
#define EHEA_TX_PIECE		56
#define EHEA_TX_NEXT_PIECE	32
#define EHEA_TX_LAST_PIECE	8

/* CQEs are given back so many at a time: this part of the CQ. */
#define EHEA_TX_ACK_PART	128

#define EHEA_TX_ALL_BOUNCES	GENMASK(EHEA_TX_BOUNCES - 1, 0)

/* WQEs that may be posted now. */
static u32 ehea_tx_room(const struct ehea_tx *tx)
{
	return tx->entries - (READ_ONCE(tx->head) - READ_ONCE(tx->tail));
}

/* May one more be posted? What completed is looked at only when it matters. */
static bool ehea_tx_has_room(struct ehea_tx *tx)
{
	if (likely(tx->head != tx->limit))
		return true;
	tx->limit = READ_ONCE(tx->tail) + tx->entries;
	return tx->head != tx->limit;
}

static u32 ehea_tx_wake_at(const struct ehea_tx *tx)
{
	return tx->entries >> EHEA_TX_WAKE_SHIFT;
}

static bool ehea_tx_bounce_is_free(const struct ehea_tx *tx)
{
	return READ_ONCE(tx->bounce_busy) != EHEA_TX_ALL_BOUNCES;
}

/* Have the WQE written last report its completion, and that of its group. */
static void ehea_tx_signal(struct ehea_tx *tx)
{
	u32 head = tx->head, mask = tx->mask, nr = tx->group_head;
	struct ehea_swqe *wqe = &tx->wqe[(head - 1) & mask];
	struct ehea_tx_group *group = tx->open;

	wqe->wr_id = cpu_to_be64(nr & mask);
	wqe->ctrl |= cpu_to_be16(EHEA_SWQE_SIGNALLED);
	group->head = head;
	group->skb_head = tx->skb_head;
	WRITE_ONCE(tx->closed, head);

	/* Pairs with the barrier in ehea_tx_clean(). */
	smp_store_release(&tx->group_head, ++nr);
	group = &tx->group[nr & mask];
	memset(group, 0, sizeof(*group));
	tx->open = group;
}

/* May the WQEs written since the last signalled one do without a signal? */
static bool ehea_tx_is_lazy(const struct ehea_channel *ch)
{
	const struct ehea_tx *tx = &ch->tx;

	return !tx->open->held &&
	       tx->head - tx->closed < READ_ONCE(tx->lazy_max) &&
	       !netif_xmit_stopped(ch->txq);
}

static void ehea_tx_ring(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;

	ehea_qp_post(&ch->qp, EHEA_QP_SQA, tx->head - tx->rung);
	tx->rung = tx->head;
}

static void ehea_tx_report(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;

	netdev_tx_sent_queue(ch->txq, tx->bytes);
	tx->open->bytes += tx->bytes;
	tx->bytes = 0;
}

/* Tell the adapter of what was written. */
static noinline __flatten void ehea_tx_kick(struct ehea_channel *ch)
{
	ehea_tx_report(ch);
	if (!ehea_tx_is_lazy(ch))
		ehea_tx_signal(&ch->tx);
	else if (!timer_pending(&ch->refill))
		mod_timer(&ch->refill, jiffies + EHEA_TX_LAZY_TIME);
	ehea_tx_ring(ch);
}

/* Frames of a burst must not wait for one that is not coming. */
static noinline void ehea_tx_kick_rest(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;

	if (tx->rung == tx->head)
		return;
	ehea_tx_report(ch);
	ehea_tx_signal(tx);
	ehea_tx_ring(ch);
}

static void ehea_tx_count_stop(struct ehea_channel *ch)
{
	struct ehea_xmit_stats *stats = &ch->stats->xmit;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->stop);
	u64_stats_update_end(&stats->syncp);
}

/* What cannot be posted now stays with the stack; nothing is lost. */
static noinline netdev_tx_t ehea_tx_busy(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;

	ehea_tx_kick_rest(ch);
	ehea_tx_count_stop(ch);
	netif_tx_stop_queue(ch->txq);
	/* Pairs with the barrier in __netif_txq_completed_wake(). */
	smp_mb__after_atomic();
	if (rcu_access_pointer(ch->view) && ehea_tx_room(tx) &&
	    ehea_tx_bounce_is_free(tx))
		netif_tx_start_queue(ch->txq);
	return NETDEV_TX_BUSY;
}

static noinline netdev_tx_t ehea_tx_drop(struct ehea_channel *ch,
					 struct sk_buff *skb)
{
	struct ehea_xmit_stats *stats = &ch->stats->xmit;

	ehea_tx_kick_rest(ch);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->dropped);
	u64_stats_update_end(&stats->syncp);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/* Most pieces lie in the section where the one before was found. */
static bool ehea_tx_map(const struct ehea_view *view, struct ehea_spot *spot,
			struct ehea_sge *sge, phys_addr_t real, u32 len)
{
	u64 bus;

	if (!ehea_busmap_lookup_near(view->map, spot, real, len, &bus))
		return false;
	sge->addr = cpu_to_be64(bus);
	sge->lkey = view->send_lkey;
	sge->len = cpu_to_be32(len);
	return true;
}

/*
 * Describe a frame from byte @skip on: the first piece by @sge, further ones
 * from @more on.
 */
static int ehea_tx_map_skb(struct ehea_view *view, struct ehea_swqe *wqe,
			   const struct sk_buff *skb, u32 skip,
			   struct ehea_sge *sge, struct ehea_sge *more)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	const skb_frag_t *frag = shinfo->frags;
	const skb_frag_t *end = frag + shinfo->nr_frags;
	u32 len = skb_headlen(skb) - skip;

	wqe->sges = shinfo->nr_frags;
	if (len) {
		if (!ehea_tx_map(view, &view->linear, sge,
				 __pa(skb->data + skip), len))
			return -EFAULT;
		wqe->sges++;
		sge = more++;
	}
	for (; frag < end; frag++) {
		if (!ehea_tx_map(view, &view->frags, sge,
				 page_to_phys(skb_frag_page(frag)) +
				 skb_frag_off(frag), skb_frag_size(frag)))
			return -EFAULT;
		sge = more++;
	}
	return 0;
}

/* Are there descriptors for a frame of which the first bytes are copied? */
static bool ehea_tx_fits(const struct sk_buff *skb, u32 skip)
{
	return skb_shinfo(skb)->nr_frags <
	       (skip ? EHEA_SWQE_MIXED_SGES : EHEA_SWQE_SGES);
}

static void ehea_tx_count_copy(struct ehea_channel *ch, bool miss)
{
	struct ehea_xmit_stats *stats = &ch->stats->xmit;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(miss ? &stats->mr_miss : &stats->linearized);
	u64_stats_update_end(&stats->syncp);
}

/*
 * Copy a frame, from byte @skip on, to where the adapter can read it. Return:
 * 0 or a negative error number.
 */
static noinline int ehea_tx_bounce(struct ehea_channel *ch,
				   struct ehea_view *view,
				   struct ehea_swqe *wqe,
				   const struct sk_buff *skb, u32 skip,
				   struct ehea_sge *sge)
{
	unsigned int nr = ffz(READ_ONCE(ch->tx.bounce_busy));
	u32 len = skb->len - skip;

	if (len > EHEA_TX_BOUNCE_SIZE)
		return -EMSGSIZE;
	if (nr >= EHEA_TX_BOUNCES)
		return -EBUSY;
	if (!ehea_tx_map(view, &view->linear, sge, __pa(ch->tx.bounce[nr]),
			 len))
		return -EFAULT;
	if (skb_copy_bits(skb, skip, ch->tx.bounce[nr], len))
		return -EFAULT;

	wqe->sges = 1;
	set_bit(nr, &ch->tx.bounce_busy);
	ch->tx.open->bounces |= BIT(nr);
	ch->tx.open->held = true;
	ehea_tx_count_copy(ch, ehea_tx_fits(skb, skip));
	return 0;
}

/* Describe a frame. Return: 1 if the skb must be kept, 0 if it was copied. */
static int ehea_tx_describe(struct ehea_channel *ch, struct ehea_view *view,
			    struct ehea_swqe *wqe, const struct sk_buff *skb,
			    u32 skip)
{
	struct ehea_sge *more = skip ? wqe->mixed.more : &wqe->sge[1];
	struct ehea_sge *sge = skip ? &wqe->mixed.first : wqe->sge;

	if (likely(ehea_tx_fits(skb, skip)) &&
	    likely(!ehea_tx_map_skb(view, wqe, skb, skip, sge, more)))
		return 1;
	return ehea_tx_bounce(ch, view, wqe, skb, skip, sge);
}

static int ehea_tx_write_gso(struct ehea_channel *ch, struct ehea_view *view,
			     struct ehea_swqe *wqe, const struct sk_buff *skb)
{
	u32 hdr = skb_tcp_all_headers(skb);

	/* ehea_features_check() sees to it, but not everyone asks it. */
	if (unlikely(hdr > EHEA_SWQE_MIXED_IMM_MAX || hdr > skb_headlen(skb)))
		return -EMSGSIZE;
	wqe->mss = cpu_to_be16(skb_shinfo(skb)->gso_size);
	wqe->imm_len = hdr;
	wqe->ctrl = cpu_to_be16(EHEA_SWQE_TSO | EHEA_SWQE_IMM | EHEA_SWQE_SGL);
	memcpy(wqe->mixed.imm, skb->data, hdr);
	return ehea_tx_describe(ch, view, wqe, skb, hdr);
}

/* A frame that fits, but is in pieces, or so short that it will be padded. */
static noinline int ehea_tx_write_pieces(struct ehea_swqe *wqe,
					 const struct sk_buff *skb)
{
	if (skb->len < ETH_HLEN)
		return -EMSGSIZE;
	wqe->imm_len = skb->len;
	wqe->ctrl = cpu_to_be16(EHEA_SWQE_IMM);
	/* With what it is padded is up to the adapter: perhaps with this. */
	memset(wqe->imm, 0, ETH_ZLEN);
	return skb_copy_bits(skb, 0, wqe->imm, skb->len);
}

/*
 * Write what is to be sent of a larger frame. Return: 1 if the skb must be
 * kept until then, 0 if it was copied, or a negative error number.
 */
static int ehea_tx_write(struct ehea_channel *ch, struct ehea_view *view,
			 struct ehea_swqe *wqe, const struct sk_buff *skb)
{
	if (unlikely(skb->len <= EHEA_SWQE_IMM_MAX))
		return ehea_tx_write_pieces(wqe, skb);
	if (skb_is_gso(skb))
		return ehea_tx_write_gso(ch, view, wqe, skb);
	if (unlikely(skb->len > EHEA_RQ3_FRAME_MAX))
		return -EMSGSIZE;
	wqe->ctrl = cpu_to_be16(EHEA_SWQE_SGL);
	return ehea_tx_describe(ch, view, wqe, skb, 0);
}

/* Nothing of the slot's last use may show. */
static void ehea_tx_clear(struct ehea_swqe *wqe)
{
	memset(&wqe->ctrl, 0, offsetof(struct ehea_swqe, sge) -
			      offsetof(struct ehea_swqe, ctrl));
}

static void ehea_tx_count_csum(struct ehea_channel *ch)
{
	struct ehea_xmit_stats *stats = &ch->stats->xmit;

	u64_stats_update_begin(&stats->syncp);
	ehea_stats_add(&stats->csum, 1);
	u64_stats_update_end(&stats->syncp);
}

/* Bytes of a frame on the wire, but for a tag to be inserted. */
static u32 ehea_tx_padded(const struct sk_buff *skb)
{
	u32 tag = skb_vlan_tag_present(skb) ? VLAN_HLEN : 0;

	return max_t(u32, skb->len, ETH_ZLEN - tag);
}

/*
 * It is written where a frame lies, and @bytes will go over the wire, a tag
 * apart: add what the adapter is to do with it, and make it part of the ring.
 */
static void ehea_tx_post(struct ehea_channel *ch, struct ehea_swqe *wqe,
			 const struct sk_buff *skb, u16 ctrl, u32 bytes)
{
	struct ehea_tx *tx = &ch->tx;

	ctrl |= EHEA_SWQE_FCS;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		int start = skb_checksum_start_offset(skb);

		wqe->ip_start = skb_network_offset(skb);
		wqe->ip_end = start - 1;
		wqe->l4_csum = start + skb->csum_offset;
		ctrl |= EHEA_SWQE_IP_CSUM | EHEA_SWQE_L4_CSUM;
		ehea_tx_count_csum(ch);
	}
	if (skb_vlan_tag_present(skb)) {
		wqe->vlan_tag = cpu_to_be16(skb_vlan_tag_get(skb));
		ctrl |= EHEA_SWQE_VLAN;
		bytes += VLAN_HLEN;
	}
	wqe->ctrl = cpu_to_be16(ctrl);
	tx->bytes += bytes;
	WRITE_ONCE(tx->head, tx->head + 1);
}

/* Count segments of a frame. Return: bytes that they are more than it. */
static u32 ehea_tx_count_gso(struct ehea_channel *ch,
			     const struct ehea_swqe *wqe,
			     const struct sk_buff *skb)
{
	struct ehea_xmit_stats *stats = &ch->stats->xmit;
	u32 tag = skb_vlan_tag_present(skb) ? VLAN_HLEN : 0;
	u32 mss = be16_to_cpu(wqe->mss);
	u32 hdr = wqe->imm_len;
	u32 segs = DIV_ROUND_UP(skb->len - hdr, mss);
	u32 last = skb->len - (segs - 1) * mss + tag;

	u64_stats_update_begin(&stats->syncp);
	ehea_stats_add(&stats->gso_packets, 1);
	ehea_stats_add(&stats->gso_wire_packets, segs);
	u64_stats_update_end(&stats->syncp);
	ch->tx.open->extra += segs - 1;
	return (segs - 1) * (hdr + tag) +
	       (last < ETH_ZLEN ? ETH_ZLEN - last : 0);
}

/* Only sockets are told of time stamps. */
static bool ehea_tx_wants_time(const struct sk_buff *skb)
{
	return skb->sk && skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP;
}

/*
 * Has a frame been dealt with, once it is in the ring? Nobody stops the queue
 * between the frames of a burst: this driver does so under the Tx queue lock.
 */
static bool ehea_tx_is_settled(const struct ehea_channel *ch,
			       const struct sk_buff *skb)
{
	return netdev_xmit_more() && ch->tx.head != ch->tx.limit &&
	       !ehea_tx_wants_time(skb);
}

/* What is to be done after a frame, most often the last one of a burst. */
static noinline void ehea_tx_settle(struct ehea_channel *ch,
				    struct sk_buff *skb)
{
	struct ehea_tx *tx = &ch->tx;

	skb_tx_timestamp(skb);
	if (unlikely(!ehea_tx_has_room(tx)) &&
	    !netif_txq_maybe_stop(ch->txq, ehea_tx_room(tx), 1,
				  ehea_tx_wake_at(tx)))
		ehea_tx_count_stop(ch);
	if (!netdev_xmit_more() || netif_tx_queue_stopped(ch->txq))
		ehea_tx_kick(ch);
}

/* The adapter has all of a frame that was copied. */
static noinline netdev_tx_t ehea_xmit_last(struct ehea_channel *ch,
					   struct sk_buff *skb)
{
	ehea_tx_settle(ch, skb);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

/* Any other than a small frame. Most do not fit into their WQE. */
static noinline __flatten netdev_tx_t ehea_xmit_large(struct ehea_channel *ch,
						      struct ehea_view *view,
						      struct ehea_swqe *wqe,
						      struct sk_buff *skb)
{
	struct ehea_tx *tx = &ch->tx;
	u32 bytes = skb->len;
	int keep;

	ehea_tx_clear(wqe);
	keep = ehea_tx_write(ch, view, wqe, skb);
	if (unlikely(keep == -EBUSY))
		return ehea_tx_busy(ch);
	if (unlikely(keep < 0))
		return ehea_tx_drop(ch, skb);
	if (likely(keep)) {
		tx->open->held = true;
		tx->skb[tx->skb_head++ & tx->mask] = skb;
	}
	if (wqe->ctrl & cpu_to_be16(EHEA_SWQE_TSO))
		bytes += ehea_tx_count_gso(ch, wqe, skb);
	else if (unlikely(bytes < ETH_ZLEN))
		bytes = ehea_tx_padded(skb);
	ehea_tx_post(ch, wqe, skb, be16_to_cpu(wqe->ctrl), bytes);
	if (unlikely(!keep))
		return ehea_xmit_last(ch, skb);
	if (!ehea_tx_is_settled(ch, skb))
		ehea_tx_settle(ch, skb);
	return NETDEV_TX_OK;
}

/* Nobody segments such a frame, and nobody pads it. */
static bool ehea_tx_is_small(const struct sk_buff *skb, u32 len)
{
	return len - ETH_ZLEN <= EHEA_SWQE_IMM_MAX - ETH_ZLEN &&
	       !skb_is_nonlinear(skb);
}

/*
 * Copy a small frame of @len bytes. Pieces of a fixed size need no call. What
 * lies behind the frame may not get into the WQE: the last piece overlaps the
 * one before. It reads the skb anew, for want of registers.
 */
static void ehea_tx_copy(u8 *imm, const struct sk_buff *skb, u32 len)
{
	const u8 *data = skb->data;
	u32 at;

	memcpy(imm, data, EHEA_TX_PIECE);
	if (likely(len <= EHEA_TX_PIECE + EHEA_TX_LAST_PIECE)) {
		at = len - EHEA_TX_LAST_PIECE;
		memcpy(imm + at, data + at, EHEA_TX_LAST_PIECE);
		return;
	}
	for (at = EHEA_TX_PIECE; at < len - EHEA_TX_NEXT_PIECE;
	     at += EHEA_TX_NEXT_PIECE)
		memcpy(imm + at, data + at, EHEA_TX_NEXT_PIECE);
	at = skb->len - EHEA_TX_NEXT_PIECE;
	memcpy(imm + at, skb->data + at, EHEA_TX_NEXT_PIECE);
}

static struct ehea_channel *ehea_tx_channel(const struct net_device *netdev,
					    const struct sk_buff *skb)
{
	const struct ehea_port *port = netdev_priv(netdev);
	const struct ehea_channels *set = rcu_dereference_bh(port->channels);

	return likely(set) ? set->ch[skb_get_queue_mapping(skb)] : NULL;
}

/* The queues are being taken down or exchanged. */
static noinline netdev_tx_t ehea_tx_closed(const struct sk_buff *skb,
					   struct net_device *netdev)
{
	netif_stop_subqueue(netdev, skb_get_queue_mapping(skb));
	return NETDEV_TX_BUSY;
}

/**
 * ehea_start_xmit - send a frame
 * @skb: frame; its needs were trimmed by ehea_features_check()
 * @netdev: port's network device
 *
 * Context: softirq or BH disabled, interrupts off under netpoll; the Tx queue
 *	    lock, and so RCU-bh.
 * Return: NETDEV_TX_OK, or NETDEV_TX_BUSY when the frame has to wait.
 */
netdev_tx_t __flatten ehea_start_xmit(struct sk_buff *skb,
				      struct net_device *netdev)
{
	struct ehea_channel *ch = ehea_tx_channel(netdev, skb);
	struct ehea_view *view;
	struct ehea_swqe *wqe;
	struct ehea_tx *tx;
	u32 len;

	if (unlikely(!ch))
		return ehea_tx_closed(skb, netdev);
	tx = &ch->tx;
	view = rcu_dereference_bh(ch->view);
	if (unlikely(!view || !ehea_tx_has_room(tx)))
		return ehea_tx_busy(ch);

	wqe = &tx->wqe[tx->head & tx->mask];
	len = skb->len;
	if (!ehea_tx_is_small(skb, len))
		return ehea_xmit_large(ch, view, wqe, skb);
	ehea_tx_clear(wqe);
	wqe->imm_len = len;
	ehea_tx_copy(wqe->imm, skb, len);
	ehea_tx_post(ch, wqe, skb, EHEA_SWQE_IMM, skb->len);
	if (!ehea_tx_is_settled(ch, skb))
		return ehea_xmit_last(ch, skb);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static noinline netdev_features_t
ehea_tx_tagged_features(struct sk_buff *skb, netdev_features_t features)
{
	return ehea_tx_features(skb, vlan_features_check(skb, features));
}

/**
 * ehea_features_check - what the adapter can do for a frame
 * @skb: frame
 * @netdev: port's network device
 * @features: what the port offers
 *
 * Context: softirq or BH disabled.
 * Return: @features less what the stack must do for this frame.
 */
netdev_features_t ehea_features_check(struct sk_buff *skb,
				      struct net_device *netdev,
				      netdev_features_t features)
{
	if (unlikely(skb_vlan_tagged(skb)))
		return ehea_tx_tagged_features(skb, features);
	return ehea_tx_features(skb, features);
}

/*
 * WQEs that hold nothing may lie unsignalled for a while, but not for ever:
 * have them completed by a WQE that sends nothing.
 */
static void ehea_tx_purge(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;
	struct ehea_swqe *wqe;

	/* Two, so that the queue is never full without having stopped. */
	if (tx->head == tx->closed || tx->head != tx->rung ||
	    ehea_tx_room(tx) < 2)
		return;
	wqe = &tx->wqe[tx->head & tx->mask];
	memset(wqe, 0, offsetof(struct ehea_swqe, sge));
	wqe->ctrl = cpu_to_be16(EHEA_SWQE_PURGE);
	tx->limit = READ_ONCE(tx->tail) + tx->entries;
	WRITE_ONCE(tx->head, tx->head + 1);
	tx->open->extra--;
	ehea_tx_signal(tx);
	ehea_tx_ring(ch);
}

/**
 * ehea_tx_flush - have WQEs completed that lie there unsignalled
 * @ch: channel
 *
 * What cannot be done at once is tried again.
 *
 * Context: NAPI.
 */
void ehea_tx_flush(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;

	if (READ_ONCE(tx->head) == READ_ONCE(tx->closed))
		return;
	if (__netif_tx_trylock(ch->txq)) {
		ehea_tx_purge(ch);
		__netif_tx_unlock(ch->txq);
	}
	if (READ_ONCE(tx->head) != READ_ONCE(tx->closed))
		mod_timer(&ch->refill, jiffies + EHEA_TX_LAZY_TIME);
}

/**
 * ehea_tx_finish - have all WQEs report their completion that were posted
 * @ch: channel; the stack's queue is stopped
 *
 * Context: process or softirq.
 */
void ehea_tx_finish(struct ehea_channel *ch)
{
	__netif_tx_lock_bh(ch->txq);
	ehea_tx_purge(ch);
	__netif_tx_unlock_bh(ch->txq);
}

/* Group by group: sums would only be kept in registers that are not there. */
static void ehea_tx_count_group(struct ehea_tx_stats *stats,
				const struct ehea_tx_group *group, u32 wqes)
{
	u64_stats_update_begin(&stats->syncp);
	ehea_stats_add(&stats->packets, wqes + group->extra);
	ehea_stats_add(&stats->bytes, group->bytes);
	u64_stats_update_end(&stats->syncp);
}

static void ehea_tx_free_group(struct ehea_tx *tx,
			       const struct ehea_tx_group *group, int budget)
{
	u32 at = tx->skb_tail;
	unsigned int nr;

	for (; at != group->skb_head; at++)
		napi_consume_skb(tx->skb[at & tx->mask], budget);
	tx->skb_tail = at;
	for (nr = 0; unlikely(group->bounces >> nr); nr++)
		if (group->bounces & BIT(nr))
			clear_bit(nr, &tx->bounce_busy);
}

static bool ehea_tx_may_wake(const struct ehea_channel *ch)
{
	return !READ_ONCE(ch->tx.quiet) && rcu_access_pointer(ch->view);
}

static void ehea_tx_complete(struct ehea_channel *ch, u32 groups, int budget)
{
	struct ehea_tx_stats *stats = &ch->stats->tx;
	struct ehea_tx *tx = &ch->tx;
	u32 at = tx->group_tail, end = at + groups;
	u32 bytes = 0;
	int woken;

	for (; at != end; at++) {
		const struct ehea_tx_group *group = &tx->group[at & tx->mask];

		ehea_tx_free_group(tx, group, budget);
		ehea_tx_count_group(stats, group, group->head - tx->tail);
		bytes += group->bytes;
		/* The slots are the producer's once it sees this. */
		smp_store_release(&tx->tail, group->head);
	}
	tx->group_tail = end;

	/* How many WQEs they were matters to nobody. */
	woken = __netif_txq_completed_wake(ch->txq, 1, bytes,
					   ehea_tx_room(tx),
					   ehea_tx_wake_at(tx),
					   !ehea_tx_may_wake(ch));
	if (!woken) {
		u64_stats_update_begin(&stats->syncp);
		u64_stats_inc(&stats->wake);
		u64_stats_update_end(&stats->syncp);
	}
}

static noinline void ehea_tx_count_errors(struct ehea_channel *ch, u32 errors,
					  u32 bad)
{
	struct ehea_tx_stats *stats = &ch->stats->tx;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->errors, errors);
	u64_stats_add(&stats->bad_cqe, bad);
	u64_stats_update_end(&stats->syncp);
	ehea_port_schedule_reset(ch->port, bad ? "bad send completion" :
						 "send error");
}

/* Give CQEs back, not more often than is needed. */
static void ehea_tx_ack(struct ehea_channel *ch, u32 cqes)
{
	struct ehea_tx *tx = &ch->tx;

	tx->unacked += cqes;
	if (tx->unacked < tx->ack_batch)
		return;
	ehea_cq_ack(&ch->send_cq, tx->unacked);
	tx->unacked = 0;
}

/**
 * ehea_tx_clean - free frames that were sent
 * @ch: channel; there is at least one completion
 * @budget: of NAPI; 0 when netpoll calls
 *
 * Context: NAPI.
 */
void __flatten ehea_tx_clean(struct ehea_channel *ch, int budget)
{
	struct ehea_ring *ring = &ch->send_cq.ring;
	u32 cqes = 0, groups = 0, errors = 0, bad = 0;
	struct ehea_tx *tx = &ch->tx;
	u32 more;

	do {
		const struct ehea_cqe *cqe = ehea_ring_cqe(ring);

		more = ehea_cqe_group(cqe, tx->mask, tx->group_tail + groups,
				      READ_ONCE(tx->group_head));
		if (unlikely(!more))
			bad++;
		if (unlikely(cqe->status & cpu_to_be16(EHEA_CQE_TX_RESET)))
			errors++;
		groups += more;
		ehea_ring_advance(ring);
	} while (++cqes < ring->slots && ehea_ring_pending(ring));
	ehea_channel_fired(ch, EHEA_FIRED_SEND);
	ehea_tx_ack(ch, cqes);
	if (unlikely(errors || bad))
		ehea_tx_count_errors(ch, errors, bad);
	if (likely(groups)) {
		smp_rmb(); /* read groups after group_head, as written */
		ehea_tx_complete(ch, groups, budget);
	}
}

/**
 * ehea_tx_set_quiet - may completions wake the stack's queue?
 * @ch: channel
 * @quiet: no: the queue is about to be stopped for good, or until this is
 *	taken back
 *
 * Wait for a grace period before stopping the queue: a poll that is under way
 * may wake it.
 *
 * Context: any.
 */
void ehea_tx_set_quiet(struct ehea_channel *ch, bool quiet)
{
	WRITE_ONCE(ch->tx.quiet, quiet);
}

/**
 * ehea_tx_wake - let the stack send again
 * @ch: channel; has a view again
 *
 * Context: any.
 */
void ehea_tx_wake(struct ehea_channel *ch)
{
	rcu_read_lock_bh();
	if (ehea_tx_may_wake(ch))
		netif_tx_wake_queue(ch->txq);
	rcu_read_unlock_bh();
}

/**
 * ehea_tx_mark - note which WQEs may name the keys of a replaced view
 * @ch: channel
 * @view: replaced, at least one RCU grace period ago
 *
 * Those that do are all signalled: a burst ends within one RCU section.
 *
 * Context: any.
 */
void ehea_tx_mark(struct ehea_channel *ch, struct ehea_view *view)
{
	view->sq_mark = READ_ONCE(ch->tx.closed);
}

/**
 * ehea_tx_turned - have all WQEs completed that may name a replaced view's keys
 * @ch: channel
 * @view: replaced view
 *
 * Context: any.
 * Return: true if they have.
 */
bool ehea_tx_turned(const struct ehea_channel *ch, const struct ehea_view *view)
{
	return (s32)(READ_ONCE(ch->tx.tail) - view->sq_mark) >= 0;
}

static void *ehea_tx_alloc_bounce(void)
{
	return (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN,
					get_order(EHEA_TX_BOUNCE_SIZE));
}

static void ehea_tx_free_bounce(void *bounce)
{
	free_pages((unsigned long)bounce, get_order(EHEA_TX_BOUNCE_SIZE));
}

/**
 * ehea_tx_set_frames - set how many frames may go unsignalled in a row
 * @ch: its QP exists
 * @frames: 1 to EHEA_TX_FRAMES_MAX; 1 has each of them signalled
 *
 * Context: any; the queue may be in use.
 */
void ehea_tx_set_frames(struct ehea_channel *ch, u32 frames)
{
	WRITE_ONCE(ch->tx.lazy_max, min(frames, ch->tx.entries / 4));
}

/**
 * ehea_tx_create - allocate a send queue's memory
 * @ch: its QP exists
 *
 * Context: process, sleeps.
 * Return: 0 or -ENOMEM; ehea_tx_destroy() cleans up either way.
 */
int ehea_tx_create(struct ehea_channel *ch)
{
	u32 slots = ch->qp.ring[EHEA_SQ].slots;
	struct ehea_tx *tx = &ch->tx;
	unsigned int i;
	u32 cqes;

	tx->wqe = ch->qp.ring[EHEA_SQ].base;
	tx->mask = slots - 1;
	/* Each may complete with a CQE, which there must be room for. */
	cqes = ch->send_cq.ring.slots;
	tx->ack_batch = max(cqes / EHEA_TX_ACK_PART, 1U);
	tx->entries = min(ch->qp.entries[EHEA_SQ], cqes - tx->ack_batch);
	/* Until ehea_port_begin(), where BQL starts anew. */
	tx->quiet = true;
	ehea_tx_set_frames(ch, EHEA_TX_FRAMES_MAX);

	tx->skb = kvcalloc(slots, sizeof(*tx->skb), GFP_KERNEL);
	tx->group = kvcalloc(slots, sizeof(*tx->group), GFP_KERNEL);
	if (!tx->skb || !tx->group)
		return -ENOMEM;
	tx->open = tx->group;
	tx->limit = tx->entries;
	for (i = 0; i < EHEA_TX_BOUNCES; i++) {
		tx->bounce[i] = ehea_tx_alloc_bounce();
		if (!tx->bounce[i])
			return -ENOMEM;
	}
	return 0;
}

static bool ehea_tx_bounce_is_mapped(struct ehea_channel *ch, void *bounce)
{
	const struct ehea_view *view;
	bool mapped;

	rcu_read_lock_bh();
	view = rcu_dereference_bh(ch->view);
	mapped = view && ehea_busmap_lookup_range(view->map, __pa(bounce),
						  EHEA_TX_BOUNCE_SIZE) !=
			 EHEA_BUSMAP_HOLE;
	rcu_read_unlock_bh();
	return mapped;
}

/* Replace a bounce buffer until it is one that the MR covers. */
static int ehea_tx_prepare_bounce(struct ehea_channel *ch, void **bounce)
{
	void *aside[EHEA_TX_BOUNCE_TRIES];
	unsigned int tries = 0;
	int err = 0;

	while (!ehea_tx_bounce_is_mapped(ch, *bounce)) {
		void *other = ehea_tx_alloc_bounce();

		if (!other || tries == ARRAY_SIZE(aside)) {
			ehea_tx_free_bounce(other);
			err = -ENOMEM;
			break;
		}
		/* Keep it for now, or it would be the next one again. */
		aside[tries++] = *bounce;
		*bounce = other;
	}
	while (tries--)
		ehea_tx_free_bounce(aside[tries]);
	return err;
}

/**
 * ehea_tx_prepare - make a send queue ready
 * @ch: attached to memory, not started
 *
 * Kernel memory does not move, so what the MR covers now it always will.
 *
 * Context: process, sleeps.
 * Return: 0, or -ENOMEM when no bounce buffer in the MR can be had.
 */
int ehea_tx_prepare(struct ehea_channel *ch)
{
	unsigned int i;
	int err;

	for (i = 0; i < EHEA_TX_BOUNCES; i++) {
		err = ehea_tx_prepare_bounce(ch, &ch->tx.bounce[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ehea_tx_destroy - free a send queue's memory and the frames in it
 * @ch: its QP is gone; ehea_tx_create() may have failed
 *
 * Context: process.
 */
void ehea_tx_destroy(struct ehea_channel *ch)
{
	struct ehea_tx *tx = &ch->tx;
	unsigned int i;

	while (tx->skb_tail != tx->skb_head)
		dev_kfree_skb_any(tx->skb[tx->skb_tail++ & tx->mask]);
	for (i = 0; i < EHEA_TX_BOUNCES; i++)
		ehea_tx_free_bounce(tx->bounce[i]);
	kvfree(tx->group);
	kvfree(tx->skb);
}
