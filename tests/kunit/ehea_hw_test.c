// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of the adapter's formats, and of the arguments, outputs and
 * control blocks of hypervisor calls.
 *
 * Expected numbers are written out, from Documentation/hea-interface.rst, and
 * not built with the masks under test.
 */

#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/hvcall.h>

#include "../../ehea_cb.h"
#include "../../ehea_hw.h"
#include "../../ehea_phyp.h"

/* Masks: each covers just the bits that the interface names. */

struct hw_mask {
	const char *name;
	u64 mask;
	unsigned int first;
	unsigned int last;
};

#define MASK(mask, first, last)	{ #mask, mask, first, last }

static const struct hw_mask hw_masks[] = {
	MASK(EHEA_BITS(0, 63), 0, 63),
	MASK(EHEA_BITS(40, 63), 40, 63),
	MASK(EHEA_BIT(0), 0, 0),
	MASK(EHEA_BIT(63), 63, 63),
	MASK(EHEA_EQE_VALID, 0, 0),
	MASK(EHEA_EQE_IS_CQE, 1, 1),
	MASK(EHEA_EQE_IDENTIFIER, 2, 7),
	MASK(EHEA_EQE_NUMBER, 8, 31),
	MASK(EHEA_EQE_TOKEN, 32, 63),
	MASK(EHEA_NEQE_CODE, 2, 7),
	MASK(EHEA_NEQE_PORT_UP, 16, 16),
	MASK(EHEA_NEQE_EXT_UP, 17, 17),
	MASK(EHEA_NEQE_PRIMARY, 18, 18),
	MASK(EHEA_NEQE_PORT, 32, 47),
	MASK(EHEA_EVENT_PORT_MALF, 61, 61),
	MASK(EHEA_EVENT_ADAPTER_MALF, 62, 62),
	MASK(EHEA_EVENT_PORT_STATE, 63, 63),
	MASK(EHEA_EVENT_ALL, 61, 63),
	MASK(EHEA_QP_ADDER, 48, 63),
	MASK(EHEA_CQ_FECA_COUNT, 32, 63),
	MASK(EHEA_CQ_N1_ARM, 0, 0),
	MASK(EHEA_QP_ENABLED, 0, 0),
	MASK(EHEA_QP_REQUESTED, 16, 23),
	MASK(EHEA_QP_STATE, 25, 31),
	MASK(EHEA_QP_CB0_CONTROL, 0, 0),
	MASK(EHEA_QP_CB0_ALL, 0, 5),
	MASK(EHEA_PORT_CB0_MAC, 0, 0),
	MASK(EHEA_PORT_CB0_RXC, 1, 1),
	MASK(EHEA_PORT_CB0_QPS, 7, 7),
	MASK(EHEA_PORT_CB0_ALL, 0, 7),
	MASK(EHEA_PORT_CB1_VLANS, 0, 0),
	MASK(EHEA_PORT_CB2_ALL, 0, 10),
	MASK(EHEA_PORT_CB4_FIELD(EHEA_CB4_SPEED), 0, 0),
	MASK(EHEA_PORT_CB4_FIELD(EHEA_CB4_PAUSE), 1, 1),
	MASK(EHEA_PORT_CB4_FIELD(EHEA_CB4_STATE), 2, 2),
	MASK(EHEA_PORT_CB4_FIELD(EHEA_CB4_JUMBO), 3, 3),
	MASK(EHEA_PORT_CB4_ALL, 0, 3),
	MASK(EHEA_PORT_CB7_QP, 0, 0),
	MASK(EHEA_CB0_MAC, 16, 63),
	MASK(EHEA_ERROR_TYPE, 0, 7),
	MASK(EHEA_RXC_VALID, 49, 49),
	MASK(EHEA_RXC_VLAN_EXTRACT, 50, 50),
	MASK(EHEA_RXC_TCP_6_TUPLE, 51, 51),
	MASK(EHEA_RXC_UDP_6_TUPLE, 52, 52),
	MASK(EHEA_RXC_TCP_3_TUPLE, 53, 53),
	MASK(EHEA_RXC_TCP_2_TUPLE, 54, 54),
	MASK(EHEA_RXC_LLC_SNAP, 55, 55),
	MASK(EHEA_RXC_JUMBO, 56, 56),
	MASK(EHEA_RXC_IP_FRAG, 57, 57),
	MASK(EHEA_RXC_L4_CSUM, 58, 58),
	MASK(EHEA_RXC_IP_CSUM, 59, 59),
	MASK(EHEA_RXC_MAC_FILTER, 60, 60),
	MASK(EHEA_RXC_UNTAG_FILTER, 61, 61),
	MASK(EHEA_RXC_VLAN_FILTER, 62, 63),
};

