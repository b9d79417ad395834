// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): exchanging an adapter's memory region (MR)
 * while its ports go on. The new one is registered before the old one goes;
 * a channel's view (map and keys) is swapped by RCU; the old MR is freed when
 * no posted WQE names its key any more. All functions here run under
 * ehea_mem's mutex. Explained in Documentation/memory-hotplug.rst.
 */
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "ehea.h"
#include "ehea_trace.h"

/*
 * MRs that may live before channels are paused to free the replaced ones. A
 * ring of the default size is refilled by quarters: its buffers name five.
 */
#define EHEA_MAX_REGIONS	8

/*
 * How long frames that were sent may take before their QP is given up. So many
 * looks as well: the partition may have waited for a processor meanwhile.
 */
#define EHEA_DRAIN_TIMEOUT	msecs_to_jiffies(1000)
#define EHEA_DRAIN_POLLS	1000
#define EHEA_DRAIN_POLL_US	50

static const struct {
	u32 mask;
	unsigned int shift;
} ehea_mr_pages[] = {
	{ EHEA_MR_PAGES_16M, 24 },
	{ EHEA_MR_PAGES_1M, 20 },
	{ EHEA_MR_PAGES_64K, 16 },
	{ EHEA_MR_PAGES_4K, 12 },
};

static struct ehea_region *ehea_region_current(struct ehea_adapter *adapter)
{
	return list_first_entry_or_null(&adapter->regions, struct ehea_region,
					node);
}

/* Register with the largest pages that firmware takes. */
static int ehea_region_register(struct ehea_adapter *adapter,
				struct ehea_region *region)
{
	/* 4 KiB pages need no offer. */
	u32 offered = adapter->attr.mr_page_sizes | EHEA_MR_PAGES_4K;
	int err = -EOPNOTSUPP;
	u32 refused = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ehea_mr_pages); i++) {
		if (!(offered & ehea_mr_pages[i].mask))
			continue;
		err = ehea_mr_register(&adapter->hea, &region->mr, region->map,
				       EHEA_PD, ehea_mr_pages[i].shift);
		/* Smaller pages only make it harder when room is short. */
		if (!err || err == -ENOSPC || err == -ENOMEM ||
		    err == -ETIMEDOUT)
			break;
		if (err == -EINVAL || err == -EOPNOTSUPP)
			refused |= ehea_mr_pages[i].mask;
	}
	trace_ehea_region_create(adapter->hea.dev, region->mr.len,
				 region->mr.page_shift, region->mr.calls, err);
	if (err) {
		adapter->mem_stats.failures++;
		return err;
	}
	/* A smaller size was taken, so it was the size: do not ask again. */
	adapter->attr.mr_page_sizes &= ~refused;
	adapter->mem_stats.registrations++;
	adapter->mem_stats.page_calls = region->mr.calls;
	return 0;
}

static struct ehea_region *ehea_region_create(struct ehea_adapter *adapter,
					      struct ehea_busmap *map)
{
	struct ehea_region *region;
	int err;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region->map = ehea_busmap_get(map);
	err = ehea_region_register(adapter, region);
	if (err) {
		ehea_busmap_put(map);
		kfree(region);
		return ERR_PTR(err);
	}
	return region;
}

static void ehea_region_free(struct ehea_region *region)
{
	trace_ehea_region_free(region->mr.hea->dev, region->mr.len);
	ehea_mr_free(&region->mr);
	ehea_busmap_put(region->map);
	kfree(region);
}

static struct ehea_view *ehea_view_create(struct ehea_adapter *adapter,
					  struct ehea_region *region)
{
	struct ehea_view *view;
	int err;

