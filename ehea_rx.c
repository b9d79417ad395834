// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): receiving.
 *
 * RQ1 is the ring in which every completion of the QP appears, in order. A
 * small frame lies right behind its completion and is copied out; a larger
 * one lies in a buffer of RQ2 or RQ3, around which an skb is built. Buffers
 * are pieces of pages from a page pool. RQ3 is filled only when the MTU needs
 * it.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/page_pool/helpers.h>

#include "ehea.h"
#include "ehea_frame.h"

/* Completions that make no sense before the port is reset. */
#define EHEA_RX_BAD_MAX		8

/* WQEs and slots of RQ1 that are worth a doorbell. */
#define EHEA_RX_BATCH		256U

/* Bytes of a small frame that are copied without a call. */
#define EHEA_RX_PIECE		64

/* Bytes of a frame without payload. */
#define EHEA_FRAME_MIN		(ETH_HLEN + ETH_FCS_LEN)

/* Pages to try when the MR does not cover what the allocator gives. */
#define EHEA_RX_PAGE_TRIES	16

/* When to look for memory again. */
#define EHEA_RX_RETRY		(HZ / 10)

/* What one poll did. */
struct ehea_rx_done {
	u32 index;		/* of the channel */
	bool csum;		/* the stack wants to know of checksums */
	u32 work;		/* completions */
	u32 lost;		/* of these, not delivered */
	u32 bytes;
	u32 inlined;
	u32 csum_complete;
	u32 csum_none;
};

static void ehea_rx_count(struct ehea_rx_stats *stats,
			  const struct ehea_rx_done *done)
{
	u32 packets = done->work - done->lost;

	u64_stats_update_begin(&stats->syncp);
	ehea_stats_add(&stats->packets, packets);
	ehea_stats_add(&stats->bytes, done->bytes);
	ehea_stats_add(&stats->inlined, done->inlined);
	ehea_stats_add(&stats->csum_complete, done->csum_complete);
	ehea_stats_add(&stats->csum_unnecessary,
		       packets - done->csum_complete - done->csum_none);
	ehea_stats_add(&stats->csum_none, done->csum_none);
	u64_stats_update_end(&stats->syncp);
}

/* Count what is rare. */
static noinline void ehea_rx_count_one(struct ehea_channel *ch,
				       u64_stats_t *counter)
{
	struct ehea_rx_stats *stats = &ch->stats->rx;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(counter);
	u64_stats_update_end(&stats->syncp);
}

/* Give pages back to the system, not to the pool: the MR misses them. */
static noinline void ehea_rq_release_aside(struct ehea_rq *rq,
					   struct page **aside,
					   unsigned int count)
{
	while (count--) {
		/* The pool lets go of a page that others hold, too. */
		get_page(aside[count]);
		page_pool_put_full_page(rq->pool, aside[count], false);
		put_page(aside[count]);
	}
}

/* Make a page the one at hand. */
static void ehea_rq_use_page(struct ehea_rq *rq, struct page *page)
{
	rq->frag = page_address(page);
	rq->left = rq->frags;
	page_pool_fragment_page(page, rq->frags);
}

/* The MR misses a page, or there is none: try others. */
static noinline u64 ehea_rq_other_page(struct ehea_channel *ch,
				       struct ehea_rq *rq,
				       const struct ehea_busmap *map,
				       struct page *page)
{
	struct page *aside[EHEA_RX_PAGE_TRIES];
	u64 bus = EHEA_BUSMAP_HOLE;
	unsigned int tries = 0;

	while (page) {
		bus = ehea_busmap_lookup(map, page_to_phys(page));
		if (bus != EHEA_BUSMAP_HOLE)
			break;
		ehea_rx_count_one(ch, &ch->stats->rx.mr_miss);
		/* Keep it for now, or it would be the next one again. */
		aside[tries++] = page;
		if (tries == ARRAY_SIZE(aside))
			break;
		page = page_pool_dev_alloc_pages(rq->pool);
	}
	if (bus != EHEA_BUSMAP_HOLE)
		ehea_rq_use_page(rq, page);
	else if (!page)
		ehea_rx_count_one(ch, &ch->stats->rx.alloc_fail);
	ehea_rq_release_aside(rq, aside, tries);
	return bus;
}

