// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): memory that comes and goes. The notifier
 * collects what changed; a work item brings the map up to date and has every
 * adapter's MR follow. How an MR is exchanged stands in ehea_region.c, and
 * both are explained in Documentation/memory-hotplug.rst.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/of.h>
#include <linux/pfn.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "ehea.h"

/* Adds wait for this much silence, so that a burst is one registration … */
#define EHEA_MEM_QUIET		msecs_to_jiffies(200)
/* … but not for longer than this: until then frames are copied. */
#define EHEA_MEM_PATIENCE	msecs_to_jiffies(3000)

/* A registration that firmware refused is tried again, ever less often. */
#define EHEA_MEM_RETRY_MIN	msecs_to_jiffies(250)
#define EHEA_MEM_RETRY_MAX	msecs_to_jiffies(8000)

/* How often replaced MRs are looked at while posted WQEs still use them. */
#define EHEA_MEM_REAP		msecs_to_jiffies(200)

/* Pages of the hypervisor's huge page pool, the one size that it has. */
#define EHEA_HUGE_PAGE		(16ULL << 30)

/**
 * struct ehea_mem_change - a memory block that came or goes
 * @node: in &ehea_mem.changes, oldest first
 * @start: real address
 * @len: bytes
 * @remove: it goes
 */
struct ehea_mem_change {
	struct list_head node;
	u64 start;
	u64 len;
	bool remove;
};

/*
 * Memory as all adapters see it.
 *
 * @lock: protects all below up to @map, every adapter's regions and channels,
 *	and every channel's view; held by the work that a notifier waits for,
 *	so nobody takes RTNL or waits for hotplug locks while holding it
 * @adapters: &struct ehea_adapter
 * @map: memory that the MRs should cover
 * @retry: delay until a refused registration is tried again
 * @change_lock: protects all below
 * @changes: &struct ehea_mem_change not yet in @map
 * @rescan: @map must be made anew, for a change was lost (out of memory)
 * @lost_removal: that change was a removal
 * @since: jiffies when the oldest of @changes came
 * @work: makes @map follow @changes, and the MRs follow @map
 * @reap: frees replaced MRs once they are out of use
 */
static struct {
	struct mutex lock;		/* protects all up to @retry */
	struct list_head adapters;
	struct ehea_busmap *map;
	unsigned long retry;
	spinlock_t change_lock;		/* protects all below */
	struct list_head changes;
	bool rescan;
	bool lost_removal;
	unsigned long since;
	struct delayed_work work;
	struct delayed_work reap;
} ehea_mem;

/* Memory beyond the map's reach is not lost, only slow. */
static int ehea_mem_check_range(int err, u64 start)
{
	if (err != -ERANGE)
		return err;
	pr_warn("memory at %#llx is out of reach, frames in it are copied\n",
		start);
	return 0;
}

/* The start of a block may hold its own struct pages, and nothing else. */
static bool ehea_mem_is_online(u64 first, u64 last)
{
	struct page *page = pfn_to_online_page(PHYS_PFN(last));

	if (!page)
		return pfn_to_online_page(PHYS_PFN(first));
	return !PageVmemmapSelfHosted(page);
}

/* The part of a range that can be used now: offline blocks may yet go. */
static int ehea_mem_add_online(struct resource *res, void *arg)
{
	u64 addr = ALIGN_DOWN(res->start, EHEA_BUSMAP_SIZE);
	struct ehea_busmap *map = arg;
	int err;

	for (; addr <= res->end; addr += EHEA_BUSMAP_SIZE) {
		u64 first = max_t(u64, addr, res->start);
		u64 last = min_t(u64, addr + EHEA_BUSMAP_SIZE - 1, res->end);

		if (!ehea_mem_is_online(first, last))
			continue;
		err = ehea_busmap_add(map, first, last - first + 1);
		err = ehea_mem_check_range(err, first);
		if (err)
			return err;
	}
	return 0;
}

/* 16 GiB pages of the hypervisor's pool look like RAM, but no MR takes them. */
static int ehea_mem_skip_huge_pages(struct ehea_busmap *map)
{
	struct device_node *np;
	int err = 0;

	for_each_node_by_type(np, "memory") {
		u64 reg[2];
		u32 order;

		if (of_property_read_u32(np, "ibm,expected#pages", &order) ||
		    of_property_read_u64_array(np, "reg", reg, 2))
			continue;
		if (reg[1] != EHEA_HUGE_PAGE || order >= 30)
			continue;
		err = ehea_busmap_remove(map, reg[0], reg[1] << order);
		err = ehea_mem_check_range(err, reg[0]);
		if (err)
			break;
	}
	of_node_put(np);
	return err;
}

