// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): channels. A channel is a QP with its CQs, its
 * EQ, interrupt and NAPI; a port that is open has one set of them.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/slab.h>

#include <asm/ibmebus.h>

#include "ehea.h"

/* An EQ without entries still has a page. */
#define EHEA_COMPLETION_EQES	1
#define EHEA_ERROR_EQES		127

/* The receive CQ's ring is never written, it only carries the arming. */
#define EHEA_RECV_CQES		127

/*
 * Whose events were spent? A poll on another CPU may add to it at any time, but
 * after it has read the completions: what is taken here of that is armed after
 * all that it has read, and the ring looked at after that.
 */
static u32 ehea_take_fired(atomic_t *fired)
{
	int old = atomic_read(fired);

	/* A write to the adapter, which is ordered, follows. */
	while (!atomic_try_cmpxchg_relaxed(fired, &old,
					   old >> EHEA_FIRED_SHIFT))
		;
	return old & EHEA_FIRED_ONCE;
}

/*
 * Look at the rings once more after arming: nothing is retroactive. Both CQs
 * are armed before either is read back, for a read waits for the adapter. One
 * that had no completion is still armed, and will tell of the next.
 */
static void ehea_channel_arm(struct ehea_channel *ch)
{
	u32 fired = ehea_take_fired(&ch->fired);
	bool send = fired & EHEA_FIRED_SEND;
	bool recv = fired & EHEA_FIRED_RECV;

	if (send)
		ehea_cq_arm(&ch->send_cq);
	if (recv)
		ehea_cq_arm(&ch->recv_cq);
	if (send)
		ehea_cq_arm_flush(&ch->send_cq);
	if (recv)
		ehea_cq_arm_flush(&ch->recv_cq);
	if ((send && ehea_tx_pending(ch)) || (recv && ehea_rx_pending(ch)))
		napi_schedule(&ch->napi);
}

static noinline void ehea_channel_do_chores(struct ehea_channel *ch)
{
	if (test_and_clear_bit(EHEA_CHORE_RINGS, &ch->chores)) {
		ehea_tx_flush(ch);
		ehea_rx_refill(ch);
	}
	if (test_bit(EHEA_CHORE_TURN, &ch->chores))
		ehea_mem_turned(ch);
}

/* Netpoll has no budget, and comes for what was sent only. */
static int ehea_poll(struct napi_struct *napi, int budget)
{
	struct ehea_channel *ch = container_of(napi, struct ehea_channel, napi);
	int done = 0;

	if (ehea_tx_pending(ch))
		ehea_tx_clean(ch, budget);
	if (unlikely(!budget))
		return 0;
	if (ehea_rx_pending(ch))
		done = ehea_rx_poll(ch, budget);
	if (unlikely(READ_ONCE(ch->chores)))
		ehea_channel_do_chores(ch);

	if (done < budget && napi_complete_done(napi, done))
		ehea_channel_arm(ch);
	return done;
}

static irqreturn_t ehea_channel_irq(int irq, void *arg)
{
	struct ehea_channel *ch = arg;

	napi_schedule_irqoff(&ch->napi);
	return IRQ_HANDLED;
}

/* The token is the channel's index, if it can be believed. */
static void ehea_error_mark(struct ehea_channels *set, u64 eqe)
{
	u32 token = FIELD_GET(EHEA_EQE_TOKEN, eqe);

	if (token < set->count)
		WRITE_ONCE(set->ch[token]->failed, true);
}

/* A QP is in error: only a reset of the port helps. */
static void ehea_error_read(struct ehea_channels *set)
{
	unsigned long flags;
	u64 eqe;

	spin_lock_irqsave(&set->aff_lock, flags);
	while ((eqe = ehea_eq_next(&set->aff_eq))) {
		if (net_ratelimit())
			netdev_err(set->port->netdev,
				   "QP error, event %#018llx, queue %llu\n",
				   eqe, FIELD_GET(EHEA_EQE_TOKEN, eqe));
		ehea_error_mark(set, eqe);
		ehea_port_schedule_reset(set->port, "QP error");
	}
	spin_unlock_irqrestore(&set->aff_lock, flags);
}

static irqreturn_t ehea_error_irq(int irq, void *arg)
{
	ehea_error_read(arg);
	return IRQ_HANDLED;
}

static void ehea_channel_refill(struct timer_list *timer)
{
	struct ehea_channel *ch = container_of(timer, struct ehea_channel,
					       refill);

	set_bit(EHEA_CHORE_RINGS, &ch->chores);
	napi_schedule(&ch->napi);
}