/* From where the CPU sees the page at hand to where the adapter does. */
static u64 ehea_rq_offset(const struct ehea_rq *rq, u64 bus)
{
	return bus - (unsigned long)rq->frag;
}

/* Take a new page. Most lie in the section where the one before was. */
static bool ehea_rq_new_page(struct ehea_channel *ch, struct ehea_rq *rq,
			     const struct ehea_busmap *map,
			     struct ehea_spot *spot, u64 *offset)
{
	struct page *page = page_pool_dev_alloc_pages(rq->pool);
	u64 bus;

	if (likely(page) &&
	    likely(ehea_busmap_lookup_near(map, spot, page_to_phys(page), 1,
					   &bus)))
		ehea_rq_use_page(rq, page);
	else
		bus = ehea_rq_other_page(ch, rq, map, page);
	*offset = ehea_rq_offset(rq, bus);
	return bus != EHEA_BUSMAP_HOLE;
}

/* Let go of what is left of the page at hand. */
static noinline void ehea_rq_drop_page(struct ehea_rq *rq)
{
	struct page *page;

	if (!rq->left)
		return;
	page = virt_to_head_page(rq->frag);
	if (!page_pool_unref_page(page, rq->left))
		page_pool_put_unrefed_page(rq->pool, page, -1, false);
	rq->left = 0;
}

/* The buffer will be posted once more. */
static void ehea_rq_recycle(struct ehea_rq *rq, void *buf)
{
	*(void **)buf = rq->recycle;
	rq->recycle = buf;
}

static void ehea_rq_write(struct ehea_rwqe *wqe, u64 bus, __be32 lkey)
{
	wqe->sge[0].addr = cpu_to_be64(bus + NET_SKB_PAD);
	wqe->sge[0].lkey = lkey;
}

/* What the adapter reads of every WQE, and never writes. */
static void ehea_rq_init_ring(struct ehea_rq *rq)
{
	u32 slot;

	for (slot = 0; slot <= rq->mask; slot++) {
		rq->wqe[slot].wr_id = cpu_to_be64(slot);
		rq->wqe[slot].sges = 1;
		rq->wqe[slot].sge[0].len = cpu_to_be32(rq->frame_max);
	}
}

/* Put a buffer into a slot, unless that is still in use. */
static bool ehea_rq_put(struct ehea_rwqe *wqe, void **slot, void *buf, u64 bus,
			__be32 lkey)
{
	/* Completions came out of order, or are lost. */
	if (unlikely(*slot))
		return false;
	ehea_rq_write(wqe, bus, lkey);
	WRITE_ONCE(*slot, buf);
	return true;
}

/* Put a buffer into the next slot. */
static bool ehea_rq_put_next(struct ehea_rq *rq, void *buf, u64 bus,
			     __be32 lkey)
{
	u32 slot = rq->head & rq->mask;

	if (!ehea_rq_put(&rq->wqe[slot], &rq->buf[slot], buf, bus, lkey))
		return false;
	WRITE_ONCE(rq->head, rq->head + 1);
	WRITE_ONCE(rq->free, rq->free - 1);
	return true;
}

/* Post buffers once more, as far as there is room. */
static noinline void ehea_rq_put_recycled(struct ehea_rq *rq,
					  const struct ehea_view *view)
{
	while (rq->recycle && rq->free) {
		void *buf = rq->recycle;
		void *next = *(void **)buf;
		u64 bus = ehea_busmap_lookup(view->map, __pa(buf));

		if (bus == EHEA_BUSMAP_HOLE)
			page_pool_free_va(rq->pool, buf, false);
		else if (!ehea_rq_put_next(rq, buf, bus, view->recv_lkey))
			return;
		rq->recycle = next;
	}
}

/*
 * Put buffers of the page at hand into at most @count slots from @head on, up
 * to the end of the ring. Return: how many; 0 if a slot is still in use.
 */
static u32 ehea_rq_put_page(struct ehea_rq *rq, u64 offset, u32 head,
			    u32 count, __be32 lkey)
{
	u32 slot = head & rq->mask, truesize = rq->truesize;
	struct ehea_rwqe *wqe = &rq->wqe[slot];
	void **start = &rq->buf[slot];
	void **buf = start, **end;
	void *frag = rq->frag;

	end = start + min3(count, rq->left, rq->mask + 1 - slot);
	do {
		if (unlikely(!ehea_rq_put(wqe++, buf, frag,
					  offset + (unsigned long)frag, lkey)))
			break;
		frag += truesize;
	} while (++buf < end);
	rq->frag = frag;
	rq->left -= buf - start;
	return buf - start;
}

