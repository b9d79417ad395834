// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of sending: what is in a WQE, and what a completion does. */

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/unaligned.h>

#include "../../ehea_frame.h"
#include "ehea_fake.h"

#define RANDOM_STEPS	4000

static struct ehea_swqe *last_wqe(const struct ehea_fake *fake)
{
	const struct ehea_tx *tx = &fake->ch->tx;

	return &tx->wqe[(tx->head - 1) & tx->mask];
}

static u16 last_ctrl(const struct ehea_fake *fake)
{
	return be16_to_cpu(last_wqe(fake)->ctrl);
}

static netdev_tx_t send(struct ehea_fake *fake, struct sk_buff *skb, bool more)
{
	netdev_tx_t ret;

	local_bh_disable();
	ret = __netdev_start_xmit(fake->netdev->netdev_ops, skb, fake->netdev,
				  more);
	local_bh_enable();
	return ret;
}

static void clean(struct ehea_fake *fake)
{
	local_bh_disable();
	if (ehea_tx_pending(fake->ch))
		ehea_tx_clean(fake->ch, 64);
	local_bh_enable();
}

static void flush(struct ehea_fake *fake)
{
	local_bh_disable();
	ehea_tx_flush(fake->ch);
	local_bh_enable();
}

/* Send a linear frame; the test's own reference goes. */
static void send_one(struct kunit *test, struct ehea_fake *fake, u32 len,
		     bool more)
{
	struct sk_buff *skb = ehea_fake_skb(test, fake, len, 1);

	KUNIT_ASSERT_EQ(test, (int)send(fake, skb, more), (int)NETDEV_TX_OK);
	kfree_skb(skb);
}

static bool stopped(const struct ehea_fake *fake)
{
	return netif_tx_queue_stopped(fake->ch->txq);
}

static u64 doorbell(const struct ehea_fake *fake)
{
	return ehea_fake_register(fake, EHEA_QP_SQA);
}

static u64 count(const u64_stats_t *counter)
{
	return u64_stats_read(counter);
}

static void ehea_tx_immediate_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 100, 7);
	struct ehea_swqe *wqe;

	send(fake, skb, false);
	wqe = last_wqe(fake);
	KUNIT_EXPECT_EQ(test, last_ctrl(fake), EHEA_SWQE_FCS | EHEA_SWQE_IMM);
	KUNIT_EXPECT_EQ(test, wqe->imm_len, 100);
	KUNIT_EXPECT_EQ(test, wqe->sges, 0);
	KUNIT_EXPECT_MEMEQ(test, wqe->imm, skb->data, 100);
	KUNIT_EXPECT_EQ(test, doorbell(fake), 1);
	/* The driver has let go of it. */
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 1);
	kfree_skb(skb);
}

static void ehea_tx_immediate_limit_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);

	send_one(test, fake, EHEA_SWQE_IMM_MAX, false);
	KUNIT_EXPECT_EQ(test, last_wqe(fake)->imm_len, EHEA_SWQE_IMM_MAX);
	send_one(test, fake, EHEA_SWQE_IMM_MAX + 1, false);
	KUNIT_EXPECT_EQ(test, last_ctrl(fake), EHEA_SWQE_FCS | EHEA_SWQE_SGL |
					       EHEA_SWQE_SIGNALLED);
	KUNIT_EXPECT_EQ(test, last_wqe(fake)->imm_len, 0);
}

static void ehea_tx_descriptor_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 1000, 3);
	struct page *page = ehea_fake_page(test);
	struct ehea_swqe *wqe;

	skb_add_rx_frag(skb, 0, page, 64, 400, PAGE_SIZE);
	send(fake, skb, false);
	wqe = last_wqe(fake);
	KUNIT_EXPECT_EQ(test, wqe->sges, 2);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(wqe->sge[0].addr),
			EHEA_BUS_START + __pa(skb->data));
	KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->sge[0].len), 1000);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->sge[0].lkey),
			EHEA_FAKE_SEND_LKEY);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(wqe->sge[1].addr),
			EHEA_BUS_START + page_to_phys(page) + 64);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->sge[1].len), 400);

	/* Kept until it was sent. */
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 2);
	ehea_fake_send_cqe(fake, be64_to_cpu(wqe->wr_id), 0);
	KUNIT_EXPECT_TRUE(test, ehea_tx_pending(fake->ch));
	clean(fake);
	KUNIT_EXPECT_FALSE(test, ehea_tx_pending(fake->ch));
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.packets), 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.bytes), 1400);
	kfree_skb(skb);
}

