// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of receiving: what completions may and may not do. */

#include <kunit/test.h>
#include <linux/prandom.h>

#include "../../ehea_frame.h"
#include "ehea_fake.h"

#define RANDOM_STEPS	20000

static int poll(struct ehea_fake *fake)
{
	int work = 0;

	local_bh_disable();
	if (ehea_rx_pending(fake->ch))
		work = ehea_rx_poll(fake->ch, 64);
	else
		ehea_rx_refill(fake->ch);
	local_bh_enable();
	return work;
}

static u64 count(const u64_stats_t *counter)
{
	return u64_stats_read(counter);
}

/* What the adapter would write, a frame of @len bytes. */
static void write_frame(u8 *data, u32 len, u8 first)
{
	u32 i;

	for (i = 0; i < len; i++)
		data[i] = first + i;
	/* For another host, so that nothing looks at it. */
	data[12] = 0x88;
	data[13] = 0xb5;
}

static struct ehea_rq1_slot *slot_of(struct ehea_cqe *cqe)
{
	return container_of(cqe, struct ehea_rq1_slot, cqe);
}

/* Data of the buffer that is posted in a slot. */
static u8 *posted(const struct ehea_fake *fake, int rq, u32 slot)
{
	return fake->ch->rq[rq].buf[slot] + NET_SKB_PAD;
}

static struct sk_buff *received(struct ehea_fake *fake)
{
	return __skb_dequeue(&fake->rx);
}

static void expect_frame(struct kunit *test, struct sk_buff *skb, u32 len,
			 u8 first)
{
	u8 *wanted = kunit_kmalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, wanted);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	write_frame(wanted, len, first);
	KUNIT_EXPECT_EQ(test, skb->len, len - ETH_HLEN);
	KUNIT_EXPECT_MEMEQ(test, skb_mac_header(skb), wanted, len);
	KUNIT_EXPECT_EQ(test, ntohs(skb->protocol), 0x88b5);
	consume_skb(skb);
}

static void ehea_rx_fill_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	int rq;

	KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ1A),
			EHEA_FAKE_SLOTS - 1);
	KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ2A),
			EHEA_FAKE_SLOTS - 1);
	KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ3A),
			EHEA_FAKE_SLOTS - 1);
	for (rq = 0; rq < 2; rq++) {
		struct ehea_rwqe *wqe = &fake->ch->rq[rq].wqe[3];

		KUNIT_EXPECT_EQ(test, be64_to_cpu(wqe->wr_id), 3);
		KUNIT_EXPECT_EQ(test, wqe->sges, 1);
		KUNIT_EXPECT_EQ(test, be64_to_cpu(wqe->sge[0].addr),
				EHEA_BUS_START + __pa(posted(fake, rq, 3)));
		KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->sge[0].lkey),
				EHEA_FAKE_RECV_LKEY);
		KUNIT_EXPECT_EQ(test, be32_to_cpu(wqe->sge[0].len),
				rq ? EHEA_RQ3_FRAME_MAX : EHEA_RQ2_FRAME_MAX);
	}
}

/* While RQ2's buffers are large enough, RQ3 needs none. */
static void ehea_rx_small_mtu_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	u32 mtu = EHEA_RQ2_FRAME_MAX - EHEA_FRAME_OVERHEAD;

	ehea_rx_destroy(fake->ch);
	memset(fake->ch->rq, 0, sizeof(fake->ch->rq));
	fake->netdev->mtu = mtu;
	KUNIT_EXPECT_EQ(test, ehea_rx_create(fake->ch, fake->netdev->mtu), 0);
	KUNIT_EXPECT_EQ(test, fake->ch->rq[1].want, 0);
	KUNIT_EXPECT_NULL(test, fake->ch->rq[1].pool);

	/* It still answers for itself. */
	ehea_fake_recv_cqe(fake, EHEA_RQ3, 0, 3000, 0);
	poll(fake);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.bad_cqe), 1);
}

static void ehea_rx_inline_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_cqe *cqe;

	cqe = ehea_fake_recv_cqe(fake, EHEA_RQ1, 0, 64, 0);
	write_frame(slot_of(cqe)->data, 60, 9);
	KUNIT_EXPECT_TRUE(test, ehea_rx_pending(fake->ch));
	KUNIT_EXPECT_EQ(test, poll(fake), 1);
	KUNIT_EXPECT_FALSE(test, ehea_rx_pending(fake->ch));
	expect_frame(test, received(fake), 60, 9);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.packets), 1);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.bytes), 60);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.inlined), 1);
}

