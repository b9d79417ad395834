// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): arguments, outputs and control blocks of the
 * hypervisor calls.
 *
 * Firmware's numbers are checked here, once, before anybody uses them. Every
 * function is pure and may be called in any context.
 */
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/kernel.h>
#include <linux/log2.h>

#include <asm/hvcall.h>

#include "ehea_cb.h"

/* H_ALLOC_HEA_RESOURCE, R5: the type, and what depends on it. */
#define EHEA_ALLOC_TYPE		EHEA_BITS(56, 63)
#define EHEA_ALLOC_QP		1
#define EHEA_ALLOC_CQ		2
#define EHEA_ALLOC_EQ		3
#define EHEA_ALLOC_MR		5

#define EHEA_EQ_NEQ		EHEA_BIT(0)
#define EHEA_EQ_ISTS		EHEA_BITS(6, 7)
#define EHEA_EQ_SILENT		EHEA_BIT(16)
#define EHEA_EQ_IST		EHEA_BITS(40, 63)

#define EHEA_QP_LL_RQ1		EHEA_BITS(9, 11)
#define EHEA_QP_RQS		EHEA_BITS(13, 15)
#define EHEA_QP_RQS_ALL		6
#define EHEA_QP_LOW_LATENCY	EHEA_BIT(17)
#define EHEA_QP_SIGNALLING	EHEA_BITS(22, 23)
#define EHEA_QP_SIGNAL_ASKED	1	/* a send completes if it asks to */

/* QP, inputs of R9 to R12. */
#define EHEA_QP_TOKEN		EHEA_BITS(0, 31)
#define EHEA_QP_PD		EHEA_BITS(32, 63)
#define EHEA_QP_SIZE_SQ		EHEA_BITS(4, 7)
#define EHEA_QP_SIZE_RQ1	EHEA_BITS(12, 15)
#define EHEA_QP_SIZE_RQ2	EHEA_BITS(20, 23)
#define EHEA_QP_SIZE_RQ3	EHEA_BITS(28, 31)
#define EHEA_QP_WQE_SQ		EHEA_BITS(37, 39)
#define EHEA_QP_WQE_RQ1		EHEA_BITS(45, 47)
#define EHEA_QP_WQE_RQ2		EHEA_BITS(53, 55)
#define EHEA_QP_WQE_RQ3		EHEA_BITS(61, 63)
#define EHEA_QP_PORT		EHEA_BITS(48, 63)
#define EHEA_QP_THRESHOLD_RQ2	EHEA_BITS(0, 15)
#define EHEA_QP_THRESHOLD_RQ3	EHEA_BITS(16, 31)

/* QP, outputs of R6 to R9. */
#define EHEA_QP_ACT_SQ		EHEA_BITS(0, 15)
#define EHEA_QP_ACT_RQ1		EHEA_BITS(16, 31)
#define EHEA_QP_ACT_RQ2		EHEA_BITS(32, 47)
#define EHEA_QP_ACT_RQ3		EHEA_BITS(48, 63)
#define EHEA_QP_ACT_WQE_SQ	EHEA_BITS(0, 7)
#define EHEA_QP_ACT_WQE_RQ1	EHEA_BITS(8, 15)
#define EHEA_QP_ACT_WQE_RQ2	EHEA_BITS(16, 23)
#define EHEA_QP_ACT_WQE_RQ3	EHEA_BITS(24, 31)
#define EHEA_QP_PAGES_EVEN	EHEA_BITS(0, 31)	/* SQ, RQ2 */
#define EHEA_QP_PAGES_ODD	EHEA_BITS(32, 63)	/* RQ1, RQ3 */

#define EHEA_WQE_UNIT		128	/* WQE of exponent 0 */
#define EHEA_WQE_EXP_MAX	7

/* Access control of MR and SMR: what the proven driver asked for. */
#define EHEA_MR_ACCESS		EHEA_BITS(0, 31)
#define EHEA_MR_ACCESS_RW	0x00800000