static int ehea_mem_apply(struct ehea_busmap *map, struct list_head *changes)
{
	struct ehea_mem_change *change;
	int err = 0;

	list_for_each_entry(change, changes, node) {
		if (change->remove)
			err = ehea_busmap_remove(map, change->start,
						 change->len);
		else
			err = ehea_busmap_add(map, change->start, change->len);
		err = ehea_mem_check_range(err, change->start);
		if (err)
			return err;
	}
	return 0;
}

/* Make the next map from the present one, or from nothing. */
static struct ehea_busmap *ehea_mem_make_map(struct list_head *changes,
					     bool rescan)
{
	struct ehea_busmap *map;
	int err = 0;

	map = rescan ? ehea_busmap_new() : ehea_busmap_clone(ehea_mem.map);
	if (!map)
		return ERR_PTR(-ENOMEM);

	if (rescan)
		err = walk_iomem_res_desc(IORES_DESC_NONE,
					  IORESOURCE_SYSTEM_RAM |
					  IORESOURCE_BUSY, 0, -1, map,
					  ehea_mem_add_online);
	if (!err)
		err = ehea_mem_apply(map, changes);
	if (!err)
		err = ehea_mem_skip_huge_pages(map);
	if (err) {
		ehea_busmap_put(map);
		return ERR_PTR(err);
	}
	ehea_busmap_seal(map, EHEA_BUS_START);
	return map;
}

static bool ehea_mem_free_changes(struct list_head *changes)
{
	struct ehea_mem_change *change, *next;
	bool removal = false;

	list_for_each_entry_safe(change, next, changes, node) {
		removal |= change->remove;
		kfree(change);
	}
	return removal;
}

static int ehea_mem_withdraw_all(void)
{
	struct ehea_adapter *adapter;

	list_for_each_entry(adapter, &ehea_mem.adapters, node)
		ehea_region_withdraw(adapter);
	return -ENOMEM;
}

/* Bring ehea_mem.map up to date. */
static int ehea_mem_collect(void)
{
	struct ehea_busmap *map;
	LIST_HEAD(changes);
	bool rescan, removal;

	spin_lock(&ehea_mem.change_lock);
	list_splice_init(&ehea_mem.changes, &changes);
	rescan = ehea_mem.rescan;
	removal = ehea_mem.lost_removal;
	ehea_mem.rescan = false;
	ehea_mem.lost_removal = false;
	spin_unlock(&ehea_mem.change_lock);
	if (list_empty(&changes) && !rescan)
		return 0;

	map = ehea_mem_make_map(&changes, rescan);
	if (IS_ERR(map)) {
		spin_lock(&ehea_mem.change_lock);
		ehea_mem.rescan = true;
		spin_unlock(&ehea_mem.change_lock);
		/* What goes must be out of every MR, whatever it costs. */
		if (ehea_mem_free_changes(&changes) || removal)
			return ehea_mem_withdraw_all();
		return PTR_ERR(map);
	}
	ehea_mem_free_changes(&changes);
	ehea_busmap_put(ehea_mem.map);
	ehea_mem.map = map;
	return 0;
}

static void ehea_mem_retry_later(void)
{
	/* Never postpones a run that someone has just asked for. */
	queue_delayed_work(system_long_wq, &ehea_mem.work, ehea_mem.retry);
	ehea_mem.retry = min(2 * ehea_mem.retry, EHEA_MEM_RETRY_MAX);
}

static void ehea_mem_work(struct work_struct *work)
{
	struct ehea_adapter *adapter;
	int failed = 0;

	mutex_lock(&ehea_mem.lock);
	failed = ehea_mem_collect();
	if (!failed) {
		list_for_each_entry(adapter, &ehea_mem.adapters, node)
			if (ehea_region_update(adapter, ehea_mem.map))
				failed = -EAGAIN;
	}
	if (failed)
		ehea_mem_retry_later();
	else
		ehea_mem.retry = EHEA_MEM_RETRY_MIN;
	mutex_unlock(&ehea_mem.lock);
}

static void ehea_mem_reap(struct work_struct *work)
{
	struct ehea_adapter *adapter;

	mutex_lock(&ehea_mem.lock);
	list_for_each_entry(adapter, &ehea_mem.adapters, node)
		ehea_region_reap(adapter);
	mutex_unlock(&ehea_mem.lock);
}

/**
 * ehea_mem_turned - WQEs of a replaced view may have completed
 * @ch: channel that has EHEA_CHORE_TURN to do
 *
 * Context: softirq.
 */
void ehea_mem_turned(struct ehea_channel *ch)
{
	queue_delayed_work(system_long_wq, &ehea_mem.reap, EHEA_MEM_REAP);
}