static void ehea_rx_buffer_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);

	write_frame(posted(fake, 0, 0), 1514, 1);
	write_frame(posted(fake, 1, 0), 9018, 2);
	ehea_fake_recv_cqe(fake, EHEA_RQ2, 0, 1518, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ3, 0, 9022, 0);
	KUNIT_EXPECT_EQ(test, poll(fake), 2);
	expect_frame(test, received(fake), 1514, 1);
	expect_frame(test, received(fake), 9018, 2);
	KUNIT_EXPECT_EQ(test, fake->ch->rq[0].free, 1);
	KUNIT_EXPECT_NULL(test, fake->ch->rq[0].buf[0]);
}

/* Slots and buffers go back in batches, each with one doorbell. */
static void ehea_rx_batch_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	u32 batch = fake->ch->rq[0].batch;
	u32 i;

	ehea_fake_register(fake, EHEA_QP_RQ1A);
	ehea_fake_register(fake, EHEA_QP_RQ2A);
	for (i = 0; i < 2 * batch; i++) {
		write_frame(posted(fake, 0, i), 300, i);
		ehea_fake_recv_cqe(fake, EHEA_RQ2, i, 304, 0);
		poll(fake);
		expect_frame(test, received(fake), 300, i);
		KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ2A),
				(i + 1) % batch ? 0 : batch);
		KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ1A),
				(i + 1) % fake->ch->rq1_batch ? 0 :
				fake->ch->rq1_batch);
	}
	KUNIT_EXPECT_EQ(test, fake->ch->rq[0].free, 0);
}

static void ehea_rx_vlan_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_cqe *cqe;
	struct sk_buff *skb;

	cqe = ehea_fake_recv_cqe(fake, EHEA_RQ1, 0, 64, EHEA_CQE_VLAN);
	write_frame(slot_of(cqe)->data, 60, 9);
	cqe->vlan_tag = cpu_to_be16(0x2064);
	poll(fake);
	skb = received(fake);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_TRUE(test, skb_vlan_tag_present(skb));
	KUNIT_EXPECT_EQ(test, skb_vlan_tag_get(skb), 0x2064);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.bytes), 64);
	consume_skb(skb);
}

struct verdict_case {
	u16 status;
	u8 header_len;
	enum ehea_rx_verdict verdict;
};

static const struct verdict_case verdict_cases[] = {
	{ 0, 40, EHEA_RX_CHECKED },
	{ EHEA_CQE_VLAN, 40, EHEA_RX_CHECKED },
	{ 0, 0, EHEA_RX_UNCHECKED },
	{ EHEA_CQE_L4_ERR, 0, EHEA_RX_UNCHECKED },
	{ EHEA_CQE_L4_ERR, 40, EHEA_RX_CSUM_ERROR },
	{ EHEA_CQE_IP_ERR, 40, EHEA_RX_CSUM_ERROR },
	{ EHEA_CQE_IP_ERR, 0, EHEA_RX_CSUM_ERROR },
	{ EHEA_CQE_BLIND, 0, EHEA_RX_SUMMED },
	{ EHEA_CQE_BLIND | EHEA_CQE_VLAN, 0, EHEA_RX_SUMMED },
	{ EHEA_CQE_FCS_ERR, 40, EHEA_RX_FCS_ERROR },
	{ EHEA_CQE_FCS_ERR | EHEA_CQE_BLIND, 0, EHEA_RX_FCS_ERROR },
	{ 0x0001, 40, EHEA_RX_ERROR },
	{ 0x0008, 0, EHEA_RX_ERROR },
	{ 0x000f | EHEA_CQE_FCS_ERR, 0, EHEA_RX_ERROR },
	{ 0xffff, 0xff, EHEA_RX_ERROR },
};

static void ehea_rx_verdict_test(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(verdict_cases); i++) {
		struct ehea_cqe cqe = {
			.status = cpu_to_be16(verdict_cases[i].status),
			.header_len = verdict_cases[i].header_len,
		};

		KUNIT_EXPECT_EQ_MSG(test, (int)ehea_rx_verdict(&cqe),
				    (int)verdict_cases[i].verdict,
				    "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test,
				    !!ehea_rx_plain(verdict_cases[i].status,
						    &cqe),
				    verdict_cases[i].verdict ==
				    EHEA_RX_CHECKED &&
				    !(verdict_cases[i].status & EHEA_CQE_VLAN),
				    "case %d", i);
	}
}

