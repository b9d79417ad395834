// SPDX-License-Identifier: GPL-2.0-or-later
/* A channel without an adapter, for the tests of the data path. */

#include <kunit/resource.h>
#include <linux/etherdevice.h>
#include <net/pkt_sched.h>

#include "ehea_fake.h"

static struct ehea_fake *ehea_fake_now;

/* What the data path calls of the rest of the driver. */
void ehea_port_schedule_reset(struct ehea_port *port, const char *why)
{
	ehea_fake_now->resets++;
}

void ehea_fake_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	__skb_queue_tail(&ehea_fake_now->rx, skb);
}

static int ehea_fake_poll(struct napi_struct *napi, int budget)
{
	return 0;
}

static void ehea_fake_refill(struct timer_list *timer)
{
	ehea_fake_now->refills++;
}

static const struct net_device_ops ehea_fake_ops = {
	.ndo_start_xmit = ehea_start_xmit,
	.ndo_features_check = ehea_features_check,
};

static void ehea_fake_ring(struct kunit *test, struct ehea_ring *ring,
			   u32 entry_size)
{
	ring->base = kunit_kzalloc(test, EHEA_FAKE_SLOTS * entry_size,
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ring->base);
	ring->slots = EHEA_FAKE_SLOTS;
	ring->end = ring->base + EHEA_FAKE_SLOTS * entry_size;
	ring->next = ring->base;
	ring->entry_size = entry_size;
	ring->valid = EHEA_CQE_VALID;
}

/* All memory that there is, and then some. */
static struct ehea_busmap *ehea_fake_map(u64 hole, u64 len)
{
	struct ehea_busmap *map = ehea_busmap_new();

	if (!map)
		return NULL;
	if (ehea_busmap_add(map, 0, 1ULL << 34) ||
	    (len && ehea_busmap_remove(map, hole, len))) {
		ehea_busmap_put(map);
		return NULL;
	}
	ehea_busmap_seal(map, EHEA_BUS_START);
	return map;
}

/**
 * ehea_fake_hide - take memory out of the map
 * @fake: channel
 * @real: first real address
 * @len: bytes
 */
void ehea_fake_hide(struct ehea_fake *fake, u64 real, u64 len)
{
	struct ehea_busmap *map = ehea_fake_map(real, len);

	if (!map)
		return;
	ehea_busmap_put(fake->map);
	fake->map = map;
	fake->view.map = map;

	/* It is another view. */
	memset(&fake->view.linear, 0, sizeof(fake->view.linear));
	memset(&fake->view.frags, 0, sizeof(fake->view.frags));
	memset(fake->view.pages, 0, sizeof(fake->view.pages));
}

static void ehea_fake_destroy(void *arg)
{
	struct ehea_fake *fake = arg;

	timer_shutdown_sync(&fake->ch->refill);
	ehea_rx_destroy(fake->ch);
	ehea_tx_destroy(fake->ch);
	__skb_queue_purge(&fake->rx);
	netif_napi_del(&fake->ch->napi);
	ehea_busmap_put(fake->map);
	free_netdev(fake->netdev);
}

static void ehea_fake_queues(struct kunit *test, struct ehea_fake *fake)
{
	struct ehea_channel *ch = fake->ch;
	int queue;

	fake->epa = kunit_kzalloc(test, EHEA_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->epa);
	ch->qp.epa = (void __iomem __force *)fake->epa;
	ch->send_cq.epa = (void __iomem __force *)fake->epa;
	ch->recv_cq.epa = (void __iomem __force *)fake->epa;

	ehea_fake_ring(test, &ch->send_cq.ring, sizeof(struct ehea_cqe));
	ehea_fake_ring(test, &ch->qp.ring[EHEA_SQ], EHEA_SWQE_SIZE);
	ehea_fake_ring(test, &ch->qp.ring[EHEA_RQ1], EHEA_RQ1_SLOT_SIZE);
	ehea_fake_ring(test, &ch->qp.ring[EHEA_RQ2], EHEA_RWQE_SIZE);
	ehea_fake_ring(test, &ch->qp.ring[EHEA_RQ3], EHEA_RWQE_SIZE);
	for (queue = 0; queue < EHEA_QP_QUEUES; queue++)
		ch->qp.entries[queue] = EHEA_FAKE_SLOTS - 1;
}

static void ehea_fake_netdev(struct kunit *test, struct ehea_fake *fake)
{
	struct net_device *netdev;
	struct netdev_queue *txq;
	struct ehea_port *port;

	netdev = alloc_etherdev_mqs(sizeof(*port), 1, 1);
	KUNIT_ASSERT_NOT_NULL(test, netdev);
	netdev->netdev_ops = &ehea_fake_ops;
	netdev->features = NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_IP_CSUM |
			   NETIF_F_TSO;
	netdev->mtu = EHEA_MAX_MTU;
	txq = netdev_get_tx_queue(netdev, 0);
	rcu_assign_pointer(txq->qdisc, &noop_qdisc);

	port = netdev_priv(netdev);
	port->netdev = netdev;
	fake->set.port = port;
	fake->set.count = 1;
	fake->set.ch[0] = fake->ch;
	rcu_assign_pointer(port->channels, &fake->set);
	fake->netdev = netdev;
	fake->ch->netdev = netdev;
	fake->ch->port = port;
	fake->ch->stats = &port->stats[0][0];
	fake->ch->txq = txq;
	netif_napi_add(netdev, &fake->ch->napi, ehea_fake_poll);
}