	view = kzalloc(sizeof(*view), GFP_KERNEL);
	if (!view)
		return ERR_PTR(-ENOMEM);
	err = ehea_smr_register(&region->mr, &view->send_smr);
	if (err)
		goto free_view;
	err = ehea_smr_register(&region->mr, &view->recv_smr);
	if (err)
		goto free_send_smr;
	view->map = region->map;
	view->send_lkey = cpu_to_be32(view->send_smr.lkey);
	view->recv_lkey = cpu_to_be32(view->recv_smr.lkey);
	view->region = region;
	INIT_LIST_HEAD(&view->node);
	region->views++;
	return view;

free_send_smr:
	ehea_smr_free(&adapter->hea, &view->send_smr);
free_view:
	kfree(view);
	return ERR_PTR(err);
}

/* No posted WQE names the keys, and no reader has the pointer. */
static void ehea_view_free(struct ehea_adapter *adapter,
			   struct ehea_view *view)
{
	ehea_smr_free(&adapter->hea, &view->recv_smr);
	ehea_smr_free(&adapter->hea, &view->send_smr);
	view->region->views--;
	list_del(&view->node);
	kfree(view);
}

static struct ehea_view *ehea_view_current(struct ehea_channel *ch)
{
	/* The caller holds ehea_mem's mutex, as every writer does. */
	return rcu_dereference_protected(ch->view, true);
}

/* Give every channel a view of a new MR in @views, or none of them. */
static int ehea_views_create(struct ehea_adapter *adapter,
			     struct ehea_region *region,
			     struct list_head *views)
{
	struct ehea_view *view, *next;
	struct ehea_channel *ch;
	int err;

	list_for_each_entry(ch, &adapter->channels, node) {
		view = ehea_view_create(adapter, region);
		if (IS_ERR(view)) {
			err = PTR_ERR(view);
			goto free_views;
		}
		list_add_tail(&view->node, views);
	}
	return 0;

free_views:
	list_for_each_entry_safe(view, next, views, node) {
		ehea_view_free(adapter, view);
	}
	return err;
}

/*
 * Publish @views, one for each channel, or none at all when it is empty.
 * Afterwards no new WQE is written under a replaced one.
 */
static void ehea_views_publish(struct ehea_adapter *adapter,
			       struct list_head *views)
{
	struct ehea_channel *ch;
	struct ehea_view *view, *old;

	list_for_each_entry(ch, &adapter->channels, node) {
		old = ehea_view_current(ch);
		view = list_first_entry_or_null(views, struct ehea_view, node);
		if (view)
			list_del_init(&view->node);
		rcu_assign_pointer(ch->view, view);
		trace_ehea_view_publish(ch->netdev, ch->index, view);
		if (old)
			list_add_tail(&old->node, &ch->old_views);
	}
	synchronize_net();

	list_for_each_entry(ch, &adapter->channels, node) {
		if (list_empty(&ch->old_views))
			continue;
		old = list_last_entry(&ch->old_views, struct ehea_view, node);
		ehea_tx_mark(ch, old);
		set_bit(EHEA_CHORE_TURN, &ch->chores);
	}
}

static void ehea_region_free_unused(struct ehea_adapter *adapter)
{
	struct ehea_region *region, *next;

	list_for_each_entry_safe(region, next, &adapter->regions, node) {
		if (region->views || region == ehea_region_current(adapter))
			continue;
		list_del(&region->node);
		ehea_region_free(region);
	}
}

static void ehea_channel_reap(struct ehea_adapter *adapter,
			      struct ehea_channel *ch)
{
	struct ehea_view *view, *next;

	list_for_each_entry_safe(view, next, &ch->old_views, node) {
		if (ehea_tx_turned(ch, view) && ehea_rx_turned(ch, view))
			ehea_view_free(adapter, view);
	}
	assign_bit(EHEA_CHORE_TURN, &ch->chores, !list_empty(&ch->old_views));
}

