/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: state, and what the model's files share.
 *
 * Hypercalls, MMIO, bottom halves, timers, network and QMP all run under the
 * big QEMU lock, so nothing here has a lock of its own.
 */
#ifndef HW_NET_SPAPR_HEA_INT_H
#define HW_NET_SPAPR_HEA_INT_H

#include "qemu/queue.h"
#include "qemu/timer.h"
#include "net/net.h"
#include "hw/ppc/spapr.h"
#include "hw/ppc/spapr_hea.h"
#include "spapr_hea_compat.h"
#include "spapr_hea_regs.h"

#define HEA_MAX_PORTS           16
#define HEA_MAX_ADAPTERS        8
#define HEA_EPA_PAGES           16384
#define HEA_MMIO_SIZE           ((uint64_t)HEA_EPA_PAGES << HEA_PAGE_BITS)
#define HEA_MMIO_BASE           (16 * TiB)
#define HEA_MAX_FILTERS         8192    /* of a port */
#define HEA_LOG_LINES           32
#define HEA_FRAME_MAX           (64 * KiB + 256)
#define HEA_FRAME_SLACK         64      /* for a tag and padding */
#define HEA_FCS_LEN             4
#define HEA_VLAN_LEN            4
#define HEA_IP_MIN              20      /* shortest headers */
#define HEA_TCP_MIN             20
#define HEA_UDP_LEN             8

OBJECT_DECLARE_SIMPLE_TYPE(SpaprHea, SPAPR_HEA)

/* Indexes of a call's registers: in and out */
enum { R4, R5, R6, R7, R8, R9, R10, R11, R12, HEA_ARGS };

typedef struct HeaPort HeaPort;
typedef struct HeaFault HeaFault;

/* Things a guest must not do; the names are in spapr_hea_stats.c */
typedef enum HeaViolation {
    HEA_V_BAD_ADAPTER, HEA_V_BAD_HANDLE, HEA_V_DOUBLE_FREE,
    HEA_V_RESERVED_BITS, HEA_V_BAD_ARGUMENT, HEA_V_CB_ALIGN,
    HEA_V_CB_NOT_RAM, HEA_V_BAD_MASK, HEA_V_STILL_REFERENCED,
    HEA_V_FREE_ENABLED_QP, HEA_V_MR_IN_USE, HEA_V_MR_TOO_LARGE,
    HEA_V_PAGE_ALIGN, HEA_V_PAGE_NOT_RAM, HEA_V_PAGE_TWICE,
    HEA_V_PAGES_AFTER_COMPLETE, HEA_V_PAGES_MISSING, HEA_V_QP_STATE,
    HEA_V_BCMC, HEA_V_MMIO_DEAD, HEA_V_MMIO_SIZE, HEA_V_MMIO_REGISTER,
    HEA_V_SQ_OVERRUN, HEA_V_RQ_OVERRUN, HEA_V_CQ_OVERRUN, HEA_V_CQ_CREDITS,
    HEA_V_DMA_LKEY, HEA_V_DMA_PD, HEA_V_DMA_RANGE, HEA_V_DMA_INCOMPLETE,
    HEA_V_DMA_MEMORY, HEA_V_QUEUE_MEMORY, HEA_V_BAD_WQE, HEA_V_LMB_IN_USE,
    HEA_V_LMB_ISOLATED,
    HEA_V_MAX,
} HeaViolation;

/* Why a frame went no further; the names are in spapr_hea_stats.c */
typedef enum HeaDrop {
    HEA_D_LINK_DOWN, HEA_D_PORT_STOPPED, HEA_D_RUNT, HEA_D_TOO_LONG,
    HEA_D_MAC, HEA_D_MULTICAST, HEA_D_BROADCAST, HEA_D_VLAN, HEA_D_NO_QP,
    HEA_D_QP_DISABLED, HEA_D_QP_ERROR, HEA_D_RQ1_EMPTY, HEA_D_RQ2_EMPTY,
    HEA_D_RQ3_EMPTY, HEA_D_BUFFER_SHORT, HEA_D_RX_DMA, HEA_D_TX_LINK_DOWN,
    HEA_D_TX_TOO_LONG, HEA_D_TX_BAD, HEA_D_INJECTED,
    HEA_D_MAX,
} HeaDrop;

