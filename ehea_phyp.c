// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): hypervisor calls, one typed function each.
 *
 * Every call goes through ehea_hcall(), but for those of the crash handler.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kmemleak.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include <asm/hvcall.h>

#include "ehea_cb.h"
#include "ehea_phyp.h"

#define CREATE_TRACE_POINTS
#include "ehea_trace.h"

/*
 * How long "later" is taken for an answer. Firmware that is merely slow is
 * done long before; a caller may hold RTNL, and must not look hung.
 */
#define EHEA_PATIENCE_MS	10000

/*
 * Once a call has used that up, firmware is taken to be wedged and others
 * get next to no patience for a while: closing a port takes hundreds of
 * calls, and has to end. One call in EHEA_WEDGED_MS still gets it all, so
 * firmware that has merely become slow is found out.
 */
#define EHEA_WEDGED_PATIENCE_MS	50
#define EHEA_WEDGED_MS		60000

/* Firmware's hint goes up to 100 s, and is only a hint: ask more often. */
#define EHEA_NAP_MAX_MS		100

/* Crash handler: what it waits for one resource at most. */
#define EHEA_CRASH_TRIES	400

#define EHEA_DISABLE_QP		1
#define EHEA_FREE_FORCE		1

static_assert(EHEA_REGS == PLPAR_HCALL9_BUFSIZE);

/**
 * struct ehea_call - a hypervisor call
 * @opcode: which
 * @done: status that on a repeat means that the first try had its effect
 *	although firmware answered "later"; H_SUCCESS is none
 * @status: R3 on return
 * @repeats: how often it was made again
 * @in: R4 to R12; R4 is filled in by ehea_hcall()
 * @out: R4 to R12 on return, zero if the call failed
 */
struct ehea_call {
	unsigned long opcode;
	long done;
	long status;
	unsigned int repeats;
	u64 in[EHEA_REGS];
	u64 out[EHEA_REGS];
};

/**
 * struct ehea_fw_lost - a resource that firmware did not give up
 * @res: tracked, so that the crash handler knows of it
 * @node: in &ehea_hea.lost
 * @mem: memory that the adapter may write to until it is freed
 * @release: called with @arg once it is freed; may be NULL
 * @arg: see @release
 */
struct ehea_fw_lost {
	struct ehea_fw_res res;
	struct list_head node;
	void *mem[EHEA_QP_QUEUES];
	void (*release)(void *arg);
	void *arg;
};

static const char *ehea_call_name(unsigned long opcode)
{
	switch (opcode) {
	case H_RESET_EVENTS:
		return "H_RESET_EVENTS";
	case H_FREE_RESOURCE:
		return "H_FREE_RESOURCE";
	case H_REGISTER_SMR:
		return "H_REGISTER_SMR";
	case H_ERROR_DATA:
		return "H_ERROR_DATA";
	case H_MODIFY_HEA_QP:
		return "H_MODIFY_HEA_QP";
	case H_QUERY_HEA_QP:
		return "H_QUERY_HEA_QP";
	case H_QUERY_HEA:
		return "H_QUERY_HEA";
	case H_QUERY_HEA_PORT:
		return "H_QUERY_HEA_PORT";
	case H_MODIFY_HEA_PORT:
		return "H_MODIFY_HEA_PORT";
	case H_REG_BCMC:
		return "H_REG_BCMC";
	case H_DEREG_BCMC:
		return "H_DEREG_BCMC";
	case H_REGISTER_HEA_RPAGES:
		return "H_REGISTER_HEA_RPAGES";
	case H_DISABLE_AND_GET_HEA:
		return "H_DISABLE_AND_GET_HEA";
	case H_ALLOC_HEA_RESOURCE:
		return "H_ALLOC_HEA_RESOURCE";
	default:
		return "unknown call";
	}
}

/* Outputs mean something only after these. */
static bool ehea_status_has_outputs(long status)
{
	return status == H_SUCCESS || status == H_CONSTRAINED;
}

static void ehea_hcall_once(struct ehea_hea *hea, struct ehea_call *call)
{
	unsigned long out[PLPAR_HCALL9_BUFSIZE];
	const u64 *in = call->in;
	u64 start = ktime_get_ns();
	int i;

	atomic64_inc(&hea->calls);
	call->status = plpar_hcall9(call->opcode, out, in[0], in[1], in[2],
				    in[3], in[4], in[5], in[6], in[7], in[8]);
	for (i = 0; i < EHEA_REGS; i++)
		call->out[i] = ehea_status_has_outputs(call->status) ?
			       out[i] : 0;
	trace_ehea_hcall(ehea_call_name(call->opcode), call->opcode, in,
			 call->out, call->status, ktime_get_ns() - start);
}

static bool ehea_is_wedged(struct ehea_hea *hea)
{
	return time_before(jiffies, READ_ONCE(hea->wedged_until));
}

static unsigned int ehea_patience_ms(struct ehea_hea *hea)
{
	return ehea_is_wedged(hea) ? EHEA_WEDGED_PATIENCE_MS : EHEA_PATIENCE_MS;
}

static void ehea_hcall_give_up(struct ehea_hea *hea, struct ehea_call *call)
{
	atomic64_inc(&hea->timeouts);
	/* Not prolonged by calls that got little patience themselves. */
	if (!ehea_is_wedged(hea))
		WRITE_ONCE(hea->wedged_until,
			   jiffies + msecs_to_jiffies(EHEA_WEDGED_MS));
	dev_err_ratelimited(hea->dev,
			    "%s: still busy after %u tries (status %ld), given up\n",
			    ehea_call_name(call->opcode), call->repeats + 1,
			    call->status);
}