/*
 * Fill slots with buffers of pages, first of the one at hand, if there is one.
 * Return: slots left without one.
 */
static u32 ehea_rq_put_pages(struct ehea_channel *ch, struct ehea_rq *rq,
			     struct ehea_view *view, u64 offset)
{
	struct ehea_spot *spot = &view->pages[rq - ch->rq];
	u32 head = rq->head, free = rq->free;

	while (free) {
		u32 done;

		if (!rq->left && unlikely(!ehea_rq_new_page(ch, rq, view->map,
							    spot, &offset)))
			break;
		done = ehea_rq_put_page(rq, offset, head, free,
					view->recv_lkey);
		if (unlikely(!done))
			break;
		head += done;
		free -= done;
	}
	WRITE_ONCE(rq->head, head);
	return free;
}

/* Write what is missing. Return: WQEs written. */
static u32 ehea_rq_write_free(struct ehea_channel *ch, struct ehea_rq *rq,
			      struct ehea_view *view)
{
	u32 count = rq->free;
	u64 bus = 0;

	if (unlikely(rq->recycle))
		ehea_rq_put_recycled(rq, view);
	if (rq->left) {
		bus = ehea_busmap_lookup(view->map, __pa(rq->frag));
		if (unlikely(bus == EHEA_BUSMAP_HOLE))
			ehea_rq_drop_page(rq);
	}
	WRITE_ONCE(rq->free, ehea_rq_put_pages(ch, rq, view,
					       ehea_rq_offset(rq, bus)));
	return count - rq->free;
}

/* Are buffers hard to get, so that frames are to be copied out of them? */
static void ehea_rq_set_lean(struct ehea_rq *rq, bool lean)
{
	rq->build_below = lean ? 0 : rq->frame_max - EHEA_FRAME_MIN + 1;
}

/* Not all could be posted: make do with less, and try again. */
static noinline void ehea_rq_is_short(struct ehea_channel *ch,
				      struct ehea_rq *rq)
{
	bool lean = rq->free > rq->want / 2;

	ehea_rq_set_lean(rq, lean);
	if (lean && rq->buf[rq->head & rq->mask])
		ehea_port_schedule_reset(ch->port, "receive buffers are lost");
	else if (!timer_pending(&ch->refill))
		mod_timer(&ch->refill, jiffies + EHEA_RX_RETRY);
}

/* Post what is missing. */
static noinline __flatten void ehea_rq_refill(struct ehea_channel *ch,
					      struct ehea_rq *rq)
{
	struct ehea_view *view = rcu_dereference_bh(ch->view);
	u32 count;

	/* Whoever brings the MR back has the channel polled. */
	if (unlikely(!view))
		return;
	spin_lock(&rq->lock);
	count = ehea_rq_write_free(ch, rq, view);
	if (likely(count))
		ehea_qp_post(&ch->qp, rq->reg, count);
	spin_unlock(&rq->lock);

	if (unlikely(rq->free))
		ehea_rq_is_short(ch, rq);
	else
		ehea_rq_set_lean(rq, false);
}

/* A few completions that make no sense are survived, many are not. */
static noinline void ehea_rx_is_bad(struct ehea_channel *ch)
{
	ehea_rx_count_one(ch, &ch->stats->rx.bad_cqe);
	if (net_ratelimit())
		netdev_warn(ch->netdev,
			    "queue %u: receive completion makes no sense\n",
			    ch->index);
	if (++ch->rx_bad < EHEA_RX_BAD_MAX)
		return;
	ch->rx_bad = 0;
	ehea_port_schedule_reset(ch->port, "bad receive completions");
}

static noinline void ehea_rx_no_skb(struct ehea_channel *ch)
{
	ehea_rx_count_one(ch, &ch->stats->rx.alloc_fail);
	ehea_rx_count_one(ch, &ch->stats->rx.dropped);
}

/* __skb_put() for an skb that is empty. */
static void ehea_rx_set_len(struct sk_buff *skb, u32 len)
{
	skb->tail += len;
	skb->len = len;
}