/**
 * ehea_region_reap - free replaced MRs that no posted WQE uses any more
 * @adapter: adapter
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_reap(struct ehea_adapter *adapter)
{
	struct ehea_channel *ch;

	list_for_each_entry(ch, &adapter->channels, node) {
		ehea_channel_reap(adapter, ch);
		cond_resched();
	}
	ehea_region_free_unused(adapter);
}

static bool ehea_channel_tx_turned(struct ehea_channel *ch)
{
	struct ehea_view *view;

	list_for_each_entry(view, &ch->old_views, node)
		if (!ehea_tx_turned(ch, view))
			return false;
	return true;
}

/* The QP no longer matters to a memory change; the reset frees its frames. */
static void ehea_channel_abandon(struct ehea_channel *ch, const char *why)
{
	ch->running = false;
	ehea_qp_disable(&ch->qp);
	ehea_port_schedule_reset(ch->port, why);
}

/*
 * Frames sent under replaced keys complete within microseconds. A send queue
 * that hangs must not hold up a removal.
 */
static void ehea_channel_drain(struct ehea_channel *ch, unsigned long end)
{
	unsigned int polls = 0;

	while (ch->running && !ehea_channel_tx_turned(ch)) {
		if (polls++ >= EHEA_DRAIN_POLLS && time_after(jiffies, end)) {
			ehea_channel_abandon(ch, "send queue hangs");
			return;
		}
		local_bh_disable();
		napi_schedule(&ch->napi);
		local_bh_enable();
		usleep_range(EHEA_DRAIN_POLL_US, 2 * EHEA_DRAIN_POLL_US);
	}
}

static void ehea_region_drain(struct ehea_adapter *adapter)
{
	unsigned long end = jiffies + EHEA_DRAIN_TIMEOUT;
	struct ehea_channel *ch;

	list_for_each_entry(ch, &adapter->channels, node)
		ehea_channel_drain(ch, end);
}

static int ehea_channel_pause(struct ehea_channel *ch)
{
	int err;

	if (!ch->running)
		return 0;
	err = ehea_qp_pause(&ch->qp);
	if (err)
		ehea_channel_abandon(ch, "QP cannot be paused");
	return err;
}

/* Rewrite posted receive buffers for the current view, and go on. */
static void ehea_channel_rekey(struct ehea_channel *ch)
{
	if (ehea_rx_rekey(ch, ehea_view_current(ch)) && ch->running)
		ehea_channel_abandon(ch, "receive buffer outside the MR");
	else if (ch->running && ehea_qp_resume(&ch->qp))
		ehea_channel_abandon(ch, "QP cannot be resumed");
}

static void ehea_channel_free_old(struct ehea_adapter *adapter,
				  struct ehea_channel *ch)
{
	struct ehea_view *view, *next;

	list_for_each_entry_safe(view, next, &ch->old_views, node)
		ehea_view_free(adapter, view);
	clear_bit(EHEA_CHORE_TURN, &ch->chores);
}

/* Take every channel off all MRs but the current one, and free those. */
static void ehea_region_turn_over(struct ehea_adapter *adapter)
{
	struct ehea_channel *ch;

	ehea_region_drain(adapter);
	list_for_each_entry(ch, &adapter->channels, node) {
		if (!ehea_channel_pause(ch))
			ehea_channel_rekey(ch);
		ehea_channel_free_old(adapter, ch);
	}
	ehea_region_free_unused(adapter);
}

/* Make before break: the ports go on, with the old MR, then with the new. */
static int ehea_region_exchange(struct ehea_adapter *adapter,
				struct ehea_busmap *map)
{
	struct ehea_region *region;
	LIST_HEAD(views);
	int err;

	region = ehea_region_create(adapter, map);
	if (IS_ERR(region))
		return PTR_ERR(region);
	err = ehea_views_create(adapter, region, &views);
	if (err) {
		ehea_region_free(region);
		return err;
	}
	list_add(&region->node, &adapter->regions);
	ehea_views_publish(adapter, &views);
	return 0;
}