static void set_type(struct sk_buff *skb, u16 type)
{
	put_unaligned_be16(type, skb_network_header(skb) - sizeof(type));
}

/* Make a frame one that TCP wants segmented. */
static void set_gso(struct sk_buff *skb, u32 options, u16 mss)
{
	struct iphdr *iph = ip_hdr(skb);
	struct tcphdr *tcph;

	iph->version = 4;
	iph->ihl = 5;
	iph->frag_off = 0;
	iph->protocol = IPPROTO_TCP;
	set_type(skb, ETH_P_IP);
	skb_set_transport_header(skb, ETH_HLEN + sizeof(*iph));
	tcph = tcp_hdr(skb);
	tcph->doff = (sizeof(*tcph) + options) / 4;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_shinfo(skb)->gso_size = mss;
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
}

static void ehea_tx_gso_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 54 + 4000, 0);
	struct page *page = ehea_fake_page(test);
	struct ehea_swqe *wqe;

	set_gso(skb, 0, 1448);
	skb_add_rx_frag(skb, 0, page, 0, 500, PAGE_SIZE);
	send(fake, skb, false);
	wqe = last_wqe(fake);
	KUNIT_EXPECT_EQ(test, last_ctrl(fake),
			EHEA_SWQE_FCS | EHEA_SWQE_TSO | EHEA_SWQE_IMM |
			EHEA_SWQE_SGL | EHEA_SWQE_IP_CSUM | EHEA_SWQE_L4_CSUM |
			EHEA_SWQE_SIGNALLED);
	KUNIT_EXPECT_EQ(test, wqe->imm_len, 54);
	KUNIT_EXPECT_MEMEQ(test, wqe->mixed.imm, skb->data, 54);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(wqe->mss), 1448);
	KUNIT_EXPECT_EQ(test, wqe->ip_start, 14);
	KUNIT_EXPECT_EQ(test, wqe->ip_end, 33);
	KUNIT_EXPECT_EQ(test, wqe->l4_csum, 50);
	KUNIT_EXPECT_EQ(test, wqe->sges, 2);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(wqe->mixed.first.addr),
			EHEA_BUS_START + __pa(skb->data) + 54);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->mixed.first.len), 4000);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->mixed.more[0].len), 500);

	ehea_fake_send_cqe(fake, be64_to_cpu(wqe->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.packets), 4);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.bytes),
			4500 + 4 * 54);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.gso_packets), 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.csum), 1);
	kfree_skb(skb);
}

static void ehea_tx_vlan_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 60, 0);

	__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), 0x6123);
	send(fake, skb, false);
	KUNIT_EXPECT_EQ(test, last_ctrl(fake), EHEA_SWQE_FCS | EHEA_SWQE_IMM |
					       EHEA_SWQE_VLAN);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(last_wqe(fake)->vlan_tag), 0x6123);
	kfree_skb(skb);
}

/* A header of the slot's last use must not show in its next. */
static void ehea_tx_reuse_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_swqe *wqe = fake->ch->tx.wqe;
	struct ehea_swqe clean_wqe = {};

	memset(wqe, 0xff, sizeof(*wqe));
	send_one(test, fake, 60, false);
	clean_wqe.ctrl = cpu_to_be16(EHEA_SWQE_FCS | EHEA_SWQE_IMM);
	clean_wqe.imm_len = 60;
	/* All but the wr_id, which only a signalled one needs. */
	KUNIT_EXPECT_MEMEQ(test, &wqe->ctrl, &clean_wqe.ctrl,
			   offsetof(struct ehea_swqe, imm) -
			   offsetof(struct ehea_swqe, ctrl));
}