/* A ring in guest memory, made of 4 KiB pages */
typedef struct HeaRing {
    uint64_t *page;
    uint32_t pages;
    uint32_t got;               /* pages registered so far */
    uint32_t slots;
    uint32_t entry_size;
    uint32_t next;              /* slot that to be handled next */
    bool phase;                 /* value of the valid bit on this lap */
} HeaRing;

/* What all resources begin with */
typedef struct HeaRes {
    SpaprHea *hea;
    uint64_t handle;
    uint32_t number;            /* QP or CQ number, 24 bits */
    int epa;                    /* index of the register page, -1: none */
    uint8_t type;
} HeaRes;

typedef struct HeaEQ {
    HeaRes res;
    HeaRing ring;
    unsigned refs;              /* CQs and QPs that report here */
    int irq;
    bool is_neq;
    bool no_eqe;                /* only interrupts */
    uint64_t armed;             /* NEQ: kinds that may interrupt */
    uint64_t pending;           /* NEQ: kinds that came meanwhile */
} HeaEQ;

typedef struct HeaCQ {
    HeaRes res;
    HeaRing ring;
    HeaEQ *eq;
    unsigned refs;              /* QPs that complete here */
    uint32_t token;
    uint32_t unread;            /* CQEs not yet given back through FECA */
    bool written;               /* this CQ's ring is in use */
    bool armed;                 /* N1 */
    bool pending;               /* EP */
    bool missed;                /* completion without event, for "lenient" */
} HeaCQ;

/* The translations that an MR and its SMRs share */
typedef struct HeaMap {
    unsigned refs;
    uint64_t length;
    uint64_t pages;             /* 0 until the page size is known */
    uint64_t got;
    uint64_t *page;
    unsigned long *seen;        /* by real page number, against doubles */
    uint64_t seen_pages;
    unsigned shift;
} HeaMap;

typedef struct HeaMR {
    HeaRes res;
    HeaMap *map;
    struct HeaMR *parent;       /* of an SMR */
    unsigned smrs;              /* of an MR */
    uint64_t start;
    uint32_t lkey;
    uint32_t pd;
} HeaMR;

enum { HEA_SQ, HEA_RQ1, HEA_RQ2, HEA_RQ3, HEA_QUEUES };

typedef struct HeaQP {
    HeaRes res;
    HeaPort *port;
    HeaCQ *scq, *rcq;
    HeaEQ *aeq;
    HeaRing ring[HEA_QUEUES];
    uint32_t max_posted[HEA_QUEUES];
    uint32_t posted[HEA_QUEUES]; /* handed over and not yet used up */
    uint32_t threshold[HEA_QUEUES];
    uint32_t token;
    uint32_t pd;
    uint32_t sent;              /* WQEs done since the last send CQE */
    uint32_t tso_done;          /* payload sent of the WQE at the SQ's head */
    bool enabled;
    uint8_t state;
    bool running;               /* receives; since when not, in guest time */
    int64_t stopped_ns;
    uint64_t aer, aerr;
    bool queued;                /* on the adapter's list of work */
    QTAILQ_ENTRY(HeaQP) work;
} HeaQP;

struct HeaPort {
    SpaprHea *hea;
    unsigned index;
    uint16_t number;            /* logical port number */
    NICConf conf;
    NICState *nic;
    MemReentrancyGuard guard;
    uint64_t mac;
    uint64_t rxctrl;
    uint64_t qpn[HEA_CB0_QPNS];
    uint64_t vlans[HEA_CB1_WORDS];
    uint64_t ducqpn;
    GHashTable *filters;        /* set of hea_filter_key() */
    GHashTable *groups;         /* multicast MAC -> number of its filters */
    bool logical_up;
    bool physical_up;
    uint32_t speed;
    uint32_t pause;
    uint32_t jumbo;
    uint32_t wrap;
    bool hold;                  /* fault: the send queues hang */
    uint64_t cb2[HEA_CB2_WORDS];
    uint64_t cb6[HEA_CB6_WORDS];
    uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
    uint64_t drops[HEA_D_MAX];
};