static void ehea_region_set_no_mr(struct ehea_adapter *adapter, bool no_mr)
{
	struct ehea_channel *ch;

	if (adapter->no_mr == no_mr)
		return;
	WRITE_ONCE(adapter->no_mr, no_mr);
	if (no_mr)
		dev_err(adapter->hea.dev,
			"firmware refuses a memory region; ports are down until it relents\n");
	else
		dev_info(adapter->hea.dev,
			 "firmware has relented; ports go on\n");

	list_for_each_entry(ch, &adapter->channels, node)
		ehea_port_update_carrier(ch->port);
}

/* Let channels go on that were stopped for want of an MR. */
static void ehea_region_restart(struct ehea_adapter *adapter)
{
	struct ehea_channel *ch;

	list_for_each_entry(ch, &adapter->channels, node) {
		ehea_channel_rekey(ch);
		ehea_tx_wake(ch);
		set_bit(EHEA_CHORE_RINGS, &ch->chores);
		local_bh_disable();
		napi_schedule(&ch->napi);
		local_bh_enable();
	}
	ehea_region_set_no_mr(adapter, false);
}

/**
 * ehea_region_withdraw - free every MR of an adapter
 * @adapter: adapter
 *
 * The ports stand still until ehea_region_update() succeeds: frames to be
 * sent wait in their queues.
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_withdraw(struct ehea_adapter *adapter)
{
	struct ehea_region *region, *next;
	struct ehea_channel *ch;
	LIST_HEAD(none);

	ehea_views_publish(adapter, &none);
	ehea_region_drain(adapter);
	list_for_each_entry(ch, &adapter->channels, node) {
		ehea_channel_pause(ch);
		ehea_channel_free_old(adapter, ch);
	}
	list_for_each_entry_safe(region, next, &adapter->regions, node) {
		list_del(&region->node);
		ehea_region_free(region);
	}
	adapter->mem_stats.quiesced++;
}

/*
 * Break before make, when firmware will not hold two MRs at once. @smaller is
 * a map that will do for now, or NULL.
 */
static int ehea_region_replace(struct ehea_adapter *adapter,
			       struct ehea_busmap *map,
			       struct ehea_busmap *smaller)
{
	int err;

	if (!list_empty(&adapter->regions))
		ehea_region_withdraw(adapter);
	err = ehea_region_exchange(adapter, map);
	if (!err || (smaller && !ehea_region_exchange(adapter, smaller)))
		ehea_region_restart(adapter);
	else
		ehea_region_set_no_mr(adapter, true);
	return err;
}

/*
 * The same for an add. If there is no room for the larger MR at all, the
 * smaller one comes back, and the ports are not stopped for the same map again.
 */
static int ehea_region_grow(struct ehea_adapter *adapter,
			    struct ehea_busmap *map)
{
	struct ehea_busmap *old = ehea_region_current(adapter)->map;
	int err;

	if (ehea_busmap_sections(map) == adapter->too_large)
		return -ENOSPC;
	ehea_busmap_get(old);
	err = ehea_region_replace(adapter, map, old);
	if (err && ehea_region_current(adapter)) {
		adapter->too_large = ehea_busmap_sections(map);
		dev_warn(adapter->hea.dev,
			 "firmware has no room for all memory; frames in the rest are copied\n");
	}
	ehea_busmap_put(old);
	return err;
}

static bool ehea_region_is_covered(struct ehea_adapter *adapter,
				   struct ehea_busmap *map)
{
	struct ehea_region *region;

	list_for_each_entry(region, &adapter->regions, node)
		if (!ehea_busmap_covers(map, region->map))
			return false;
	return true;
}

static unsigned int ehea_region_count(struct ehea_adapter *adapter)
{
	return list_count_nodes(&adapter->regions);
}

static int ehea_region_switch(struct ehea_adapter *adapter,
			      struct ehea_busmap *map)
{
	bool removal = !ehea_region_is_covered(adapter, map);
	int err;