static int ehea_channel_create_queues(struct ehea_channel *ch,
				      const struct ehea_config *config,
				      const struct ehea_eq *aff_eq)
{
	struct ehea_hea *hea = &ch->port->adapter->hea;
	struct ehea_qp_config qp = {
		.send_cq = &ch->send_cq,
		.recv_cq = &ch->recv_cq,
		.eq = aff_eq,
		.token = ch->index,
		.pd = EHEA_PD,
		.port = ch->port->id,
	};
	int err;

	memcpy(qp.entries, config->entries, sizeof(qp.entries));
	/* To which nothing will be posted: the smallest that there may be. */
	if (!ehea_needs_rq3(config->mtu))
		qp.entries[EHEA_RQ3] = EHEA_MIN_ENTRIES;
	err = ehea_eq_create(hea, &ch->eq, EHEA_EQ_COMPLETION,
			     EHEA_COMPLETION_EQES);
	if (err)
		return err;
	err = ehea_cq_create(hea, &ch->send_cq, &ch->eq, ch->index,
			     config->entries[EHEA_SQ] + 1);
	if (err)
		goto destroy_eq;
	err = ehea_cq_create(hea, &ch->recv_cq, &ch->eq, ch->index,
			     EHEA_RECV_CQES);
	if (err)
		goto destroy_send_cq;
	err = ehea_qp_create(hea, &ch->qp, &qp);
	if (err)
		goto destroy_recv_cq;
	return 0;

destroy_recv_cq:
	ehea_cq_destroy(&ch->recv_cq);
destroy_send_cq:
	ehea_cq_destroy(&ch->send_cq);
destroy_eq:
	ehea_eq_destroy(&ch->eq);
	return err;
}

static void ehea_channel_free(void *arg)
{
	struct ehea_channel *ch = arg;

	ehea_rx_destroy(ch);
	ehea_tx_destroy(ch);
	/* The pools of RQ2 and RQ3 knew the NAPI in it. */
	kfree_rcu(ch, rcu);
}

static void ehea_channel_destroy(struct ehea_channel *ch)
{
	struct ehea_hea *hea = &ch->port->adapter->hea;
	u64 handle = ch->qp.res.handle;
	int err;

	netif_napi_del(&ch->napi);
	err = ehea_mem_detach(ch);
	ehea_cq_destroy(&ch->recv_cq);
	ehea_cq_destroy(&ch->send_cq);
	ehea_eq_destroy(&ch->eq);
	/* A QP that firmware keeps may still use the posted buffers. */
	if (err)
		ehea_fw_defer(hea, handle, ehea_channel_free, ch);
	else
		ehea_channel_free(ch);
}

static struct ehea_channel *
ehea_channel_create(struct ehea_channels *set, unsigned int index,
		    const struct ehea_config *config)
{
	struct ehea_port *port = set->port;
	struct ehea_channel *ch;
	int err;

	ch = kzalloc(sizeof(*ch), GFP_KERNEL);
	if (!ch)
		return ERR_PTR(-ENOMEM);
	ch->port = port;
	ch->netdev = port->netdev;
	ch->index = index;
	ch->stats = &port->stats[index][set->bank];
	ch->txq = netdev_get_tx_queue(port->netdev, index);
	INIT_LIST_HEAD(&ch->node);
	INIT_LIST_HEAD(&ch->old_views);
	timer_setup(&ch->refill, ehea_channel_refill, 0);
	err = ehea_channel_create_queues(ch, config, &set->aff_eq);
	if (err)
		goto free_channel;

	netif_napi_add(port->netdev, &ch->napi, ehea_poll);
	err = ehea_tx_create(ch);
	if (!err)
		err = ehea_rx_create(ch, config->mtu);
	if (!err) {
		ehea_tx_set_frames(ch, port->tx_frames);
		return ch;
	}

	/* Destroying copes with what was not created. */
	ehea_channel_destroy(ch);
	return ERR_PTR(err);

free_channel:
	kfree(ch);
	return ERR_PTR(err);
}

static void ehea_channels_free_irq(struct ehea_channels *set)
{
	ibmebus_free_irq(set->aff_eq.ist, set);
}

/**
 * ehea_request_irq - request the interrupt of an EQ
 * @eq: event queue
 * @handler: handler
 * @name: for /proc/interrupts
 * @arg: of the handler
 *
 * Context: process, sleeps.
 * Return: 0, -EIO if firmware gave an interrupt that is in use, or another
 * negative error number; nothing allocated then.
 */
int ehea_request_irq(const struct ehea_eq *eq, irq_handler_t handler,
		     const char *name, void *arg)
{
	unsigned int irq = irq_find_mapping(NULL, eq->ist);
	int err;

	/* Its mapping would go with a request that fails. */
	if (irq && irq_has_action(irq)) {
		dev_err(eq->hea->dev, "%s: interrupt %#x is in use\n", name,
			eq->ist);
		return -EIO;
	}
	err = ibmebus_request_irq(eq->ist, handler, 0, name, arg);
	/* The bus leaves the mapping behind when the request fails. */
	if (err)
		irq_dispose_mapping(irq_find_mapping(NULL, eq->ist));
	return err;
}

