/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): hypervisor calls, one typed function each.
 *
 * Every function returns 0 or a negative error number. Unless its text says
 * otherwise it may sleep: a call that firmware answers with "later" is
 * repeated until a deadline, uninterruptibly. Facts: Documentation/
 * hea-interface.rst, section 3.
 */
#ifndef EHEA_PHYP_H
#define EHEA_PHYP_H

#include <linux/atomic.h>
#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "ehea_hw.h"

struct device;

/**
 * enum ehea_fw_type - kinds of firmware resources, in the order of freeing
 * @EHEA_FW_QP: queue pair; stops the adapter's writing when it goes
 * @EHEA_FW_CQ: completion queue
 * @EHEA_FW_EQ: event queue
 * @EHEA_FW_SMR: shared memory region; goes before its MR
 * @EHEA_FW_MR: memory region
 * @EHEA_FW_TYPES: number of kinds
 */
enum ehea_fw_type {
	EHEA_FW_QP,
	EHEA_FW_CQ,
	EHEA_FW_EQ,
	EHEA_FW_SMR,
	EHEA_FW_MR,
	EHEA_FW_TYPES,
};

/* A QP uses two CQs and an EQ, a CQ an EQ, an SMR an MR. */
#define EHEA_FW_USES	3

/**
 * struct ehea_fw_res - a resource that firmware holds for us
 * @node: in &ehea_hea.res, so that the crash handler finds it
 * @handle: firmware's name for it; 0 is none
 * @type: what it is
 * @force: free it by force at once: it is a QP that still runs
 * @uses: handles of others that must not be freed before it; 0 is none
 */
struct ehea_fw_res {
	struct list_head node;
	u64 handle;
	enum ehea_fw_type type;
	bool force;
	u64 uses[EHEA_FW_USES];
};

/**
 * struct ehea_hea - an adapter as the hypervisor calls see it
 * @dev: for messages
 * @handle: adapter handle, first argument of every call
 * @res_lock: protects @res
 * @res: &struct ehea_fw_res of every live resource; read without the lock
 *	by the crash handler, when no other CPU runs
 * @lost_lock: protects @lost; held around calls and @res_lock
 * @lost: resources that firmware did not give up; tried again later
 * @wedged_until: jiffies; after a call that outlived its deadline, further
 *	"later" answers are given less patience until then
 * @calls: calls made, repeats included
 * @busy: answers that meant "later"
 * @timeouts: calls given up at the deadline
 */
struct ehea_hea {
	struct device *dev;
	u64 handle;
	spinlock_t res_lock;		/* protects @res */
	struct list_head res;
	struct mutex lost_lock;		/* protects @lost */
	struct list_head lost;
	unsigned long wedged_until;
	atomic64_t calls;
	atomic64_t busy;
	atomic64_t timeouts;
};

/* What H_QUERY_HEA tells; the rest of its block is of no use to us. */
struct ehea_hea_attr {
	u32 mr_page_sizes;		/* EHEA_MR_PAGES_* */
	u64 max_mc;			/* multicast addresses, one taken */
};

/* MR page sizes, as the mask of H_QUERY_HEA has them. */
#define EHEA_MR_PAGES_4K	BIT(31)
#define EHEA_MR_PAGES_64K	BIT(30)
#define EHEA_MR_PAGES_1M	BIT(29)
#define EHEA_MR_PAGES_16M	BIT(28)

/* Most pages that one H_REGISTER_HEA_RPAGES of an MR takes. */
#define EHEA_RPAGES_MAX		512

struct ehea_eq_attr {
	bool neq;			/* in: notification event queue */
	bool silent;			/* in: interrupt only, no entries */
	u32 entries;			/* in: wanted, out: actual */
	u64 handle;			/* out, likewise the rest */
	u32 pages;
	u32 ist;			/* interrupt source token */
};

struct ehea_cq_attr {
	u64 eq;				/* in: handle */
	u32 token;			/* in: comes back in events */
	u32 entries;			/* in: wanted, out: actual */
	u64 handle;			/* out, likewise the rest */
	u32 pages;
	u64 epa;			/* real address of the register page */
};