static void ehea_rx_length_test(struct kunit *test)
{
	static const int good[] = { 18, 64, 191, 192 };
	static const int bad[] = { 0, 3, 4, 17, 193, 0x8000, 0xffff };
	struct ehea_cqe cqe = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		cqe.bytes = cpu_to_be16(good[i]);
		KUNIT_EXPECT_EQ(test, ehea_cqe_len(&cqe, EHEA_RQ1_INLINE_MAX),
				good[i] - ETH_FCS_LEN);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cqe.bytes = cpu_to_be16(bad[i]);
		KUNIT_EXPECT_EQ(test, ehea_cqe_len(&cqe, EHEA_RQ1_INLINE_MAX),
				-EINVAL);
	}
}

/* An IPv4 header of a frame, in place of its first bytes. */
static void write_ip(u8 *data, u16 frag_off)
{
	struct iphdr iph = {
		.version = 4,
		.ihl = 5,
		.frag_off = htons(frag_off),
		.protocol = IPPROTO_UDP,
	};

	data[12] = 0x08;
	data[13] = 0x00;
	memcpy(data + ETH_HLEN, &iph, sizeof(iph));
}

static u8 summed_as(struct ehea_fake *fake, u16 status, u8 header_len,
		    u16 frag_off)
{
	struct ehea_cqe *cqe;
	struct sk_buff *skb;
	u8 ip_summed;

	cqe = ehea_fake_recv_cqe(fake, EHEA_RQ1, 0, 64, status);
	cqe->header_len = header_len;
	cqe->csum = (__force __sum16)0x1234;
	write_frame(slot_of(cqe)->data, 60, 0);
	write_ip(slot_of(cqe)->data, frag_off);
	poll(fake);
	skb = received(fake);
	if (!skb)
		return U8_MAX;
	ip_summed = skb->ip_summed;
	if (ip_summed == CHECKSUM_COMPLETE &&
	    (__force u16)csum_fold(skb->csum) != 0x1234)
		ip_summed = U8_MAX;
	consume_skb(skb);
	return ip_summed;
}

static void ehea_rx_checksum_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);

	KUNIT_EXPECT_EQ(test, summed_as(fake, 0, 40, 0), CHECKSUM_UNNECESSARY);
	KUNIT_EXPECT_EQ(test, summed_as(fake, 0, 40, IP_DF),
			CHECKSUM_UNNECESSARY);
	/* A fragment's checksum cannot have been checked. */
	KUNIT_EXPECT_EQ(test, summed_as(fake, 0, 40, IP_MF), CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, summed_as(fake, 0, 40, 185), CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, summed_as(fake, EHEA_CQE_L4_ERR, 0, 0),
			CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.csum_errors), 0);
	KUNIT_EXPECT_EQ(test, summed_as(fake, EHEA_CQE_L4_ERR, 40, 0),
			CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.csum_errors), 1);
	KUNIT_EXPECT_EQ(test, summed_as(fake, EHEA_CQE_BLIND, 0, 0),
			CHECKSUM_COMPLETE);

	/* The operator does not trust it. */
	fake->netdev->features &= ~NETIF_F_RXCSUM;
	KUNIT_EXPECT_EQ(test, summed_as(fake, 0, 40, 0), CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, summed_as(fake, EHEA_CQE_BLIND, 0, 0),
			CHECKSUM_NONE);
}

/* Damaged frames are dropped, and their buffers are posted again. */
static void ehea_rx_error_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_rq *rq = &fake->ch->rq[0];
	void *first = rq->buf[0];
	u32 i;

	for (i = 0; i < rq->batch; i++)
		ehea_fake_recv_cqe(fake, EHEA_RQ2, i, 1518,
				   i % 2 ? EHEA_CQE_FCS_ERR : 1);
	poll(fake);
	KUNIT_EXPECT_NULL(test, received(fake));
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.fcs_errors),
			rq->batch / 2);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.other_errors),
			rq->batch - rq->batch / 2);
	KUNIT_EXPECT_EQ(test, count(&fake->ch->stats->rx.packets), 0);
	KUNIT_EXPECT_EQ(test, rq->free, 0);
	KUNIT_EXPECT_NULL(test, rq->recycle);
	/* Last in, first out. */
	KUNIT_EXPECT_PTR_EQ(test,
			    rq->buf[(rq->head - 1) & rq->mask], first);
}

