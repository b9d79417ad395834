/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): arguments, outputs and control blocks of the
 * hypervisor calls. Pure packing, parsing and checking: nothing here makes a
 * call, sleeps or allocates. Facts: Documentation/hea-interface.rst, section 3.
 */
#ifndef EHEA_CB_H
#define EHEA_CB_H

#include <linux/types.h>

#include "ehea_hw.h"
#include "ehea_phyp.h"

/* Arguments are R4 to R12, and so are outputs; index of register @n. */
#define EHEA_REGS		9
#define EHEA_R(n)		((n) - 4)

/* Most pages that a queue has: 32768 WQEs of 512 bytes. */
#define EHEA_MAX_QUEUE_PAGES	4096

/* H_QUERY_HEA_QP, H_MODIFY_HEA_QP: mask bit n selects field n. */
#define EHEA_QP_CB0_CONTROL	EHEA_BIT(0)
#define EHEA_QP_CB0_ALL		EHEA_BITS(0, 5)

#define EHEA_QP_ENABLED		EHEA_BIT(0)
#define EHEA_QP_REQUESTED	EHEA_BITS(16, 23)
#define EHEA_QP_STATE		EHEA_BITS(25, 31)

struct ehea_qp_cb0 {
	__be64 control;
	__be32 sq_size;
	__be32 rq_size;
	__be32 port;
	__be32 reserved0;
	__be64 aer;
	__be64 tenure;
};

static_assert(sizeof(struct ehea_qp_cb0) == 0x28);
static_assert(offsetof(struct ehea_qp_cb0, port) == 0x10);
static_assert(offsetof(struct ehea_qp_cb0, aer) == 0x18);

/* H_QUERY_HEA. */
struct ehea_hea_cb {
	__be32 used_qps;
	__be32 used_cqs;
	__be32 used_eqs;
	__be32 used_mrs;
	__be32 authority;
	__be32 max_qps;
	__be32 max_cqs;
	__be32 max_eqs;
	__be32 max_mrs;
	__be32 reserved0;
	__be32 clock;
	__be32 max_pds;
	__be32 max_ahs;
	__be32 max_cqes;
	__be32 max_wqes;
	__be32 max_sges[3];		/* of RQ1 to RQ3 */
	__be32 mr_page_sizes;
	__be32 reserved1;
	__be64 max_mr_size;
	__be32 reserved2[2];
	__be32 ports;
	__be32 reserved3[3];
	__be64 max_mc;
	__be64 capabilities;
	__be32 max_ists;		/* interrupts of an EQ */
	__be32 max_neqs;
	__be64 max_vlans;
	__be32 port_groups;
	__be32 phys_ports;
};

static_assert(sizeof(struct ehea_hea_cb) == 4 * 38);
static_assert(offsetof(struct ehea_hea_cb, max_mrs) == 4 * 8);
static_assert(offsetof(struct ehea_hea_cb, clock) == 4 * 10);
static_assert(offsetof(struct ehea_hea_cb, mr_page_sizes) == 4 * 18);
static_assert(offsetof(struct ehea_hea_cb, max_mr_size) == 4 * 20);
static_assert(offsetof(struct ehea_hea_cb, ports) == 4 * 24);
static_assert(offsetof(struct ehea_hea_cb, max_mc) == 4 * 28);
static_assert(offsetof(struct ehea_hea_cb, capabilities) == 4 * 30);
static_assert(offsetof(struct ehea_hea_cb, max_vlans) == 4 * 34);

/* Control blocks of a port. */
enum ehea_port_cb {
	EHEA_PORT_CB0 = 0,
	EHEA_PORT_CB1 = 1,
	EHEA_PORT_CB2 = 2,
	EHEA_PORT_CB4 = 4,
	EHEA_PORT_CB6 = 6,
	EHEA_PORT_CB7 = 7,
};

#define EHEA_PORT_CB0_MAC	EHEA_BIT(0)
#define EHEA_PORT_CB0_RXC	EHEA_BIT(1)
#define EHEA_PORT_CB0_QPS	EHEA_BIT(7)
#define EHEA_PORT_CB0_ALL	EHEA_BITS(0, 7)
#define EHEA_PORT_CB1_VLANS	EHEA_BIT(0)
#define EHEA_PORT_CB2_ALL	EHEA_BITS(0, 10)
#define EHEA_PORT_CB4_FIELD(n)	EHEA_BIT(n)
#define EHEA_PORT_CB4_ALL	EHEA_BITS(0, 3)
#define EHEA_PORT_CB6_ALL	(EHEA_BITS(0, 22) | EHEA_BITS(25, 48))
#define EHEA_PORT_CB7_QP	EHEA_BIT(0)