struct ehea_qp_attr {
	u64 send_cq;			/* in: handles */
	u64 recv_cq;
	u64 eq;				/* in: for affiliated events */
	u32 token;
	u32 pd;				/* in: protection domain */
	u16 port;
	u8 rq2_threshold;		/* 128 << t bytes */
	u8 rq3_threshold;
	struct {
		u32 entries;		/* in: 2^n - 1 wanted, out: actual */
		u8 wqe_exp;		/* 128 << e bytes, in and out */
		u32 pages;		/* out */
	} q[EHEA_QP_QUEUES];
	u64 handle;			/* out, likewise the rest */
	u32 number;
	u64 epa;
};

/* QP states that can be asked for. */
enum ehea_qp_state {
	EHEA_QP_RESET		= 1,
	EHEA_QP_INITIALIZED	= 2,
	EHEA_QP_READY_RECEIVE	= 3,
	EHEA_QP_READY_SEND	= 5,
	EHEA_QP_ERROR		= 0x80,
};

/* Control block 0 of a QP. */
struct ehea_qp_status {
	bool enabled;
	u8 state;			/* 0 means error */
	u64 aer;
	u32 sq_size;
	u32 rq_size;
};

/* H_ERROR_DATA. */
struct ehea_error_data {
	u64 handle;
	u8 type;
	u64 aer;
	u64 aerr;
	u64 port;
};

/* Port speeds, as CB0 and CB4 give them. */
enum ehea_speed {
	EHEA_SPEED_AUTONEG	= 0,
	EHEA_SPEED_10M_H	= 1,
	EHEA_SPEED_10M_F	= 2,
	EHEA_SPEED_100M_H	= 3,
	EHEA_SPEED_100M_F	= 4,
	EHEA_SPEED_1G_F		= 6,
	EHEA_SPEED_10G_F	= 8,
};

/* Receive control of CB0. */
#define EHEA_RXC_VALID		EHEA_BIT(49)
#define EHEA_RXC_VLAN_EXTRACT	EHEA_BIT(50)
#define EHEA_RXC_TCP_6_TUPLE	EHEA_BIT(51)
#define EHEA_RXC_UDP_6_TUPLE	EHEA_BIT(52)
#define EHEA_RXC_TCP_3_TUPLE	EHEA_BIT(53)
#define EHEA_RXC_TCP_2_TUPLE	EHEA_BIT(54)
#define EHEA_RXC_LLC_SNAP	EHEA_BIT(55)
#define EHEA_RXC_JUMBO		EHEA_BIT(56)
#define EHEA_RXC_IP_FRAG	EHEA_BIT(57)
#define EHEA_RXC_L4_CSUM	EHEA_BIT(58)
#define EHEA_RXC_IP_CSUM	EHEA_BIT(59)
#define EHEA_RXC_MAC_FILTER	EHEA_BIT(60)
#define EHEA_RXC_UNTAG_FILTER	EHEA_BIT(61)
#define EHEA_RXC_VLAN_FILTER	EHEA_BITS(62, 63)
#define EHEA_RXC_VLAN_ALL	0
#define EHEA_RXC_VLAN_BY_CB1	2

/* Control block 0 of a port. */
struct ehea_port_attr {
	u8 mac[ETH_ALEN];
	u32 oper_state;			/* 0: down */
	u32 speed;			/* enum ehea_speed */
	u32 ext_state;			/* external (physical) port, 0: down */
	u32 default_qps;		/* unchecked: the caller does */
};

/* Control block 4 of a port. */
struct ehea_port_link {
	u32 pause;
	u32 jumbo;
};

enum ehea_cb4_field {
	EHEA_CB4_SPEED,
	EHEA_CB4_PAUSE,
	EHEA_CB4_STATE,
	EHEA_CB4_JUMBO,
};