/*
 * Make a call, again and again while firmware says "later". The sleep is
 * uninterruptible: a signal must not turn "later" into a failure, least of
 * all while resources are being freed.
 */
static long ehea_hcall(struct ehea_hea *hea, struct ehea_call *call)
{
	unsigned int patience = ehea_patience_ms(hea);
	unsigned long deadline;
	unsigned int nap;

	might_sleep();
	deadline = jiffies + msecs_to_jiffies(patience);
	call->in[EHEA_R(4)] = hea->handle;
	for (;;) {
		ehea_hcall_once(hea, call);
		if (!ehea_status_is_later(call->status))
			return call->status;
		atomic64_inc(&hea->busy);
		if (time_after_eq(jiffies, deadline))
			break;
		nap = min(ehea_status_nap_ms(call->status), EHEA_NAP_MAX_MS);
		fsleep(min(nap, patience) * USEC_PER_MSEC);
		call->repeats++;
	}
	ehea_hcall_give_up(hea, call);
	return call->status;
}

/* A refusal that firmware is entitled to is not worth more than a dev_dbg. */
static void ehea_log_status(struct ehea_hea *hea, const struct ehea_call *call,
			    int err)
{
	switch (err) {
	case -ETIMEDOUT: /* has been logged */
		break;
	case -EPERM:
	case -ENOSPC:
	case -EBUSY:
		dev_dbg(hea->dev, "%s: status %ld\n",
			ehea_call_name(call->opcode), call->status);
		break;
	default:
		dev_err_ratelimited(hea->dev,
				    "%s: status %ld (r5 %#llx, r6 %#llx)\n",
				    ehea_call_name(call->opcode), call->status,
				    call->in[EHEA_R(5)], call->in[EHEA_R(6)]);
	}
}

static int ehea_call_errno(struct ehea_hea *hea, const struct ehea_call *call)
{
	int err = ehea_status_to_errno(call->status);

	if (!err || (call->repeats && call->status == call->done))
		return 0;
	ehea_log_status(hea, call, err);
	return err;
}

static int ehea_call(struct ehea_hea *hea, struct ehea_call *call)
{
	ehea_hcall(hea, call);
	return ehea_call_errno(hea, call);
}

/**
 * ehea_hea_init - get an adapter ready for calls
 * @hea: zeroed
 * @dev: for messages
 * @handle: adapter handle
 *
 * Context: any.
 */
void ehea_hea_init(struct ehea_hea *hea, struct device *dev, u64 handle)
{
	hea->dev = dev;
	hea->handle = handle;
	hea->wedged_until = jiffies;
	spin_lock_init(&hea->res_lock);
	INIT_LIST_HEAD(&hea->res);
	mutex_init(&hea->lost_lock);
	INIT_LIST_HEAD(&hea->lost);
	atomic64_set(&hea->calls, 0);
	atomic64_set(&hea->busy, 0);
	atomic64_set(&hea->timeouts, 0);
}

/**
 * ehea_fw_track - remember a resource, for the crash handler to free
 * @hea: adapter
 * @res: not tracked; stays where it is until ehea_fw_free(). Its @uses are
 *	set already.
 * @type: what it is
 * @handle: firmware's name for it
 *
 * Context: process or softirq; takes @hea->res_lock.
 */
void ehea_fw_track(struct ehea_hea *hea, struct ehea_fw_res *res,
		   enum ehea_fw_type type, u64 handle)
{
	res->type = type;
	res->handle = handle;
	spin_lock_bh(&hea->res_lock);
	/* Complete before it is seen: the crash handler takes no lock. */
	list_add_tail_rcu(&res->node, &hea->res);
	spin_unlock_bh(&hea->res_lock);
}

static void ehea_fw_untrack(struct ehea_hea *hea, struct ehea_fw_res *res)
{
	spin_lock_bh(&hea->res_lock);
	list_del_rcu(&res->node);
	spin_unlock_bh(&hea->res_lock);
	res->handle = 0;
}

static const char *ehea_fw_name(enum ehea_fw_type type)
{
	static const char * const names[EHEA_FW_TYPES] = {
		[EHEA_FW_QP]	= "QP",
		[EHEA_FW_CQ]	= "CQ",
		[EHEA_FW_EQ]	= "EQ",
		[EHEA_FW_SMR]	= "SMR",
		[EHEA_FW_MR]	= "MR",
	};

	return names[type];
}

/* Unlike queues, regions have no error report. */
static bool ehea_fw_is_region(const struct ehea_fw_res *res)
{
	return res->type == EHEA_FW_SMR || res->type == EHEA_FW_MR;
}

static void ehea_fw_log_error(struct ehea_hea *hea,
			      const struct ehea_fw_res *res)
{
	struct ehea_error_data data;

	if (ehea_fw_is_region(res) ||
	    ehea_phyp_error_data(hea, res->handle, &data))
		return;
	dev_warn_ratelimited(hea->dev,
			     "%s %#llx in error: AER %#llx, AERR %#llx\n",
			     ehea_fw_name(res->type), res->handle, data.aer,
			     data.aerr);
}

/* Does something use it that firmware did not give up? */
static bool ehea_fw_is_used(struct ehea_hea *hea, u64 handle)
{
	struct ehea_fw_lost *lost;
	int i;

	lockdep_assert_held(&hea->lost_lock);
	list_for_each_entry(lost, &hea->lost, node)
		for (i = 0; i < EHEA_FW_USES; i++)
			if (lost->res.uses[i] == handle)
				return true;
	return false;
}