typedef enum HeaArming { HEA_ARM_STRICT, HEA_ARM_LENIENT } HeaArming;
typedef enum HeaLmbPolicy {
    HEA_LMB_REFUSE, HEA_LMB_COUNT, HEA_LMB_OFF
} HeaLmbPolicy;

/* Registers that stats count accesses of */
typedef enum HeaReg {
    HEA_R_SQA, HEA_R_RQ1A, HEA_R_RQ2A, HEA_R_RQ3A, HEA_R_FECA, HEA_R_EP,
    HEA_R_N1, HEA_R_READS, HEA_R_OTHER, HEA_R_MAX,
} HeaReg;

typedef struct HeaCallStat {
    uint64_t total;
    GHashTable *by_status;      /* status -> uint64_t count */
} HeaCallStat;

/* Limits and policies, all of them properties */
typedef struct HeaConfig {
    uint32_t max_qps, max_cqs, max_eqs, max_mrs, max_smrs;
    uint32_t default_qps;
    uint32_t mr_page_sizes;
    uint32_t max_mc;
    uint32_t max_frame;
    uint32_t hcall_delay_us;
    uint32_t tx_delay_ns;
    uint32_t epa_spacing;
    uint32_t speed;
    bool jumbo, promisc, speed_allowed, bcmc_allowed;
    bool poison_outs;
    HeaArming arming;
    HeaLmbPolicy lmb_policy;
} HeaConfig;

/* A call that did its work but said "later"; see spapr_hea_fault.c */
typedef struct HeaReplay HeaReplay;

struct SpaprHea {
    DeviceState ds;

    MemoryRegion mmio;
    MemoryListener listener;
    uint64_t mmio_base;
    uint64_t handle;
    uint32_t unit;              /* unit address in the device tree */
    unsigned index;             /* of this adapter */
    int32_t cfg_ports;          /* -1: as many as have a netdev or a MAC */
    unsigned nr_ports;
    HeaPort port[HEA_MAX_PORTS];
    HeaConfig cfg;

    GHashTable *res;            /* handle -> HeaRes */
    GHashTable *qp_by_number;
    GHashTable *cq_by_number;
    GHashTable *mr_by_lkey;
    GHashTable *queue_pages;    /* real page numbers of live rings */
    HeaRes *epa[HEA_EPA_PAGES];
    unsigned next_epa;
    uint32_t next_id;
    unsigned live[HEA_TYPE_SMR + 1];
    unsigned filters;
    int *irqs;                  /* interrupt numbers of this adapter */
    bool *irq_used;
    unsigned nr_irqs;

    QEMUBH *bh;
    QEMUTimer *tx_timer;
    QTAILQ_HEAD(, HeaQP) work;
    uint8_t *frame;             /* gathered by send */
    uint8_t *segment;           /* as it goes out */
    uint8_t *received;          /* without its tag, with FCS */

    QTAILQ_HEAD(, HeaFault) faults;
    unsigned next_fault;
    const HeaFault *call_fault; /* rule in force for the present call */
    QTAILQ_HEAD(, HeaReplay) replays;
    unsigned nr_replays;
    GSList *timers;             /* of delayed effects */

    GHashTable *calls;          /* opcode -> HeaCallStat */
    uint64_t calls_total;
    const char *call_name;      /* the present call, for the log */
    uint64_t violations, violation[HEA_V_MAX];
    char *log[HEA_LOG_LINES];
    uint64_t mr_registrations, mr_frees, smr_registrations, smr_frees;
    uint64_t mr_pages[4], mr_page_calls;
    uint64_t qp_pauses, qp_paused_ns, qp_pause_max_ns;
    uint64_t reg_count[HEA_R_MAX], mmio_total;
    uint64_t irq_count, dma_read, dma_write, dma_faults;
    uint64_t refused_isolates, resets, forced_frees;
    unsigned leaked[HEA_TYPE_SMR + 1], leaked_filters;