/* H_REGISTER_HEA_RPAGES, R5. */
#define EHEA_RPAGES_SIZE	EHEA_BITS(48, 55)
#define EHEA_RPAGES_QUEUE	EHEA_BITS(62, 63)

/* Port calls, R5. */
#define EHEA_PORT_CATEGORY	EHEA_BITS(40, 47)
#define EHEA_PORT_NUMBER	EHEA_BITS(48, 63)

/* H_REG_BCMC and H_DEREG_BCMC, R5 to R8. */
#define EHEA_BCMC_PORT		EHEA_BITS(48, 63)
#define EHEA_BCMC_KIND		EHEA_BITS(60, 63)
#define EHEA_BCMC_MAC		EHEA_BITS(16, 63)
#define EHEA_BCMC_VLAN		EHEA_BITS(52, 63)

/* Entries that the largest queue of each kind has. */
static const u32 ehea_max_entries[EHEA_QP_QUEUES] = {
	[EHEA_SQ]	= EHEA_MAX_ENTRIES_SQ,
	[EHEA_RQ1]	= EHEA_MAX_ENTRIES_RQ1,
	[EHEA_RQ2]	= EHEA_MAX_ENTRIES_RQ2,
	[EHEA_RQ3]	= EHEA_MAX_ENTRIES_RQ3,
};

/**
 * ehea_status_is_later - does a status mean "again later"?
 * @status: R3 of a hypervisor call
 *
 * Fact: Documentation/hea-interface.rst section 3.2.
 *
 * Return: true if the call is to be repeated.
 */
bool ehea_status_is_later(long status)
{
	return status == H_BUSY || H_IS_LONG_BUSY(status);
}

/**
 * ehea_status_nap_ms - how long firmware asks to wait before a repeat
 * @status: one for which ehea_status_is_later() is true
 *
 * Fact: Documentation/hea-interface.rst section 3.2.
 *
 * Return: milliseconds, not bounded.
 */
unsigned int ehea_status_nap_ms(long status)
{
	return H_IS_LONG_BUSY(status) ? get_longbusy_msecs(status) : 1;
}

/**
 * ehea_status_to_errno - status of a hypervisor call as an error number
 * @status: R3
 *
 * The only such table. A caller that expects H_PAGE_REGISTERED or
 * H_CONSTRAINED looks at the status itself; elsewhere they are wrong.
 *
 * Fact: Documentation/hea-interface.rst section 3.2.
 *
 * Return: 0; -EPERM if the management console forbids it; -ENOSPC if
 * firmware has no room; -EBUSY if the resource is in a state that does not
 * allow it; -ENOENT if firmware does not know the resource, -ENODEV if not
 * the adapter; -EEXIST if it was there already; -EINVAL for any other bad
 * argument; -EOPNOTSUPP if firmware lacks the call; -ETIMEDOUT for "later";
 * -EIO for all else.
 */
