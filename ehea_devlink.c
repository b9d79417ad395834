// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): devlink, one instance for each adapter, with
 * health reporters of what can go wrong: a send queue that hangs, a QP in
 * error, a malfunction that firmware reports.
 *
 * Each of these resets the port by itself, since a send queue that hangs may
 * hold up the removal of memory. So a report comes with what was seen just
 * before the reset, and has nothing left to recover; a recovery that the
 * operator asks for resets all ports of the adapter.
 */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/devlink.h>

#include "ehea.h"
#include "ehea_compat.h"

enum ehea_health_kind {
	EHEA_HEALTH_TX,
	EHEA_HEALTH_QP,
	EHEA_HEALTH_ADAPTER,
	EHEA_HEALTH_KINDS,
};

/* Reports that wait; more in a row tell nothing new. */
#define EHEA_HEALTH_EVENTS	16

/**
 * struct ehea_health_event - something that went wrong
 * @node: in &ehea_health.events
 * @kind: reporter that it is for
 * @text: for the operator
 * @has_port: it is about one port, not all of the adapter
 * @port: logical port number
 * @queue: number of the queue
 * @has_regs: @regs are there
 * @regs: the QP
 * @has_error: @error is there
 * @error: firmware's error report of the QP
 */
struct ehea_health_event {
	struct list_head node;
	enum ehea_health_kind kind;
	const char *text;
	bool has_port;
	u16 port;
	unsigned int queue;
	bool has_regs;
	struct ehea_qp_regs regs;
	bool has_error;
	struct ehea_error_data error;
};

/**
 * struct ehea_health - devlink instance of an adapter
 * @adapter: adapter
 * @reporter: by &enum ehea_health_kind
 * @work: reports @events, where devlink's lock may be taken
 * @lock: protects @events and @count
 * @events: &struct ehea_health_event, oldest first
 * @count: number of @events
 */
struct ehea_health {
	struct ehea_adapter *adapter;
	struct devlink_health_reporter *reporter[EHEA_HEALTH_KINDS];
	struct work_struct work;
	spinlock_t lock;		/* protects events and count */
	struct list_head events;
	unsigned int count;
};

static void ehea_health_put_regs(struct devlink_fmsg *fmsg,
				 const struct ehea_qp_regs *regs)
{
	devlink_fmsg_u64_pair_put(fmsg, "qp", regs->number);
	devlink_fmsg_bool_pair_put(fmsg, "enabled", regs->enabled);
	devlink_fmsg_u64_pair_put(fmsg, "state", regs->state);
	devlink_fmsg_u64_pair_put(fmsg, "cb_aer", regs->cb_aer);
	devlink_fmsg_u64_pair_put(fmsg, "aer", regs->aer);
	devlink_fmsg_u64_pair_put(fmsg, "aerr", regs->aerr);
	devlink_fmsg_u64_pair_put(fmsg, "sq_head", regs->sq_head);
	devlink_fmsg_u64_pair_put(fmsg, "sq_tail", regs->sq_tail);
	devlink_fmsg_u64_pair_put(fmsg, "rq1_head", regs->rq1_head);
	devlink_fmsg_u64_pair_put(fmsg, "rq1_tail", regs->rq1_tail);
}

static void ehea_health_put_error(struct devlink_fmsg *fmsg,
				  const struct ehea_error_data *error)
{
	devlink_fmsg_pair_nest_start(fmsg, "error_data");
	devlink_fmsg_obj_nest_start(fmsg);
	devlink_fmsg_u64_pair_put(fmsg, "handle", error->handle);
	devlink_fmsg_u8_pair_put(fmsg, "type", error->type);
	devlink_fmsg_u64_pair_put(fmsg, "aer", error->aer);
	devlink_fmsg_u64_pair_put(fmsg, "aerr", error->aerr);
	devlink_fmsg_u64_pair_put(fmsg, "port", error->port);
	devlink_fmsg_obj_nest_end(fmsg);
	devlink_fmsg_pair_nest_end(fmsg);
}

static void ehea_health_put_event(struct devlink_fmsg *fmsg,
				  const struct ehea_health_event *event)
{
	devlink_fmsg_string_pair_put(fmsg, "what", event->text);
	if (event->has_port)
		devlink_fmsg_u32_pair_put(fmsg, "port", event->port);
	if (event->has_regs) {
		devlink_fmsg_u32_pair_put(fmsg, "queue", event->queue);
		ehea_health_put_regs(fmsg, &event->regs);
	}
	if (event->has_error)
		ehea_health_put_error(fmsg, &event->error);
}