    QLIST_ENTRY(SpaprHea) list;
};

/* spapr_hea.c */
void hea_forget(SpaprHea *s);
extern const char *const hea_type_names[HEA_TYPE_SMR + 1];
SpaprHea *hea_by_handle(uint64_t handle);
int64_t hea_unknown_adapter(uint64_t handle);
void *hea_find(SpaprHea *s, uint64_t handle, unsigned type);
bool hea_res_epa_get(SpaprHea *s, HeaRes *res);
void hea_res_add(SpaprHea *s, HeaRes *res, unsigned type);
void hea_res_del(HeaRes *res);
uint64_t hea_res_epa(HeaRes *res);
bool hea_lmb_refused(SpaprHea *s, hwaddr addr, const char *what);
int hea_irq_get(SpaprHea *s);
void hea_irq_put(SpaprHea *s, int irq);
HeaPort *hea_port_by_number(SpaprHea *s, uint64_t number);
HeaPort *hea_find_port(SpaprHea *s, uint64_t arg);
guint hea_u64_hash(gconstpointer p);

/* spapr_hea_call.c */
const char *hea_status_name(int64_t rc);
uint64_t hea_partition_memory(void);
bool hea_status_by_name(const char *name, int64_t *rc);
const char *hea_call_name(uint64_t opcode);
bool hea_call_by_name(const char *name, uint64_t *opcode);
void hea_register_calls(void);
int64_t hea_cb_check(SpaprHea *s, uint64_t addr, const char *what);
int64_t hea_cb_read(SpaprHea *s, uint64_t addr, void *cb, unsigned len);
int64_t hea_cb_write(SpaprHea *s, uint64_t addr, void *cb, unsigned len);

/* Handlers of calls: args are R4 to R12, in and out; the status returns */
typedef int64_t HeaCallFn(SpaprHea *s, uint64_t *args);

typedef struct HeaCall {
    uint64_t opcode;
    const char *name;
    HeaCallFn *fn;
    uint8_t handle;             /* argument with a resource's, 0: none */
    uint8_t block;              /* argument with the address of what is read */
    bool port;                  /* R5 holds port and control block */
    bool keep_outs;             /* outputs are defined on failure, too */
    bool repeats;               /* made twice it does what it does once */
} HeaCall;

void hea_poison_outs(SpaprHea *s, const HeaCall *call, int64_t rc,
                     uint64_t *args);
HeaCallFn hea_h_alloc, hea_h_free, hea_h_register_smr, hea_h_error_data,
    hea_h_reset_events, hea_h_modify_qp, hea_h_query_qp, hea_h_query_hea,
    hea_h_query_port, hea_h_modify_port, hea_h_reg_bcmc, hea_h_dereg_bcmc,
    hea_h_rpages, hea_h_disable;

/* spapr_hea_mr.c */
int64_t hea_mr_alloc(SpaprHea *s, uint64_t *args);
int64_t hea_mr_rpages(SpaprHea *s, HeaMR *mr, uint64_t *args);
int64_t hea_mr_free(SpaprHea *s, HeaMR *mr, bool force);
void hea_mr_destroy(HeaMR *mr);
bool hea_mr_covers(HeaMR *mr, hwaddr addr, hwaddr size);
uint64_t hea_mr_live_bytes(SpaprHea *s);
bool hea_is_ram(hwaddr addr, hwaddr len);
uint32_t hea_mem_digest(hwaddr page);
bool hea_mem_read(SpaprHea *s, hwaddr addr, void *buf, size_t len);
bool hea_mem_write(SpaprHea *s, hwaddr addr, const void *buf, size_t len);
bool hea_dma(HeaQP *qp, uint64_t addr, uint32_t lkey, void *buf, size_t len,
             bool write);