static void hw_mask_desc(const struct hw_mask *mask, char *desc)
{
	strscpy(desc, mask->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(hw_masks, hw_masks, hw_mask_desc);

static void hw_mask_covers_its_bits(struct kunit *test)
{
	const struct hw_mask *param = test->param_value;
	u64 top = 0x8000000000000000ULL;
	u64 expected = 0;
	unsigned int bit;

	for (bit = param->first; bit <= param->last; bit++)
		expected |= top >> bit;
	KUNIT_EXPECT_EQ(test, param->mask, expected);
}

static void hw_fields_survive_a_round_trip(struct kunit *test)
{
	u64 eqe = FIELD_PREP(EHEA_EQE_VALID, 1) |
		  FIELD_PREP(EHEA_EQE_IDENTIFIER, 0x2a) |
		  FIELD_PREP(EHEA_EQE_NUMBER, 0xabcdef) |
		  FIELD_PREP(EHEA_EQE_TOKEN, 0x12345678);
	u64 neqe = 0xb000c00012340000ULL;

	KUNIT_EXPECT_EQ(test, eqe, 0xaaabcdef12345678ULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_EQE_IDENTIFIER, eqe), 0x2aULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_EQE_NUMBER, eqe), 0xabcdefULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_EQE_TOKEN, eqe), 0x12345678ULL);

	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_NEQE_CODE, neqe),
			(u64)EHEA_NEQE_PORT_STATE);
	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_NEQE_PORT, neqe), 0x1234ULL);
	KUNIT_EXPECT_TRUE(test, neqe & EHEA_NEQE_PORT_UP);
	KUNIT_EXPECT_TRUE(test, neqe & EHEA_NEQE_EXT_UP);
	KUNIT_EXPECT_FALSE(test, neqe & EHEA_NEQE_PRIMARY);
}

static void hw_16_bit_masks_are_as_named(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_FCS, 0x8000UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_IP_CSUM, 0x4000UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_L4_CSUM, 0x2000UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_TSO, 0x1000UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_SIGNALLED, 0x0800UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_VLAN, 0x0400UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_IMM, 0x0200UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_SGL, 0x0100UL);
	KUNIT_EXPECT_EQ(test, EHEA_SWQE_PURGE, 0x0010UL);

	KUNIT_EXPECT_EQ(test, EHEA_CQE_TYPE_RQ, 0x60UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_VALID, 0x80UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_BLIND, 0x8000UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_RX_ERR, 0x700fUL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_L4_ERR, 0x4000UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_IP_ERR, 0x2000UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_FCS_ERR, 0x1000UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_VLAN, 0x0400UL);
	KUNIT_EXPECT_EQ(test, EHEA_CQE_TX_RESET, 0x0002UL);
}

static void hw_swqe_lies_as_the_adapter_reads_it(struct kunit *test)
{
	struct ehea_swqe *swqe;
	u8 *byte;

	swqe = kunit_kzalloc(test, sizeof(*swqe), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, swqe);
	byte = (u8 *)swqe;

	swqe->wr_id = cpu_to_be64(0x0102030405060708ULL);
	swqe->ctrl = cpu_to_be16(0x0910);
	swqe->vlan_tag = cpu_to_be16(0x1112);
	swqe->ip_start = 0x13;
	swqe->ip_end = 0x14;
	swqe->imm_len = 0x15;
	swqe->l4_csum = 0x16;
	swqe->sges = 0x17;
	swqe->mss = cpu_to_be16(0x1819);
	swqe->mixed.first.lkey = cpu_to_be32(0x1a1b1c1d);
	swqe->mixed.imm[0] = 0x1e;
	swqe->mixed.more[0].len = cpu_to_be32(0x1f202122);

	KUNIT_EXPECT_EQ(test, byte[0x00], 0x01);
	KUNIT_EXPECT_EQ(test, byte[0x07], 0x08);
	KUNIT_EXPECT_EQ(test, byte[0x08], 0x09);
	KUNIT_EXPECT_EQ(test, byte[0x0a], 0x11);
	KUNIT_EXPECT_EQ(test, byte[0x0d], 0x13);
	KUNIT_EXPECT_EQ(test, byte[0x0e], 0x14);
	KUNIT_EXPECT_EQ(test, byte[0x0f], 0x15);
	KUNIT_EXPECT_EQ(test, byte[0x10], 0x16);
	KUNIT_EXPECT_EQ(test, byte[0x15], 0x17);
	KUNIT_EXPECT_EQ(test, byte[0x1a], 0x18);
	KUNIT_EXPECT_EQ(test, byte[0x28], 0x1a);
	KUNIT_EXPECT_EQ(test, byte[0x30], 0x1e);
	KUNIT_EXPECT_EQ(test, byte[0xdc], 0x1f);
	KUNIT_EXPECT_EQ(test, sizeof(*swqe), (size_t)512);
}