/* Free a resource, by force if need be, or try to. */
static int ehea_fw_try(struct ehea_hea *hea, const struct ehea_fw_res *res)
{
	bool used;
	int err;

	mutex_lock(&hea->lost_lock);
	used = ehea_fw_is_used(hea, res->handle);
	mutex_unlock(&hea->lost_lock);
	if (used)
		return -EBUSY;

	err = ehea_phyp_free(hea, res->handle,
			     res->force || ehea_fw_is_region(res));
	if (!err)
		return 0;
	ehea_fw_log_error(hea, res);
	err = ehea_phyp_free(hea, res->handle, true);
	/* Not known any more: then the first try did free it. */
	return err == -ENOENT ? 0 : err;
}

/*
 * Remember, for another try, what firmware does not give up. That must not
 * fail: the memory that goes with it could never be freed.
 */
static struct ehea_fw_lost *ehea_fw_lose(struct ehea_hea *hea, u64 handle,
					 enum ehea_fw_type type)
{
	struct ehea_fw_lost *lost;

	lockdep_assert_held(&hea->lost_lock);
	dev_err(hea->dev, "%s %#llx stays in firmware for now\n",
		ehea_fw_name(type), handle);
	lost = kzalloc(sizeof(*lost), GFP_KERNEL | __GFP_NOFAIL);
	ehea_fw_track(hea, &lost->res, type, handle);
	list_add_tail(&lost->node, &hea->lost);
	return lost;
}

static void ehea_fw_forget(struct ehea_hea *hea, struct ehea_fw_lost *lost)
{
	ehea_fw_untrack(hea, &lost->res);
	list_del(&lost->node);
	kfree(lost);
}

/* The adapter may write to its memory for ever, so that is not freed. */
static void ehea_fw_give_up(struct ehea_hea *hea, struct ehea_fw_lost *lost)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lost->mem); i++)
		kmemleak_ignore(lost->mem[i]);
	kmemleak_not_leak(lost->arg);
	ehea_fw_forget(hea, lost);
}

static int ehea_fw_retry_one(struct ehea_hea *hea, struct ehea_fw_lost *lost)
{
	int err;
	int i;

	if (ehea_fw_is_used(hea, lost->res.handle))
		return -EBUSY;
	err = ehea_phyp_free(hea, lost->res.handle, true);
	if (err && err != -ENOENT)
		return err;
	dev_info(hea->dev, "%s %#llx is freed after all\n",
		 ehea_fw_name(lost->res.type), lost->res.handle);
	for (i = 0; i < ARRAY_SIZE(lost->mem); i++)
		kvfree(lost->mem[i]);
	if (lost->release)
		lost->release(lost->arg);
	ehea_fw_forget(hea, lost);
	return 0;
}

/*
 * If firmware is late with one it is with all, and the caller has to go on;
 * the last try asks for each nevertheless. Return: false if it was late.
 */
static bool ehea_fw_retry_type(struct ehea_hea *hea, enum ehea_fw_type type,
			       bool last)
{
	struct ehea_fw_lost *lost, *next;

	lockdep_assert_held(&hea->lost_lock);
	list_for_each_entry_safe(lost, next, &hea->lost, node)
		if (lost->res.type == type &&
		    ehea_fw_retry_one(hea, lost) == -ETIMEDOUT && !last)
			return false;
	return true;
}

/* What uses others comes first. */
static void ehea_fw_retry_all(struct ehea_hea *hea, bool last)
{
	enum ehea_fw_type type;

	for (type = 0; type < EHEA_FW_TYPES; type++)
		if (!ehea_fw_retry_type(hea, type, last))
			return;
}

/* They may be what firmware lacks, or what keeps an LMB from being removed. */
static void ehea_fw_retry(struct ehea_hea *hea)
{
	mutex_lock(&hea->lost_lock);
	ehea_fw_retry_all(hea, false);
	mutex_unlock(&hea->lost_lock);
}

/**
 * ehea_hea_exit - make the last try to free what firmware did not give up
 * @hea: from ehea_hea_init(); no further call will be made
 *
 * Context: process, sleeps.
 */
void ehea_hea_exit(struct ehea_hea *hea)
{
	struct ehea_fw_lost *lost, *next;

	mutex_lock(&hea->lost_lock);
	ehea_fw_retry_all(hea, true);
	list_for_each_entry_safe(lost, next, &hea->lost, node)
		ehea_fw_give_up(hea, lost);
	mutex_unlock(&hea->lost_lock);
}

/**
 * ehea_fw_free_mem - free a resource and then its memory
 * @hea: adapter
 * @res: from ehea_fw_track(); freeing it again does nothing
 * @mem: memory that the adapter writes to, from kvzalloc(); taken over
 * @count: how many, EHEA_QP_QUEUES at most
 *
 * If that fails, the resource's error report is logged, and it is freed by
 * force. Regions are freed by force at once, which is the proven way: WQEs
 * that will never be looked at again may still name their keys. So is what
 * has &ehea_fw_res.force set.
 *
 * What firmware does not give up is taken over, with its memory, and tried
 * again when something is allocated, and in ehea_hea_exit(). For the caller
 * it is gone in any case. What such a resource uses is kept with it.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst sections 3.5 and 6.
 *
 * Return: 0, or a negative error number if firmware keeps it: -EBUSY if it
 * was not even asked. See ehea_fw_defer() for buffers that it may still
 * write to.
 */