static void ehea_rx_bad_cqe_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_rx_stats *stats = &fake->ch->stats->rx;
	struct sk_buff *skb;

	/* Of no queue, too long, too short, no such slot, twice. */
	ehea_fake_recv_cqe(fake, 0, 0, 64, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ1, 0, 193, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ2, 1, 2049, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ3, 1, 17, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ2, 128, 1000, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ2, ~0ULL, 1000, 0);
	KUNIT_EXPECT_EQ(test, poll(fake), 6);
	KUNIT_EXPECT_EQ(test, count(&stats->bad_cqe), 6);
	KUNIT_EXPECT_NULL(test, received(fake));
	KUNIT_EXPECT_EQ(test, fake->resets, 0);

	ehea_fake_recv_cqe(fake, EHEA_RQ2, 5, 1000, 0);
	ehea_fake_recv_cqe(fake, EHEA_RQ2, 5, 1000, 0);
	poll(fake);
	KUNIT_EXPECT_EQ(test, count(&stats->bad_cqe), 7);
	skb = received(fake);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	consume_skb(skb);
	KUNIT_EXPECT_NULL(test, received(fake));

	/* Enough is enough. */
	ehea_fake_recv_cqe(fake, 0, 0, 64, 0);
	poll(fake);
	KUNIT_EXPECT_EQ(test, fake->resets, 1);
}

/* Anything may come: no frame that was not sent, no slot too many. */
static void ehea_rx_random_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct rnd_state rnd;
	struct sk_buff *skb;
	int i, rq;

	prandom_seed_state(&rnd, 3);
	for (i = 0; i < RANDOM_STEPS; i++) {
		u32 r = prandom_u32_state(&rnd);
		struct ehea_cqe *cqe;

		cqe = ehea_fake_recv_cqe(fake, r & 3, (r >> 2) % 132,
					 (r >> 8) & BIT(0) ? r >> 16 :
					 (r >> 16) % 2100, 0);
		if (r & BIT(9))
			cqe->status = cpu_to_be16(prandom_u32_state(&rnd));
		cqe->header_len = r >> 10;
		if (r & BIT(12))
			poll(fake);
		while ((skb = received(fake))) {
			if (skb->len > EHEA_RQ3_FRAME_MAX)
				break;
			consume_skb(skb);
		}
		for (rq = 0; rq < 2; rq++)
			if (fake->ch->rq[rq].free > fake->ch->rq[rq].want)
				break;
		if (skb || rq < 2)
			break;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, i, RANDOM_STEPS);
	KUNIT_EXPECT_GT(test, count(&fake->ch->stats->rx.bad_cqe), 1000);
	KUNIT_EXPECT_GT(test, fake->resets, 0);
}

/* Pages that the MR does not cover are passed over. */
static void ehea_rx_miss_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_rq *rq = &fake->ch->rq[0];
	u32 posted_frames = 3 * rq->want / 4;
	struct sk_buff *skb;
	u32 i;

	/* Memory is all hidden: buffers run out, down to a half. */
	ehea_fake_hide(fake, 0, 1ULL << 34);
	for (i = 0; i < posted_frames; i++) {
		ehea_fake_recv_cqe(fake, EHEA_RQ2, i, 1000, 0);
		poll(fake);
		skb = received(fake);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		consume_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, rq->build_below, 0);
	KUNIT_EXPECT_TRUE(test, ehea_fake_will_poll(fake));
	KUNIT_EXPECT_GT(test, count(&fake->ch->stats->rx.mr_miss), 0);
	KUNIT_EXPECT_GT(test, count(&fake->ch->stats->rx.copied), 0);
	KUNIT_EXPECT_EQ(test, fake->resets, 0);

	/* It comes back, and so do the buffers. */
	ehea_fake_hide(fake, 0, 0);
	poll(fake);
	KUNIT_EXPECT_EQ(test, rq->free, 0);
	KUNIT_EXPECT_GT(test, rq->build_below, 0);
}