/* Control block 2 of a port: one u64 each, in this order. */
enum ehea_cb2_counter {
	EHEA_CB2_RX_OCTETS,
	EHEA_CB2_RX_UCAST,
	EHEA_CB2_RX_UCAST_DISCARDS,
	EHEA_CB2_RX_UCAST_ERRORS,
	EHEA_CB2_RX_TOO_LONG,
	EHEA_CB2_RX_MCAST,
	EHEA_CB2_RX_BCAST,
	EHEA_CB2_TX_OCTETS,
	EHEA_CB2_TX_UCAST,
	EHEA_CB2_TX_MCAST,
	EHEA_CB2_TX_BCAST,
	EHEA_CB2_COUNTERS,
};

/* Control block 6 of a port: the MIB, one u64 each, by word number. */
enum ehea_cb6_counter {
	EHEA_CB6_RX_OCTETS		= 0,
	EHEA_CB6_RX_64			= 1,
	EHEA_CB6_RX_65_127		= 2,
	EHEA_CB6_RX_128_255		= 3,
	EHEA_CB6_RX_256_511		= 4,
	EHEA_CB6_RX_512_1023		= 5,
	EHEA_CB6_RX_1024		= 6,
	EHEA_CB6_RX_BAD_FCS		= 7,
	EHEA_CB6_RX_MAC_ERR		= 8,
	EHEA_CB6_RX_IN_RANGE_LEN	= 9,
	EHEA_CB6_RX_OUT_RANGE_LEN	= 10,
	EHEA_CB6_RX_TOO_LONG		= 11,
	EHEA_CB6_RX_JABBER		= 12,
	EHEA_CB6_RX_SYMBOL_ERR		= 13,
	EHEA_CB6_RX_CODE_ERR		= 14,
	EHEA_CB6_RX_RUNTS		= 15,
	EHEA_CB6_RX_FRAGMENTS		= 16,
	EHEA_CB6_RX_UNSUPP_OPCODES	= 17,
	EHEA_CB6_RX_PAUSE		= 18,
	EHEA_CB6_RX_SEARCH_BUSY		= 19,
	EHEA_CB6_RX_FILTERED		= 20,
	EHEA_CB6_RX_OTHER_ERR		= 21,
	EHEA_CB6_RX_ALIGNMENT		= 22,
	EHEA_CB6_RX_MCAST		= 25,
	EHEA_CB6_RX_BCAST		= 26,
	EHEA_CB6_TX_MCAST		= 27,
	EHEA_CB6_TX_BCAST		= 28,
	EHEA_CB6_TX_OCTETS		= 29,
	EHEA_CB6_TX_64			= 30,
	EHEA_CB6_TX_65_127		= 31,
	EHEA_CB6_TX_128_255		= 32,
	EHEA_CB6_TX_256_511		= 33,
	EHEA_CB6_TX_512_1023		= 34,
	EHEA_CB6_TX_1024		= 35,
	EHEA_CB6_TX_BAD_FCS		= 36,
	EHEA_CB6_TX_PAUSE		= 37,
	EHEA_CB6_LOCAL_FAULTS		= 38,
	EHEA_CB6_REMOTE_FAULTS		= 39,
	EHEA_CB6_TX_MAC_ERR		= 40,
	EHEA_CB6_TX_SINGLE_COLL		= 41,
	EHEA_CB6_TX_MULTI_COLL		= 42,
	EHEA_CB6_TX_SQE			= 43,
	EHEA_CB6_TX_DEFERRED		= 44,
	EHEA_CB6_TX_LATE_COLL		= 45,
	EHEA_CB6_TX_EXCESS_COLL		= 46,
	EHEA_CB6_TX_CARRIER		= 47,
	EHEA_CB6_BANDWIDTH		= 48,
	EHEA_CB6_COUNTERS,
};

/* Kinds of broadcast and multicast filters; or'ed together. */
#define EHEA_BCMC_ALL		8	/* every address */
#define EHEA_BCMC_MULTICAST	4	/* else broadcast */
#define EHEA_BCMC_UNTAGGED	2	/* else tagged */
#define EHEA_BCMC_ANY_VLAN	1

void ehea_hea_init(struct ehea_hea *hea, struct device *dev, u64 handle);
void ehea_hea_exit(struct ehea_hea *hea);
void ehea_fw_track(struct ehea_hea *hea, struct ehea_fw_res *res,
		   enum ehea_fw_type type, u64 handle);