/* A frame that lies in RQ1. */
static struct sk_buff *ehea_rx_inline(struct ehea_channel *ch,
				      const struct ehea_cqe *cqe)
{
	u32 len = be16_to_cpu(cqe->bytes) - ETH_FCS_LEN;
	struct sk_buff *skb;

	if (unlikely(len - ETH_HLEN > EHEA_RQ1_INLINE_MAX - EHEA_FRAME_MIN)) {
		ehea_rx_is_bad(ch);
		return NULL;
	}
	skb = napi_alloc_skb(&ch->napi, ALIGN(len, EHEA_RX_PIECE));
	if (unlikely(!skb)) {
		ehea_rx_no_skb(ch);
		return NULL;
	}
	/* Most are this small, and a fixed size needs no call. */
	memcpy(skb->data, cqe + 1, EHEA_RX_PIECE);
	if (len > EHEA_RX_PIECE)
		memcpy(skb->data + EHEA_RX_PIECE,
		       (const void *)(cqe + 1) + EHEA_RX_PIECE,
		       len - EHEA_RX_PIECE);
	ehea_rx_set_len(skb, len);
	return skb;
}

/* The buffer that a completion names, which is no longer the adapter's. */
static void *ehea_rq_take(struct ehea_rq *rq, const struct ehea_cqe *cqe)
{
	u64 slot = be64_to_cpu(cqe->wr_id);
	void *buf;

	if (unlikely(slot > rq->mask))
		return NULL;
	buf = rq->buf[slot];
	if (unlikely(!buf))
		return NULL;
	WRITE_ONCE(rq->buf[slot], NULL);
	WRITE_ONCE(rq->free, rq->free + 1);
	return buf;
}

/* Memory is short: a frame is copied, if that can be done. */
static struct sk_buff *ehea_rx_copy(struct ehea_channel *ch, const void *data,
				    u32 len)
{
	struct sk_buff *skb = napi_alloc_skb(&ch->napi, len);

	if (!skb) {
		ehea_rx_no_skb(ch);
		return NULL;
	}
	skb_put_data(skb, data, len);
	ehea_rx_count_one(ch, &ch->stats->rx.copied);
	return skb;
}

/* A buffer is kept: its frame makes no sense, or memory is short. */
static noinline struct sk_buff *ehea_rx_keep_buffer(struct ehea_channel *ch,
						    struct ehea_rq *rq,
						    const struct ehea_cqe *cqe,
						    void *buf)
{
	int len = ehea_cqe_len(cqe, rq->frame_max);
	struct sk_buff *skb = NULL;

	if (len < 0)
		ehea_rx_is_bad(ch);
	else if (!rq->build_below)
		skb = ehea_rx_copy(ch, buf + NET_SKB_PAD, len);
	else
		ehea_rx_no_skb(ch);
	ehea_rq_recycle(rq, buf);
	return skb;
}

/* A frame that lies in a buffer of RQ2 or RQ3. */
static struct sk_buff *ehea_rx_buffer(struct ehea_channel *ch,
				      struct ehea_rq *rq,
				      const struct ehea_cqe *cqe)
{
	u32 len = be16_to_cpu(cqe->bytes) - ETH_FCS_LEN;
	void *buf = ehea_rq_take(rq, cqe);
	struct sk_buff *skb;

	if (unlikely(!buf)) {
		ehea_rx_is_bad(ch);
		return NULL;
	}
	/* Nor is a frame one that is shorter than its header. */
	if (unlikely(len - ETH_HLEN >= rq->build_below))
		return ehea_rx_keep_buffer(ch, rq, cqe, buf);
	/* Of use on hardware; prefetch() would test for NULL. */
	__builtin_prefetch(buf + NET_SKB_PAD);
	skb = napi_build_skb(buf, rq->truesize);
	if (unlikely(!skb))
		return ehea_rx_keep_buffer(ch, rq, cqe, buf);
	skb_mark_for_recycle(skb);
	skb_reserve(skb, NET_SKB_PAD);
	ehea_rx_set_len(skb, len);
	return skb;
}