int ehea_fw_free_mem(struct ehea_hea *hea, struct ehea_fw_res *res,
		     void **mem, unsigned int count)
{
	struct ehea_fw_lost *lost;
	unsigned int i;
	int err = 0;

	if (res->handle)
		err = ehea_fw_try(hea, res);
	for (i = 0; i < count && !err; i++)
		kvfree(mem[i]);
	if (err) {
		mutex_lock(&hea->lost_lock);
		lost = ehea_fw_lose(hea, res->handle, res->type);
		memcpy(lost->res.uses, res->uses, sizeof(res->uses));
		if (count)
			memcpy(lost->mem, mem, count * sizeof(*mem));
		mutex_unlock(&hea->lost_lock);
	}
	if (res->handle)
		ehea_fw_untrack(hea, res);
	return err;
}

/**
 * ehea_fw_free - free a resource that has no memory
 * @hea: adapter
 * @res: from ehea_fw_track(); freeing it again does nothing
 *
 * Otherwise as ehea_fw_free_mem().
 *
 * Context: process, sleeps.
 *
 * Return: 0, or a negative error number if firmware keeps it.
 */
int ehea_fw_free(struct ehea_hea *hea, struct ehea_fw_res *res)
{
	return ehea_fw_free_mem(hea, res, NULL, 0);
}

/**
 * ehea_fw_defer - do something once firmware has given a resource up
 * @hea: adapter
 * @handle: what ehea_fw_free_mem() failed to free
 * @release: what to do; from ehea_hea_exit() at the latest, or never
 * @arg: its argument
 *
 * @release is called at once if firmware has given the resource up meanwhile.
 * It may sleep, and may not free resources of firmware.
 *
 * Context: process, sleeps.
 */
void ehea_fw_defer(struct ehea_hea *hea, u64 handle,
		   void (*release)(void *arg), void *arg)
{
	struct ehea_fw_lost *lost;
	bool found = false;

	mutex_lock(&hea->lost_lock);
	list_for_each_entry(lost, &hea->lost, node) {
		if (lost->res.handle == handle) {
			lost->release = release;
			lost->arg = arg;
			found = true;
		}
	}
	mutex_unlock(&hea->lost_lock);
	if (!found)
		release(arg);
}

static void ehea_crash_call(struct ehea_hea *hea, unsigned long opcode,
			    const u64 *in, unsigned int *naps)
{
	unsigned int tries = EHEA_CRASH_TRIES;
	long status;

	for (;;) {
		status = plpar_hcall_norets(opcode, hea->handle,
					    in[EHEA_R(5)], in[EHEA_R(6)],
					    in[EHEA_R(7)], in[EHEA_R(8)]);
		if (!ehea_status_is_later(status) || !--tries || !*naps)
			return;
		--*naps;
		udelay(EHEA_CRASH_NAP_US);
	}
}

/**
 * ehea_fw_crash - free every resource before another kernel takes over
 * @hea: adapter
 * @naps: EHEA_CRASH_NAPS, less those that were taken
 *
 * In the order of &enum ehea_fw_type, so that the adapter's writing ends
 * first. Waits 20 ms for one resource at most.
 *
 * Context: crash handler: no other CPU runs, interrupts are off, a lock may
 * be held for ever. Takes none, does not sleep, does not print.
 * Fact: Documentation/hea-interface.rst section 7.
 */
void ehea_fw_crash(struct ehea_hea *hea, unsigned int *naps)
{
	u64 in[EHEA_REGS] = {};
	struct ehea_fw_res *res;
	enum ehea_fw_type type;

	in[EHEA_R(6)] = EHEA_FREE_FORCE;
	for (type = 0; type < EHEA_FW_TYPES; type++) {
		list_for_each_entry_lockless(res, &hea->res, node) {
			if (res->type != type)
				continue;
			in[EHEA_R(5)] = res->handle;
			ehea_crash_call(hea, H_FREE_RESOURCE, in, naps);
		}
	}
}

/*
 * Allocate a queue. Firmware may have constrained it to what there is; then
 * the outputs tell, and they are checked like any others.
 */
static int ehea_call_alloc(struct ehea_hea *hea, struct ehea_call *call)
{
	ehea_fw_retry(hea);
	if (ehea_hcall(hea, call) == H_CONSTRAINED)
		return 0;
	return ehea_call_errno(hea, call);
}

/* Free what was allocated by a call that cannot be used. */
static void ehea_give_back(struct ehea_hea *hea, const struct ehea_call *call,
			   enum ehea_fw_type type)
{
	u64 handle = call->out[EHEA_R(4)];

	if (!handle || !ehea_phyp_free(hea, handle, true))
		return;
	mutex_lock(&hea->lost_lock);
	ehea_fw_lose(hea, handle, type);
	mutex_unlock(&hea->lost_lock);
}

static void ehea_reject(struct ehea_hea *hea, const struct ehea_call *call,
			enum ehea_fw_type type)
{
	const u64 *out = call->out;

	dev_err_ratelimited(hea->dev,
			    "%s: unusable answer: %#llx %#llx %#llx %#llx %#llx %#llx %#llx\n",
			    ehea_call_name(call->opcode), out[0], out[1],
			    out[2], out[3], out[4], out[5], out[6]);
	ehea_give_back(hea, call, type);
}

/* A zeroed control block: 4 KiB, and as large as it is aligned. */
static void *ehea_cb_alloc(void)
{
	return kzalloc(EHEA_PAGE_SIZE, GFP_KERNEL);
}