/* BQL begins with a limit of nothing, and stops the queue at each frame. */
static void ehea_fake_lift_bql(struct netdev_queue *txq)
{
#ifdef CONFIG_BQL
	txq->dql.min_limit = SZ_16M;
	txq->dql.limit = SZ_16M;
	txq->dql.adj_limit = SZ_16M;
#endif
}

/**
 * ehea_fake_create - make a channel that is ready for frames
 * @test: goes with it
 *
 * Return: the channel, never NULL.
 */
struct ehea_fake *ehea_fake_create(struct kunit *test)
{
	struct ehea_fake *fake;
	int err;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	ehea_fake_now = fake;
	__skb_queue_head_init(&fake->rx);
	fake->ch = kunit_kzalloc(test, sizeof(*fake->ch), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->ch);
	fake->map = ehea_fake_map(0, 0);
	KUNIT_ASSERT_NOT_NULL(test, fake->map);
	fake->view.map = fake->map;
	fake->view.send_lkey = cpu_to_be32(EHEA_FAKE_SEND_LKEY);
	fake->view.recv_lkey = cpu_to_be32(EHEA_FAKE_RECV_LKEY);
	rcu_assign_pointer(fake->ch->view, &fake->view);
	timer_setup(&fake->ch->refill, ehea_fake_refill, 0);
	ehea_fake_queues(test, fake);
	ehea_fake_netdev(test, fake);

	err = ehea_tx_create(fake->ch) ?:
	      ehea_rx_create(fake->ch, fake->netdev->mtu);
	KUNIT_EXPECT_EQ(test, err, 0);
	err = kunit_add_action_or_reset(test, ehea_fake_destroy, fake);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, ehea_tx_prepare(fake->ch), 0);
	ehea_fake_lift_bql(fake->ch->txq);
	ehea_rx_fill(fake->ch);
	ehea_tx_set_quiet(fake->ch, false);
	return fake;
}

/**
 * ehea_fake_will_poll - does the timer see to it that the channel is polled?
 * @fake: channel
 *
 * Return: true if it runs, or has run out.
 */
bool ehea_fake_will_poll(const struct ehea_fake *fake)
{
	return timer_pending(&fake->ch->refill) || READ_ONCE(fake->refills);
}

/**
 * ehea_fake_register - what was last written to a register
 * @fake: channel
 * @reg: offset
 *
 * Return: its value; the register is 0 afterwards.
 */
u64 ehea_fake_register(const struct ehea_fake *fake, u32 reg)
{
	__be64 *where = (__be64 *)(fake->epa + reg);
	u64 value = be64_to_cpu(*where);

	*where = 0;
	return value;
}

/**
 * ehea_fake_skb - a linear frame
 * @test: current test
 * @fake: channel
 * @len: bytes
 * @first: its first byte; the others count up
 *
 * Return: a frame of which the test holds a reference of its own.
 */
struct sk_buff *ehea_fake_skb(struct kunit *test, struct ehea_fake *fake,
			      u32 len, u8 first)
{
	struct sk_buff *skb = netdev_alloc_skb(fake->netdev, len);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < len; i++)
		*(u8 *)skb_put(skb, 1) = first + i;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	return skb_get(skb);
}

/**
 * ehea_fake_page - a page for a frame's fragment
 * @test: current test
 *
 * Return: the page; whoever takes it frees it.
 */
struct page *ehea_fake_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

/* The slot @ahead of the reader; it gets a valid bit that counts. */
static struct ehea_cqe *ehea_fake_cqe(struct ehea_ring *ring)
{
	struct ehea_ring ahead = *ring;
	struct ehea_cqe *cqe;

	/* Behind those that were written but not read. */
	while (ehea_ring_pending(&ahead))
		ehea_ring_advance(&ahead);
	cqe = ahead.next;
	memset(cqe, 0, sizeof(*cqe));
	cqe->valid = ahead.valid;
	return cqe;
}

/**
 * ehea_fake_send_cqe - complete a send
 * @fake: channel
 * @wr_id: of the WQE
 * @status: of the completion
 *
 * Return: the completion.
 */
struct ehea_cqe *ehea_fake_send_cqe(struct ehea_fake *fake, u64 wr_id,
				    u16 status)
{
	struct ehea_cqe *cqe = ehea_fake_cqe(&fake->ch->send_cq.ring);

	cqe->wr_id = cpu_to_be64(wr_id);
	cqe->status = cpu_to_be16(status);
	return cqe;
}

/**
 * ehea_fake_recv_cqe - complete a receive
 * @fake: channel
 * @queue: &enum ehea_qp_queue
 * @wr_id: of the WQE
 * @bytes: of the frame, FCS included
 * @status: of the completion
 *
 * Return: the completion.
 */
struct ehea_cqe *ehea_fake_recv_cqe(struct ehea_fake *fake, u8 queue,
				    u64 wr_id, u16 bytes, u16 status)
{
	struct ehea_cqe *cqe = ehea_fake_cqe(&fake->ch->qp.ring[EHEA_RQ1]);

	cqe->wr_id = cpu_to_be64(wr_id);
	cqe->type = FIELD_PREP(EHEA_CQE_TYPE_RQ, queue);
	cqe->bytes = cpu_to_be16(bytes);
	cqe->status = cpu_to_be16(status);
	return cqe;
}