/* Without an MR nothing is posted; buffers are when it is there. */
static void ehea_rx_no_view_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_rq *rq = &fake->ch->rq[0];
	u32 i;

	rcu_assign_pointer(fake->ch->view, NULL);
	ehea_fake_register(fake, EHEA_QP_RQ2A);
	for (i = 0; i < rq->batch; i++)
		ehea_fake_recv_cqe(fake, EHEA_RQ2, i, 1000, 1);
	poll(fake);
	KUNIT_EXPECT_EQ(test, rq->free, rq->batch);
	KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ2A), 0);
	rcu_assign_pointer(fake->ch->view, &fake->view);
	poll(fake);
	KUNIT_EXPECT_EQ(test, rq->free, 0);
	KUNIT_EXPECT_EQ(test, ehea_fake_register(fake, EHEA_QP_RQ2A),
			rq->batch);
}

static void ehea_rx_rekey_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_view view = {
		.map = fake->map,
		.recv_lkey = cpu_to_be32(0x99),
	};
	struct ehea_rq *rq = &fake->ch->rq[0];
	u32 i;

	ehea_fake_recv_cqe(fake, EHEA_RQ2, 0, 1000, 1);
	poll(fake);
	KUNIT_EXPECT_EQ(test, ehea_rx_rekey(fake->ch, &view), 0);
	for (i = 1; i < rq->want; i++)
		KUNIT_EXPECT_EQ(test, be32_to_cpu(rq->wqe[i].sge[0].lkey),
				0x99);
	/* The one that is not posted stays as it is. */
	KUNIT_EXPECT_EQ(test, be32_to_cpu(rq->wqe[0].sge[0].lkey),
			EHEA_FAKE_RECV_LKEY);

	ehea_fake_hide(fake, 0, 1ULL << 34);
	KUNIT_EXPECT_EQ(test, ehea_rx_rekey(fake->ch, &fake->view), -EFAULT);
}

/* A view is out of use once no posted buffer names its key. */
static void ehea_rx_turned_test(struct kunit *test)
{
	struct ehea_fake *fake = ehea_fake_create(test);
	struct ehea_view old = { .recv_lkey = fake->view.recv_lkey };
	struct ehea_view unused = { .recv_lkey = cpu_to_be32(0x77) };
	u32 i;

	fake->view.recv_lkey = cpu_to_be32(0x99);
	KUNIT_EXPECT_TRUE(test, ehea_rx_turned(fake->ch, &unused));
	for (i = 0; i < fake->ch->rq[0].want; i++) {
		KUNIT_EXPECT_FALSE(test, ehea_rx_turned(fake->ch, &old));
		ehea_fake_recv_cqe(fake, EHEA_RQ2, i, 1000, 1);
		poll(fake);
	}
	/* RQ3's have not moved. */
	for (i = 0; i < fake->ch->rq[1].want; i++) {
		KUNIT_EXPECT_FALSE(test, ehea_rx_turned(fake->ch, &old));
		ehea_fake_recv_cqe(fake, EHEA_RQ3, i, 1000, 1);
		poll(fake);
	}
	KUNIT_EXPECT_TRUE(test, ehea_rx_turned(fake->ch, &old));
}

static struct kunit_case ehea_rx_cases[] = {
	KUNIT_CASE(ehea_rx_fill_test),
	KUNIT_CASE(ehea_rx_small_mtu_test),
	KUNIT_CASE(ehea_rx_inline_test),
	KUNIT_CASE(ehea_rx_buffer_test),
	KUNIT_CASE(ehea_rx_batch_test),
	KUNIT_CASE(ehea_rx_vlan_test),
	KUNIT_CASE(ehea_rx_verdict_test),
	KUNIT_CASE(ehea_rx_length_test),
	KUNIT_CASE(ehea_rx_checksum_test),
	KUNIT_CASE(ehea_rx_error_test),
	KUNIT_CASE(ehea_rx_bad_cqe_test),
	KUNIT_CASE_SLOW(ehea_rx_random_test),
	KUNIT_CASE(ehea_rx_miss_test),
	KUNIT_CASE(ehea_rx_no_view_test),
	KUNIT_CASE(ehea_rx_rekey_test),
	KUNIT_CASE(ehea_rx_turned_test),
	{}
};

static struct kunit_suite ehea_rx_suite = {
	.name = "ehea_rx",
	.test_cases = ehea_rx_cases,
};

kunit_test_suite(ehea_rx_suite);