static void ehea_tx_burst_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	int i;

	for (i = 0; i < 31; i++)
		send_one(test, fake, 300, true);
	KUNIT_EXPECT_EQ(test, doorbell(fake), 0);
	KUNIT_EXPECT_FALSE(test, last_ctrl(fake) & EHEA_SWQE_SIGNALLED);
	send_one(test, fake, 300, false);
	KUNIT_EXPECT_EQ(test, doorbell(fake), 32);
	KUNIT_EXPECT_TRUE(test, last_ctrl(fake) & EHEA_SWQE_SIGNALLED);

	/* One completion stands for all of them. */
	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.packets), 32);
	KUNIT_EXPECT_EQ(test, fake->ch->tx.tail, 32);
}

/* A frame that ends a burst is dropped: the others go, with a signal. */
static void ehea_tx_drop_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);

	send_one(test, fake, 300, true);
	send_one(test, fake, ETH_HLEN - 1, false);
	KUNIT_EXPECT_EQ(test, doorbell(fake), 1);
	KUNIT_EXPECT_TRUE(test, last_ctrl(fake) & EHEA_SWQE_SIGNALLED);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.dropped), 1);
	send_one(test, fake, EHEA_RQ3_FRAME_MAX + 1, false);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.dropped), 2);
	KUNIT_EXPECT_EQ(test, fake->ch->tx.head, 1);
}

/* Small frames need a signal only now and then, but not never. */
static void ehea_tx_lazy_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_tx *tx = &fake->ch->tx;
	u32 i;

	for (i = 1; i < tx->lazy_max; i++) {
		send_one(test, fake, 60, false);
		KUNIT_EXPECT_EQ(test, doorbell(fake), 1);
		KUNIT_EXPECT_FALSE(test,
				   last_ctrl(fake) & EHEA_SWQE_SIGNALLED);
	}
	KUNIT_EXPECT_TRUE(test, ehea_fake_will_poll(fake));
	send_one(test, fake, 60, false);
	KUNIT_EXPECT_TRUE(test, last_ctrl(fake) & EHEA_SWQE_SIGNALLED);

	/* The last ones are flushed when they have lain long enough. */
	send_one(test, fake, 60, false);
	clean(fake);
	KUNIT_EXPECT_EQ(test, tx->head, tx->closed + 1);
	doorbell(fake);
	/* Not while somebody sends: then somewhat later. */
	timer_delete(&fake->ch->refill);
	fake->refills = 0;
	__netif_tx_lock_bh(fake->ch->txq);
	flush(fake);
	__netif_tx_unlock_bh(fake->ch->txq);
	KUNIT_EXPECT_EQ(test, tx->head, tx->closed + 1);
	KUNIT_EXPECT_TRUE(test, ehea_fake_will_poll(fake));
	flush(fake);
	KUNIT_EXPECT_EQ(test, tx->head, tx->closed);
	KUNIT_EXPECT_EQ(test, doorbell(fake), 1);
	KUNIT_EXPECT_EQ(test, last_ctrl(fake), EHEA_SWQE_PURGE |
					       EHEA_SWQE_SIGNALLED);
	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.packets),
			tx->lazy_max + 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.bytes),
			60 * (tx->lazy_max + 1));
}

/* A full ring stops the queue with a signal; a completion wakes it. */
static void ehea_tx_full_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_tx *tx = &fake->ch->tx;
	struct sk_buff *skb;
	u32 i;

	for (i = 0; i < tx->entries; i++) {
		KUNIT_EXPECT_FALSE(test, stopped(fake));
		send_one(test, fake, 60, true);
	}
	KUNIT_EXPECT_TRUE(test, stopped(fake));
	KUNIT_EXPECT_TRUE(test, last_ctrl(fake) & EHEA_SWQE_SIGNALLED);
	KUNIT_EXPECT_EQ(test, doorbell(fake), tx->entries);

	/* Whoever does not care finds the ring full. */
	skb = ehea_fake_skb(test, fake, 60, 0);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false),
			(int)NETDEV_TX_BUSY);
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 2);
	kfree_skb(skb);
	kfree_skb(skb);

	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_FALSE(test, stopped(fake));
	KUNIT_EXPECT_EQ(test, tx->tail, tx->entries);
}