static void ehea_health_read(struct ehea_channel *ch,
			     struct ehea_health_event *event)
{
	event->has_port = true;
	event->port = ch->port->id;
	event->queue = ch->index;
	event->has_regs = true;
	ehea_channel_read_regs(ch, &event->regs);
	event->has_error = !ehea_phyp_error_data(ch->qp.hea, ch->qp.res.handle,
						 &event->error);
}

/* All QPs of a port as they are now. */
static void ehea_health_put_port(struct devlink_fmsg *fmsg,
				 struct ehea_port *port)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	unsigned int i;

	for (i = 0; set && i < set->count; i++) {
		struct ehea_health_event event = { .text = "as it is now" };

		ehea_health_read(set->ch[i], &event);
		devlink_fmsg_obj_nest_start(fmsg);
		ehea_health_put_event(fmsg, &event);
		devlink_fmsg_obj_nest_end(fmsg);
	}
}

static void ehea_health_put_adapter(struct devlink_fmsg *fmsg,
				    struct ehea_adapter *adapter)
{
	struct ehea_port *port;
	unsigned long id;

	mutex_lock(&adapter->port_lock);
	rtnl_lock();
	devlink_fmsg_arr_pair_nest_start(fmsg, "queues");
	xa_for_each(&adapter->ports, id, port)
		ehea_health_put_port(fmsg, port);
	devlink_fmsg_arr_pair_nest_end(fmsg);
	rtnl_unlock();
	mutex_unlock(&adapter->port_lock);
}

static void ehea_health_put_hea(struct devlink_fmsg *fmsg,
				struct ehea_hea *hea)
{
	devlink_fmsg_u64_pair_put(fmsg, "calls", atomic64_read(&hea->calls));
	devlink_fmsg_u64_pair_put(fmsg, "busy", atomic64_read(&hea->busy));
	devlink_fmsg_u64_pair_put(fmsg, "timeouts",
				  atomic64_read(&hea->timeouts));
}

/* @ctx is the event, or NULL when the operator wants to know. */
static int ehea_health_dump(struct devlink_health_reporter *reporter,
			    struct devlink_fmsg *fmsg, void *ctx,
			    struct netlink_ext_ack *extack)
{
	struct ehea_health *health = devlink_health_reporter_priv(reporter);

	if (ctx)
		ehea_health_put_event(fmsg, ctx);
	else
		ehea_health_put_adapter(fmsg, health->adapter);
	ehea_health_put_hea(fmsg, &health->adapter->hea);
	return 0;
}

static int ehea_health_diagnose(struct devlink_health_reporter *reporter,
				struct devlink_fmsg *fmsg,
				struct netlink_ext_ack *extack)
{
	struct ehea_health *health = devlink_health_reporter_priv(reporter);

	ehea_health_put_adapter(fmsg, health->adapter);
	return 0;
}

static int ehea_health_recover(struct devlink_health_reporter *reporter,
			       void *ctx, struct netlink_ext_ack *extack)
{
	struct ehea_health *health = devlink_health_reporter_priv(reporter);
	struct ehea_adapter *adapter = health->adapter;
	struct ehea_port *port;
	unsigned long id;

	/* What went wrong has led to a reset already. */
	if (ctx)
		return 0;
	mutex_lock(&adapter->port_lock);
	xa_for_each(&adapter->ports, id, port)
		ehea_port_schedule_reset(port, "asked for by devlink");
	mutex_unlock(&adapter->port_lock);
	return 0;
}

#define EHEA_HEALTH_OPS(_name) {		\
	.name = _name,				\
	.dump = ehea_health_dump,		\
	.diagnose = ehea_health_diagnose,	\
	.recover = ehea_health_recover,		\
}

static const struct devlink_health_reporter_ops
ehea_health_ops[EHEA_HEALTH_KINDS] = {
	[EHEA_HEALTH_TX]	= EHEA_HEALTH_OPS("tx"),
	[EHEA_HEALTH_QP]	= EHEA_HEALTH_OPS("qp"),
	[EHEA_HEALTH_ADAPTER]	= EHEA_HEALTH_OPS("adapter"),
};

static struct ehea_health_event *ehea_health_next(struct ehea_health *health)
{
	struct ehea_health_event *event;

	spin_lock(&health->lock);
	event = list_first_entry_or_null(&health->events,
					 struct ehea_health_event, node);
	if (event) {
		list_del(&event->node);
		health->count--;
	}
	spin_unlock(&health->lock);
	return event;
}

static void ehea_health_work(struct work_struct *work)
{
	struct ehea_health *health = container_of(work, struct ehea_health,
						  work);
	struct ehea_health_event *event;

	while ((event = ehea_health_next(health))) {
		devlink_health_report(health->reporter[event->kind],
				      event->text, event);
		kfree(event);
	}
}