/**
 * ehea_phyp_query_hea - ask for the adapter's attributes and limits
 * @hea: adapter
 * @attr: filled in; numbers are firmware's, not checked
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.6.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_hea(struct ehea_hea *hea, struct ehea_hea_attr *attr)
{
	struct ehea_call call = { .opcode = H_QUERY_HEA };
	struct ehea_hea_cb *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	call.in[EHEA_R(5)] = virt_to_phys(cb);
	err = ehea_call(hea, &call);
	if (!err)
		ehea_parse_hea(cb, attr);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_alloc_eq - allocate an event queue
 * @hea: adapter
 * @attr: what is wanted; on return what there is
 *
 * There may be fewer entries than were asked for.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0; -ENOSPC if firmware has no room; -EPROTO if its answer cannot
 * be right; another negative error number. Nothing is allocated then.
 */
int ehea_phyp_alloc_eq(struct ehea_hea *hea, struct ehea_eq_attr *attr)
{
	struct ehea_call call = { .opcode = H_ALLOC_HEA_RESOURCE };
	int err;

	ehea_pack_eq(call.in, attr);
	err = ehea_call_alloc(hea, &call);
	if (err)
		return err;
	err = ehea_parse_eq(call.out, attr);
	if (err)
		ehea_reject(hea, &call, EHEA_FW_EQ);
	return err;
}

/**
 * ehea_phyp_alloc_cq - allocate a completion queue
 * @hea: adapter
 * @attr: what is wanted; on return what there is
 *
 * There may be fewer entries than were asked for: never have more sends
 * outstanding than that.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0; -ENOSPC if firmware has no room; -EPROTO if its answer cannot
 * be right; another negative error number. Nothing is allocated then.
 */
int ehea_phyp_alloc_cq(struct ehea_hea *hea, struct ehea_cq_attr *attr)
{
	struct ehea_call call = { .opcode = H_ALLOC_HEA_RESOURCE };
	int err;

	ehea_pack_cq(call.in, attr);
	err = ehea_call_alloc(hea, &call);
	if (err)
		return err;
	err = ehea_parse_cq(call.out, attr);
	if (err)
		ehea_reject(hea, &call, EHEA_FW_CQ);
	return err;
}

/**
 * ehea_phyp_alloc_qp - allocate a queue pair
 * @hea: adapter
 * @attr: what is wanted; on return what there is
 *
 * Queues may be smaller or larger than was asked for, within
 * EHEA_MIN_ENTRIES and EHEA_MAX_ENTRIES_*. WQEs are as large as asked for.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0; -EINVAL for a size that no queue has; -ENOSPC if firmware has
 * no room; -EPROTO if its answer cannot be right; another negative error
 * number. Nothing is allocated then.
 */
int ehea_phyp_alloc_qp(struct ehea_hea *hea, struct ehea_qp_attr *attr)
{
	struct ehea_call call = { .opcode = H_ALLOC_HEA_RESOURCE };
	int err;

	err = ehea_pack_qp(call.in, attr);
	if (err)
		return err;
	err = ehea_call_alloc(hea, &call);
	if (err)
		return err;
	err = ehea_parse_qp(call.out, attr);
	if (err)
		ehea_reject(hea, &call, EHEA_FW_QP);
	return err;
}

/* What a call that makes an MR or SMR returned. */
static int ehea_mr_result(struct ehea_hea *hea, struct ehea_call *call,
			  enum ehea_fw_type type, u64 *handle, u32 *lkey)
{
	int err;

	/* A region shorter than what is to be mapped is of no use. */
	if (call->status == H_CONSTRAINED) {
		ehea_give_back(hea, call, type);
		return -ENOSPC;
	}
	err = ehea_call_errno(hea, call);
	if (err)
		return err;
	err = ehea_parse_mr(call->out, handle, lkey);
	if (err)
		ehea_reject(hea, call, type);
	return err;
}

/**
 * ehea_phyp_alloc_mr - allocate a memory region
 * @hea: adapter
 * @bus: first bus address, aligned to the pages that it will get
 * @len: bytes, a multiple of the same
 * @pd: protection domain
 * @handle: set to its handle
 * @lkey: set to its key
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst sections 3.3 and 6.
 *
 * Return: 0; -ENOSPC if firmware has no room; -EPROTO if its answer cannot
 * be right; another negative error number. Nothing is allocated then.
 */
int ehea_phyp_alloc_mr(struct ehea_hea *hea, u64 bus, u64 len, u32 pd,
		       u64 *handle, u32 *lkey)
{
	struct ehea_call call = { .opcode = H_ALLOC_HEA_RESOURCE };

	ehea_fw_retry(hea);
	ehea_pack_mr(call.in, bus, len, pd);
	ehea_hcall(hea, &call);
	return ehea_mr_result(hea, &call, EHEA_FW_MR, handle, lkey);
}

/**
 * ehea_phyp_register_smr - make a shared memory region of a memory region
 * @hea: adapter
 * @mr: memory region, all its pages registered
 * @bus: first bus address
 * @pd: protection domain, the same as that of @mr
 * @handle: set to its handle
 * @lkey: set to its key
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst sections 3.5 and 6.
 *
 * Return: 0; -ENOSPC if firmware has no room; -EPROTO if its answer cannot
 * be right; another negative error number. Nothing is registered then.
 */
int ehea_phyp_register_smr(struct ehea_hea *hea, u64 mr, u64 bus, u32 pd,
			   u64 *handle, u32 *lkey)
{
	struct ehea_call call = { .opcode = H_REGISTER_SMR };

	ehea_pack_smr(call.in, mr, bus, pd);
	ehea_hcall(hea, &call);
	return ehea_mr_result(hea, &call, EHEA_FW_SMR, handle, lkey);
}