	if (list_empty(&adapter->regions))
		return ehea_region_replace(adapter, map, NULL);
	ehea_region_reap(adapter);
	if (ehea_region_count(adapter) >= EHEA_MAX_REGIONS)
		ehea_region_turn_over(adapter);

	err = ehea_region_exchange(adapter, map);
	if (err == -ENOSPC && ehea_region_count(adapter) > 1) {
		ehea_region_turn_over(adapter);
		err = ehea_region_exchange(adapter, map);
	}
	if (err && removal)
		return ehea_region_replace(adapter, map, NULL);
	/* What is only missing can wait: frames in it are copied. */
	if (err == -ENOSPC)
		return ehea_region_grow(adapter, map);
	if (!err && removal)
		ehea_region_turn_over(adapter);
	return err;
}

/* Bytes of @a that are not in @b. */
static u64 ehea_region_excess(const struct ehea_busmap *a,
			      const struct ehea_busmap *b)
{
	struct ehea_busmap_run run = {};
	u64 real, bytes = 0;

	while (ehea_busmap_next_run(a, &run))
		for (real = run.real; real < run.real + run.len;
		     real += EHEA_BUSMAP_SIZE)
			if (ehea_busmap_lookup(b, real) == EHEA_BUSMAP_HOLE)
				bytes += EHEA_BUSMAP_SIZE;
	return bytes;
}

static void ehea_region_report(struct ehea_adapter *adapter, u64 added,
			       u64 removed, u64 calls)
{
	struct ehea_region *region = ehea_region_current(adapter);

	dev_info(adapter->hea.dev,
		 "memory +%llu -%llu MiB: MR of %llu MiB in %lu KiB pages, %llu calls, %llu us\n",
		 added >> 20, removed >> 20, region->mr.len >> 20,
		 BIT(region->mr.page_shift) >> 10, calls,
		 adapter->mem_stats.duration_us);
}

/**
 * ehea_region_update - make an adapter's MR follow memory
 * @adapter: adapter
 * @map: sealed map of what there is
 *
 * When it returns, no MR covers memory that is not in @map, whatever
 * happened.
 *
 * Context: process, sleeps; ehea_mem's mutex.
 * Return: 0 or a negative error number: try again later.
 */
int ehea_region_update(struct ehea_adapter *adapter, struct ehea_busmap *map)
{
	struct ehea_region *region = ehea_region_current(adapter);
	u64 calls = atomic64_read(&adapter->hea.calls);
	ktime_t start = ktime_get();
	u64 added = 0, removed = 0;
	int err;

	if (region && ehea_busmap_equal(region->map, map) &&
	    ehea_region_is_covered(adapter, map)) {
		adapter->too_large = 0;
		return 0;
	}

	if (region) {
		added = ehea_region_excess(map, region->map);
		removed = ehea_region_excess(region->map, map);
	}
	trace_ehea_mem_update_begin(adapter->hea.dev, added, removed);
	err = ehea_region_switch(adapter, map);
	adapter->mem_stats.duration_us = ktime_us_delta(ktime_get(), start);
	trace_ehea_mem_update_end(adapter->hea.dev,
				  adapter->mem_stats.duration_us, err);
	if (err)
		return err;
	adapter->too_large = 0;
	ehea_region_reap(adapter);
	adapter->mem_stats.blocks += (added + removed) / EHEA_BUSMAP_SIZE;
	ehea_region_report(adapter, added, removed,
			   atomic64_read(&adapter->hea.calls) - calls);
	return 0;
}