static void hw_cqe_is_read_as_the_adapter_wrote_it(struct kunit *test)
{
	struct ehea_rq1_slot *slot;
	u8 *byte;

	slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	byte = (u8 *)slot;

	byte[0x07] = 0x01;
	byte[0x08] = 0x40;
	byte[0x09] = 0x80;
	byte[0x0b] = 0x02;
	byte[0x0f] = 0x03;
	byte[0x11] = 0x04;
	byte[0x15] = 0x05;
	byte[0x1f] = 0x06;
	byte[0x40] = 0x07;

	KUNIT_EXPECT_EQ(test, be64_to_cpu(slot->cqe.wr_id), 1ULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(EHEA_CQE_TYPE_RQ, slot->cqe.type),
			(unsigned long)EHEA_RQ2);
	KUNIT_EXPECT_TRUE(test, slot->cqe.valid & EHEA_CQE_VALID);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(slot->cqe.status), 2);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(slot->cqe.bytes), 3);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(slot->cqe.vlan_tag), 4);
	KUNIT_EXPECT_EQ(test, slot->cqe.header_len, 5);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(slot->cqe.qp_token), 6U);
	KUNIT_EXPECT_EQ(test, slot->data[0], 7);
	KUNIT_EXPECT_EQ(test, EHEA_RQ1_INLINE_MAX, 192);
}

static void hw_numbers_are_as_in_the_interface(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_10M_H, 1);
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_10M_F, 2);
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_100M_H, 3);
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_100M_F, 4);
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_1G_F, 6);
	KUNIT_EXPECT_EQ(test, (int)EHEA_SPEED_10G_F, 8);
	KUNIT_EXPECT_EQ(test, EHEA_RQ2_FRAME_MAX, 2048);
	KUNIT_EXPECT_EQ(test, EHEA_MR_PAGES_4K, 0x80000000UL);
	KUNIT_EXPECT_EQ(test, EHEA_MR_PAGES_64K, 0x40000000UL);
	KUNIT_EXPECT_EQ(test, EHEA_MR_PAGES_1M, 0x20000000UL);
	KUNIT_EXPECT_EQ(test, EHEA_MR_PAGES_16M, 0x10000000UL);
	KUNIT_EXPECT_EQ(test, EHEA_PORT_CB6_ALL, 0xfffffe7fffff8000ULL);
}

/* Status. */

struct hw_status {
	long status;
	int err;
};

static const struct hw_status hw_statuses[] = {
	{ H_SUCCESS, 0 },
	{ H_BUSY, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_1_MSEC, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_10_MSEC, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_100_MSEC, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_1_SEC, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_10_SEC, -ETIMEDOUT },
	{ H_LONG_BUSY_ORDER_100_SEC, -ETIMEDOUT },
	{ H_AUTHORITY, -EPERM },
	{ H_NO_MEM, -ENOSPC },
	{ H_RESOURCE, -ENOSPC },
	{ H_MCG_FULL, -ENOSPC },
	{ H_TABLE_FULL, -ENOSPC },
	{ H_NOT_ENOUGH_RESOURCES, -ENOSPC },
	{ H_R_STATE, -EBUSY },
	{ H_MR_CONDITION, -EBUSY },
	{ H_RH_PARM, -ENOENT },
	{ H_ADAPTER_PARM, -ENODEV },
	{ H_ALIAS_EXIST, -EEXIST },
	{ H_PARAMETER, -EINVAL },
	{ H_RCQ_PARM, -EINVAL },
	{ H_SCQ_PARM, -EINVAL },
	{ H_EQ_PARM, -EINVAL },
	{ H_RT_PARM, -EINVAL },
	{ H_ST_PARM, -EINVAL },
	{ H_SIGT_PARM, -EINVAL },
	{ H_TOKEN_PARM, -EINVAL },
	{ H_MLENGTH_PARM, -EINVAL },
	{ H_MEM_PARM, -EINVAL },
	{ H_MEM_ACCESS_PARM, -EINVAL },
	{ H_ATTR_PARM, -EINVAL },
	{ H_PORT_PARM, -EINVAL },
	{ H_MCG_PARM, -EINVAL },
	{ H_VL_PARM, -EINVAL },
	{ H_TSIZE_PARM, -EINVAL },
	{ H_TRACE_PARM, -EINVAL },
	{ H_MASK_PARM, -EINVAL },
	{ H_P2, -EINVAL },
	{ H_P9, -EINVAL },
	{ H_FUNCTION, -EOPNOTSUPP },
	{ H_HARDWARE, -EIO },
	{ H_DROPPED, -EIO },
	{ H_NOOP, -EIO },
	{ -9999, -EIO },
	{ LONG_MIN, -EIO },
	{ H_CLOSED, -EIO },
	{ H_CONSTRAINED, -EIO },
	{ H_IN_PROGRESS, -EIO },
	{ H_PAGE_REGISTERED, -EIO },
	{ H_LONG_BUSY_START_RANGE - 1, -EIO },
	{ H_LONG_BUSY_END_RANGE + 1, -EIO },
	{ LONG_MAX, -EIO },
};

static void hw_status_desc(const struct hw_status *status, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "status %ld", status->status);
}