int ehea_fw_free(struct ehea_hea *hea, struct ehea_fw_res *res);
int ehea_fw_free_mem(struct ehea_hea *hea, struct ehea_fw_res *res,
		     void **mem, unsigned int count);
void ehea_fw_defer(struct ehea_hea *hea, u64 handle,
		   void (*release)(void *arg), void *arg);

/* All that the crash handler may wait for busy firmware: 2 s. */
#define EHEA_CRASH_NAP_US	50
#define EHEA_CRASH_NAPS		40000

void ehea_fw_crash(struct ehea_hea *hea, unsigned int *naps);

int ehea_phyp_query_hea(struct ehea_hea *hea, struct ehea_hea_attr *attr);

int ehea_phyp_alloc_eq(struct ehea_hea *hea, struct ehea_eq_attr *attr);
int ehea_phyp_alloc_cq(struct ehea_hea *hea, struct ehea_cq_attr *attr);
int ehea_phyp_alloc_qp(struct ehea_hea *hea, struct ehea_qp_attr *attr);
int ehea_phyp_alloc_mr(struct ehea_hea *hea, u64 bus, u64 len, u32 pd,
		       u64 *handle, u32 *lkey);
int ehea_phyp_register_smr(struct ehea_hea *hea, u64 mr, u64 bus, u32 pd,
			   u64 *handle, u32 *lkey);
int ehea_phyp_register_queue_page(struct ehea_hea *hea, u64 handle,
				  enum ehea_qp_queue queue, u64 real,
				  bool last);
int ehea_phyp_register_mr_pages(struct ehea_hea *hea, u64 handle,
				unsigned int page_shift, __be64 *list,
				unsigned int count, bool last);
int ehea_phyp_free(struct ehea_hea *hea, u64 handle, bool force);

int ehea_phyp_query_qp(struct ehea_hea *hea, u64 handle,
		       struct ehea_qp_status *status);
int ehea_phyp_modify_qp(struct ehea_hea *hea, u64 handle,
			enum ehea_qp_state state, bool enabled);
int ehea_phyp_disable_qp(struct ehea_hea *hea, u64 handle);
int ehea_phyp_error_data(struct ehea_hea *hea, u64 handle,
			 struct ehea_error_data *data);
int ehea_phyp_reset_events(struct ehea_hea *hea, u64 neq, u64 mask);

int ehea_phyp_query_port(struct ehea_hea *hea, u16 port,
			 struct ehea_port_attr *attr);
int ehea_phyp_set_port_mac(struct ehea_hea *hea, u16 port, const u8 *mac);
int ehea_phyp_set_port_rx(struct ehea_hea *hea, u16 port, u64 rx_control,
			  const u32 *qpns, unsigned int count);
int ehea_phyp_set_port_qps(struct ehea_hea *hea, u16 port,
			   const u32 *qpns, unsigned int count);
int ehea_phyp_set_vlan_filter(struct ehea_hea *hea, u16 port,
			      const unsigned long *vlans);
int ehea_phyp_query_cb2(struct ehea_hea *hea, u16 port,
			u64 counters[EHEA_CB2_COUNTERS]);
int ehea_phyp_query_cb6(struct ehea_hea *hea, u16 port,
			u64 counters[EHEA_CB6_COUNTERS]);
int ehea_phyp_query_link(struct ehea_hea *hea, u16 port,
			 struct ehea_port_link *link);
int ehea_phyp_set_link(struct ehea_hea *hea, u16 port,
		       enum ehea_cb4_field field, u32 value);
int ehea_phyp_set_unicast_qp(struct ehea_hea *hea, u16 port, u64 qp);
int ehea_phyp_reg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
		       const u8 *mac, u16 vlan);
int ehea_phyp_dereg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
			 const u8 *mac, u16 vlan);
void ehea_phyp_crash_dereg_bcmc(struct ehea_hea *hea, u16 port, u8 kind,
				const u8 *mac, unsigned int *naps);

#endif /* EHEA_PHYP_H */