/* Without an MR nothing is posted and nothing is lost. */
static void ehea_tx_no_view_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 400, 0);

	send_one(test, fake, 300, true);
	rcu_assign_pointer(fake->ch->view, NULL);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false),
			(int)NETDEV_TX_BUSY);
	KUNIT_EXPECT_TRUE(test, stopped(fake));
	KUNIT_EXPECT_EQ(test, doorbell(fake), 1);

	/* A completion must not wake it meanwhile. */
	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_TRUE(test, stopped(fake));

	rcu_assign_pointer(fake->ch->view, &fake->view);
	netif_tx_wake_queue(fake->ch->txq);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false), (int)NETDEV_TX_OK);
	kfree_skb(skb);
}

/* Nor while the queues are being taken down, nor without channels. */
static void ehea_tx_quiet_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_port *port = netdev_priv(fake->netdev);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 60, 0);

	send_one(test, fake, 300, false);
	ehea_tx_set_quiet(fake->ch, true);
	netif_tx_stop_queue(fake->ch->txq);
	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	ehea_tx_wake(fake->ch);
	KUNIT_EXPECT_TRUE(test, stopped(fake));

	rcu_assign_pointer(port->channels, NULL);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false),
			(int)NETDEV_TX_BUSY);
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 2);

	rcu_assign_pointer(port->channels, &fake->set);
	ehea_tx_set_quiet(fake->ch, false);
	ehea_tx_wake(fake->ch);
	KUNIT_EXPECT_FALSE(test, stopped(fake));
	kfree_skb(skb);
	kfree_skb(skb);
}

/* Memory above what is hidden lies closer to the start of the MR. */
static bool is_bounced(const struct ehea_fake *fake, unsigned int nr)
{
	u64 real = __pa(fake->ch->tx.bounce[nr]);

	return be64_to_cpu(last_wqe(fake)->sge[0].addr) ==
	       ehea_busmap_lookup(fake->map, real);
}

/* A frame with 1000 bytes in a section of memory that holds nothing else. */
static struct sk_buff *far_skb(struct kunit *test, struct ehea_fake *fake,
			       struct page *far, u8 first)
{
	struct sk_buff *skb = ehea_fake_skb(test, fake, 60, first);

	get_page(far);
	skb_add_rx_frag(skb, 0, far, 64, 1000, PAGE_SIZE);
	return skb;
}

static void put_far(void *far)
{
	put_page(far);
}

static struct page *get_far(struct kunit *test)
{
	struct page *far;

	far = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO,
			  get_order(EHEA_BUSMAP_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, far);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_far, far),
			0);
	memset(page_address(far) + 64, 0x5a, 1000);
	return far;
}