/* Count a frame that is damaged. Return: false if it is not. */
static noinline bool ehea_rx_refuse(struct ehea_channel *ch,
				    const struct ehea_cqe *cqe)
{
	enum ehea_rx_verdict verdict = ehea_rx_verdict(cqe);
	struct ehea_rx_stats *stats = &ch->stats->rx;
	unsigned int queue = ehea_cqe_queue(cqe);
	u32 max = EHEA_RQ1_INLINE_MAX;

	if (verdict < EHEA_RX_FCS_ERROR)
		return false;
	if (queue >= EHEA_RQ2) {
		struct ehea_rq *rq = &ch->rq[queue - EHEA_RQ2];
		void *buf = ehea_rq_take(rq, cqe);

		max = buf ? rq->frame_max : 0;
		if (buf)
			ehea_rq_recycle(rq, buf);
	}
	if (!queue || ehea_cqe_len(cqe, max) < 0)
		ehea_rx_is_bad(ch);
	else if (verdict == EHEA_RX_FCS_ERROR)
		ehea_rx_count_one(ch, &stats->fcs_errors);
	else
		ehea_rx_count_one(ch, &stats->other_errors);
	return true;
}

static void ehea_rx_checksum(struct ehea_channel *ch, struct sk_buff *skb,
			     const struct ehea_cqe *cqe,
			     struct ehea_rx_done *done)
{
	enum ehea_rx_verdict verdict = ehea_rx_verdict(cqe);

	if (verdict == EHEA_RX_CHECKED && done->csum && ehea_rx_is_whole(skb)) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		return;
	}
	if (verdict == EHEA_RX_SUMMED && done->csum) {
		skb->ip_summed = CHECKSUM_COMPLETE;
		skb->csum = ~csum_unfold(cqe->csum);
		done->csum_complete++;
		return;
	}
	if (verdict == EHEA_RX_CSUM_ERROR)
		ehea_rx_count_one(ch, &ch->stats->rx.csum_errors);
	done->csum_none++;
}

static void ehea_rx_deliver(struct ehea_channel *ch, struct sk_buff *skb,
			    const struct ehea_cqe *cqe, u32 plain,
			    struct ehea_rx_done *done)
{
	done->bytes += skb->len;
	skb->protocol = eth_type_trans(skb, ch->netdev);
	if (likely(plain && done->csum && ehea_rx_is_whole(skb)))
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	else
		ehea_rx_checksum(ch, skb, cqe, done);
	if (!plain && cqe->status & cpu_to_be16(EHEA_CQE_VLAN)) {
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q),
				       be16_to_cpu(cqe->vlan_tag));
		done->bytes += VLAN_HLEN;
	}
	skb_record_rx_queue(skb, done->index);
	napi_gro_receive(&ch->napi, skb);
}

/* Make an skb of a frame. Return: NULL if it is lost. */
static struct sk_buff *ehea_rx_skb(struct ehea_channel *ch,
				   const struct ehea_cqe *cqe, u32 queue,
				   u32 plain, struct ehea_rx_done *done)
{
	if (!plain && unlikely(ehea_rx_refuse(ch, cqe)))
		return NULL;
	if (queue == EHEA_RQ1) {
		done->inlined++;
		return ehea_rx_inline(ch, cqe);
	}
	/* Both take one comparison; the field has no more values. */
	if (queue > EHEA_RQ2)
		return ehea_rx_buffer(ch, &ch->rq[1], cqe);
	if (likely(queue == EHEA_RQ2))
		return ehea_rx_buffer(ch, &ch->rq[0], cqe);
	ehea_rx_is_bad(ch);
	return NULL;
}

/* Receive what is there. Return: completions. */
static u32 ehea_rx_frames(struct ehea_channel *ch, u32 budget)
{
	struct ehea_ring *ring = &ch->qp.ring[EHEA_RQ1];
	struct ehea_rq1_slot *slot = ring->next;
	struct ehea_rx_done done = {
		.index = ch->index,
		.csum = ch->netdev->features & NETIF_F_RXCSUM,
	};
	u32 old = ring->valid ? 0 : EHEA_CQE_HEAD_VALID;
	u32 left = budget;

	for (; left; left--) {
		u32 head = be32_to_cpu(READ_ONCE(slot->cqe.head));
		struct sk_buff *skb;
		u32 plain;

		if ((head & EHEA_CQE_HEAD_VALID) == old)
			break;
		dma_rmb(); /* the adapter writes the valid bit last */
		plain = ehea_rx_plain(head, &slot->cqe);
		skb = ehea_rx_skb(ch, &slot->cqe,
				  FIELD_GET(EHEA_CQE_HEAD_RQ, head), plain,
				  &done);
		if (likely(skb))
			ehea_rx_deliver(ch, skb, &slot->cqe, plain, &done);
		else
			done.lost++;
		if (unlikely(++slot == ring->end)) {
			slot = ring->base;
			old ^= EHEA_CQE_HEAD_VALID;
		}
	}
	WRITE_ONCE(ring->next, slot);
	ring->valid = old ? 0 : EHEA_CQE_VALID;
	done.work = budget - left;
	ehea_rx_count(&ch->stats->rx, &done);
	return done.work;
}

