/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): what the adapter reads and writes in memory
 * and in its register pages. Nothing but this file, ehea_cb.h and ehea_phyp.c
 * knows an offset. The facts stand in Documentation/hea-interface.rst.
 */
#ifndef EHEA_HW_H
#define EHEA_HW_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/* IBM numbers the bits of a 64-bit word from the most significant one. */
#define EHEA_BITS(first, last)	GENMASK_ULL(63 - (first), 63 - (last))
#define EHEA_BIT(nr)		BIT_ULL(63 - (nr))

/* Pages of queues, control blocks and register pages, whatever the kernel's. */
#define EHEA_PAGE_SHIFT		12
#define EHEA_PAGE_SIZE		BIT(EHEA_PAGE_SHIFT)

/* The customary first bus address of a memory region. */
#define EHEA_BUS_START		0x8000000000000000ULL

/* Most QPs that a port spreads its flows over: CB0 has room for 16. */
#define EHEA_MAX_QPS		16

/* A queue has 2^n - 1 usable entries. */
#define EHEA_MIN_ENTRIES	127
#define EHEA_MAX_ENTRIES_SQ	32767
#define EHEA_MAX_ENTRIES_RQ1	32767
#define EHEA_MAX_ENTRIES_RQ2	16383
#define EHEA_MAX_ENTRIES_RQ3	16383

/* Queues of a QP, as H_REGISTER_HEA_RPAGES and the CQE type number them. */
enum ehea_qp_queue {
	EHEA_SQ,
	EHEA_RQ1,
	EHEA_RQ2,
	EHEA_RQ3,
	EHEA_QP_QUEUES,
};

/* Scatter/gather descriptor. */
struct ehea_sge {
	__be64 addr;			/* bus address in the MR */
	__be32 lkey;
	__be32 len;
};

static_assert(sizeof(struct ehea_sge) == 16);

/* Send WQE. */
#define EHEA_SWQE_SIZE		512
#define EHEA_SWQE_IMM_MAX	224	/* immediate data only */
#define EHEA_SWQE_MIXED_IMM_MAX	160	/* immediate data before descriptors */
#define EHEA_SWQE_MIXED_SGES	20
#define EHEA_SWQE_SGES		30	/* descriptors only */

#define EHEA_SWQE_FCS		BIT(15)	/* append the frame check sequence */
#define EHEA_SWQE_IP_CSUM	BIT(14)
#define EHEA_SWQE_L4_CSUM	BIT(13)
#define EHEA_SWQE_TSO		BIT(12)
#define EHEA_SWQE_SIGNALLED	BIT(11)	/* completes with a CQE */
#define EHEA_SWQE_VLAN		BIT(10)	/* insert the tag */
#define EHEA_SWQE_IMM		BIT(9)
#define EHEA_SWQE_SGL		BIT(8)
#define EHEA_SWQE_PURGE		BIT(4)	/* completes without being sent */

struct ehea_swqe {
	__be64 wr_id;
	__be16 ctrl;
	__be16 vlan_tag;
	u8 reserved0;
	u8 ip_start;			/* first and last byte of the IP */
	u8 ip_end;			/* header, from the frame's start */
	u8 imm_len;
	u8 l4_csum;			/* TCP/UDP checksum field, likewise */
	u8 reserved1[4];
	u8 sges;
	u8 reserved2[4];
	__be16 mss;
	u8 reserved3[4];
	union {
		struct ehea_sge sge[EHEA_SWQE_SGES];
		u8 imm[EHEA_SWQE_IMM_MAX];
		struct {
			struct ehea_sge first;
			u8 imm[EHEA_SWQE_MIXED_IMM_MAX];
			struct ehea_sge more[EHEA_SWQE_MIXED_SGES - 1];
		} mixed;
	};
};

static_assert(sizeof(struct ehea_swqe) == EHEA_SWQE_SIZE);
static_assert(offsetof(struct ehea_swqe, ctrl) == 0x08);
static_assert(offsetof(struct ehea_swqe, ip_start) == 0x0d);
static_assert(offsetof(struct ehea_swqe, imm_len) == 0x0f);
static_assert(offsetof(struct ehea_swqe, l4_csum) == 0x10);
static_assert(offsetof(struct ehea_swqe, sges) == 0x15);
static_assert(offsetof(struct ehea_swqe, mss) == 0x1a);
static_assert(offsetof(struct ehea_swqe, sge) == 0x20);
static_assert(offsetof(struct ehea_swqe, mixed.imm) == 0x30);
static_assert(offsetof(struct ehea_swqe, mixed.more) == 0xd0);

/* Receive WQE of RQ2 and RQ3. */
#define EHEA_RWQE_SIZE		128
#define EHEA_RWQE_SGES		6

struct ehea_rwqe {
	__be64 wr_id;
	u8 reserved0[5];
	u8 sges;
	u8 reserved1[18];
	struct ehea_sge sge[EHEA_RWQE_SGES];
};

static_assert(sizeof(struct ehea_rwqe) == EHEA_RWQE_SIZE);
static_assert(offsetof(struct ehea_rwqe, sges) == 0x0d);
static_assert(offsetof(struct ehea_rwqe, sge) == 0x20);

/* Completion queue entry. */
#define EHEA_CQE_SIZE		64
#define EHEA_CQE_TYPE_RQ	GENMASK(6, 5)
#define EHEA_CQE_VALID		BIT(7)

/* The word of type, valid bit and status, to be read at once. */
#define EHEA_CQE_HEAD_RQ	GENMASK(30, 29)
#define EHEA_CQE_HEAD_VALID	BIT(23)