static int ehea_channels_create_error_eq(struct ehea_channels *set)
{
	struct ehea_port *port = set->port;
	int err;

	err = ehea_eq_create(&port->adapter->hea, &set->aff_eq, EHEA_EQ_ERROR,
			     EHEA_ERROR_EQES);
	if (err)
		return err;
	snprintf(set->aff_name, sizeof(set->aff_name), "%s-error",
		 port->netdev->name);
	err = ehea_request_irq(&set->aff_eq, ehea_error_irq, set->aff_name,
			       set);
	if (err)
		ehea_eq_destroy(&set->aff_eq);
	return err;
}

/**
 * ehea_channels_create - allocate a set of channels
 * @port: port
 * @config: how many, and how large their rings
 *
 * Context: process, sleeps; RTNL.
 * Return: the set, or an error pointer with nothing allocated.
 */
struct ehea_channels *ehea_channels_create(struct ehea_port *port,
					   const struct ehea_config *config)
{
	struct ehea_channels *old = rtnl_dereference(port->channels);
	struct ehea_channels *set;
	int err;

	set = kzalloc(sizeof(*set), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	set->port = port;
	set->bank = old ? !old->bank : 0;
	spin_lock_init(&set->aff_lock);
	err = ehea_channels_create_error_eq(set);
	if (err) {
		kfree(set);
		return ERR_PTR(err);
	}

	for (; set->count < config->channels; set->count++) {
		struct ehea_channel *ch;

		ch = ehea_channel_create(set, set->count, config);
		if (IS_ERR(ch)) {
			ehea_channels_destroy(set);
			return ERR_CAST(ch);
		}
		set->ch[set->count] = ch;
	}
	return set;
}

/**
 * ehea_channels_destroy - free a set of channels
 * @set: stopped, and out of everyone's reach since an RCU grace period
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_channels_destroy(struct ehea_channels *set)
{
	unsigned int i;

	/* The handler looks at channels; QPs need the EQ. */
	ehea_channels_free_irq(set);
	for (i = 0; i < set->count; i++)
		ehea_channel_destroy(set->ch[i]);
	ehea_eq_destroy(&set->aff_eq);
	kfree(set);
}

static int ehea_channel_request_irq(struct ehea_channel *ch)
{
	struct cpumask *affinity = &ch->port->affinity[ch->index];
	int err;

	snprintf(ch->irq_name, sizeof(ch->irq_name), "%s-%u", ch->netdev->name,
		 ch->index);
	err = ehea_request_irq(&ch->eq, ehea_channel_irq, ch->irq_name, ch);
	if (err)
		return err;
	ch->irq = irq_find_mapping(NULL, ch->eq.ist);
	netif_napi_set_irq(&ch->napi, ch->irq);
	if (!cpumask_empty(affinity))
		irq_set_affinity(ch->irq, affinity);
	return 0;
}

static void ehea_channel_save_affinity(const struct ehea_channel *ch)
{
	const struct cpumask *affinity = irq_get_affinity_mask(ch->irq);

	if (affinity)
		cpumask_copy(&ch->port->affinity[ch->index], affinity);
}

/**
 * ehea_channels_save_affinity - note what the operator chose for interrupts
 * @set: started; the next set of the port gets the same
 *
 * Context: RTNL.
 */
void ehea_channels_save_affinity(const struct ehea_channels *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		ehea_channel_save_affinity(set->ch[i]);
}

/* The interrupt's mapping goes with it; what the operator chose does not. */
static void ehea_channel_free_irq(struct ehea_channel *ch)
{
	ehea_channel_save_affinity(ch);
	netif_napi_set_irq(&ch->napi, -1);
	ibmebus_free_irq(ch->eq.ist, ch);
	ch->irq = 0;
}

/* NAPI comes before events can: one that comes while it is off is gone. */
static int ehea_channel_start(struct ehea_channel *ch)
{
	int err;

	napi_enable(&ch->napi);
	err = ehea_channel_request_irq(ch);
	if (err)
		goto disable_napi;
	err = ehea_mem_attach(ch);
	if (err)
		goto free_irq;
	err = ehea_tx_prepare(ch);
	if (err)
		goto free_irq;
	ehea_rx_fill(ch);
	err = ehea_mem_start(ch);
	if (err)
		goto free_irq;

	/* The first poll arms the CQs. */
	atomic_set(&ch->fired, EHEA_FIRED_SEND | EHEA_FIRED_RECV);
	local_bh_disable();
	napi_schedule(&ch->napi);
	local_bh_enable();
	return 0;

free_irq:
	ehea_channel_free_irq(ch);
disable_napi:
	napi_disable(&ch->napi);
	timer_shutdown_sync(&ch->refill);
	return err;
}