/* Give slots of RQ1 back, not more often than is needed. */
static void ehea_rx_give_back(struct ehea_channel *ch, u32 slots)
{
	ch->rq1_owed += slots;
	if (ch->rq1_owed < ch->rq1_batch)
		return;
	ehea_qp_post(&ch->qp, EHEA_QP_RQ1A, ch->rq1_owed);
	ch->rq1_owed = 0;
}

/**
 * ehea_rx_refill - post receive buffers where many are missing
 * @ch: channel
 *
 * Context: NAPI.
 */
void ehea_rx_refill(struct ehea_channel *ch)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ch->rq); i++)
		if (ch->rq[i].free >= ch->rq[i].batch)
			ehea_rq_refill(ch, &ch->rq[i]);
}

/**
 * ehea_rx_poll - receive frames
 * @ch: channel; there is at least one completion
 * @budget: most frames to receive, at least 1
 *
 * Context: NAPI.
 * Return: completions processed.
 */
int __flatten ehea_rx_poll(struct ehea_channel *ch, int budget)
{
	u32 work = ehea_rx_frames(ch, budget);

	ehea_channel_fired(ch, EHEA_FIRED_RECV);
	ehea_rx_give_back(ch, work);
	ehea_rx_refill(ch);
	return work;
}

/**
 * ehea_rx_fill - post receive buffers for the first time
 * @ch: attached to memory, not started, not polled
 *
 * When memory is short, the refill timer goes on with it.
 *
 * Context: process.
 */
void ehea_rx_fill(struct ehea_channel *ch)
{
	int i;

	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(ch->rq); i++) {
		if (!ch->rq[i].pool)
			continue;
		ehea_rq_refill(ch, &ch->rq[i]);
		/* A pool takes 64 pages at once; let go of those left over. */
		page_pool_update_nid(ch->rq[i].pool, NUMA_NO_NODE);
	}
	ehea_qp_post(&ch->qp, EHEA_QP_RQ1A, ch->qp.entries[EHEA_RQ1]);
	local_bh_enable();
}

/* NAPI may post a buffer meanwhile, but never under a replaced key. */
static bool ehea_rq_names(const struct ehea_rq *rq, __be32 lkey)
{
	u32 slot;

	for (slot = 0; slot <= rq->mask; slot++)
		if (READ_ONCE(rq->buf[slot]) &&
		    READ_ONCE(rq->wqe[slot].sge[0].lkey) == lkey)
			return true;
	return false;
}

/**
 * ehea_rx_turned - does no posted buffer name a replaced view's key any more?
 * @ch: channel
 * @view: replaced, at least one RCU grace period ago
 *
 * Looks at all slots: a view under which nothing was posted, because buffers
 * of that size are not used just now, must not keep its MR.
 *
 * Context: process.
 * Return: true if none does.
 */
bool ehea_rx_turned(const struct ehea_channel *ch, const struct ehea_view *view)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ch->rq); i++)
		if (ehea_rq_names(&ch->rq[i], view->recv_lkey))
			return false;
	return true;
}

/* NAPI may take a buffer meanwhile: writing its old WQE does no harm. */
static int ehea_rq_rekey(struct ehea_rq *rq, const struct ehea_view *view)
{
	int err = 0;
	u32 slot;

	for (slot = 0; slot <= rq->mask; slot++) {
		const void *buf = READ_ONCE(rq->buf[slot]);
		u64 bus;

		if (!buf)
			continue;
		bus = ehea_busmap_lookup(view->map, __pa(buf));
		if (bus == EHEA_BUSMAP_HOLE)
			err = -EFAULT;
		else
			ehea_rq_write(&rq->wqe[slot], bus, view->recv_lkey);
	}
	return err;
}

