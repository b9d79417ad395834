/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): queues (EQ, CQ, QP) and memory regions (MR,
 * SMR): their memory, their life in firmware, their doorbells.
 */
#ifndef EHEA_QMR_H
#define EHEA_QMR_H

#include <linux/io.h>

#include "ehea_hw.h"
#include "ehea_phyp.h"

struct ehea_busmap;

/**
 * struct ehea_ring - memory of a queue, and where the reader stands
 * @base: first entry; contiguous in kernel addresses
 * @end: behind the last entry
 * @next: next entry to read (rings that the adapter writes)
 * @slots: number of entries that the memory holds, all used in turn
 * @entry_size: bytes of an entry
 * @valid: what the valid bit of a new entry is on this lap
 */
struct ehea_ring {
	void *base;
	void *end;
	void *next;
	u32 slots;
	u32 entry_size;
	u8 valid;
};

struct ehea_eq {
	struct ehea_hea *hea;
	struct ehea_fw_res res;
	struct ehea_ring ring;
	u32 ist;
};

struct ehea_cq {
	struct ehea_hea *hea;
	struct ehea_fw_res res;
	struct ehea_ring ring;
	void __iomem *epa;
};

/**
 * struct ehea_qp - queue pair
 * @hea: adapter
 * @res: in firmware
 * @epa: register page
 * @number: what the port's table of default QPs holds
 * @ring: the queues' memory, by &enum ehea_qp_queue
 * @entries: most WQEs that may be posted, by queue: slots - 1
 * @disabled: stopped for good
 */
struct ehea_qp {
	struct ehea_hea *hea;
	struct ehea_fw_res res;
	void __iomem *epa;
	u32 number;
	struct ehea_ring ring[EHEA_QP_QUEUES];
	u32 entries[EHEA_QP_QUEUES];
	bool disabled;
};

/**
 * struct ehea_qp_config - what a QP is made of
 * @send_cq: CQ of the send queue
 * @recv_cq: CQ that carries the event arming of receive completions
 * @eq: EQ for affiliated (error) events
 * @token: comes back in those events
 * @pd: protection domain
 * @port: logical port
 * @entries: wanted WQEs by queue, each 2^n - 1
 */
struct ehea_qp_config {
	const struct ehea_cq *send_cq;
	const struct ehea_cq *recv_cq;
	const struct ehea_eq *eq;
	u32 token;
	u32 pd;
	u16 port;
	u32 entries[EHEA_QP_QUEUES];
};

/**
 * struct ehea_mr - memory region: bus addresses for all that a busmap holds
 * @hea: adapter
 * @res: in firmware
 * @start: first bus address
 * @len: bytes
 * @pd: protection domain
 * @lkey: key of the MR itself
 * @page_shift: size of its pages
 * @calls: page registration calls that it took
 */
struct ehea_mr {
	struct ehea_hea *hea;
	struct ehea_fw_res res;
	u64 start;
	u64 len;
	u32 pd;
	u32 lkey;
	unsigned int page_shift;
	unsigned int calls;
};

/**
 * struct ehea_smr - an MR's translations under a key of their own
 * @res: in firmware
 * @lkey: the key
 */
struct ehea_smr {
	struct ehea_fw_res res;
	u32 lkey;
};

/**
 * enum ehea_eq_kind - what an event queue is for
 * @EHEA_EQ_NOTIFY: the adapter's notifications (NEQ)
 * @EHEA_EQ_ERROR: affiliated events of QPs
 * @EHEA_EQ_COMPLETION: completions of CQs; interrupts, but has no entries
 */
enum ehea_eq_kind {
	EHEA_EQ_NOTIFY,
	EHEA_EQ_ERROR,
	EHEA_EQ_COMPLETION,
};

int ehea_eq_create(struct ehea_hea *hea, struct ehea_eq *eq,
		   enum ehea_eq_kind kind, u32 entries);
int ehea_eq_destroy(struct ehea_eq *eq);
u64 ehea_eq_next(struct ehea_eq *eq);

int ehea_cq_create(struct ehea_hea *hea, struct ehea_cq *cq,
		   const struct ehea_eq *eq, u32 token, u32 entries);