KUNIT_ARRAY_PARAM(hw_statuses, hw_statuses, hw_status_desc);

static void hw_status_gets_its_errno(struct kunit *test)
{
	const struct hw_status *param = test->param_value;

	KUNIT_EXPECT_EQ(test, ehea_status_to_errno(param->status), param->err);
	KUNIT_EXPECT_EQ(test, ehea_status_is_later(param->status),
			param->err == -ETIMEDOUT);
}

static void hw_later_comes_with_a_hint(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(H_BUSY), 1U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9900), 1U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9901), 10U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9902), 100U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9903), 1000U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9904), 10000U);
	KUNIT_EXPECT_EQ(test, ehea_status_nap_ms(9905), 100000U);
}

/* Event and completion queues. */

static void hw_eq_is_asked_for(struct kunit *test)
{
	struct ehea_eq_attr attr = { .neq = true, .entries = 20 };
	u64 in[EHEA_REGS] = {};

	ehea_pack_eq(in, &attr);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x8100000000000003ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 20ULL);

	attr.neq = false;
	attr.silent = true;
	ehea_pack_eq(in, &attr);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0100800000000003ULL);
}

/* An EQ as firmware would describe it. */
static void hw_good_eq(u64 *out)
{
	out[EHEA_R(4)] = 0x1122334455667788ULL;
	out[EHEA_R(7)] = 512;
	out[EHEA_R(8)] = 1;
	out[EHEA_R(9)] = 0xffffff0000001010ULL;
}

static void hw_good_eq_is_taken(struct kunit *test)
{
	struct ehea_eq_attr attr = { .entries = 20 };
	u64 out[EHEA_REGS] = {};

	hw_good_eq(out);
	KUNIT_EXPECT_EQ(test, ehea_parse_eq(out, &attr), 0);
	KUNIT_EXPECT_EQ(test, attr.handle, 0x1122334455667788ULL);
	KUNIT_EXPECT_EQ(test, attr.entries, 512U);
	KUNIT_EXPECT_EQ(test, attr.pages, 1U);
	KUNIT_EXPECT_EQ(test, attr.ist, 0x1010U);
}

static void hw_good_cq(u64 *out)
{
	out[EHEA_R(4)] = 0x99;
	out[EHEA_R(7)] = 4095;
	out[EHEA_R(8)] = 64;
	out[EHEA_R(9)] = 0x100000003000ULL;
}

static void hw_cq_is_asked_for_and_taken(struct kunit *test)
{
	struct ehea_cq_attr attr = {
		.eq = 0x55,
		.token = 0x89abcdef,
		.entries = 4095,
	};
	u64 out[EHEA_REGS] = {};
	u64 in[EHEA_REGS] = {};

	ehea_pack_cq(in, &attr);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 2ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0x55ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0x89abcdefULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(8)], 4095ULL);

	hw_good_cq(out);
	KUNIT_EXPECT_EQ(test, ehea_parse_cq(out, &attr), 0);
	KUNIT_EXPECT_EQ(test, attr.handle, 0x99ULL);
	KUNIT_EXPECT_EQ(test, attr.pages, 64U);
	KUNIT_EXPECT_EQ(test, attr.epa, 0x100000003000ULL);
}

/* Queue pairs. */

static const struct ehea_qp_attr hw_qp = {
	.send_cq = 0x11,
	.recv_cq = 0x22,
	.eq = 0x33,
	.token = 0xaabbccdd,
	.pd = 0x01020304,
	.port = 0xfffe,
	.rq2_threshold = 1,
	.rq3_threshold = 4,
	.q = {
		[EHEA_SQ] = { .entries = 1023, .wqe_exp = 2 },
		[EHEA_RQ1] = { .entries = 4095, .wqe_exp = 1 },
		[EHEA_RQ2] = { .entries = 1023, .wqe_exp = 0 },
		[EHEA_RQ3] = { .entries = 511, .wqe_exp = 0 },
	},
};

static void hw_qp_is_asked_for(struct kunit *test)
{
	u64 in[EHEA_REGS] = {};

	KUNIT_EXPECT_EQ(test, ehea_pack_qp(in, &hw_qp), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0016410000000001ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0x11ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0x22ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(8)], 0x33ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(9)], 0xaabbccdd01020304ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(10)], 0x090b090802010000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(11)], 0xfffeULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(12)], 0x0001000400000000ULL);
}

static void hw_qp_sizes_are_2_to_the_n_less_1(struct kunit *test)
{
	static const u32 bad[] = { 0, 1, 63, 126, 128, 1022, 1024, 65535, ~0U };
	struct ehea_qp_attr attr;
	u64 in[EHEA_REGS] = {};
	unsigned int i;
	int q;

	for (q = 0; q < EHEA_QP_QUEUES; q++) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			attr = hw_qp;
			attr.q[q].entries = bad[i];
			KUNIT_EXPECT_EQ(test, ehea_pack_qp(in, &attr), -EINVAL);
		}
		attr = hw_qp;
		attr.q[q].wqe_exp = 8;
		KUNIT_EXPECT_EQ(test, ehea_pack_qp(in, &attr), -EINVAL);
	}
}