/* spapr_hea_queue.c */
bool hea_ring_init(HeaRing *ring, uint64_t entries, uint32_t entry_size);
void hea_ring_free(SpaprHea *s, HeaRing *ring);
void hea_ring_reset(HeaRing *ring);
hwaddr hea_ring_slot(const HeaRing *ring, uint32_t slot);
void hea_ring_advance(HeaRing *ring);
bool hea_ring_ready(const HeaRing *ring);
int64_t hea_ring_page(SpaprHea *s, HeaRing *ring, uint64_t addr);
int64_t hea_eq_alloc(SpaprHea *s, uint64_t *args);
int64_t hea_cq_alloc(SpaprHea *s, uint64_t *args);
int64_t hea_eq_free(SpaprHea *s, HeaEQ *eq);
int64_t hea_cq_free(SpaprHea *s, HeaCQ *cq);
void hea_eq_destroy(HeaEQ *eq);
void hea_cq_destroy(HeaCQ *cq);
unsigned hea_eq_kind(const HeaEQ *eq);
void hea_irq_pulse(HeaEQ *eq);
void hea_eq_event(HeaEQ *eq, uint64_t eqe);
void hea_neq_event(SpaprHea *s, HeaPort *port, uint64_t neqe);
void hea_cq_completion_in(HeaCQ *cq, uint32_t us);
bool hea_cqe_write(SpaprHea *s, hwaddr slot, bool phase, const uint8_t *cqe);
void hea_cq_post(HeaCQ *cq, HeaQP *qp, uint8_t *cqe);
uint64_t hea_cq_reg_read(HeaCQ *cq, unsigned reg);
void hea_cq_reg_write(HeaCQ *cq, unsigned reg, uint64_t val);

/* spapr_hea_qp.c */
int64_t hea_qp_alloc(SpaprHea *s, uint64_t *args);
int64_t hea_qp_rpages(SpaprHea *s, HeaQP *qp, uint64_t *args);
int64_t hea_qp_free(SpaprHea *s, HeaQP *qp, bool force);
void hea_qp_destroy(HeaQP *qp);
void hea_qp_error(HeaQP *qp, uint64_t aer);
bool hea_qp_can_send(const HeaQP *qp);
bool hea_qp_can_receive(const HeaQP *qp);
bool hea_qp_posted_lkey(HeaQP *qp, uint32_t lkey);
uint64_t hea_qp_reg_read(HeaQP *qp, unsigned reg);
void hea_qp_reg_write(HeaQP *qp, unsigned reg, uint64_t val);
HeaQP *hea_qp_by_number(SpaprHea *s, uint64_t number);

/* spapr_hea_tx.c, spapr_hea_rx.c, spapr_hea_csum.c */
unsigned hea_swqe_descs(const uint8_t *wqe);
unsigned hea_swqe_desc(const uint8_t *wqe, unsigned i);
void hea_tx_kick(HeaQP *qp);
void hea_tx_forget(HeaQP *qp);
void hea_tx_bh(void *opaque);
bool hea_rx_frame(HeaPort *port, const uint8_t *buf, size_t len);
void hea_count_frame(HeaPort *port, const uint8_t *frame, size_t len, bool tx);
size_t hea_frame_limit(const HeaPort *port, const uint8_t *frame, size_t len);

typedef struct HeaL3 {
    bool ipv4;                  /* the frame carries IPv4 right behind MACs */
    bool ip_ok;                 /* its header is whole and sums up */
    bool fragment;
    uint8_t proto;
    bool l4;                    /* a whole TCP or UDP header is there */
    bool l4_ok;
    unsigned l4_start;          /* offsets in the frame */
    unsigned header_len;        /* of everything up to the payload */
    unsigned end;               /* of the IP packet */
} HeaL3;