static void ehea_mem_note(u64 start, u64 len, bool remove)
{
	struct ehea_mem_change *change;

	change = kmalloc(sizeof(*change), GFP_KERNEL);
	spin_lock(&ehea_mem.change_lock);
	if (list_empty(&ehea_mem.changes))
		ehea_mem.since = jiffies;
	if (change) {
		change->start = start;
		change->len = len;
		change->remove = remove;
		list_add_tail(&change->node, &ehea_mem.changes);
	} else {
		ehea_mem.rescan = true;
		ehea_mem.lost_removal |= remove;
	}
	spin_unlock(&ehea_mem.change_lock);
}

static bool ehea_mem_is_noted(u64 start, u64 len)
{
	struct ehea_mem_change *change;

	list_for_each_entry(change, &ehea_mem.changes, node)
		if (!change->remove && change->start == start &&
		    change->len == len)
			return true;
	return false;
}

/* A block comes: wait a little, for bulk adds come one by one. */
static void ehea_mem_add(u64 start, u64 len)
{
	unsigned long delay, end;
	bool noted;

	spin_lock(&ehea_mem.change_lock);
	noted = ehea_mem_is_noted(start, len);
	spin_unlock(&ehea_mem.change_lock);
	if (!noted)
		ehea_mem_note(start, len, false);

	end = READ_ONCE(ehea_mem.since) + EHEA_MEM_PATIENCE;
	delay = time_before(jiffies, end) ? end - jiffies : 0;
	mod_delayed_work(system_long_wq, &ehea_mem.work,
			 min(delay, EHEA_MEM_QUIET));
}

/* A block goes: it must be out of every MR when the notifier returns. */
static void ehea_mem_remove(u64 start, u64 len)
{
	ehea_mem_note(start, len, true);
	mod_delayed_work(system_long_wq, &ehea_mem.work, 0);
	flush_delayed_work(&ehea_mem.work);
}

/* A block that was announced never came. */
static void ehea_mem_cancel(u64 start, u64 len)
{
	struct ehea_mem_change *change, *found = NULL;

	spin_lock(&ehea_mem.change_lock);
	list_for_each_entry(change, &ehea_mem.changes, node)
		if (!change->remove && change->start == start &&
		    change->len == len)
			found = change;
	if (found)
		list_del(&found->node);
	spin_unlock(&ehea_mem.change_lock);

	/* Announced so long ago that it is in the MR, or not at all. */
	if (!found)
		ehea_mem_remove(start, len);
	kfree(found);
}

/*
 * When a block's pages can be in use, and so what has to be done when, is
 * explained in Documentation/memory-hotplug.rst. Never a veto: the operator
 * would lose the LMB.
 */