static void hw_qp_sizes_have_limits(struct kunit *test)
{
	struct ehea_qp_attr attr = hw_qp;
	u64 in[EHEA_REGS] = {};

	attr.q[EHEA_SQ].entries = 32767;
	attr.q[EHEA_RQ1].entries = 127;
	attr.q[EHEA_RQ2].entries = 16383;
	attr.q[EHEA_RQ3].entries = 16383;
	KUNIT_EXPECT_EQ(test, ehea_pack_qp(in, &attr), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(10)], 0x0e060d0d02010000ULL);

	attr.q[EHEA_RQ2].entries = 32767;
	KUNIT_EXPECT_EQ(test, ehea_pack_qp(in, &attr), -EINVAL);
}

static void hw_good_qp(u64 *out)
{
	out[EHEA_R(4)] = 0x77;
	out[EHEA_R(5)] = 0xabcdef;
	out[EHEA_R(6)] = 0x03ff0fff03ff01ffULL;
	out[EHEA_R(7)] = 0x0201000000000000ULL;
	out[EHEA_R(8)] = 0x0000008000000100ULL;
	out[EHEA_R(9)] = 0x0000002000000010ULL;
	out[EHEA_R(10)] = 0x100000001000ULL;
}

static void hw_good_qp_is_taken(struct kunit *test)
{
	struct ehea_qp_attr attr = hw_qp;
	u64 out[EHEA_REGS] = {};

	hw_good_qp(out);
	KUNIT_EXPECT_EQ(test, ehea_parse_qp(out, &attr), 0);
	KUNIT_EXPECT_EQ(test, attr.handle, 0x77ULL);
	KUNIT_EXPECT_EQ(test, attr.number, 0xabcdefU);
	KUNIT_EXPECT_EQ(test, attr.epa, 0x100000001000ULL);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_SQ].entries, 1023U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ1].entries, 4095U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ2].entries, 1023U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ3].entries, 511U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_SQ].pages, 128U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ1].pages, 256U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ2].pages, 32U);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_RQ3].pages, 16U);
}

static void hw_constrained_qp_is_taken(struct kunit *test)
{
	struct ehea_qp_attr attr = hw_qp;
	u64 out[EHEA_REGS] = {};

	hw_good_qp(out);
	out[EHEA_R(6)] = 0x007f0fff03ff01ffULL;
	out[EHEA_R(8)] = 0x0000001000000100ULL;
	KUNIT_EXPECT_EQ(test, ehea_parse_qp(out, &attr), 0);
	KUNIT_EXPECT_EQ(test, attr.q[EHEA_SQ].entries, 127U);
}

/* Answers that cannot be right: a good one with one register changed. */

enum hw_kind { HW_EQ, HW_CQ, HW_QP };

struct hw_bad_answer {
	const char *what;
	enum hw_kind kind;
	unsigned int reg;
	u64 value;
};

static const struct hw_bad_answer hw_bad_answers[] = {
	{ "EQ without handle", HW_EQ, 4, 0 },
	{ "EQ without entries", HW_EQ, 7, 0 },
	{ "EQ of more entries than its pages hold", HW_EQ, 7, 513 },
	{ "EQ of 2^32 - 1 entries", HW_EQ, 7, 0xffffffff },
	{ "EQ without pages", HW_EQ, 8, 0 },
	{ "EQ of too many pages", HW_EQ, 8, 4097 },
	{ "EQ of 2^32 - 1 pages", HW_EQ, 8, 0xffffffff },
	{ "EQ without interrupt", HW_EQ, 9, 0xffffff0000000000ULL },
	{ "CQ without handle", HW_CQ, 4, 0 },
	{ "CQ without entries", HW_CQ, 7, 0 },
	{ "CQ of more entries than its pages hold", HW_CQ, 7, 4097 },
	{ "CQ without pages", HW_CQ, 8, 0 },
	{ "CQ of too many pages", HW_CQ, 8, 0x10000 },
	{ "CQ without register page", HW_CQ, 9, 0 },
	{ "CQ with half a register page", HW_CQ, 9, 0x100000003800ULL },
	{ "QP without handle", HW_QP, 4, 0 },
	{ "QP number of 25 bits", HW_QP, 5, 0x1000000 },
	{ "SQ without entries", HW_QP, 6, 0x00000fff03ff01ffULL },
	{ "SQ of 1024 entries", HW_QP, 6, 0x04000fff03ff01ffULL },
	{ "SQ of 63 entries", HW_QP, 6, 0x003f0fff03ff01ffULL },
	{ "RQ1 of 65535 entries", HW_QP, 6, 0x03ffffff03ff01ffULL },
	{ "RQ2 of 32767 entries", HW_QP, 6, 0x03ff0fff7fff01ffULL },
	{ "RQ3 of 510 entries", HW_QP, 6, 0x03ff0fff03ff01feULL },
	{ "SQ of larger WQEs", HW_QP, 7, 0x0301000000000000ULL },
	{ "RQ1 of smaller slots", HW_QP, 7, 0x0200000000000000ULL },
	{ "RQ2 of WQEs of 128 << 255", HW_QP, 7, 0x0201ff0000000000ULL },
	{ "RQ3 of larger WQEs", HW_QP, 7, 0x0201000100000000ULL },
	{ "SQ without pages", HW_QP, 8, 0x0000000000000100ULL },
	{ "SQ of a page less", HW_QP, 8, 0x0000007f00000100ULL },
	{ "SQ of a page more", HW_QP, 8, 0x0000008100000100ULL },
	{ "RQ1 of 2^32 - 1 pages", HW_QP, 8, 0x00000080ffffffffULL },
	{ "RQ2 of a page less", HW_QP, 9, 0x0000001f00000010ULL },
	{ "RQ3 without pages", HW_QP, 9, 0x0000002000000000ULL },
	{ "QP without register page", HW_QP, 10, 0 },
	{ "QP with half a register page", HW_QP, 10, 0x100000001008ULL },
};