void hea_parse_l3(const uint8_t *frame, size_t len, HeaL3 *l3);
uint16_t hea_sum(const uint8_t *buf, size_t len);
uint16_t hea_l4_sum(const uint8_t *ip, const uint8_t *l4, size_t len);
uint32_t hea_flow_hash(const HeaPort *port, const uint8_t *frame, size_t len);

static inline uint64_t hea_mac(const uint8_t *bytes)
{
    return (uint64_t)lduw_be_p(bytes) << 32 | (uint32_t)ldl_be_p(bytes + 2);
}

/* spapr_hea_port.c */
void hea_port_init(HeaPort *port);
void hea_port_reset(HeaPort *port);
void hea_port_state_event(HeaPort *port);
void hea_port_set_link(HeaPort *port, bool logical, bool physical);
bool hea_port_started(const HeaPort *port);
bool hea_filter_match(const HeaPort *port, uint64_t mac, bool broadcast,
                      bool tagged, uint16_t vlan);
bool hea_vlan_match(const HeaPort *port, bool tagged, uint16_t vlan);
void hea_port_forget_qp(SpaprHea *s, const HeaQP *qp);

/* spapr_hea_fault.c */
typedef enum HeaSite {
    HEA_S_CALL, HEA_S_CQE, HEA_S_EQE, HEA_S_NEQE, HEA_S_IRQ, HEA_S_DOORBELL,
    HEA_S_TX, HEA_S_RX, HEA_S_DMA, HEA_S_MAX,
} HeaSite;

/* What a rule can look at */
typedef enum HeaKey {
    HEA_K_OP, HEA_K_RTYPE, HEA_K_HANDLE, HEA_K_PORT, HEA_K_QP, HEA_K_CQ,
    HEA_K_EQ, HEA_K_CB, HEA_K_WR, HEA_K_REG, HEA_K_CODE, HEA_K_MAX,
} HeaKey;

typedef struct HeaEvent {
    HeaSite site;
    uint32_t has;
    uint64_t val[HEA_K_MAX];
} HeaEvent;

static inline void hea_event_set(HeaEvent *ev, HeaKey key, uint64_t val)
{
    ev->val[key] = val;
    ev->has |= 1u << key;
}

/* Kinds of interrupts, as HEA_K_CODE */
enum { HEA_IRQ_NEQ, HEA_IRQ_AFF, HEA_IRQ_QUEUE };

/* What a rule makes of an event */
typedef struct HeaVerdict {
    bool drop;
    unsigned dup;
    uint32_t delay_us;
} HeaVerdict;

/* A value by name; a list ends with an empty entry */
typedef struct HeaName {
    const char *name;
    uint64_t val;
} HeaName;

extern const HeaName hea_irq_names[];
bool hea_parse_named(const HeaName *names, const char *text, uint64_t *val,
                     Error **errp);
HeaVerdict hea_fault_apply(SpaprHea *s, const HeaEvent *ev, void *data,
                           size_t len);
HeaVerdict hea_fault_apply_u64(SpaprHea *s, const HeaEvent *ev,
                               uint64_t *val);
int64_t hea_fault_call(SpaprHea *s, const HeaCall *call, const HeaEvent *ev,
                       uint64_t *args);
void hea_fault_forget_calls(SpaprHea *s);
void hea_fault_corrupt_cb(SpaprHea *s, void *cb, unsigned len);
void hea_delay(SpaprHea *s, uint32_t us, void (*fn)(void *opaque), void *arg);
void hea_delay_cancel_all(SpaprHea *s);
void hea_busy_wait(uint32_t us);
void hea_fault_class_init(ObjectClass *oc);
void hea_fault_clear_all(SpaprHea *s);

/* spapr_hea_action.c */
void hea_action_class_init(ObjectClass *oc);

/* spapr_hea_stats.c */
void hea_violation(SpaprHea *s, HeaViolation kind, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
void hea_drop(HeaPort *port, HeaDrop why);
void hea_count_call(SpaprHea *s, uint64_t opcode, int64_t rc);
void hea_stats_init(SpaprHea *s);
void hea_stats_class_init(ObjectClass *oc);

#endif