/* Firmware knows how many pages there are; so do we, and it has to agree. */
static int ehea_rpages_errno(struct ehea_hea *hea, const struct ehea_call *call,
			     long expected)
{
	if (call->status == expected)
		return 0;
	if (call->status != H_SUCCESS && call->status != H_PAGE_REGISTERED)
		return ehea_call_errno(hea, call);
	dev_err_ratelimited(hea->dev, "%s: %#llx %s\n",
			    ehea_call_name(call->opcode),
			    call->in[EHEA_R(6)],
			    expected == H_SUCCESS ?
			    "wants more pages than it has" :
			    "complete before its last page");
	return -EPROTO;
}

/**
 * ehea_phyp_register_queue_page - give a page to a queue
 * @hea: adapter
 * @handle: EQ, CQ or QP
 * @queue: which queue of a QP; EHEA_SQ for EQs and CQs
 * @real: real address of 4 KiB
 * @last: must this page complete an EQ or CQ?
 *
 * Pages are assigned in the order of the calls. When firmware calls a QP,
 * with its four queues, complete is not known, so @last is not for QPs; one
 * with a page missing cannot be enabled.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.4.
 *
 * Return: 0; -EPROTO if firmware disagrees about @last; another negative
 * error number.
 */
int ehea_phyp_register_queue_page(struct ehea_hea *hea, u64 handle,
				  enum ehea_qp_queue queue, u64 real,
				  bool last)
{
	struct ehea_call call = { .opcode = H_REGISTER_HEA_RPAGES };
	int err;

	err = ehea_pack_rpages(call.in, handle, EHEA_PAGE_SHIFT, queue);
	if (err)
		return err;
	call.in[EHEA_R(7)] = real;
	call.in[EHEA_R(8)] = 1;
	if (ehea_hcall(hea, &call) == H_PAGE_REGISTERED && !last)
		return 0;
	return ehea_rpages_errno(hea, &call, H_SUCCESS);
}

/**
 * ehea_phyp_register_mr_pages - give pages to a memory region
 * @hea: adapter
 * @handle: memory region
 * @page_shift: 12, 16, 20 or 24; the same for all pages of a region
 * @list: real addresses, aligned to the page size; the list itself lies at a
 *	multiple of 4 KiB in the kernel's linear mapping
 * @count: 1 to EHEA_RPAGES_MAX
 * @last: do these complete the region?
 *
 * Pages are assigned in the order of the list and the calls.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.4.
 *
 * Return: 0; -EINVAL for arguments that firmware would not take; -EPROTO if
 * it disagrees about @last; another negative error number.
 */
int ehea_phyp_register_mr_pages(struct ehea_hea *hea, u64 handle,
				unsigned int page_shift, __be64 *list,
				unsigned int count, bool last)
{
	struct ehea_call call = { .opcode = H_REGISTER_HEA_RPAGES };
	u64 real = virt_to_phys(list);
	int err;

	err = ehea_pack_rpages(call.in, handle, page_shift, EHEA_SQ);
	if (err)
		return err;
	if (!count || count > EHEA_RPAGES_MAX ||
	    !IS_ALIGNED(real, EHEA_PAGE_SIZE))
		return -EINVAL;
	/* A single page is passed itself, not in a list. */
	call.in[EHEA_R(7)] = count == 1 ? be64_to_cpu(list[0]) : real;
	call.in[EHEA_R(8)] = count;
	ehea_hcall(hea, &call);
	return ehea_rpages_errno(hea, &call,
				 last ? H_SUCCESS : H_PAGE_REGISTERED);
}

/**
 * ehea_phyp_free - free a resource
 * @hea: adapter
 * @handle: resource
 * @force: even if it is in an error state
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: 0; -EBUSY if it is in an error state or in use; -ENOENT if
 * firmware does not know it; another negative error number.
 */
int ehea_phyp_free(struct ehea_hea *hea, u64 handle, bool force)
{
	struct ehea_call call = {
		.opcode = H_FREE_RESOURCE,
		.done = H_RH_PARM,
	};
	int err;

	call.in[EHEA_R(5)] = handle;
	call.in[EHEA_R(6)] = force ? EHEA_FREE_FORCE : 0;
	err = ehea_call(hea, &call);
	/* There is always room to free something: H_RESOURCE is "in use". */
	return err == -ENOSPC ? -EBUSY : err;
}

/**
 * ehea_phyp_query_qp - ask for the state of a queue pair
 * @hea: adapter
 * @handle: queue pair
 * @status: filled in
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_qp(struct ehea_hea *hea, u64 handle,
		       struct ehea_qp_status *status)
{
	struct ehea_call call = { .opcode = H_QUERY_HEA_QP };
	struct ehea_qp_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	call.in[EHEA_R(6)] = handle;
	call.in[EHEA_R(7)] = EHEA_QP_CB0_ALL;
	call.in[EHEA_R(8)] = virt_to_phys(cb);
	err = ehea_call(hea, &call);
	if (!err)
		ehea_parse_qp_cb0(cb, status);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_modify_qp - request a state of a queue pair
 * @hea: adapter
 * @handle: queue pair
 * @state: requested
 * @enabled: may the adapter touch its queues and buffers? Once a call that
 *	says no has returned, it does not.
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: 0; -EBUSY if the QP is in a state that does not allow it; another
 * negative error number.
 */