/**
 * ehea_region_init - register an adapter's first MR
 * @adapter: adapter without ports
 * @map: sealed map of what there is
 *
 * Context: process, sleeps; ehea_mem's mutex.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_region_init(struct ehea_adapter *adapter, struct ehea_busmap *map)
{
	struct ehea_region *region;

	region = ehea_region_create(adapter, map);
	if (IS_ERR(region))
		return PTR_ERR(region);
	list_add(&region->node, &adapter->regions);
	return 0;
}

/**
 * ehea_region_exit - free an adapter's MRs
 * @adapter: adapter without channels
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_exit(struct ehea_adapter *adapter)
{
	struct ehea_region *region, *next;

	list_for_each_entry_safe(region, next, &adapter->regions, node) {
		list_del(&region->node);
		ehea_region_free(region);
	}
}

/**
 * ehea_region_attach - give a channel a view of the current MR
 * @ch: its QP exists, and has not been started
 *
 * Context: process, sleeps; ehea_mem's mutex.
 * Return: 0 or a negative error number; -EAGAIN while there is no MR.
 */
int ehea_region_attach(struct ehea_channel *ch)
{
	struct ehea_adapter *adapter = ch->port->adapter;
	struct ehea_region *region = ehea_region_current(adapter);
	struct ehea_view *view;

	if (!region || adapter->no_mr)
		return -EAGAIN;
	view = ehea_view_create(adapter, region);
	if (IS_ERR(view))
		return PTR_ERR(view);
	rcu_assign_pointer(ch->view, view);
	list_add_tail(&ch->node, &adapter->channels);
	return 0;
}

/**
 * ehea_region_detach - free a channel's views
 * @ch: its QP is gone, its NAPI disabled and its send queue stopped
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_detach(struct ehea_channel *ch)
{
	struct ehea_adapter *adapter = ch->port->adapter;
	struct ehea_view *view = ehea_view_current(ch);

	list_del_init(&ch->node);
	RCU_INIT_POINTER(ch->view, NULL);
	if (view) {
		synchronize_net();
		ehea_view_free(adapter, view);
	}
	ehea_channel_free_old(adapter, ch);
	ehea_region_free_unused(adapter);
}

/**
 * ehea_region_query - ask how an adapter reaches memory
 * @adapter: adapter
 * @info: filled in
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_query(struct ehea_adapter *adapter,
		       struct ehea_mem_info *info)
{
	const struct ehea_region *current_region = ehea_region_current(adapter);
	const struct ehea_region *region;

	memset(info, 0, sizeof(*info));
	info->stats = adapter->mem_stats;
	info->regions = ehea_region_count(adapter);
	info->map_valid = true;
	list_for_each_entry(region, &adapter->regions, node)
		if (!ehea_busmap_is_valid(region->map))
			info->map_valid = false;
	if (!current_region)
		return;
	info->size_mib = current_region->mr.len >> 20;
	info->page_kib = BIT(current_region->mr.page_shift) >> 10;
}

/**
 * ehea_region_show - describe how an adapter reaches memory
 * @adapter: adapter
 * @m: where to
 *
 * Context: process, sleeps; ehea_mem's mutex.
 */
void ehea_region_show(struct ehea_adapter *adapter, struct seq_file *m)
{
	const struct ehea_mem_stats *stats = &adapter->mem_stats;
	const struct ehea_region *region;

	list_for_each_entry(region, &adapter->regions, node) {
		struct ehea_busmap_run run = {};

		seq_printf(m, "MR of %llu MiB in %lu KiB pages, %u calls, %u views\n",
			   region->mr.len >> 20,
			   BIT(region->mr.page_shift) >> 10, region->mr.calls,
			   region->views);
		while (ehea_busmap_next_run(region->map, &run))
			seq_printf(m, "  %#llx-%#llx at %#llx\n", run.real,
				   run.real + run.len - 1, run.bus);
	}
	seq_printf(m, "registrations %llu\nfailures %llu\nquiesced %llu\n",
		   stats->registrations, stats->failures, stats->quiesced);
	seq_printf(m, "blocks %llu\npage_calls %llu\nduration_us %llu\n",
		   stats->blocks, stats->page_calls, stats->duration_us);
	seq_printf(m, "no_mr %d\n", adapter->no_mr);
}