static void ehea_channel_stop(struct ehea_channel *ch)
{
	ehea_mem_stop(ch);
	napi_disable(&ch->napi);
	timer_shutdown_sync(&ch->refill);
	ehea_channel_free_irq(ch);
}

/**
 * ehea_channels_start - start all channels of a set
 * @set: made by ehea_channels_create(), not started before
 *
 * Frames can be received as soon as the port's table of default QPs names
 * the QPs.
 *
 * Context: process, sleeps; RTNL.
 * Return: 0 or a negative error number, nothing started then.
 */
int ehea_channels_start(struct ehea_channels *set)
{
	unsigned int i;
	int err;

	for (i = 0; i < set->count; i++) {
		err = ehea_channel_start(set->ch[i]);
		if (err)
			goto stop;
	}
	return 0;

stop:
	while (i--)
		ehea_channel_stop(set->ch[i]);
	return err;
}

/**
 * ehea_channels_stop - stop all channels of a set for good
 * @set: started; no send queue uses it any more
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_channels_stop(struct ehea_channels *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		ehea_channel_stop(set->ch[i]);
}

/**
 * ehea_channel_read_regs - ask for the state of a channel's QP
 * @ch: channel
 * @regs: zeroed, filled in; control block 0 if firmware answers
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_channel_read_regs(const struct ehea_channel *ch,
			    struct ehea_qp_regs *regs)
{
	struct ehea_qp_status status = {};
	const struct ehea_qp *qp = &ch->qp;

	if (!ehea_phyp_query_qp(qp->hea, qp->res.handle, &status)) {
		regs->enabled = status.enabled;
		regs->state = status.state;
		regs->sizes = (u64)status.sq_size << 32 | status.rq_size;
		regs->cb_aer = status.aer;
	}
	regs->number = qp->number;
	regs->aer = in_be64(qp->epa + EHEA_QP_AER);
	regs->aerr = in_be64(qp->epa + EHEA_QP_AERR);
	regs->sq_head = in_be64(qp->epa + EHEA_QP_SQ_HEAD);
	regs->sq_tail = in_be64(qp->epa + EHEA_QP_SQ_TAIL);
	regs->rq1_head = in_be64(qp->epa + EHEA_QP_RQ1_HEAD);
	regs->rq1_tail = in_be64(qp->epa + EHEA_QP_RQ1_TAIL);
}

/**
 * ehea_port_indir - channel that gets the flows of a hash bucket
 * @port: port
 * @bucket: index into the table of default QPs
 * @channels: number of channels
 *
 * Context: RTNL.
 * Return: what the administrator chose, else each channel in turn.
 */
unsigned int ehea_port_indir(const struct ehea_port *port, unsigned int bucket,
			     unsigned int channels)
{
	if (netif_is_rxfh_configured(port->netdev))
		bucket = port->indir[bucket];
	return bucket % channels;
}

/* Nothing is received behind a gap; it is one if it is there twice. */
static void ehea_channel_check_gap(struct ehea_channel *ch)
{
	const struct ehea_ring *ring = &ch->qp.ring[EHEA_RQ1];
	const void *gap = ehea_ring_has_gap(ring) ? ring->next : NULL;

	if (gap && gap == ch->gap)
		ehea_port_schedule_reset(ch->port, "a completion is missing");
	ch->gap = gap;
}

/**
 * ehea_channels_kick - look for what no interrupt told of
 * @set: set of channels
 *
 * The cure for an interrupt that was lost or came late, and for a completion
 * that never came.
 *
 * Context: process or softirq; RCU.
 */
void ehea_channels_kick(struct ehea_channels *set)
{
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < set->count; i++) {
		struct ehea_channel *ch = set->ch[i];

		if (ehea_rx_pending(ch) || ehea_tx_pending(ch))
			napi_schedule(&ch->napi);
		ehea_channel_check_gap(ch);
	}
	local_bh_enable();
	ehea_error_read(set);
}

/**
 * ehea_channels_qpns - fill a table of default QPs
 * @set: set of channels
 * @qpns: the table
 * @count: its length; the QPs may repeat in it
 *
 * Context: RTNL.
 */
void ehea_channels_qpns(const struct ehea_channels *set, u32 *qpns,
			unsigned int count)
{
	unsigned int i, nr;

	for (i = 0; i < count; i++) {
		nr = ehea_port_indir(set->port, i, set->count);
		qpns[i] = set->ch[nr]->qp.number;
	}
}
