/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel without an adapter: rings and registers are plain memory, and a
 * test plays the adapter by writing completions.
 */

#ifndef _EHEA_FAKE_H
#define _EHEA_FAKE_H

#include <kunit/test.h>

#include "../../ehea.h"

#define EHEA_FAKE_SLOTS		128
#define EHEA_FAKE_SEND_LKEY	0x51
#define EHEA_FAKE_RECV_LKEY	0x52

/**
 * struct ehea_fake - a channel that tests run against
 * @netdev: with a &struct ehea_port
 * @set: the port's channels, of which there is one
 * @ch: that channel
 * @map: covers all memory below @covered
 * @view: the channel's view
 * @epa: register page of QP and CQs
 * @resets: how often a port reset was asked for
 * @refills: how often the timer that has the channel polled ran out
 * @rx: frames that were received
 */
struct ehea_fake {
	struct net_device *netdev;
	struct ehea_channels set;
	struct ehea_channel *ch;
	struct ehea_busmap *map;
	struct ehea_view view;
	u8 *epa;
	unsigned int resets;
	unsigned int refills;
	struct sk_buff_head rx;
};

struct ehea_fake *ehea_fake_create(struct kunit *test);
struct sk_buff *ehea_fake_skb(struct kunit *test, struct ehea_fake *fake,
			      u32 len, u8 first);
struct page *ehea_fake_page(struct kunit *test);
bool ehea_fake_will_poll(const struct ehea_fake *fake);
u64 ehea_fake_register(const struct ehea_fake *fake, u32 reg);
struct ehea_cqe *ehea_fake_send_cqe(struct ehea_fake *fake, u64 wr_id,
				    u16 status);
struct ehea_cqe *ehea_fake_recv_cqe(struct ehea_fake *fake, u8 queue,
				    u64 wr_id, u16 bytes, u16 status);
void ehea_fake_hide(struct ehea_fake *fake, u64 real, u64 len);

/* What the data path calls instead of the stack. */
void ehea_fake_receive(struct napi_struct *napi, struct sk_buff *skb);

#endif /* _EHEA_FAKE_H */