static void hw_bad_answer_desc(const struct hw_bad_answer *bad, char *desc)
{
	strscpy(desc, bad->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(hw_bad_answers, hw_bad_answers, hw_bad_answer_desc);

static void hw_bad_answer_is_refused(struct kunit *test)
{
	const struct hw_bad_answer *bad = test->param_value;
	struct ehea_qp_attr qp = hw_qp;
	u64 out[EHEA_REGS] = {};
	struct ehea_eq_attr eq;
	struct ehea_cq_attr cq;
	int err = 0;

	switch (bad->kind) {
	case HW_EQ:
		hw_good_eq(out);
		out[EHEA_R(bad->reg)] = bad->value;
		err = ehea_parse_eq(out, &eq);
		break;
	case HW_CQ:
		hw_good_cq(out);
		out[EHEA_R(bad->reg)] = bad->value;
		err = ehea_parse_cq(out, &cq);
		break;
	case HW_QP:
		hw_good_qp(out);
		out[EHEA_R(bad->reg)] = bad->value;
		err = ehea_parse_qp(out, &qp);
		break;
	}
	KUNIT_EXPECT_EQ(test, err, -EPROTO);
}

/* Regions and pages. */

static void hw_regions_are_asked_for(struct kunit *test)
{
	u64 in[EHEA_REGS] = {};

	ehea_pack_mr(in, 0x8000000000000000ULL, 0x1000000, 0xcafe);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 5ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0x8000000000000000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0x1000000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(8)], 0x0080000000000000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(9)], 0xcafeULL);

	memset(in, 0, sizeof(in));
	ehea_pack_smr(in, 0x44, 0x8000000000000000ULL, 0xcafe);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x44ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0x8000000000000000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0x0080000000000000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(8)], 0xcafeULL);
}

static void hw_region_has_a_handle(struct kunit *test)
{
	u64 out[EHEA_REGS] = {};
	u64 handle;
	u32 lkey;

	out[EHEA_R(4)] = 0x1234567890ULL;
	out[EHEA_R(6)] = 0x87654321;
	KUNIT_EXPECT_EQ(test, ehea_parse_mr(out, &handle, &lkey), 0);
	KUNIT_EXPECT_EQ(test, handle, 0x1234567890ULL);
	KUNIT_EXPECT_EQ(test, lkey, 0x87654321U);

	out[EHEA_R(4)] = 0;
	KUNIT_EXPECT_EQ(test, ehea_parse_mr(out, &handle, &lkey), -EPROTO);
}

static void hw_page_sizes_are_four(struct kunit *test)
{
	unsigned int taken = 0;
	u64 in[EHEA_REGS];
	unsigned int i;

	for (i = 0; i < 64; i++)
		taken += !ehea_pack_rpages(in, 1, i, EHEA_SQ);
	KUNIT_EXPECT_EQ(test, taken, 4U);

	KUNIT_EXPECT_EQ(test, ehea_pack_rpages(in, 0x66, 12, EHEA_RQ3), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0003ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0x66ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_rpages(in, 1, 16, EHEA_SQ), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0100ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_rpages(in, 1, 20, EHEA_SQ), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0200ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_rpages(in, 1, 24, EHEA_SQ), 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x0300ULL);
}

/* State of a QP, errors, attributes of the adapter. */