#define EHEA_CQE_BLIND		BIT(15)	/* checksum field holds the sum */
#define EHEA_CQE_L4_ERR		BIT(14)
#define EHEA_CQE_IP_ERR		BIT(13)
#define EHEA_CQE_FCS_ERR	BIT(12)
#define EHEA_CQE_VLAN		BIT(10)	/* tag extracted */
#define EHEA_CQE_FATAL		GENMASK(3, 0)
#define EHEA_CQE_RX_ERR		(EHEA_CQE_L4_ERR | EHEA_CQE_IP_ERR | \
				 EHEA_CQE_FCS_ERR | EHEA_CQE_FATAL)
#define EHEA_CQE_TX_RESET	BIT(1)	/* of a send: reset the port */

struct ehea_cqe {
	__be64 wr_id;
	union {
		struct {
			u8 type;
			u8 valid;
			__be16 status;
		};
		__be32 head;
	};
	u8 reserved0[2];
	__be16 bytes;			/* of a receive: with the FCS */
	__be16 vlan_tag;
	__sum16 csum;
	u8 reserved1;
	u8 header_len;
	u8 reserved2[2];
	__be16 page_offset;
	__be16 wqe_count;
	__be32 qp_token;
	__be32 timestamp;
	u8 reserved3[0x1c];
};

static_assert(sizeof(struct ehea_cqe) == EHEA_CQE_SIZE);
static_assert(offsetof(struct ehea_cqe, head) == 0x08);
static_assert(offsetof(struct ehea_cqe, status) == 0x0a);
static_assert(offsetof(struct ehea_cqe, bytes) == 0x0e);
static_assert(offsetof(struct ehea_cqe, csum) == 0x12);
static_assert(offsetof(struct ehea_cqe, header_len) == 0x15);
static_assert(offsetof(struct ehea_cqe, page_offset) == 0x18);
static_assert(offsetof(struct ehea_cqe, qp_token) == 0x1c);

/*
 * Slot of RQ1: every receive completion of the QP, in order, with a frame
 * that fits right behind it.
 */
#define EHEA_RQ1_SLOT_SIZE	256
#define EHEA_RQ1_INLINE_MAX	(EHEA_RQ1_SLOT_SIZE - EHEA_CQE_SIZE)

struct ehea_rq1_slot {
	struct ehea_cqe cqe;
	u8 data[EHEA_RQ1_INLINE_MAX];
};

static_assert(sizeof(struct ehea_rq1_slot) == EHEA_RQ1_SLOT_SIZE);

/* Threshold t of RQ2 and RQ3 means 128 << t bytes. */
#define EHEA_RQ2_THRESHOLD	1	/* from 256 bytes */
#define EHEA_RQ3_THRESHOLD	4	/* from 2048 bytes */
#define EHEA_RQ2_FRAME_MAX	(128 << EHEA_RQ3_THRESHOLD)

/* Event queue entry. */
#define EHEA_EQE_VALID		EHEA_BIT(0)
#define EHEA_EQE_IS_CQE		EHEA_BIT(1)
#define EHEA_EQE_IDENTIFIER	EHEA_BITS(2, 7)
#define EHEA_EQE_NUMBER		EHEA_BITS(8, 31)
#define EHEA_EQE_TOKEN		EHEA_BITS(32, 63)

/* Entry of the notification event queue. */
#define EHEA_NEQE_CODE		EHEA_BITS(2, 7)
#define EHEA_NEQE_PORT_UP	EHEA_BIT(16)
#define EHEA_NEQE_EXT_UP	EHEA_BIT(17)
#define EHEA_NEQE_PRIMARY	EHEA_BIT(18)
#define EHEA_NEQE_PORT		EHEA_BITS(32, 47)

enum ehea_neqe_code {
	EHEA_NEQE_PORT_STATE	= 0x30,
	EHEA_NEQE_ADAPTER_MALF	= 0x32,
	EHEA_NEQE_PORT_MALF	= 0x33,
};

/* H_RESET_EVENTS: the kinds of NEQ entries. */
#define EHEA_EVENT_PORT_MALF	EHEA_BIT(61)
#define EHEA_EVENT_ADAPTER_MALF	EHEA_BIT(62)
#define EHEA_EVENT_PORT_STATE	EHEA_BIT(63)
#define EHEA_EVENT_ALL		(EHEA_EVENT_PORT_MALF | \
				 EHEA_EVENT_ADAPTER_MALF | \
				 EHEA_EVENT_PORT_STATE)

/* Register page of a QP. */
#define EHEA_QP_AER		0x018
#define EHEA_QP_SQA		0x020
#define EHEA_QP_RQ1A		0x030
#define EHEA_QP_AERR		0x048
#define EHEA_QP_SQ_HEAD		0x108
#define EHEA_QP_SQ_TAIL		0x110
#define EHEA_QP_RQ1_HEAD	0x1c0
#define EHEA_QP_RQ1_TAIL	0x1c8
#define EHEA_QP_RQ2A		0x300
#define EHEA_QP_RQ3A		0x338
#define EHEA_QP_ADDER		EHEA_BITS(48, 63)

/* Register page of a CQ. */
#define EHEA_CQ_FECA		0x038
#define EHEA_CQ_FECA_COUNT	EHEA_BITS(32, 63)
#define EHEA_CQ_EP		0x040
#define EHEA_CQ_N1		0x060
#define EHEA_CQ_N1_ARM		EHEA_BIT(0)

#endif /* EHEA_HW_H */