int ehea_phyp_modify_qp(struct ehea_hea *hea, u64 handle,
			enum ehea_qp_state state, bool enabled)
{
	struct ehea_call call = { .opcode = H_MODIFY_HEA_QP };
	struct ehea_qp_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	cb->control = cpu_to_be64(ehea_pack_qp_control(state, enabled));
	call.in[EHEA_R(6)] = handle;
	call.in[EHEA_R(7)] = EHEA_QP_CB0_CONTROL;
	call.in[EHEA_R(8)] = virt_to_phys(cb);
	err = ehea_call(hea, &call);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_disable_qp - stop a queue pair for good, before it is freed
 * @hea: adapter
 * @handle: queue pair
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_disable_qp(struct ehea_hea *hea, u64 handle)
{
	struct ehea_call call = { .opcode = H_DISABLE_AND_GET_HEA };

	call.in[EHEA_R(5)] = EHEA_DISABLE_QP;
	call.in[EHEA_R(6)] = handle;
	return ehea_call(hea, &call);
}

/**
 * ehea_phyp_error_data - ask what happened to a resource
 * @hea: adapter
 * @handle: QP, CQ or EQ
 * @data: filled in
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: 0; -ENODATA if there is no report; another negative error number.
 */
int ehea_phyp_error_data(struct ehea_hea *hea, u64 handle,
			 struct ehea_error_data *data)
{
	struct ehea_call call = { .opcode = H_ERROR_DATA };
	struct ehea_error_block *block = ehea_cb_alloc();
	int err;