int ehea_status_to_errno(long status)
{
	if (ehea_status_is_later(status))
		return -ETIMEDOUT;

	switch (status) {
	case H_SUCCESS:
		return 0;
	case H_AUTHORITY:
	case H_PERMISSION:
	case H_PRIVILEGE:
		return -EPERM;
	case H_NO_MEM:
	case H_RESOURCE:
	case H_MCG_FULL:
	case H_TABLE_FULL:
	case H_NOT_ENOUGH_RESOURCES:
		return -ENOSPC;
	case H_R_STATE:
	case H_MR_CONDITION:
		return -EBUSY;
	case H_RH_PARM:
	case H_NOT_FOUND:
		return -ENOENT;
	case H_ADAPTER_PARM:
		return -ENODEV;
	case H_ALIAS_EXIST:
		return -EEXIST;
	case H_PARAMETER:
	case H_SIGT_PARM ... H_RCQ_PARM:
	case H_TRACE_PARM ... H_TOKEN_PARM:
	case H_MASK_PARM:
	case H_P9 ... H_P2:
		return -EINVAL;
	case H_FUNCTION:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

/* Do @pages hold that many entries, and are no more than any queue has? */
static bool ehea_pages_hold(u32 pages, u32 entries, u32 entry_size)
{
	return pages && pages <= EHEA_MAX_QUEUE_PAGES && entries &&
	       (u64)entries * entry_size <= (u64)pages * EHEA_PAGE_SIZE;
}

static bool ehea_epa_is_sane(u64 epa)
{
	return epa && IS_ALIGNED(epa, EHEA_PAGE_SIZE);
}

/**
 * ehea_pack_eq - arguments that allocate an event queue
 * @in: R4 to R12
 * @attr: what is wanted
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 */
void ehea_pack_eq(u64 *in, const struct ehea_eq_attr *attr)
{
	in[EHEA_R(5)] = FIELD_PREP(EHEA_ALLOC_TYPE, EHEA_ALLOC_EQ) |
			FIELD_PREP(EHEA_EQ_NEQ, attr->neq) |
			FIELD_PREP(EHEA_EQ_ISTS, 1) |
			FIELD_PREP(EHEA_EQ_SILENT, attr->silent);
	in[EHEA_R(6)] = attr->entries;
}

/**
 * ehea_parse_eq - the event queue that firmware allocated
 * @out: R4 to R12
 * @attr: outputs filled in; @attr->handle even if others are wrong
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0 or -EPROTO.
 */
int ehea_parse_eq(const u64 *out, struct ehea_eq_attr *attr)
{
	attr->handle = out[EHEA_R(4)];
	attr->entries = out[EHEA_R(7)];
	attr->pages = out[EHEA_R(8)];
	attr->ist = FIELD_GET(EHEA_EQ_IST, out[EHEA_R(9)]);

	if (!attr->handle || !attr->ist ||
	    !ehea_pages_hold(attr->pages, attr->entries, sizeof(__be64)))
		return -EPROTO;
	return 0;
}

/**
 * ehea_pack_cq - arguments that allocate a completion queue
 * @in: R4 to R12
 * @attr: what is wanted
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 */
void ehea_pack_cq(u64 *in, const struct ehea_cq_attr *attr)
{
	in[EHEA_R(5)] = FIELD_PREP(EHEA_ALLOC_TYPE, EHEA_ALLOC_CQ);
	in[EHEA_R(6)] = attr->eq;
	in[EHEA_R(7)] = attr->token;
	in[EHEA_R(8)] = attr->entries;
}

/**
 * ehea_parse_cq - the completion queue that firmware allocated
 * @out: R4 to R12
 * @attr: outputs filled in; @attr->handle even if others are wrong
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0 or -EPROTO.
 */
int ehea_parse_cq(const u64 *out, struct ehea_cq_attr *attr)
{
	attr->handle = out[EHEA_R(4)];
	attr->entries = out[EHEA_R(7)];
	attr->pages = out[EHEA_R(8)];
	attr->epa = out[EHEA_R(9)];

	if (!attr->handle || !ehea_epa_is_sane(attr->epa) ||
	    !ehea_pages_hold(attr->pages, attr->entries, EHEA_CQE_SIZE))
		return -EPROTO;
	return 0;
}

/* Is @entries 2^n - 1, and a size that queue @i can have? */
static bool ehea_entries_are_sane(int i, u32 entries)
{
	return is_power_of_2(entries + 1) && entries >= EHEA_MIN_ENTRIES &&
	       entries <= ehea_max_entries[i];
}

/* 2^(n + 1) - 1 entries are asked for by n. */
static unsigned int ehea_size_exp(u32 entries)
{
	return ilog2(entries + 1) - 1;
}

/**
 * ehea_pack_qp - arguments that allocate a queue pair
 * @in: R4 to R12
 * @attr: what is wanted
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0, or -EINVAL for a size that no queue has.
 */
int ehea_pack_qp(u64 *in, const struct ehea_qp_attr *attr)
{
	int i;

	for (i = 0; i < EHEA_QP_QUEUES; i++)
		if (!ehea_entries_are_sane(i, attr->q[i].entries) ||
		    attr->q[i].wqe_exp > EHEA_WQE_EXP_MAX)
			return -EINVAL;

	in[EHEA_R(5)] = FIELD_PREP(EHEA_ALLOC_TYPE, EHEA_ALLOC_QP) |
			FIELD_PREP(EHEA_QP_LL_RQ1, 1) |
			FIELD_PREP(EHEA_QP_RQS, EHEA_QP_RQS_ALL) |
			EHEA_QP_LOW_LATENCY |
			FIELD_PREP(EHEA_QP_SIGNALLING, EHEA_QP_SIGNAL_ASKED);
	in[EHEA_R(6)] = attr->send_cq;
	in[EHEA_R(7)] = attr->recv_cq;
	in[EHEA_R(8)] = attr->eq;
	in[EHEA_R(9)] = FIELD_PREP(EHEA_QP_TOKEN, attr->token) |
			FIELD_PREP(EHEA_QP_PD, attr->pd);
	in[EHEA_R(10)] =
		FIELD_PREP(EHEA_QP_SIZE_SQ,
			   ehea_size_exp(attr->q[EHEA_SQ].entries)) |
		FIELD_PREP(EHEA_QP_SIZE_RQ1,
			   ehea_size_exp(attr->q[EHEA_RQ1].entries)) |
		FIELD_PREP(EHEA_QP_SIZE_RQ2,
			   ehea_size_exp(attr->q[EHEA_RQ2].entries)) |
		FIELD_PREP(EHEA_QP_SIZE_RQ3,
			   ehea_size_exp(attr->q[EHEA_RQ3].entries)) |
		FIELD_PREP(EHEA_QP_WQE_SQ, attr->q[EHEA_SQ].wqe_exp) |
		FIELD_PREP(EHEA_QP_WQE_RQ1, attr->q[EHEA_RQ1].wqe_exp) |
		FIELD_PREP(EHEA_QP_WQE_RQ2, attr->q[EHEA_RQ2].wqe_exp) |
		FIELD_PREP(EHEA_QP_WQE_RQ3, attr->q[EHEA_RQ3].wqe_exp);
	in[EHEA_R(11)] = FIELD_PREP(EHEA_QP_PORT, attr->port);
	in[EHEA_R(12)] = FIELD_PREP(EHEA_QP_THRESHOLD_RQ2,
				    attr->rq2_threshold) |
			 FIELD_PREP(EHEA_QP_THRESHOLD_RQ3,
				    attr->rq3_threshold);
	return 0;
}

/* Read the queues' actual sizes into @attr; @exp gets the WQE exponents. */
static void ehea_parse_qp_queues(const u64 *out, struct ehea_qp_attr *attr,
				 u8 *exp)
{
	u64 entries = out[EHEA_R(6)];
	u64 wqes = out[EHEA_R(7)];
	u64 sq_rq1 = out[EHEA_R(8)];
	u64 rq2_rq3 = out[EHEA_R(9)];

	attr->q[EHEA_SQ].entries = FIELD_GET(EHEA_QP_ACT_SQ, entries);
	attr->q[EHEA_RQ1].entries = FIELD_GET(EHEA_QP_ACT_RQ1, entries);
	attr->q[EHEA_RQ2].entries = FIELD_GET(EHEA_QP_ACT_RQ2, entries);
	attr->q[EHEA_RQ3].entries = FIELD_GET(EHEA_QP_ACT_RQ3, entries);

	exp[EHEA_SQ] = FIELD_GET(EHEA_QP_ACT_WQE_SQ, wqes);
	exp[EHEA_RQ1] = FIELD_GET(EHEA_QP_ACT_WQE_RQ1, wqes);
	exp[EHEA_RQ2] = FIELD_GET(EHEA_QP_ACT_WQE_RQ2, wqes);
	exp[EHEA_RQ3] = FIELD_GET(EHEA_QP_ACT_WQE_RQ3, wqes);

	attr->q[EHEA_SQ].pages = FIELD_GET(EHEA_QP_PAGES_EVEN, sq_rq1);
	attr->q[EHEA_RQ1].pages = FIELD_GET(EHEA_QP_PAGES_ODD, sq_rq1);
	attr->q[EHEA_RQ2].pages = FIELD_GET(EHEA_QP_PAGES_EVEN, rq2_rq3);
	attr->q[EHEA_RQ3].pages = FIELD_GET(EHEA_QP_PAGES_ODD, rq2_rq3);
}

/**
 * ehea_parse_qp - the queue pair that firmware allocated
 * @out: R4 to R12
 * @attr: outputs filled in; @attr->handle even if others are wrong
 *
 * A queue may have become smaller or larger than was asked for, within the
 * limits that all queues have. WQEs must be as large as asked for, since
 * the formats of &struct ehea_swqe and its like rely on it.
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 *
 * Return: 0 or -EPROTO.
 */
int ehea_parse_qp(const u64 *out, struct ehea_qp_attr *attr)
{
	u8 exp[EHEA_QP_QUEUES];
	int i;

	attr->handle = out[EHEA_R(4)];
	attr->number = out[EHEA_R(5)];
	attr->epa = out[EHEA_R(10)];
	ehea_parse_qp_queues(out, attr, exp);

	if (!attr->handle || !ehea_epa_is_sane(attr->epa) ||
	    !FIELD_FIT(EHEA_EQE_NUMBER, attr->number))
		return -EPROTO;

	for (i = 0; i < EHEA_QP_QUEUES; i++) {
		u64 slots = attr->q[i].entries + 1;
		u64 bytes = (u64)attr->q[i].pages * EHEA_PAGE_SIZE;

		/* No slot more than is used, or the ring would wrap late. */
		if (exp[i] != attr->q[i].wqe_exp ||
		    !ehea_entries_are_sane(i, attr->q[i].entries) ||
		    slots * (EHEA_WQE_UNIT << exp[i]) != bytes)
			return -EPROTO;
	}
	return 0;
}

/**
 * ehea_pack_mr - arguments that allocate a memory region
 * @in: R4 to R12
 * @bus: first bus address
 * @len: bytes
 * @pd: protection domain
 *
 * Fact: Documentation/hea-interface.rst section 3.3.
 */
void ehea_pack_mr(u64 *in, u64 bus, u64 len, u32 pd)
{
	in[EHEA_R(5)] = FIELD_PREP(EHEA_ALLOC_TYPE, EHEA_ALLOC_MR);
	in[EHEA_R(6)] = bus;
	in[EHEA_R(7)] = len;
	in[EHEA_R(8)] = FIELD_PREP(EHEA_MR_ACCESS, EHEA_MR_ACCESS_RW);
	in[EHEA_R(9)] = pd;
}

/**
 * ehea_pack_smr - arguments that register a shared memory region
 * @in: R4 to R12
 * @mr: handle of the memory region whose translations it shares
 * @bus: first bus address
 * @pd: protection domain
 *
 * Fact: Documentation/hea-interface.rst section 3.5.
 */
void ehea_pack_smr(u64 *in, u64 mr, u64 bus, u32 pd)
{
	in[EHEA_R(5)] = mr;
	in[EHEA_R(6)] = bus;
	in[EHEA_R(7)] = FIELD_PREP(EHEA_MR_ACCESS, EHEA_MR_ACCESS_RW);
	in[EHEA_R(8)] = pd;
}

/**
 * ehea_parse_mr - the memory region, or shared one, that firmware made
 * @out: R4 to R12
 * @handle: set to its handle
 * @lkey: set to its key
 *
 * Fact: Documentation/hea-interface.rst sections 3.3 and 3.5.
 *
 * Return: 0 or -EPROTO.
 */
int ehea_parse_mr(const u64 *out, u64 *handle, u32 *lkey)
{
	*handle = out[EHEA_R(4)];
	*lkey = out[EHEA_R(6)];

	return *handle ? 0 : -EPROTO;
}

/**
 * ehea_pack_rpages - arguments that give pages to a queue or region
 * @in: R4 to R12, of which R7 (address) and R8 (count) are the caller's
 * @handle: queue or region
 * @page_shift: 12, and for a region also 16, 20 or 24
 * @queue: which queue of a QP; EHEA_SQ for all else
 *
 * Fact: Documentation/hea-interface.rst section 3.4.
 *
 * Return: 0, or -EINVAL if there is no such page size.
 */
int ehea_pack_rpages(u64 *in, u64 handle, unsigned int page_shift,
		     enum ehea_qp_queue queue)
{
	if (page_shift < 12 || page_shift > 24 || page_shift % 4)
		return -EINVAL;

	/* 4 KiB, 64 KiB, 1 MiB, 16 MiB */
	in[EHEA_R(5)] = FIELD_PREP(EHEA_RPAGES_SIZE, (page_shift - 12) / 4) |
			FIELD_PREP(EHEA_RPAGES_QUEUE, queue);
	in[EHEA_R(6)] = handle;
	return 0;
}

/**
 * ehea_pack_port - arguments that name a control block of a port
 * @in: R4 to R12, of which R8 (address) is the caller's
 * @port: logical port number
 * @cb: which control block
 * @mask: selected fields
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 */
void ehea_pack_port(u64 *in, u16 port, enum ehea_port_cb cb, u64 mask)
{
	in[EHEA_R(5)] = FIELD_PREP(EHEA_PORT_CATEGORY, cb) |
			FIELD_PREP(EHEA_PORT_NUMBER, port);
	in[EHEA_R(6)] = mask;
}

/**
 * ehea_pack_bcmc - arguments that name a broadcast or multicast filter
 * @in: R4 to R12
 * @port: logical port number
 * @kind: EHEA_BCMC_* or'ed
 * @mac: address
 * @vlan: VLAN id
 *
 * Fact: Documentation/hea-interface.rst section 3.8.
 */
void ehea_pack_bcmc(u64 *in, u16 port, u8 kind, const u8 *mac, u16 vlan)
{
	in[EHEA_R(5)] = FIELD_PREP(EHEA_BCMC_PORT, port);
	in[EHEA_R(6)] = FIELD_PREP(EHEA_BCMC_KIND, kind);
	in[EHEA_R(7)] = FIELD_PREP(EHEA_BCMC_MAC, ether_addr_to_u64(mac));
	in[EHEA_R(8)] = FIELD_PREP(EHEA_BCMC_VLAN, vlan);
}

/**
 * ehea_pack_qp_control - control register of a QP, as H_MODIFY_HEA_QP sets it
 * @state: requested
 * @enabled: may the adapter touch the QP's queues?
 *
 * Fact: Documentation/hea-interface.rst section 3.5.
 *
 * Return: the register.
 */
u64 ehea_pack_qp_control(enum ehea_qp_state state, bool enabled)
{
	return FIELD_PREP(EHEA_QP_REQUESTED, state) |
	       FIELD_PREP(EHEA_QP_ENABLED, enabled);
}

/**
 * ehea_parse_qp_cb0 - control block 0 of a QP
 * @cb: as firmware wrote it
 * @status: filled in
 *
 * Fact: Documentation/hea-interface.rst section 3.5.
 */
void ehea_parse_qp_cb0(const struct ehea_qp_cb0 *cb,
		       struct ehea_qp_status *status)
{
	u64 control = be64_to_cpu(cb->control);

	status->enabled = FIELD_GET(EHEA_QP_ENABLED, control);
	status->state = FIELD_GET(EHEA_QP_STATE, control);
	status->aer = be64_to_cpu(cb->aer);
	status->sq_size = be32_to_cpu(cb->sq_size);
	status->rq_size = be32_to_cpu(cb->rq_size);
}

/**
 * ehea_parse_hea - the adapter's attributes
 * @cb: as firmware wrote it
 * @attr: filled in; numbers are firmware's, not checked
 *
 * Fact: Documentation/hea-interface.rst section 3.6.
 */
void ehea_parse_hea(const struct ehea_hea_cb *cb, struct ehea_hea_attr *attr)
{
	attr->mr_page_sizes = be32_to_cpu(cb->mr_page_sizes);
	/* Every adapter takes 4 KiB; one that tells nothing, only those. */
	attr->mr_page_sizes |= EHEA_MR_PAGES_4K;
	attr->max_mc = be64_to_cpu(cb->max_mc);
}

/**
 * ehea_parse_error - error report of a resource
 * @block: as firmware wrote it
 * @data: filled in
 *
 * Fact: Documentation/hea-interface.rst section 3.5.
 */
void ehea_parse_error(const struct ehea_error_block *block,
		      struct ehea_error_data *data)
{
	data->handle = be64_to_cpu(block->handle);
	data->type = FIELD_GET(EHEA_ERROR_TYPE, be64_to_cpu(block->type));
	data->aer = be64_to_cpu(block->aer);
	data->aerr = be64_to_cpu(block->aerr);
	data->port = be64_to_cpu(block->port);
}

/**
 * ehea_parse_port_cb0 - control block 0 of a port
 * @cb: as firmware wrote it
 * @attr: filled in; numbers are firmware's, not checked
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 */
void ehea_parse_port_cb0(const struct ehea_port_cb0 *cb,
			 struct ehea_port_attr *attr)
{
	u64_to_ether_addr(FIELD_GET(EHEA_CB0_MAC, be64_to_cpu(cb->mac)),
			  attr->mac);
	attr->oper_state = be32_to_cpu(cb->oper_state);
	attr->speed = be32_to_cpu(cb->speed);
	attr->ext_state = be32_to_cpu(cb->ext_state);
	attr->default_qps = be32_to_cpu(cb->default_qps);
}

/**
 * ehea_parse_counters - counters of control blocks 2 and 6
 * @from: as firmware wrote them
 * @to: @count numbers
 * @count: how many
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 */
void ehea_parse_counters(const __be64 *from, u64 *to, unsigned int count)
{
	while (count--)
		*to++ = be64_to_cpu(*from++);
}

/**
 * ehea_parse_port_cb4 - control block 4 of a port
 * @cb: as firmware wrote it
 * @link: filled in
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 */
void ehea_parse_port_cb4(const struct ehea_port_cb4 *cb,
			 struct ehea_port_link *link)
{
	link->pause = be32_to_cpu(cb->field[EHEA_CB4_PAUSE]);
	link->jumbo = be32_to_cpu(cb->field[EHEA_CB4_JUMBO]);
}

/**
 * ehea_pack_default_qps - table of default QPs in control block 0 of a port
 * @cb: of the port
 * @qpns: QP numbers
 * @count: how many
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 *
 * Return: 0, or -EINVAL if the table has no room for so many.
 */
int ehea_pack_default_qps(struct ehea_port_cb0 *cb, const u32 *qpns,
			  unsigned int count)
{
	unsigned int i;

	if (!count || count > ARRAY_SIZE(cb->qpn))
		return -EINVAL;

	for (i = 0; i < count; i++)
		cb->qpn[i] = cpu_to_be64(qpns[i]);
	return 0;
}

/**
 * ehea_pack_vlans - VLAN filter, control block 1 of a port
 * @cb: zeroed
 * @vlans: bitmap of EHEA_VLANS bits, 1 = let through
 *
 * IBM's bit 0 is the most significant one: VLAN 0 is the top bit of word 0.
 *
 * Fact: Documentation/hea-interface.rst section 3.7.
 */
void ehea_pack_vlans(struct ehea_port_cb1 *cb, const unsigned long *vlans)
{
	unsigned int vid;

	for_each_set_bit(vid, vlans, EHEA_VLANS)
		cb->vlans[vid / 64] |= cpu_to_be64(EHEA_BIT(vid % 64));
}