static void hw_qp_state_is_requested_and_read(struct kunit *test)
{
	struct ehea_qp_cb0 cb = {
		.control = cpu_to_be64(0x8000000500000000ULL),
		.sq_size = cpu_to_be32(1),
		.rq_size = cpu_to_be32(2),
		.aer = cpu_to_be64(3),
	};
	struct ehea_qp_status status;

	KUNIT_EXPECT_EQ(test, ehea_pack_qp_control(EHEA_QP_READY_SEND, true),
			0x8000050000000000ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_qp_control(EHEA_QP_INITIALIZED, false),
			0x0000020000000000ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_qp_control(EHEA_QP_ERROR, false),
			0x0000800000000000ULL);

	ehea_parse_qp_cb0(&cb, &status);
	KUNIT_EXPECT_TRUE(test, status.enabled);
	KUNIT_EXPECT_EQ(test, (int)status.state, (int)EHEA_QP_READY_SEND);
	KUNIT_EXPECT_EQ(test, status.sq_size, 1U);
	KUNIT_EXPECT_EQ(test, status.rq_size, 2U);
	KUNIT_EXPECT_EQ(test, status.aer, 3ULL);

	/* What was requested is not the state that it is in. */
	cb.control = cpu_to_be64(0x0000050000000000ULL);
	ehea_parse_qp_cb0(&cb, &status);
	KUNIT_EXPECT_FALSE(test, status.enabled);
	KUNIT_EXPECT_EQ(test, (int)status.state, 0);
}

static void hw_error_report_is_read(struct kunit *test)
{
	union {
		struct ehea_error_block block;
		__be64 word[23];
	} u = {};
	struct ehea_error_data data;

	u.word[1] = cpu_to_be64(0x101);
	u.word[2] = cpu_to_be64(0x0800000000000000ULL);
	u.word[6] = cpu_to_be64(0x106);
	u.word[12] = cpu_to_be64(0x10c);
	u.word[22] = cpu_to_be64(0x116);
	ehea_parse_error(&u.block, &data);
	KUNIT_EXPECT_EQ(test, data.handle, 0x101ULL);
	KUNIT_EXPECT_EQ(test, (int)data.type, 8);
	KUNIT_EXPECT_EQ(test, data.aer, 0x106ULL);
	KUNIT_EXPECT_EQ(test, data.aerr, 0x10cULL);
	KUNIT_EXPECT_EQ(test, data.port, 0x116ULL);
}

static void hw_adapter_attributes_are_read(struct kunit *test)
{
	union {
		struct ehea_hea_cb cb;
		__be32 word[38];
	} u;
	struct ehea_hea_attr attr;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(u.word); i++)
		u.word[i] = cpu_to_be32(i);
	u.word[18] = cpu_to_be32(0xb0000000);
	ehea_parse_hea(&u.cb, &attr);
	KUNIT_EXPECT_EQ(test, attr.mr_page_sizes, 0xb0000000U);
	KUNIT_EXPECT_EQ(test, attr.max_mc, 0x0000001c0000001dULL);

	u.word[18] = 0;
	ehea_parse_hea(&u.cb, &attr);
	KUNIT_EXPECT_EQ(test, attr.mr_page_sizes, 0x80000000U);
}

/* Ports. */

static void hw_port_block_is_named(struct kunit *test)
{
	u64 in[EHEA_REGS] = {};

	ehea_pack_port(in, 0x1234, EHEA_PORT_CB6, 0xfffffe7fffff8000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0x61234ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 0xfffffe7fffff8000ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0ULL);
}

static void hw_port_state_is_read(struct kunit *test)
{
	static const u8 mac[ETH_ALEN] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	union {
		struct ehea_port_cb0 cb;
		__be32 word[44];
	} u;
	struct ehea_port_attr attr;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(u.word); i++)
		u.word[i] = cpu_to_be32(i);
	u.word[0] = cpu_to_be32(0xffff5254);
	u.word[1] = cpu_to_be32(0x00123456);
	ehea_parse_port_cb0(&u.cb, &attr);
	KUNIT_EXPECT_TRUE(test, ether_addr_equal(attr.mac, mac));
	KUNIT_EXPECT_EQ(test, attr.oper_state, 6U);
	KUNIT_EXPECT_EQ(test, attr.speed, 7U);
	KUNIT_EXPECT_EQ(test, attr.ext_state, 8U);
	KUNIT_EXPECT_EQ(test, attr.default_qps, 10U);
}

static void hw_default_qps_have_room_for_16(struct kunit *test)
{
	struct ehea_port_cb0 cb = {};
	u32 qpns[17];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(qpns); i++)
		qpns[i] = 0xffffff00 + i;
	KUNIT_EXPECT_EQ(test, ehea_pack_default_qps(&cb, qpns, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ehea_pack_default_qps(&cb, qpns, 17), -EINVAL);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(cb.qpn[0]), 0ULL);
	KUNIT_EXPECT_EQ(test, ehea_pack_default_qps(&cb, qpns, 16), 0);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, be64_to_cpu(cb.qpn[i]),
				0xffffff00ULL + i);
}