/* A frame in memory that the MR does not cover is copied; two at a time. */
static void ehea_tx_miss_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct page *far = get_far(test);
	struct sk_buff *skb;
	unsigned int i;
	u8 *bounce;

	ehea_fake_hide(fake, page_to_phys(far), EHEA_BUSMAP_SIZE);
	for (i = 0; i < EHEA_TX_BOUNCES; i++) {
		skb = far_skb(test, fake, far, i);
		send(fake, skb, true);
		bounce = fake->ch->tx.bounce[i];
		KUNIT_EXPECT_TRUE(test, is_bounced(fake, i));
		KUNIT_EXPECT_EQ(test, last_wqe(fake)->sges, 1);
		KUNIT_EXPECT_EQ(test, be32_to_cpu(last_wqe(fake)->sge[0].len),
				1060);
		KUNIT_EXPECT_MEMEQ(test, bounce, skb->data, 60);
		KUNIT_EXPECT_EQ(test, bounce[60], 0x5a);
		KUNIT_EXPECT_EQ(test, bounce[1059], 0x5a);
		KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 1);
		kfree_skb(skb);
	}
	skb = far_skb(test, fake, far, 0);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false),
			(int)NETDEV_TX_BUSY);
	KUNIT_EXPECT_TRUE(test, stopped(fake));
	KUNIT_EXPECT_EQ(test, doorbell(fake), EHEA_TX_BOUNCES);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.mr_miss),
			EHEA_TX_BOUNCES);

	ehea_fake_send_cqe(fake, be64_to_cpu(last_wqe(fake)->wr_id), 0);
	clean(fake);
	KUNIT_EXPECT_FALSE(test, stopped(fake));
	KUNIT_EXPECT_EQ(test, fake->ch->tx.bounce_busy, 0);
	KUNIT_EXPECT_EQ(test, (int)send(fake, skb, false), (int)NETDEV_TX_OK);
	kfree_skb(skb);
}

/* The payload of a frame to be segmented is copied, its headers are not. */
static void ehea_tx_gso_miss_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct page *far = get_far(test);
	struct sk_buff *skb;

	ehea_fake_hide(fake, page_to_phys(far), EHEA_BUSMAP_SIZE);
	skb = far_skb(test, fake, far, 0);
	set_gso(skb, 0, 500);
	send(fake, skb, false);
	KUNIT_EXPECT_EQ(test, last_wqe(fake)->imm_len, 54);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(last_wqe(fake)->mixed.first.len),
			1006);
	KUNIT_EXPECT_TRUE(test, is_bounced(fake, 0));
	kfree_skb(skb);
}

/* When not even the copy can be reached, the frame is dropped. */
static void ehea_tx_unreachable_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);

	ehea_fake_hide(fake, 0, 1ULL << 34);
	send_one(test, fake, 1000, false);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->xmit.dropped), 1);
	KUNIT_EXPECT_EQ(test, fake->ch->tx.head, 0);
	KUNIT_EXPECT_EQ(test, fake->ch->tx.bounce_busy, 0);
}

/* More fragments than a WQE has descriptors. */
static void ehea_tx_pieces_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 100, 0);
	u8 *bounce = fake->ch->tx.bounce[0];
	int i;

	for (i = 0; i < MAX_SKB_FRAGS; i++) {
		struct page *page = ehea_fake_page(test);

		*(u8 *)page_address(page) = i;
		skb_add_rx_frag(skb, i, page, 0, 16, PAGE_SIZE);
	}
	send(fake, skb, false);
	if (MAX_SKB_FRAGS < EHEA_SWQE_SGES) {
		KUNIT_EXPECT_EQ(test, last_wqe(fake)->sges, MAX_SKB_FRAGS + 1);
	} else {
		KUNIT_EXPECT_EQ(test, last_wqe(fake)->sges, 1);
		KUNIT_EXPECT_TRUE(test, is_bounced(fake, 0));
		for (i = 0; i < MAX_SKB_FRAGS; i++)
			KUNIT_EXPECT_EQ(test, bounce[100 + 16 * i], i);
	}
	kfree_skb(skb);
}

/* A view is out of use once what was posted under it has completed. */
static void ehea_tx_turned_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_view old = {};

	ehea_tx_mark(fake->ch, &old);
	KUNIT_EXPECT_TRUE(test, ehea_tx_turned(fake->ch, &old));
	send_one(test, fake, 300, false);
	send_one(test, fake, 60, false);
	ehea_tx_mark(fake->ch, &old);
	KUNIT_EXPECT_FALSE(test, ehea_tx_turned(fake->ch, &old));

	/* The small one has no address in it: nobody waits for it. */
	ehea_fake_send_cqe(fake, 0, 0);
	clean(fake);
	KUNIT_EXPECT_TRUE(test, ehea_tx_turned(fake->ch, &old));
}