	if (!block)
		return -ENOMEM;
	call.in[EHEA_R(5)] = handle;
	call.in[EHEA_R(6)] = virt_to_phys(block);
	err = ehea_call(hea, &call);
	if (!err)
		ehea_parse_error(block, data);
	kfree(block);
	return err == -EBUSY ? -ENODATA : err;
}

/**
 * ehea_phyp_reset_events - let the notification event queue speak again
 * @hea: adapter
 * @neq: its handle
 * @mask: EHEA_EVENT_* or'ed
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst sections 3.5 and 5.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_reset_events(struct ehea_hea *hea, u64 neq, u64 mask)
{
	struct ehea_call call = { .opcode = H_RESET_EVENTS };

	call.in[EHEA_R(5)] = neq;
	call.in[EHEA_R(6)] = mask;
	return ehea_call(hea, &call);
}

static int ehea_port_call(struct ehea_hea *hea, unsigned long opcode,
			  u16 port, enum ehea_port_cb which, u64 mask,
			  void *cb)
{
	struct ehea_call call = { .opcode = opcode };

	ehea_pack_port(call.in, port, which, mask);
	call.in[EHEA_R(8)] = virt_to_phys(cb);
	return ehea_call(hea, &call);
}

static int ehea_port_query(struct ehea_hea *hea, u16 port,
			   enum ehea_port_cb which, u64 mask, void *cb)
{
	return ehea_port_call(hea, H_QUERY_HEA_PORT, port, which, mask, cb);
}

static int ehea_port_modify(struct ehea_hea *hea, u16 port,
			    enum ehea_port_cb which, u64 mask, void *cb)
{
	return ehea_port_call(hea, H_MODIFY_HEA_PORT, port, which, mask, cb);
}

/**
 * ehea_phyp_query_port - ask for a port's address and state
 * @hea: adapter
 * @port: logical port number
 * @attr: filled in; numbers are firmware's, not checked
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_port(struct ehea_hea *hea, u16 port,
			 struct ehea_port_attr *attr)
{
	struct ehea_port_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	err = ehea_port_query(hea, port, EHEA_PORT_CB0, EHEA_PORT_CB0_ALL, cb);
	if (!err)
		ehea_parse_port_cb0(cb, attr);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_port_mac - change a port's MAC address
 * @hea: adapter
 * @port: logical port number
 * @mac: address
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0; -EPERM if the management console forbids it; another negative
 * error number.
 */
int ehea_phyp_set_port_mac(struct ehea_hea *hea, u16 port, const u8 *mac)
{
	struct ehea_port_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	cb->mac = cpu_to_be64(ether_addr_to_u64(mac));
	err = ehea_port_modify(hea, port, EHEA_PORT_CB0, EHEA_PORT_CB0_MAC, cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_port_rx - set a port's receive control and default QPs
 * @hea: adapter
 * @port: logical port number
 * @rx_control: EHEA_RXC_* or'ed; EHEA_RXC_VALID starts the port
 * @qpns: QP numbers over which frames are spread
 * @count: how many: the port's number of default QPs, 1 to EHEA_MAX_QPS
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0; -EINVAL for a bad @count; -EPERM if the management console
 * forbids it (jumbo frames); another negative error number.
 */
int ehea_phyp_set_port_rx(struct ehea_hea *hea, u16 port, u64 rx_control,
			  const u32 *qpns, unsigned int count)
{
	struct ehea_port_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	cb->rx_control = cpu_to_be64(rx_control);
	err = ehea_pack_default_qps(cb, qpns, count);
	if (!err)
		err = ehea_port_modify(hea, port, EHEA_PORT_CB0,
				       EHEA_PORT_CB0_RXC | EHEA_PORT_CB0_QPS,
				       cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_port_qps - set a port's default QPs, and nothing else
 * @hea: adapter
 * @port: logical port number
 * @qpns: QP numbers over which frames are spread
 * @count: how many: the port's number of default QPs, 1 to EHEA_MAX_QPS
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0; -EINVAL for a bad @count; another negative error number.
 */
int ehea_phyp_set_port_qps(struct ehea_hea *hea, u16 port,
			   const u32 *qpns, unsigned int count)
{
	struct ehea_port_cb0 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	err = ehea_pack_default_qps(cb, qpns, count);
	if (!err)
		err = ehea_port_modify(hea, port, EHEA_PORT_CB0,
				       EHEA_PORT_CB0_QPS, cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_vlan_filter - set which VLANs a port lets through
 * @hea: adapter
 * @port: logical port number
 * @vlans: bitmap of 4096 bits; counts while receive control says so
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_set_vlan_filter(struct ehea_hea *hea, u16 port,
			      const unsigned long *vlans)
{
	struct ehea_port_cb1 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	ehea_pack_vlans(cb, vlans);
	err = ehea_port_modify(hea, port, EHEA_PORT_CB1, EHEA_PORT_CB1_VLANS,
			       cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_query_cb2 - ask for the counters of a logical port
 * @hea: adapter
 * @port: logical port number
 * @counters: by &enum ehea_cb2_counter
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_cb2(struct ehea_hea *hea, u16 port,
			u64 counters[EHEA_CB2_COUNTERS])
{
	struct ehea_port_cb2 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	err = ehea_port_query(hea, port, EHEA_PORT_CB2, EHEA_PORT_CB2_ALL, cb);
	if (!err)
		ehea_parse_counters(cb->counter, counters, EHEA_CB2_COUNTERS);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_query_cb6 - ask for the MIB of the physical port
 * @hea: adapter
 * @port: logical port number
 * @counters: by &enum ehea_cb6_counter
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_cb6(struct ehea_hea *hea, u16 port,
			u64 counters[EHEA_CB6_COUNTERS])
{
	struct ehea_port_cb6 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	err = ehea_port_query(hea, port, EHEA_PORT_CB6, EHEA_PORT_CB6_ALL, cb);
	if (!err)
		ehea_parse_counters(cb->counter, counters, EHEA_CB6_COUNTERS);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_query_link - ask for the physical port's settings
 * @hea: adapter
 * @port: logical port number
 * @link: filled in
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_query_link(struct ehea_hea *hea, u16 port,
			 struct ehea_port_link *link)
{
	struct ehea_port_cb4 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	err = ehea_port_query(hea, port, EHEA_PORT_CB4, EHEA_PORT_CB4_ALL, cb);
	if (!err)
		ehea_parse_port_cb4(cb, link);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_link - change one of the physical port's settings
 * @hea: adapter
 * @port: logical port number
 * @field: which
 * @value: of the field
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0; -EPERM if the management console forbids it; another negative
 * error number.
 */
int ehea_phyp_set_link(struct ehea_hea *hea, u16 port,
		       enum ehea_cb4_field field, u32 value)
{
	struct ehea_port_cb4 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	cb->field[field] = cpu_to_be32(value);
	err = ehea_port_modify(hea, port, EHEA_PORT_CB4,
			       EHEA_PORT_CB4_FIELD(field), cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_set_unicast_qp - set who gets unicast frames that no filter took
 * @hea: adapter
 * @port: logical port number
 * @qp: handle of a QP, or 0 for nobody
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0; -EPERM if the management console forbids it; another negative
 * error number.
 */
int ehea_phyp_set_unicast_qp(struct ehea_hea *hea, u16 port, u64 qp)
{
	struct ehea_port_cb7 *cb = ehea_cb_alloc();
	int err;

	if (!cb)
		return -ENOMEM;
	cb->unicast_qp = cpu_to_be64(qp);
	err = ehea_port_modify(hea, port, EHEA_PORT_CB7, EHEA_PORT_CB7_QP, cb);
	kfree(cb);
	return err;
}

/**
 * ehea_phyp_reg_bcmc - register a broadcast or multicast filter
 * @hea: adapter
 * @port: logical port number
 * @kind: EHEA_BCMC_* or'ed
 * @mac: address; the port's own for broadcast, zero for all addresses
 * @vlan: VLAN id
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.8.
 *
 * Return: 0; -ENOSPC if the adapter's table is full; -EEXIST if it is
 * registered; -EPERM if the management console forbids it; another negative
 * error number.
 */
int ehea_phyp_reg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
		       const u8 *mac, u16 vlan)
{
	struct ehea_call call = {
		.opcode = H_REG_BCMC,
		.done = H_ALIAS_EXIST,
	};

	ehea_pack_bcmc(call.in, port, kind, mac, vlan);
	return ehea_call(hea, &call);
}

/**
 * ehea_phyp_dereg_bcmc - take a broadcast or multicast filter away
 * @hea: adapter
 * @port: logical port number
 * @kind: as it was registered, likewise the rest
 * @mac: address
 * @vlan: VLAN id
 *
 * Context: process, sleeps.
 * Fact: Documentation/hea-interface.rst section 3.8.
 *
 * Return: 0 or a negative error number.
 */
int ehea_phyp_dereg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
			 const u8 *mac, u16 vlan)
{
	struct ehea_call call = {
		.opcode = H_DEREG_BCMC,
		.done = H_MCG_PARM,
	};

	ehea_pack_bcmc(call.in, port, kind, mac, vlan);
	return ehea_call(hea, &call);
}

/**
 * ehea_phyp_crash_dereg_bcmc - deregister a filter before another kernel
 *	takes over
 * @hea: adapter
 * @port: logical port
 * @kind: EHEA_BCMC_* or'ed
 * @mac: address
 * @naps: as of ehea_fw_crash()
 *
 * Context: crash handler, as ehea_fw_crash(); waits 20 ms at most.
 * Fact: Documentation/hea-interface.rst section 7.
 */
void ehea_phyp_crash_dereg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
				const u8 *mac, unsigned int *naps)
{
	u64 in[EHEA_REGS] = {};

	ehea_pack_bcmc(in, port, kind, mac, 0);
	ehea_crash_call(hea, H_DEREG_BCMC, in, naps);
}