static void hw_vlans_count_from_the_top_bit(struct kunit *test)
{
	unsigned long *vlans;
	struct ehea_port_cb1 *cb;

	vlans = kunit_kzalloc(test, EHEA_VLANS / 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vlans);
	cb = kunit_kzalloc(test, sizeof(*cb), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cb);

	__set_bit(0, vlans);
	__set_bit(63, vlans);
	__set_bit(64, vlans);
	__set_bit(100, vlans);
	__set_bit(4095, vlans);
	ehea_pack_vlans(cb, vlans);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(cb->vlans[0]), 0x8000000000000001ULL);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(cb->vlans[1]), 0x8000000008000000ULL);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(cb->vlans[2]), 0ULL);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(cb->vlans[63]), 1ULL);
}

static void hw_link_settings_are_read(struct kunit *test)
{
	struct ehea_port_cb4 cb = {
		.field = { cpu_to_be32(8), cpu_to_be32(1), cpu_to_be32(2),
			   cpu_to_be32(3), cpu_to_be32(4) },
	};
	struct ehea_port_link link;

	ehea_parse_port_cb4(&cb, &link);
	KUNIT_EXPECT_EQ(test, link.pause, 1U);
	KUNIT_EXPECT_EQ(test, link.jumbo, 3U);
}

static void hw_counters_are_read(struct kunit *test)
{
	struct ehea_port_cb2 cb = {};
	u64 counters[EHEA_CB2_COUNTERS] = {};

	cb.counter[0] = cpu_to_be64(0x0123456789abcdefULL);
	cb.counter[10] = cpu_to_be64(10);
	ehea_parse_counters(cb.counter, counters, EHEA_CB2_COUNTERS);
	KUNIT_EXPECT_EQ(test, counters[EHEA_CB2_RX_OCTETS],
			0x0123456789abcdefULL);
	KUNIT_EXPECT_EQ(test, counters[EHEA_CB2_TX_BCAST], 10ULL);
	KUNIT_EXPECT_EQ(test, sizeof(struct ehea_port_cb6), (size_t)(8 * 49));
}

static void hw_filter_is_named(struct kunit *test)
{
	static const u8 mac[ETH_ALEN] = { 0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa };
	u64 in[EHEA_REGS] = {};

	ehea_pack_bcmc(in, 0xabcd, EHEA_BCMC_MULTICAST | EHEA_BCMC_UNTAGGED,
		       mac, 0xfff);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(5)], 0xabcdULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 6ULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(7)], 0x000001005e7ffffaULL);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(8)], 0xfffULL);

	ehea_pack_bcmc(in, 1, EHEA_BCMC_ALL | EHEA_BCMC_MULTICAST |
		       EHEA_BCMC_ANY_VLAN, mac, 0);
	KUNIT_EXPECT_EQ(test, in[EHEA_R(6)], 13ULL);
}

static struct kunit_case hw_test_cases[] = {
	KUNIT_CASE_PARAM(hw_mask_covers_its_bits, hw_masks_gen_params),
	KUNIT_CASE(hw_fields_survive_a_round_trip),
	KUNIT_CASE(hw_16_bit_masks_are_as_named),
	KUNIT_CASE(hw_swqe_lies_as_the_adapter_reads_it),
	KUNIT_CASE(hw_cqe_is_read_as_the_adapter_wrote_it),
	KUNIT_CASE(hw_numbers_are_as_in_the_interface),
	KUNIT_CASE_PARAM(hw_status_gets_its_errno, hw_statuses_gen_params),
	KUNIT_CASE(hw_later_comes_with_a_hint),
	KUNIT_CASE(hw_eq_is_asked_for),
	KUNIT_CASE(hw_good_eq_is_taken),
	KUNIT_CASE(hw_cq_is_asked_for_and_taken),
	KUNIT_CASE(hw_qp_is_asked_for),
	KUNIT_CASE(hw_qp_sizes_are_2_to_the_n_less_1),
	KUNIT_CASE(hw_qp_sizes_have_limits),
	KUNIT_CASE(hw_good_qp_is_taken),
	KUNIT_CASE(hw_constrained_qp_is_taken),
	KUNIT_CASE_PARAM(hw_bad_answer_is_refused, hw_bad_answers_gen_params),
	KUNIT_CASE(hw_regions_are_asked_for),
	KUNIT_CASE(hw_region_has_a_handle),
	KUNIT_CASE(hw_page_sizes_are_four),
	KUNIT_CASE(hw_qp_state_is_requested_and_read),
	KUNIT_CASE(hw_error_report_is_read),
	KUNIT_CASE(hw_adapter_attributes_are_read),
	KUNIT_CASE(hw_port_block_is_named),
	KUNIT_CASE(hw_port_state_is_read),
	KUNIT_CASE(hw_default_qps_have_room_for_16),
	KUNIT_CASE(hw_vlans_count_from_the_top_bit),
	KUNIT_CASE(hw_link_settings_are_read),
	KUNIT_CASE(hw_counters_are_read),
	KUNIT_CASE(hw_filter_is_named),
	{}
};

static struct kunit_suite hw_test_suite = {
	.name = "ehea_hw",
	.test_cases = hw_test_cases,
};

kunit_test_suite(hw_test_suite);