static int ehea_mem_notify(struct notifier_block *nb, unsigned long action,
			   void *data)
{
	struct memory_notify *arg = data;
	u64 start = PFN_PHYS((u64)arg->start_pfn);
	u64 len = PFN_PHYS((u64)arg->nr_pages);

	switch (action) {
	case MEM_GOING_ONLINE:
	case MEM_ONLINE:	/* when the block was noted, nothing new */
		ehea_mem_add(start, len);
		break;
	case MEM_CANCEL_ONLINE:
		ehea_mem_cancel(start, len);
		break;
	case MEM_OFFLINE:
		ehea_mem_remove(start, len);
		break;
	default:
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block ehea_mem_nb = {
	.notifier_call = ehea_mem_notify,
};

/**
 * ehea_mem_add_adapter - give an adapter its MR, and keep it up to date
 * @adapter: no port of it is open yet
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_mem_add_adapter(struct ehea_adapter *adapter)
{
	int err;

	INIT_LIST_HEAD(&adapter->regions);
	INIT_LIST_HEAD(&adapter->channels);
	mutex_lock(&ehea_mem.lock);
	/* What goes, or came, is not left to the work item. */
	err = ehea_mem_collect();
	if (!err)
		err = ehea_region_init(adapter, ehea_mem.map);
	if (!err)
		list_add_tail(&adapter->node, &ehea_mem.adapters);
	mutex_unlock(&ehea_mem.lock);
	return err;
}

/**
 * ehea_mem_remove_adapter - free an adapter's MRs
 * @adapter: no port of it is open any more
 *
 * Context: process, sleeps.
 */
void ehea_mem_remove_adapter(struct ehea_adapter *adapter)
{
	mutex_lock(&ehea_mem.lock);
	list_del(&adapter->node);
	ehea_region_exit(adapter);
	mutex_unlock(&ehea_mem.lock);
}

/**
 * ehea_mem_attach - give a channel its way to memory
 * @ch: its QP exists, and has not been started
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number; -EAGAIN while there is no MR.
 */
int ehea_mem_attach(struct ehea_channel *ch)
{
	int err;

	mutex_lock(&ehea_mem.lock);
	err = ehea_region_attach(ch);
	mutex_unlock(&ehea_mem.lock);
	return err;
}

/**
 * ehea_mem_start - start a channel's QP
 * @ch: attached, its receive queues filled
 *
 * From here on a memory change may pause and resume the QP.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number; -EAGAIN while there is no MR.
 */
int ehea_mem_start(struct ehea_channel *ch)
{
	int err;

	mutex_lock(&ehea_mem.lock);
	err = rcu_access_pointer(ch->view) ? ehea_qp_start(&ch->qp) : -EAGAIN;
	ch->running = !err;
	mutex_unlock(&ehea_mem.lock);
	return err;
}

/**
 * ehea_mem_stop - stop a channel's QP for good
 * @ch: channel
 *
 * A memory change neither waits for its frames any more nor resumes it.
 *
 * Context: process, sleeps.
 */
void ehea_mem_stop(struct ehea_channel *ch)
{
	mutex_lock(&ehea_mem.lock);
	if (ch->running)
		ehea_qp_disable(&ch->qp);
	ch->running = false;
	mutex_unlock(&ehea_mem.lock);
}

/**
 * ehea_mem_detach - free a channel's QP and its way to memory
 * @ch: attached; its NAPI is disabled and its send queue stopped
 *
 * Both at once, so that no memory change finds an MR in use by a channel
 * that it cannot pause.
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps the QP: then
 *	   posted buffers must not be freed.
 */
int ehea_mem_detach(struct ehea_channel *ch)
{
	int err;

	mutex_lock(&ehea_mem.lock);
	ch->running = false;
	err = ehea_qp_destroy(&ch->qp);
	ehea_region_detach(ch);
	mutex_unlock(&ehea_mem.lock);
	return err;
}

/**
 * ehea_mem_query - ask how an adapter reaches memory
 * @adapter: adapter
 * @info: filled in
 *
 * Context: process, sleeps.
 */
void ehea_mem_query(struct ehea_adapter *adapter, struct ehea_mem_info *info)
{
	mutex_lock(&ehea_mem.lock);
	ehea_region_query(adapter, info);
	mutex_unlock(&ehea_mem.lock);
}

/**
 * ehea_mem_show - describe how an adapter reaches memory
 * @adapter: adapter
 * @m: where to
 *
 * Context: process, sleeps.
 */
void ehea_mem_show(struct ehea_adapter *adapter, struct seq_file *m)
{
	mutex_lock(&ehea_mem.lock);
	seq_printf(m, "map of %u sections, %zu bytes\n",
		   ehea_busmap_sections(ehea_mem.map),
		   ehea_busmap_bytes(ehea_mem.map));
	ehea_region_show(adapter, m);
	mutex_unlock(&ehea_mem.lock);
}

/**
 * ehea_mem_init - learn what memory there is, and follow it
 *
 * The notifier comes first, so that no block falls between.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_mem_init(void)
{
	int err;

	mutex_init(&ehea_mem.lock);
	spin_lock_init(&ehea_mem.change_lock);
	INIT_LIST_HEAD(&ehea_mem.adapters);
	INIT_LIST_HEAD(&ehea_mem.changes);
	INIT_DELAYED_WORK(&ehea_mem.work, ehea_mem_work);
	INIT_DELAYED_WORK(&ehea_mem.reap, ehea_mem_reap);
	ehea_mem.retry = EHEA_MEM_RETRY_MIN;
	ehea_mem.map = ehea_busmap_new();
	if (!ehea_mem.map)
		return -ENOMEM;

	err = register_memory_notifier(&ehea_mem_nb);
	if (err)
		goto put_map;

	mutex_lock(&ehea_mem.lock);
	ehea_mem.rescan = true;
	err = ehea_mem_collect();
	mutex_unlock(&ehea_mem.lock);
	if (!err)
		return 0;

	unregister_memory_notifier(&ehea_mem_nb);
	cancel_delayed_work_sync(&ehea_mem.work);
	ehea_mem_free_changes(&ehea_mem.changes);
put_map:
	ehea_busmap_put(ehea_mem.map);
	return err;
}

/**
 * ehea_mem_exit - stop following memory
 *
 * Context: process, sleeps; no adapter is left.
 */
void ehea_mem_exit(void)
{
	unregister_memory_notifier(&ehea_mem_nb);
	cancel_delayed_work_sync(&ehea_mem.work);
	cancel_delayed_work_sync(&ehea_mem.reap);
	ehea_mem_free_changes(&ehea_mem.changes);
	ehea_busmap_put(ehea_mem.map);
}