#define EHEA_CB0_MAC		EHEA_BITS(16, 63)

struct ehea_port_cb0 {
	__be64 mac;
	__be64 rx_control;
	__be64 reserved0;
	__be32 oper_state;
	__be32 speed;
	__be32 ext_state;
	__be32 pause;
	__be32 default_qps;
	__be32 reserved1;
	__be64 qpn[EHEA_MAX_QPS];
};

static_assert(offsetof(struct ehea_port_cb0, oper_state) == 0x18);
static_assert(offsetof(struct ehea_port_cb0, ext_state) == 0x20);
static_assert(offsetof(struct ehea_port_cb0, default_qps) == 0x28);
static_assert(offsetof(struct ehea_port_cb0, qpn) == 0x30);

#define EHEA_VLANS		4096

struct ehea_port_cb1 {
	__be64 vlans[EHEA_VLANS / 64];
};

struct ehea_port_cb2 {
	__be64 counter[EHEA_CB2_COUNTERS];
};

static_assert(sizeof(struct ehea_port_cb2) == 8 * 11);

struct ehea_port_cb4 {
	__be32 field[5];		/* enum ehea_cb4_field; then wrap */
};

struct ehea_port_cb6 {
	__be64 counter[EHEA_CB6_COUNTERS];
};

static_assert(sizeof(struct ehea_port_cb6) == 8 * 49);

struct ehea_port_cb7 {
	__be64 unicast_qp;
};

/* H_ERROR_DATA. */
#define EHEA_ERROR_TYPE		EHEA_BITS(0, 7)

struct ehea_error_block {
	__be64 length;			/* bits 52-63 */
	__be64 handle;
	__be64 type;
	__be64 reserved0[3];
	__be64 aer;
	__be64 reserved1[5];
	__be64 aerr;
	__be64 reserved2[9];
	__be64 port;
};

static_assert(offsetof(struct ehea_error_block, aer) == 8 * 6);
static_assert(offsetof(struct ehea_error_block, aerr) == 8 * 12);
static_assert(offsetof(struct ehea_error_block, port) == 8 * 22);

bool ehea_status_is_later(long status);
unsigned int ehea_status_nap_ms(long status);
int ehea_status_to_errno(long status);

void ehea_pack_eq(u64 *in, const struct ehea_eq_attr *attr);
int ehea_parse_eq(const u64 *out, struct ehea_eq_attr *attr);
void ehea_pack_cq(u64 *in, const struct ehea_cq_attr *attr);
int ehea_parse_cq(const u64 *out, struct ehea_cq_attr *attr);
int ehea_pack_qp(u64 *in, const struct ehea_qp_attr *attr);
int ehea_parse_qp(const u64 *out, struct ehea_qp_attr *attr);
void ehea_pack_mr(u64 *in, u64 bus, u64 len, u32 pd);
void ehea_pack_smr(u64 *in, u64 mr, u64 bus, u32 pd);
int ehea_parse_mr(const u64 *out, u64 *handle, u32 *lkey);
int ehea_pack_rpages(u64 *in, u64 handle, unsigned int page_shift,
		     enum ehea_qp_queue queue);
void ehea_pack_port(u64 *in, u16 port, enum ehea_port_cb cb, u64 mask);
void ehea_pack_bcmc(u64 *in, u16 port, u8 kind, const u8 *mac, u16 vlan);

u64 ehea_pack_qp_control(enum ehea_qp_state state, bool enabled);
void ehea_parse_qp_cb0(const struct ehea_qp_cb0 *cb,
		       struct ehea_qp_status *status);
void ehea_parse_hea(const struct ehea_hea_cb *cb, struct ehea_hea_attr *attr);
void ehea_parse_error(const struct ehea_error_block *block,
		      struct ehea_error_data *data);
void ehea_parse_port_cb0(const struct ehea_port_cb0 *cb,
			 struct ehea_port_attr *attr);
void ehea_parse_counters(const __be64 *from, u64 *to, unsigned int count);
void ehea_parse_port_cb4(const struct ehea_port_cb4 *cb,
			 struct ehea_port_link *link);
int ehea_pack_default_qps(struct ehea_port_cb0 *cb, const u32 *qpns,
			  unsigned int count);
void ehea_pack_vlans(struct ehea_port_cb1 *cb, const unsigned long *vlans);

#endif /* EHEA_CB_H */
