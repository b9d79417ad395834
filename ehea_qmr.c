// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): queues (EQ, CQ, QP) and memory regions (MR,
 * SMR).
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ehea_busmap.h"
#include "ehea_qmr.h"

/* Real address of queue memory, which may be vmalloc'ed. */
static u64 ehea_ring_real(const void *addr)
{
	if (is_vmalloc_addr(addr))
		return page_to_phys(vmalloc_to_page(addr)) +
		       offset_in_page(addr);
	return __pa(addr);
}

static int ehea_ring_alloc(struct ehea_ring *ring, u32 pages, u32 entry_size)
{
	size_t bytes = (size_t)pages << EHEA_PAGE_SHIFT;

	ring->base = kvzalloc(bytes, GFP_KERNEL);
	if (!ring->base)
		return -ENOMEM;
	ring->end = ring->base + bytes;
	ring->next = ring->base;
	ring->slots = bytes / entry_size;
	ring->entry_size = entry_size;
	ring->valid = EHEA_CQE_VALID;
	return 0;
}

/* @alone: these are all the pages that the resource has. */
static int ehea_ring_register(struct ehea_hea *hea, u64 handle,
			      enum ehea_qp_queue queue,
			      const struct ehea_ring *ring, bool alone)
{
	u32 bytes = ring->slots * ring->entry_size;
	u32 offset;
	int err;

	for (offset = 0; offset < bytes; offset += EHEA_PAGE_SIZE) {
		u64 real = ehea_ring_real(ring->base + offset);
		bool last = alone && offset + EHEA_PAGE_SIZE >= bytes;

		err = ehea_phyp_register_queue_page(hea, handle, queue, real,
						    last);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Free a resource, and the memory of its rings when the adapter is done. */
static int ehea_queue_free(struct ehea_hea *hea, struct ehea_fw_res *res,
			   struct ehea_ring *rings, unsigned int count)
{
	void *mem[EHEA_QP_QUEUES];
	unsigned int i;

	for (i = 0; i < count; i++) {
		mem[i] = rings[i].base;
		rings[i].base = NULL;
	}
	return ehea_fw_free_mem(hea, res, mem, count);
}

/**
 * ehea_eq_create - allocate an event queue
 * @hea: adapter
 * @eq: filled in
 * @kind: what it is for
 * @entries: wanted entries
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_eq_create(struct ehea_hea *hea, struct ehea_eq *eq,
		   enum ehea_eq_kind kind, u32 entries)
{
	struct ehea_eq_attr attr = {
		.neq = kind == EHEA_EQ_NOTIFY,
		.silent = kind == EHEA_EQ_COMPLETION,
		.entries = entries,
	};
	int err;

	err = ehea_phyp_alloc_eq(hea, &attr);
	if (err)
		return err;
	eq->hea = hea;
	eq->ist = attr.ist;
	ehea_fw_track(hea, &eq->res, EHEA_FW_EQ, attr.handle);

	err = ehea_ring_alloc(&eq->ring, attr.pages, sizeof(u64));
	if (!err)
		err = ehea_ring_register(hea, attr.handle, EHEA_SQ, &eq->ring,
					 true);
	if (err)
		ehea_eq_destroy(eq);
	return err;
}

/**
 * ehea_eq_destroy - free an event queue
 * @eq: made by ehea_eq_create(); its interrupt has been freed
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps it.
 */
int ehea_eq_destroy(struct ehea_eq *eq)
{
	return ehea_queue_free(eq->hea, &eq->res, &eq->ring, 1);
}

/**
 * ehea_eq_next - take the next event
 * @eq: event queue
 *
 * Context: any; one caller at a time.
 * Return: the entry, or 0 when there is none.
 */
u64 ehea_eq_next(struct ehea_eq *eq)
{
	const __be64 *entry = eq->ring.next;
	u64 eqe = be64_to_cpu(READ_ONCE(*entry));

	if (!!(eqe & EHEA_EQE_VALID) != !!eq->ring.valid)
		return 0;
	ehea_ring_advance(&eq->ring);
	/* On odd laps a new entry has the bit off; callers test for 0. */
	return eqe | EHEA_EQE_VALID;
}

/**
 * ehea_cq_create - allocate a completion queue
 * @hea: adapter
 * @cq: filled in
 * @eq: where its events go
 * @token: comes back in events
 * @entries: wanted entries
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_cq_create(struct ehea_hea *hea, struct ehea_cq *cq,
		   const struct ehea_eq *eq, u32 token, u32 entries)
{
	struct ehea_cq_attr attr = {
		.eq = eq->res.handle,
		.token = token,
		.entries = entries,
	};
	int err;

	err = ehea_phyp_alloc_cq(hea, &attr);
	if (err)
		return err;
	cq->hea = hea;
	cq->res.uses[0] = attr.eq;
	ehea_fw_track(hea, &cq->res, EHEA_FW_CQ, attr.handle);

	err = ehea_ring_alloc(&cq->ring, attr.pages, EHEA_CQE_SIZE);
	if (err)
		goto destroy;
	err = ehea_ring_register(hea, attr.handle, EHEA_SQ, &cq->ring,
				 true);
	if (err)
		goto destroy;
	cq->epa = ioremap(attr.epa, EHEA_PAGE_SIZE);
	if (cq->epa)
		return 0;
	err = -ENOMEM;
destroy:
	ehea_cq_destroy(cq);
	return err;
}

/**
 * ehea_cq_destroy - free a completion queue
 * @cq: made by ehea_cq_create(); its QP is gone
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps it.
 */
int ehea_cq_destroy(struct ehea_cq *cq)
{
	if (cq->epa)
		iounmap(cq->epa);
	cq->epa = NULL;
	return ehea_queue_free(cq->hea, &cq->res, &cq->ring, 1);
}

static int ehea_qp_add_pages(struct ehea_qp *qp,
			     const struct ehea_qp_attr *attr)
{
	unsigned int i;
	int err;

	for (i = 0; i < EHEA_QP_QUEUES; i++) {
		err = ehea_ring_alloc(&qp->ring[i], attr->q[i].pages,
				      128U << attr->q[i].wqe_exp);
		if (err)
			return err;
		/* All slots are used in turn, by index and mask. */
		if (qp->ring[i].slots != attr->q[i].entries + 1)
			return -EPROTO;
		qp->entries[i] = attr->q[i].entries;
		err = ehea_ring_register(qp->hea, qp->res.handle, i,
					 &qp->ring[i], false);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ehea_qp_create - allocate a queue pair, in reset state
 * @hea: adapter
 * @qp: filled in
 * @config: what it is made of
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_qp_create(struct ehea_hea *hea, struct ehea_qp *qp,
		   const struct ehea_qp_config *config)
{
	struct ehea_qp_attr attr = {
		.send_cq = config->send_cq->res.handle,
		.recv_cq = config->recv_cq->res.handle,
		.eq = config->eq->res.handle,
		.token = config->token,
		.pd = config->pd,
		.port = config->port,
		.rq2_threshold = EHEA_RQ2_THRESHOLD,
		.rq3_threshold = EHEA_RQ3_THRESHOLD,
		.q[EHEA_SQ].wqe_exp = ilog2(EHEA_SWQE_SIZE / 128),
		.q[EHEA_RQ1].wqe_exp = ilog2(EHEA_RQ1_SLOT_SIZE / 128),
		.q[EHEA_RQ2].wqe_exp = ilog2(EHEA_RWQE_SIZE / 128),
		.q[EHEA_RQ3].wqe_exp = ilog2(EHEA_RWQE_SIZE / 128),
	};
	unsigned int i;
	int err;

	for (i = 0; i < EHEA_QP_QUEUES; i++)
		attr.q[i].entries = config->entries[i];
	err = ehea_phyp_alloc_qp(hea, &attr);
	if (err)
		return err;
	qp->hea = hea;
	qp->number = attr.number;
	qp->res.uses[0] = attr.send_cq;
	qp->res.uses[1] = attr.recv_cq;
	qp->res.uses[2] = attr.eq;
	ehea_fw_track(hea, &qp->res, EHEA_FW_QP, attr.handle);

	err = ehea_qp_add_pages(qp, &attr);
	if (err)
		goto destroy;
	qp->epa = ioremap(attr.epa, EHEA_PAGE_SIZE);
	if (qp->epa)
		return 0;
	err = -ENOMEM;
destroy:
	ehea_qp_destroy(qp);
	return err;
}

/**
 * ehea_qp_disable - stop a queue pair for good
 * @qp: queue pair in any state, also in error
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_qp_disable(struct ehea_qp *qp)
{
	int err = ehea_phyp_disable_qp(qp->hea, qp->res.handle);

	qp->disabled = !err;
	return err;
}

/**
 * ehea_qp_destroy - free a queue pair
 * @qp: made by ehea_qp_create(), in any state
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps it: then the
 *	   adapter may still use the posted buffers, and they must not be
 *	   freed.
 */
int ehea_qp_destroy(struct ehea_qp *qp)
{
	if (qp->epa)
		iounmap(qp->epa);
	qp->epa = NULL;
	/* If that fails, freeing by force still stops it. */
	if (!qp->disabled)
		qp->res.force = ehea_qp_disable(qp);
	return ehea_queue_free(qp->hea, &qp->res, qp->ring, EHEA_QP_QUEUES);
}

static int ehea_qp_set(struct ehea_qp *qp, enum ehea_qp_state state,
		       bool enabled)
{
	struct ehea_qp_status status;
	int err;

	err = ehea_phyp_modify_qp(qp->hea, qp->res.handle, state, enabled);
	if (err)
		return err;
	/* Firmware has been driven with a query after each step, always. */
	err = ehea_phyp_query_qp(qp->hea, qp->res.handle, &status);
	if (err)
		return err;
	return status.enabled == enabled ? 0 : -EIO;
}

/**
 * ehea_qp_start - bring a new queue pair to ready-to-send
 * @qp: queue pair, all of its pages registered
 *
 * Fact: Documentation/hea-interface.rst, "QP control block".
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_qp_start(struct ehea_qp *qp)
{
	int err;

	err = ehea_qp_set(qp, EHEA_QP_INITIALIZED, false);
	if (!err)
		err = ehea_qp_set(qp, EHEA_QP_INITIALIZED, true);
	if (!err)
		err = ehea_qp_set(qp, EHEA_QP_READY_SEND, true);
	return err;
}

/**
 * ehea_qp_pause - stop the adapter's reading and writing for a queue pair
 * @qp: started queue pair
 *
 * Positions, credits and valid bits survive; WQEs posted meanwhile wait.
 * Frames that arrive meanwhile are lost.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_qp_pause(struct ehea_qp *qp)
{
	return ehea_phyp_modify_qp(qp->hea, qp->res.handle, EHEA_QP_READY_SEND,
				   false);
}

/**
 * ehea_qp_resume - let a paused queue pair go on
 * @qp: paused by ehea_qp_pause()
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number.
 */
int ehea_qp_resume(struct ehea_qp *qp)
{
	return ehea_phyp_modify_qp(qp->hea, qp->res.handle, EHEA_QP_READY_SEND,
				   true);
}

/**
 * struct ehea_page_batch - pages of an MR on their way to firmware
 * @list: real addresses, as the call takes them
 * @count: how many are in @list
 * @left: bytes of the MR that are not yet registered
 */
struct ehea_page_batch {
	__be64 *list;
	unsigned int count;
	u64 left;
};

static int ehea_mr_flush(struct ehea_mr *mr, struct ehea_page_batch *batch)
{
	int err;

	batch->left -= (u64)batch->count << mr->page_shift;
	err = ehea_phyp_register_mr_pages(mr->hea, mr->res.handle,
					  mr->page_shift, batch->list,
					  batch->count, !batch->left);
	batch->count = 0;
	mr->calls++;
	cond_resched();
	return err;
}

static int ehea_mr_add_run(struct ehea_mr *mr, struct ehea_page_batch *batch,
			   const struct ehea_busmap_run *run)
{
	u64 real;
	int err;

	for (real = run->real; real < run->real + run->len;
	     real += BIT_ULL(mr->page_shift)) {
		batch->list[batch->count++] = cpu_to_be64(real);
		if (batch->count < EHEA_RPAGES_MAX)
			continue;
		err = ehea_mr_flush(mr, batch);
		if (err)
			return err;
	}
	return 0;
}

static int ehea_mr_add_pages(struct ehea_mr *mr, const struct ehea_busmap *map)
{
	struct ehea_page_batch batch = { .left = mr->len };
	struct ehea_busmap_run run = {};
	int err = 0;

	batch.list = kmalloc(EHEA_PAGE_SIZE, GFP_KERNEL);
	if (!batch.list)
		return -ENOMEM;
	while (!err && ehea_busmap_next_run(map, &run))
		err = ehea_mr_add_run(mr, &batch, &run);
	if (!err && batch.count)
		err = ehea_mr_flush(mr, &batch);
	kfree(batch.list);
	return err;
}

/**
 * ehea_mr_register - make a memory region of all that a map holds
 * @hea: adapter
 * @mr: filled in
 * @map: sealed and not empty
 * @pd: protection domain
 * @page_shift: size of the MR's pages: 12, 16, 20 or 24
 *
 * Fact: Documentation/hea-interface.rst, "Memory regions".
 *
 * Context: process, sleeps; slow, with a call for every 512 pages.
 * Return: 0 or a negative error number, nothing allocated then; -ENOSPC when
 *	   firmware has no room for another MR.
 */
int ehea_mr_register(struct ehea_hea *hea, struct ehea_mr *mr,
		     const struct ehea_busmap *map, u32 pd,
		     unsigned int page_shift)
{
	u64 handle;
	int err;

	mr->hea = hea;
	mr->start = map->base;
	mr->len = ehea_busmap_length(map);
	mr->pd = pd;
	mr->page_shift = page_shift;
	mr->calls = 0;
	err = ehea_phyp_alloc_mr(hea, mr->start, mr->len, pd, &handle,
				 &mr->lkey);
	if (err)
		return err;
	ehea_fw_track(hea, &mr->res, EHEA_FW_MR, handle);

	err = ehea_mr_add_pages(mr, map);
	if (err)
		ehea_mr_free(mr);
	return err;
}

/**
 * ehea_mr_free - free a memory region
 * @mr: made by ehea_mr_register(); no SMR of it is left
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps it.
 */
int ehea_mr_free(struct ehea_mr *mr)
{
	return ehea_fw_free(mr->hea, &mr->res);
}

/**
 * ehea_smr_register - make another key for an MR
 * @mr: memory region, complete
 * @smr: filled in
 *
 * Context: process, sleeps.
 * Return: 0 or a negative error number, nothing allocated then.
 */
int ehea_smr_register(const struct ehea_mr *mr, struct ehea_smr *smr)
{
	u64 handle;
	int err;

	err = ehea_phyp_register_smr(mr->hea, mr->res.handle, mr->start,
				     mr->pd, &handle, &smr->lkey);
	if (err)
		return err;
	smr->res.uses[0] = mr->res.handle;
	ehea_fw_track(mr->hea, &smr->res, EHEA_FW_SMR, handle);
	return 0;
}

/**
 * ehea_smr_free - free a key
 * @hea: adapter
 * @smr: made by ehea_smr_register(); no posted WQE names its key
 *
 * Context: process, sleeps.
 * Return: 0, or a negative error number when firmware keeps it.
 */
int ehea_smr_free(struct ehea_hea *hea, struct ehea_smr *smr)
{
	return ehea_fw_free(hea, &smr->res);
}