static struct ehea_health_event *ehea_health_event(enum ehea_health_kind kind,
						   const char *text)
{
	struct ehea_health_event *event;

	event = kzalloc(sizeof(*event), GFP_KERNEL);
	if (event) {
		event->kind = kind;
		event->text = text;
	}
	return event;
}

/* Callers may hold RTNL, which comes after devlink's lock. */
static void ehea_health_queue(struct ehea_health *health,
			      struct ehea_health_event *event)
{
	bool full;

	spin_lock(&health->lock);
	full = health->count == EHEA_HEALTH_EVENTS;
	if (!full) {
		list_add_tail(&event->node, &health->events);
		health->count++;
	}
	spin_unlock(&health->lock);
	if (full)
		kfree(event);
	else
		schedule_work(&health->work);
}

static void ehea_health_queue_channel(struct ehea_channel *ch,
				      enum ehea_health_kind kind,
				      const char *text)
{
	struct ehea_health_event *event = ehea_health_event(kind, text);

	if (!event)
		return;
	ehea_health_read(ch, event);
	ehea_health_queue(ch->port->adapter->health, event);
}

/**
 * ehea_health_tx_timeout - report a send queue that hangs
 * @ch: channel, before it is reset
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_health_tx_timeout(struct ehea_channel *ch)
{
	ehea_health_queue_channel(ch, EHEA_HEALTH_TX, "transmit timeout");
}

/**
 * ehea_health_qp_error - report a QP in error
 * @ch: channel, before it is reset
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_health_qp_error(struct ehea_channel *ch)
{
	ehea_health_queue_channel(ch, EHEA_HEALTH_QP, "QP error");
}

/**
 * ehea_health_malfunction - report a malfunction that firmware told of
 * @adapter: adapter
 * @port: the port that it is about, or NULL
 *
 * Context: process, sleeps.
 */
void ehea_health_malfunction(struct ehea_adapter *adapter,
			     struct ehea_port *port)
{
	const char *text = port ? "port malfunction" : "adapter malfunction";
	struct ehea_health_event *event;

	event = ehea_health_event(EHEA_HEALTH_ADAPTER, text);
	if (!event)
		return;
	event->has_port = port;
	if (port)
		event->port = port->id;
	ehea_health_queue(adapter->health, event);
}

static const struct devlink_ops ehea_devlink_ops = {};

static void ehea_health_destroy_reporters(struct ehea_health *health)
{
	unsigned int i;

	for (i = 0; i < EHEA_HEALTH_KINDS; i++)
		if (!IS_ERR_OR_NULL(health->reporter[i]))
			devlink_health_reporter_destroy(health->reporter[i]);
}

static int ehea_health_create_reporters(struct ehea_health *health)
{
	struct devlink *devlink = priv_to_devlink(health);
	unsigned int i;

	for (i = 0; i < EHEA_HEALTH_KINDS; i++) {
		health->reporter[i] =
			ehea_health_reporter_create(devlink,
						    &ehea_health_ops[i],
						    health);
		if (IS_ERR(health->reporter[i]))
			return PTR_ERR(health->reporter[i]);
	}
	return 0;
}

/**
 * ehea_health_init - make an adapter known to devlink
 * @adapter: adapter without ports
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_health_init(struct ehea_adapter *adapter)
{
	struct ehea_health *health;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&ehea_devlink_ops, sizeof(*health),
				&adapter->pdev->dev);
	if (!devlink)
		return -ENOMEM;
	health = devlink_priv(devlink);
	health->adapter = adapter;
	INIT_WORK(&health->work, ehea_health_work);
	spin_lock_init(&health->lock);
	INIT_LIST_HEAD(&health->events);
	err = ehea_health_create_reporters(health);
	if (err) {
		ehea_health_destroy_reporters(health);
		devlink_free(devlink);
		return err;
	}
	adapter->health = health;
	devlink_register(devlink);
	return 0;
}

/**
 * ehea_health_exit - have devlink forget an adapter
 * @adapter: adapter without ports and events
 *
 * Context: process, sleeps; neither RTNL nor @adapter's port_lock, which
 *	    devlink's operations take.
 */
void ehea_health_exit(struct ehea_adapter *adapter)
{
	struct ehea_health *health = adapter->health;
	struct devlink *devlink = priv_to_devlink(health);
	struct ehea_health_event *event;

	cancel_work_sync(&health->work);
	while ((event = ehea_health_next(health)))
		kfree(event);
	devlink_unregister(devlink);
	ehea_health_destroy_reporters(health);
	adapter->health = NULL;
	devlink_free(devlink);
}