static void ehea_tx_group_test(struct kunit *test)
{
	static const u64 bad[] = { 128, 0x80000000, 0xffffffff, 1ULL << 32,
				   (1ULL << 32) + 5, ~0ULL };
	struct ehea_cqe cqe = {};
	int i;

	/* Nothing on its way, nothing to complete. */
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 0, 1), 1);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 1, 1), 0);
	cqe.wr_id = cpu_to_be64(5);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 0, 5), 0);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 0, 6), 6);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 6, 8), 0);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 128 + 3, 128 + 7), 3);
	/* Positions wrap. */
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, -2, 6), 8);
	cqe.wr_id = cpu_to_be64(127);
	KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 1, 128), 127);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cqe.wr_id = cpu_to_be64(bad[i]);
		KUNIT_EXPECT_EQ(test, ehea_cqe_group(&cqe, 127, 0, 127), 0);
	}
}

static void ehea_tx_bad_cqe_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 300, 0);

	ehea_fake_send_cqe(fake, 0, 0);
	clean(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.bad_cqe), 1);
	KUNIT_EXPECT_EQ(test, fake->resets, 1);

	send(fake, skb, false);
	ehea_fake_send_cqe(fake, 0, 0);
	ehea_fake_send_cqe(fake, 0, 0);
	ehea_fake_send_cqe(fake, ~0ULL, 0);
	clean(fake);
	KUNIT_EXPECT_EQ(test, refcount_read(&skb->users), 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.bad_cqe), 3);

	send_one(test, fake, 300, false);
	ehea_fake_send_cqe(fake, 1, EHEA_CQE_TX_RESET);
	fake->resets = 0;
	clean(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->tx.errors), 1);
	KUNIT_EXPECT_EQ(test, fake->resets, 1);
	kfree_skb(skb);
}

/* Anything may come back in a completion; the rings stay sound. */
static void ehea_tx_random_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_tx *tx = &fake->ch->tx;
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, 20081);
	for (i = 0; i < RANDOM_STEPS; i++) {
		u32 r = prandom_u32_state(&rnd);
		u64 wr_id = prandom_u32_state(&rnd) % (tx->mask + 8);

		if (!stopped(fake))
			send_one(test, fake, ETH_HLEN + r % 500, r & BIT(20));
		if (r & BIT(21))
			wr_id = tx->group_tail & tx->mask;
		if (r & BIT(22))
			ehea_fake_send_cqe(fake, wr_id, r >> 24);
		if (r & BIT(23))
			clean(fake);
		if (tx->head - tx->tail > tx->entries ||
		    tx->group_head - tx->group_tail > tx->mask ||
		    tx->skb_head - tx->skb_tail > tx->entries ||
		    tx->closed - tx->tail > tx->entries)
			break;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, i, RANDOM_STEPS);
	KUNIT_EXPECT_GT(test, tx->tail, RANDOM_STEPS / 4);
}

static bool can_csum(struct sk_buff *skb)
{
	return ehea_tx_features(skb, NETIF_F_IP_CSUM) & NETIF_F_IP_CSUM;
}

static bool can_tso(struct sk_buff *skb)
{
	return ehea_tx_features(skb, NETIF_F_TSO) & NETIF_F_TSO;
}

static void ehea_tx_csum_features_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 400, 0);

	KUNIT_EXPECT_TRUE(test, can_csum(skb));
	set_gso(skb, 0, 0);
	KUNIT_EXPECT_TRUE(test, can_csum(skb));
	/* A fragment, another protocol, another header, options in between. */
	ip_hdr(skb)->frag_off = htons(IP_MF);
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	ip_hdr(skb)->frag_off = htons(IP_DF);
	KUNIT_EXPECT_TRUE(test, can_csum(skb));
	ip_hdr(skb)->protocol = IPPROTO_UDP;
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	skb->csum_offset = offsetof(struct udphdr, check);
	KUNIT_EXPECT_TRUE(test, can_csum(skb));
	ip_hdr(skb)->protocol = IPPROTO_SCTP;
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	ip_hdr(skb)->protocol = IPPROTO_UDP;
	set_type(skb, ETH_P_IPV6);
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	set_type(skb, ETH_P_IP);
	ip_hdr(skb)->ihl = 6;
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	skb->csum_start += 4;
	KUNIT_EXPECT_TRUE(test, can_csum(skb));

	/* Too far from the start for a byte. */
	skb_set_network_header(skb, 240);
	memcpy(skb->data + 240, skb->data + ETH_HLEN, 20);
	skb->csum_start = skb->data - skb->head + 264;
	KUNIT_EXPECT_FALSE(test, can_csum(skb));
	kfree_skb(skb);
	kfree_skb(skb);
}