/**
 * ehea_rx_rekey - have all posted buffers name the key of a view
 * @ch: channel; its QP is paused, so the adapter reads none of them
 * @view: current view
 *
 * Context: process; a few microseconds.
 * Return: 0, or -EFAULT when the view does not cover a buffer.
 */
int ehea_rx_rekey(struct ehea_channel *ch, const struct ehea_view *view)
{
	int err = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(ch->rq); i++) {
		struct ehea_rq *rq = &ch->rq[i];

		spin_lock_bh(&rq->lock);
		if (ehea_rq_rekey(rq, view))
			err = -EFAULT;
		spin_unlock_bh(&rq->lock);
	}
	return err;
}

static int ehea_rq_create_pool(struct ehea_channel *ch, struct ehea_rq *rq)
{
	unsigned int order = get_order(rq->truesize);
	struct page_pool_params params = {
		.order = order,
		.nid = NUMA_NO_NODE,
		.napi = &ch->napi,
		.netdev = ch->netdev,
	};
	struct page_pool *pool;

	rq->frags = (PAGE_SIZE << order) / rq->truesize;
	params.pool_size = DIV_ROUND_UP(rq->want, rq->frags);
	pool = page_pool_create(&params);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	rq->pool = pool;
	return 0;
}

static int ehea_rq_create(struct ehea_channel *ch, enum ehea_qp_queue queue,
			  u32 reg, u32 frame_max, u32 want)
{
	struct ehea_rq *rq = &ch->rq[queue - EHEA_RQ2];

	spin_lock_init(&rq->lock);
	rq->wqe = ch->qp.ring[queue].base;
	rq->mask = ch->qp.ring[queue].slots - 1;
	rq->reg = reg;
	rq->want = want;
	rq->free = want;
	rq->batch = clamp(want / 4, 1U, EHEA_RX_BATCH);
	rq->frame_max = frame_max;
	rq->truesize = SKB_DATA_ALIGN(NET_SKB_PAD + frame_max) +
		       SKB_DATA_ALIGN(sizeof(struct skb_shared_info));

	/* Also when no buffer is wanted: completions are checked by it. */
	rq->buf = kvcalloc(rq->mask + 1, sizeof(*rq->buf), GFP_KERNEL);
	if (!rq->buf)
		return -ENOMEM;
	ehea_rq_set_lean(rq, false);
	ehea_rq_init_ring(rq);
	return want ? ehea_rq_create_pool(ch, rq) : 0;
}

/**
 * ehea_rx_create - allocate what the receive queues need
 * @ch: its QP exists
 * @mtu: largest frame to come, without header, tag and FCS
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number; ehea_rx_destroy() cleans up either
 *	   way.
 */
int ehea_rx_create(struct ehea_channel *ch, u32 mtu)
{
	bool large = ehea_needs_rq3(mtu);
	const u32 *entries = ch->qp.entries;
	int err;

	ch->rq1_batch = clamp(entries[EHEA_RQ1] / 4, 1U, EHEA_RX_BATCH);
	err = ehea_rq_create(ch, EHEA_RQ2, EHEA_QP_RQ2A, EHEA_RQ2_FRAME_MAX,
			     entries[EHEA_RQ2]);
	if (err)
		return err;
	return ehea_rq_create(ch, EHEA_RQ3, EHEA_QP_RQ3A, EHEA_RQ3_FRAME_MAX,
			      large ? entries[EHEA_RQ3] : 0);
}

static void ehea_rq_destroy(struct ehea_rq *rq)
{
	u32 slot;

	for (slot = 0; rq->pool && slot <= rq->mask; slot++)
		if (rq->buf[slot])
			page_pool_free_va(rq->pool, rq->buf[slot], false);
	while (rq->recycle) {
		void *buf = rq->recycle;

		rq->recycle = *(void **)buf;
		page_pool_free_va(rq->pool, buf, false);
	}
	ehea_rq_drop_page(rq);
	page_pool_destroy(rq->pool);
	kvfree(rq->buf);
}

/**
 * ehea_rx_destroy - free the receive queues' buffers
 * @ch: its QP is gone; ehea_rx_create() may have failed or not been called
 *
 * Context: process, sleeps.
 */
void ehea_rx_destroy(struct ehea_channel *ch)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ch->rq); i++)
		ehea_rq_destroy(&ch->rq[i]);
}