int ehea_cq_destroy(struct ehea_cq *cq);

int ehea_qp_create(struct ehea_hea *hea, struct ehea_qp *qp,
		   const struct ehea_qp_config *config);
int ehea_qp_destroy(struct ehea_qp *qp);
int ehea_qp_start(struct ehea_qp *qp);
int ehea_qp_disable(struct ehea_qp *qp);
int ehea_qp_pause(struct ehea_qp *qp);
int ehea_qp_resume(struct ehea_qp *qp);

int ehea_mr_register(struct ehea_hea *hea, struct ehea_mr *mr,
		     const struct ehea_busmap *map, u32 pd,
		     unsigned int page_shift);
int ehea_mr_free(struct ehea_mr *mr);
int ehea_smr_register(const struct ehea_mr *mr, struct ehea_smr *smr);
int ehea_smr_free(struct ehea_hea *hea, struct ehea_smr *smr);

/**
 * ehea_ring_advance - step over the entry just read
 * @ring: ring that the adapter writes
 */
static inline void ehea_ring_advance(struct ehea_ring *ring)
{
	void *next = ring->next + ring->entry_size;

	if (next == ring->end) {
		next = ring->base;
		ring->valid ^= EHEA_CQE_VALID;
	}
	/* Others may look meanwhile, but never behind the end. */
	WRITE_ONCE(ring->next, next);
}

/**
 * ehea_ring_pending - is there a completion to be read?
 * @ring: ring of CQEs: a send CQ's or RQ1
 *
 * Return: true if there is.
 */
static inline bool ehea_ring_pending(const struct ehea_ring *ring)
{
	const struct ehea_cqe *cqe = READ_ONCE(ring->next);

	return !((READ_ONCE(cqe->valid) ^ ring->valid) & EHEA_CQE_VALID);
}

/**
 * ehea_ring_cqe - the completion to be read
 * @ring: ring in which one is pending
 *
 * Return: the CQE, its fields ready to be read.
 */
static inline const struct ehea_cqe *
ehea_ring_cqe(const struct ehea_ring *ring)
{
	dma_rmb(); /* the adapter writes the valid bit last */
	return ring->next;
}

/**
 * ehea_ring_has_gap - is there a completion behind one that is not there?
 * @ring: ring of CQEs
 *
 * The adapter writes them in order, so one was lost. Of a ring that is read
 * meanwhile the answer may be wrong.
 *
 * Return: true if it seems so.
 */
static inline bool ehea_ring_has_gap(const struct ehea_ring *ring)
{
	struct ehea_ring next = *ring;

	ehea_ring_advance(&next);
	if (!ehea_ring_pending(&next))
		return false;
	dma_rmb(); /* the later one is looked at first */
	return !ehea_ring_pending(ring);
}

/* out_be64() orders what was written to memory before the doorbell. */
static inline void ehea_qp_post(const struct ehea_qp *qp, u32 reg, u32 count)
{
	out_be64(qp->epa + reg, FIELD_PREP(EHEA_QP_ADDER, count));
}

/**
 * ehea_cq_ack - give consumed entries of a send CQ back
 * @cq: completion queue
 * @count: entries
 */
static inline void ehea_cq_ack(const struct ehea_cq *cq, u32 count)
{
	out_be64(cq->epa + EHEA_CQ_FECA, FIELD_PREP(EHEA_CQ_FECA_COUNT, count));
}

/**
 * ehea_cq_arm - ask for one event at the next completion
 * @cq: completion queue
 *
 * Nothing is retroactive: look at the ring once more afterwards.
 */
static inline void ehea_cq_arm(const struct ehea_cq *cq)
{
	void __iomem *epa = cq->epa;

	out_be64(epa + EHEA_CQ_EP, 0);
	/* Writes to an adapter stay in order among themselves. */
	__raw_writeq_be(EHEA_CQ_N1_ARM, epa + EHEA_CQ_N1);
}

/**
 * ehea_cq_arm_flush - wait until the arming has reached the adapter
 * @cq: completion queue
 */
static inline void ehea_cq_arm_flush(const struct ehea_cq *cq)
{
	in_be64(cq->epa + EHEA_CQ_N1);
}

#endif /* EHEA_QMR_H */