static void ehea_tx_gso_features_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct sk_buff *skb = ehea_fake_skb(test, fake, 2000, 0);
	int i;

	set_gso(skb, 40, 1448);
	KUNIT_EXPECT_TRUE(test, can_tso(skb));
	skb_shinfo(skb)->gso_size = EHEA_MSS_MIN;
	KUNIT_EXPECT_TRUE(test, can_tso(skb));
	skb_shinfo(skb)->gso_size = EHEA_MSS_MIN - 1;
	KUNIT_EXPECT_FALSE(test, can_tso(skb));
	skb_shinfo(skb)->gso_size = 1448;

	/* Headers that are not all in the linear part. */
	skb->len -= 1950;
	skb->tail -= 1950;
	KUNIT_EXPECT_FALSE(test, can_tso(skb));
	skb->len += 1950;
	skb->tail += 1950;

	/* Headers larger than the immediate data before descriptors. */
	skb_set_transport_header(skb, 120);
	tcp_hdr(skb)->doff = 10;
	skb->ip_summed = CHECKSUM_NONE;
	KUNIT_EXPECT_TRUE(test, can_tso(skb));
	tcp_hdr(skb)->doff = 11;
	KUNIT_EXPECT_FALSE(test, can_tso(skb));
	tcp_hdr(skb)->doff = 5;

	/* More pieces than descriptors behind immediate data. */
	for (i = 0; i < MAX_SKB_FRAGS; i++) {
		skb_add_rx_frag(skb, i, ehea_fake_page(test), 0, 100,
				PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, can_tso(skb),
				i + 2 <= EHEA_SWQE_MIXED_SGES);
	}
	kfree_skb(skb);
	kfree_skb(skb);
}

static struct kunit_case ehea_tx_cases[] = {
	KUNIT_CASE(ehea_tx_immediate_test),
	KUNIT_CASE(ehea_tx_immediate_limit_test),
	KUNIT_CASE(ehea_tx_descriptor_test),
	KUNIT_CASE(ehea_tx_gso_test),
	KUNIT_CASE(ehea_tx_vlan_test),
	KUNIT_CASE(ehea_tx_reuse_test),
	KUNIT_CASE(ehea_tx_burst_test),
	KUNIT_CASE(ehea_tx_drop_test),
	KUNIT_CASE(ehea_tx_lazy_test),
	KUNIT_CASE(ehea_tx_full_test),
	KUNIT_CASE(ehea_tx_no_view_test),
	KUNIT_CASE(ehea_tx_miss_test),
	KUNIT_CASE(ehea_tx_gso_miss_test),
	KUNIT_CASE(ehea_tx_unreachable_test),
	KUNIT_CASE(ehea_tx_quiet_test),
	KUNIT_CASE(ehea_tx_pieces_test),
	KUNIT_CASE(ehea_tx_turned_test),
	KUNIT_CASE(ehea_tx_group_test),
	KUNIT_CASE(ehea_tx_bad_cqe_test),
	KUNIT_CASE_SLOW(ehea_tx_random_test),
	KUNIT_CASE(ehea_tx_csum_features_test),
	KUNIT_CASE(ehea_tx_gso_features_test),
	{}
};

static struct kunit_suite ehea_tx_suite = {
	.name = "ehea_tx",
	.test_cases = ehea_tx_cases,
};

kunit_test_suite(ehea_tx_suite);
