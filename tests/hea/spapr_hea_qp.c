/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: queue pairs, their states, registers, errors.
 */
#include "qemu/osdep.h"
#include "spapr_hea_int.h"
#include "trace.h"

/* Exponents n of the sizes 2^(n+1)-1: 127 to 32767, receive 2 and 3 16383 */
#define HEA_SIZE_MIN    6
static const uint8_t hea_size_max[HEA_QUEUES] = { 14, 14, 13, 13 };
#define HEA_WQE_EXP_MAX 3

static const uint8_t hea_size_bits[HEA_QUEUES][2] = {
    { 4, 7 }, { 12, 15 }, { 20, 23 }, { 28, 31 },
};
static const uint8_t hea_exp_bits[HEA_QUEUES][2] = {
    { 37, 39 }, { 45, 47 }, { 53, 55 }, { 61, 63 },
};
#define HEA_SIZES_VALID (HEA_BITS(4, 7) | HEA_BITS(12, 15) | \
                         HEA_BITS(20, 23) | HEA_BITS(28, 31) | \
                         HEA_BITS(37, 39) | HEA_BITS(45, 47) | \
                         HEA_BITS(53, 55) | HEA_BITS(61, 63))

HeaQP *hea_qp_by_number(SpaprHea *s, uint64_t number)
{
    if (number > 0xffffff) {
        return NULL;
    }
    return g_hash_table_lookup(s->qp_by_number, GUINT_TO_POINTER(number));
}

/* Allocation */

static int64_t hea_qp_check_controls(SpaprHea *s, const uint64_t *args)
{
    uint64_t ctrl = args[R5];

    if (ctrl & ~HEA_QP_CTRL_VALID || args[R10] & ~HEA_SIZES_VALID ||
        args[R11] & ~(HEA_BITS(0, 7) | HEA_BITS(48, 63)) ||
        args[R12] & ~HEA_BITS(0, 31)) {
        hea_violation(s, HEA_V_RESERVED_BITS, "QP: 0x%" PRIx64 " 0x%" PRIx64
                      " 0x%" PRIx64 " 0x%" PRIx64, ctrl, args[R10], args[R11],
                      args[R12]);
        return H_PARAMETER;
    }
    /* Nothing is known of QPs without a low-latency receive queue 1 */
    if (!(ctrl & HEA_QP_CTRL_LL) ||
        HEA_QP_CTRL_RQ1_KIND(ctrl) != HEA_QP_RQ1_LL ||
        HEA_QP_CTRL_RQS(ctrl) != HEA_QP_RQS_ALL) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "QP controls 0x%" PRIx64, ctrl);
        return H_ST_PARM;
    }
    if (HEA_QP_CTRL_SIG(ctrl) != HEA_QP_SIG_BY_WQE) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "signalling of QP 0x%" PRIx64,
                      ctrl);
        return H_SIGT_PARM;
    }
    return H_SUCCESS;
}

static int64_t hea_qp_check_refs(SpaprHea *s, const uint64_t *args, HeaQP *qp)
{
    qp->scq = hea_find(s, args[R6], HEA_TYPE_CQ);
    if (!qp->scq) {
        return H_SCQ_PARM;
    }
    qp->rcq = hea_find(s, args[R7], HEA_TYPE_CQ);
    if (!qp->rcq) {
        return H_RCQ_PARM;
    }
    qp->aeq = hea_find(s, args[R8], HEA_TYPE_EQ);
    if (!qp->aeq || qp->aeq->is_neq) {
        return H_EQ_PARM;
    }
    qp->port = hea_find_port(s, args[R11]);
    if (!qp->port) {
        return H_PORT_PARM;
    }
    if (s->live[HEA_TYPE_QP] >= s->cfg.max_qps) {
        return H_NOT_ENOUGH_RESOURCES;
    }
    return H_SUCCESS;
}

static int64_t hea_qp_init_rings(SpaprHea *s, HeaQP *qp, uint64_t sizes)
{
    int i;

    for (i = 0; i < HEA_QUEUES; i++) {
        unsigned n = HEA_GET(sizes, hea_size_bits[i][0], hea_size_bits[i][1]);
        unsigned e = HEA_GET(sizes, hea_exp_bits[i][0], hea_exp_bits[i][1]);

        if (e > HEA_WQE_EXP_MAX) {
            hea_violation(s, HEA_V_BAD_ARGUMENT, "WQE exponent %u", e);
            return H_PARAMETER;
        }
        n = MIN(MAX(n, HEA_SIZE_MIN), hea_size_max[i]);
        qp->max_posted[i] = (2u << n) - 1;
        hea_ring_init(&qp->ring[i], 2u << n, 128 << e);
    }
    return H_SUCCESS;
}

static uint64_t hea_qp_pages(const HeaQP *qp, int queue)
{
    return (uint64_t)qp->ring[queue].pages << 32 | qp->ring[queue + 1].pages;
}

static void hea_qp_alloc_outs(HeaQP *qp, uint64_t *args)
{
    int i;

    args[R4] = qp->res.handle;
    args[R5] = qp->res.number;
    args[R6] = args[R7] = 0;
    for (i = 0; i < HEA_QUEUES; i++) {
        args[R6] |= HEA_PUT(qp->max_posted[i], 16 * i, 16 * i + 15);
        args[R7] |= HEA_PUT(ctz32(qp->ring[i].entry_size / 128), 8 * i,
                            8 * i + 7);
    }
    args[R8] = hea_qp_pages(qp, HEA_SQ);
    args[R9] = hea_qp_pages(qp, HEA_RQ2);
    args[R10] = hea_res_epa(&qp->res);
}

static void hea_qp_link(SpaprHea *s, HeaQP *qp)
{
    qp->scq->refs++;
    qp->rcq->refs++;
    qp->aeq->refs++;
    hea_res_add(s, &qp->res, HEA_TYPE_QP);
    g_hash_table_insert(s->qp_by_number, GUINT_TO_POINTER(qp->res.number),
                        qp);
}

int64_t hea_qp_alloc(SpaprHea *s, uint64_t *args)
{
    HeaQP *qp = g_new0(HeaQP, 1);
    int64_t rc;
    int i;

    rc = hea_qp_check_controls(s, args);
    if (rc == H_SUCCESS) {
        rc = hea_qp_check_refs(s, args, qp);
    }
    if (rc == H_SUCCESS) {
        rc = hea_qp_init_rings(s, qp, args[R10]);
    }
    if (rc == H_SUCCESS && !hea_res_epa_get(s, &qp->res)) {
        rc = H_NOT_ENOUGH_RESOURCES;
    }
    if (rc != H_SUCCESS) {
        for (i = 0; i < HEA_QUEUES; i++) {
            g_free(qp->ring[i].page);
        }
        g_free(qp);
        return rc;
    }
    qp->token = HEA_GET(args[R9], 0, 31);
    qp->pd = HEA_GET(args[R9], 32, 63);
    qp->threshold[HEA_RQ2] = 128u << MIN(HEA_GET(args[R12], 0, 15), 16);
    qp->threshold[HEA_RQ3] = 128u << MIN(HEA_GET(args[R12], 16, 31), 16);
    qp->state = HEA_QPS_RESET;
    hea_qp_link(s, qp);
    hea_qp_alloc_outs(qp, args);
    return H_SUCCESS;
}

int64_t hea_qp_rpages(SpaprHea *s, HeaQP *qp, uint64_t *args)
{
    int64_t rc = hea_ring_page(s, &qp->ring[HEA_RPAGES_QUEUE(args[R5])],
                               args[R7]);
    int i;

    if (rc != H_SUCCESS) {
        return rc;
    }
    for (i = 0; i < HEA_QUEUES; i++) {
        if (!hea_ring_ready(&qp->ring[i])) {
            return H_PAGE_REGISTERED;
        }
    }
    return H_SUCCESS;
}

void hea_qp_destroy(HeaQP *qp)
{
    SpaprHea *s = qp->res.hea;
    int i;

    hea_tx_forget(qp);
    hea_port_forget_qp(s, qp);
    qp->scq->refs--;
    qp->rcq->refs--;
    qp->aeq->refs--;
    g_hash_table_remove(s->qp_by_number, GUINT_TO_POINTER(qp->res.number));
    for (i = 0; i < HEA_QUEUES; i++) {
        hea_ring_free(s, &qp->ring[i]);
    }
    hea_res_del(&qp->res);
}

int64_t hea_qp_free(SpaprHea *s, HeaQP *qp, bool force)
{
    if (!force && qp->state == HEA_QPS_ERROR) {
        return H_R_STATE;
    }
    if (!force && qp->enabled) {
        hea_violation(s, HEA_V_FREE_ENABLED_QP, "QP %u", qp->res.number);
        return H_R_STATE;
    }
    s->forced_frees += hea_qp_can_receive(qp);
    hea_qp_destroy(qp);
    return H_SUCCESS;
}

/* States */

bool hea_qp_can_send(const HeaQP *qp)
{
    return qp->enabled && qp->state == HEA_QPS_RTS;
}

bool hea_qp_can_receive(const HeaQP *qp)
{
    return qp->enabled &&
           (qp->state == HEA_QPS_RTR || qp->state == HEA_QPS_RTS);
}

/* Account for the time from a QP's stop to its next start */
static void hea_qp_note_pause(SpaprHea *s, HeaQP *qp)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    bool running = hea_qp_can_receive(qp);

    if (qp->running && !running) {
        qp->stopped_ns = now;
    } else if (!qp->running && running && qp->stopped_ns) {
        s->qp_pauses++;
        s->qp_paused_ns += now - qp->stopped_ns;
        s->qp_pause_max_ns = MAX(s->qp_pause_max_ns, now - qp->stopped_ns);
    }
    qp->running = running;
}

void hea_qp_error(HeaQP *qp, uint64_t aer)
{
    if (qp->state == HEA_QPS_ERROR) {
        return;
    }
    trace_spapr_hea_qp_error(qp->res.number, aer);
    qp->state = HEA_QPS_ERROR;
    qp->aer = aer;
    qp->aerr = aer;
    hea_tx_forget(qp);
    hea_eq_event(qp->aeq, HEA_EQE_ID_PUT(HEA_EQE_ID_QP_ERROR) |
                          HEA_EQE_NUM_PUT(qp->res.number) | qp->token);
}

static bool hea_ring_complete(SpaprHea *s, const HeaRing *ring,
                              const char *what, uint32_t number)
{
    if (hea_ring_ready(ring)) {
        return true;
    }
    hea_violation(s, HEA_V_PAGES_MISSING, "%s %u: %u of %u pages", what,
                  number, ring->got, ring->pages);
    return false;
}

static bool hea_cq_complete(SpaprHea *s, const HeaCQ *cq)
{
    return hea_ring_complete(s, &cq->ring, "CQ", cq->res.number) &&
           hea_ring_complete(s, &cq->eq->ring, "EQ", cq->eq->irq);
}

static bool hea_qp_complete(HeaQP *qp)
{
    SpaprHea *s = qp->res.hea;
    int i;

    for (i = 0; i < HEA_QUEUES; i++) {
        if (!hea_ring_complete(s, &qp->ring[i], "QP", qp->res.number)) {
            return false;
        }
    }
    return hea_cq_complete(s, qp->scq) && hea_cq_complete(s, qp->rcq) &&
           hea_ring_complete(s, &qp->aeq->ring, "EQ", qp->aeq->irq);
}

/* Bring-up: initialized; enabled and initialized; enabled and ready */
static bool hea_qp_may_become(const HeaQP *qp, uint8_t to, bool enable)
{
    switch (to) {
    case HEA_QPS_ERROR:
        return true;
    case HEA_QPS_RESET:
        return !enable;
    case HEA_QPS_INIT:
        return qp->state == HEA_QPS_INIT ||
               (qp->state == HEA_QPS_RESET && !enable);
    case HEA_QPS_RTR:
        return qp->state == HEA_QPS_RTR ||
               (qp->state == HEA_QPS_INIT && qp->enabled && enable);
    case HEA_QPS_RTS:
        return qp->state == HEA_QPS_RTS || qp->state == HEA_QPS_RTR ||
               (qp->state == HEA_QPS_INIT && qp->enabled && enable);
    default:
        return false;
    }
}

static void hea_qp_rewind(HeaQP *qp)
{
    int i;

    for (i = 0; i < HEA_QUEUES; i++) {
        hea_ring_reset(&qp->ring[i]);
        qp->posted[i] = 0;
    }
    qp->sent = qp->tso_done = 0;
    qp->aer = qp->aerr = 0;
}

static int64_t hea_qp_set_control(SpaprHea *s, HeaQP *qp, uint64_t control)
{
    uint8_t to = HEA_QPC_REQ(control) ?: qp->state;
    bool enable = control & HEA_QPC_ENABLED;

    if (control & ~HEA_QPC_VALID) {
        hea_violation(s, HEA_V_RESERVED_BITS, "QP control 0x%" PRIx64,
                      control);
        return H_ATTR_PARM;
    }
    if (!hea_qp_may_become(qp, to, enable)) {
        /* Errors come at any time: the guest may not know of one yet */
        if (qp->state != HEA_QPS_ERROR) {
            hea_violation(s, HEA_V_QP_STATE, "QP %u: state %u%s to %u%s",
                          qp->res.number, qp->state,
                          qp->enabled ? " enabled" : "", to,
                          enable ? " enabled" : "");
        }
        return H_R_STATE;
    }
    if (enable && !hea_qp_complete(qp)) {
        return H_R_STATE;
    }
    if (to == HEA_QPS_RESET && qp->state != to) {
        hea_qp_rewind(qp);
    }
    qp->enabled = enable;
    qp->state = to;
    hea_qp_note_pause(s, qp);
    trace_spapr_hea_qp_state(qp->res.number, qp->enabled, qp->state);
    if (hea_qp_can_send(qp)) {
        hea_tx_kick(qp);
    } else {
        hea_tx_forget(qp);
    }
    return H_SUCCESS;
}

static int64_t hea_qp_check_cb(SpaprHea *s, const uint64_t *args)
{
    if (args[R5]) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "QP control block %" PRIu64,
                      args[R5]);
        return H_PARAMETER;
    }
    if (!args[R7] || args[R7] & ~HEA_BITS(0, HEA_QPCB_FIELDS - 1)) {
        hea_violation(s, HEA_V_BAD_MASK, "QP mask 0x%" PRIx64, args[R7]);
        return H_MASK_PARM;
    }
    return hea_cb_check(s, args[R8], "QP control block");
}

int64_t hea_h_modify_qp(SpaprHea *s, uint64_t *args)
{
    HeaQP *qp = hea_find(s, args[R6], HEA_TYPE_QP);
    uint64_t mask = args[R7];
    uint64_t control;
    int64_t rc;

    if (!qp) {
        return H_RH_PARM;
    }
    rc = hea_qp_check_cb(s, args);
    if (rc != H_SUCCESS) {
        return rc;
    }
    if (mask != HEA_BIT(0)) {
        hea_violation(s, HEA_V_BAD_MASK, "QP mask 0x%" PRIx64, mask);
        args[R4] = clz64(mask & ~HEA_BIT(0));
        return H_ATTR_PARM;
    }
    rc = hea_cb_read(s, args[R8], &control, sizeof(control));
    if (rc == H_SUCCESS) {
        rc = hea_qp_set_control(s, qp, be64_to_cpu(control));
    }
    if (rc != H_SUCCESS) {
        args[R4] = 0;
        return rc;
    }
    args[R4] = 0;
    args[R7] = qp->max_posted[HEA_SQ];
    args[R8] = qp->max_posted[HEA_RQ1];
    args[R9] = mask;
    return H_SUCCESS;
}

static uint64_t hea_qp_control(const HeaQP *qp)
{
    uint64_t control = HEA_QPC_REQ_PUT(qp->state);

    if (qp->enabled) {
        control |= HEA_QPC_ENABLED;
    }
    if (qp->state != HEA_QPS_ERROR) {
        control |= HEA_QPC_STATE_PUT(qp->state);
    }
    return control;
}

int64_t hea_h_query_qp(SpaprHea *s, uint64_t *args)
{
    HeaQP *qp = hea_find(s, args[R6], HEA_TYPE_QP);
    uint8_t cb[HEA_QPCB_TENURE + 8];
    uint64_t mask = args[R7];
    int64_t rc;

    if (!qp) {
        return H_RH_PARM;
    }
    rc = hea_qp_check_cb(s, args);
    if (rc == H_SUCCESS) {
        rc = hea_cb_read(s, args[R8], cb, sizeof(cb));
    }
    if (rc != H_SUCCESS) {
        return rc;
    }
    if (mask & HEA_BIT(0)) {
        stq_be_p(cb + HEA_QPCB_CONTROL, hea_qp_control(qp));
    }
    if (mask & HEA_BIT(1)) {
        stl_be_p(cb + HEA_QPCB_SQ_SIZE, qp->max_posted[HEA_SQ]);
    }
    if (mask & HEA_BIT(2)) {
        stl_be_p(cb + HEA_QPCB_RQ_SIZE, qp->max_posted[HEA_RQ1]);
    }
    if (mask & HEA_BIT(3)) {
        stl_be_p(cb + HEA_QPCB_PORT, qp->port->number);
    }
    if (mask & HEA_BIT(4)) {
        stq_be_p(cb + HEA_QPCB_AER, qp->aer);
    }
    if (mask & HEA_BIT(5)) {
        stq_be_p(cb + HEA_QPCB_TENURE, 0);
    }
    return hea_cb_write(s, args[R8], cb, sizeof(cb));
}

int64_t hea_h_disable(SpaprHea *s, uint64_t *args)
{
    HeaQP *qp = hea_find(s, args[R6], HEA_TYPE_QP);

    if (!qp) {
        return H_RH_PARM;
    }
    if (args[R5] != 1) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "disable with 0x%" PRIx64,
                      args[R5]);
        return H_PARAMETER;
    }
    qp->enabled = false;
    hea_qp_note_pause(s, qp);
    hea_tx_forget(qp);
    trace_spapr_hea_qp_state(qp->res.number, qp->enabled, qp->state);
    return H_SUCCESS;
}

static bool hea_wqe_names_lkey(const uint8_t *wqe, unsigned len, int queue,
                               uint32_t lkey)
{
    unsigned n = queue == HEA_SQ ? hea_swqe_descs(wqe) : wqe[HEA_RWQE_DESCS];
    unsigned i, at;

    for (i = 0; i < n; i++) {
        at = queue == HEA_SQ ? hea_swqe_desc(wqe, i) :
                               HEA_WQE_HEADER + i * HEA_DESC_SIZE;
        if (at + HEA_DESC_SIZE > len) {
            break;
        }
        if ((uint32_t)ldl_be_p(wqe + at + 8) == lkey) {
            return true;
        }
    }
    return false;
}

static bool hea_ring_posted_lkey(HeaQP *qp, int queue, uint32_t lkey)
{
    HeaRing *ring = &qp->ring[queue];
    uint8_t wqe[HEA_WQE_MAX];
    unsigned i;

    for (i = 0; i < qp->posted[queue]; i++) {
        hwaddr slot = hea_ring_slot(ring, (ring->next + i) % ring->slots);

        if (hea_mem_read(qp->res.hea, slot, wqe, ring->entry_size) &&
            hea_wqe_names_lkey(wqe, ring->entry_size, queue, lkey)) {
            return true;
        }
    }
    return false;
}

/* Is a WQE with this key waiting to be used?  Those of RQ1 name none. */
bool hea_qp_posted_lkey(HeaQP *qp, uint32_t lkey)
{
    return hea_ring_posted_lkey(qp, HEA_SQ, lkey) ||
           hea_ring_posted_lkey(qp, HEA_RQ2, lkey) ||
           hea_ring_posted_lkey(qp, HEA_RQ3, lkey);
}

/* Registers */

static void hea_qp_post(HeaQP *qp, int queue, uint64_t val)
{
    uint32_t n = HEA_QPR_ADD(val);

    if (val & ~HEA_BITS(48, 63)) {
        hea_violation(qp->res.hea, HEA_V_RESERVED_BITS, "doorbell 0x%" PRIx64,
                      val);
    }
    if (qp->state == HEA_QPS_ERROR) {
        return;
    }
    if (qp->posted[queue] + n > qp->max_posted[queue]) {
        hea_violation(qp->res.hea,
                      queue == HEA_SQ ? HEA_V_SQ_OVERRUN : HEA_V_RQ_OVERRUN,
                      "QP %u queue %d: %u posted, %u more, at most %u",
                      qp->res.number, queue, qp->posted[queue], n,
                      qp->max_posted[queue]);
        hea_qp_error(qp, queue == HEA_SQ ? HEA_AER_SQ_OVERRUN :
                                           HEA_AER_RQ_OVERRUN);
        return;
    }
    qp->posted[queue] += n;
    if (queue == HEA_SQ && hea_qp_can_send(qp)) {
        hea_tx_kick(qp);
    }
}

void hea_qp_reg_write(HeaQP *qp, unsigned reg, uint64_t val)
{
    switch (reg) {
    case HEA_QPR_SQA:
        hea_qp_post(qp, HEA_SQ, val);
        break;
    case HEA_QPR_RQ1A:
        hea_qp_post(qp, HEA_RQ1, val);
        break;
    case HEA_QPR_RQ2A:
        hea_qp_post(qp, HEA_RQ2, val);
        break;
    case HEA_QPR_RQ3A:
        hea_qp_post(qp, HEA_RQ3, val);
        break;
    default:
        hea_violation(qp->res.hea, HEA_V_MMIO_REGISTER, "store of 0x%" PRIx64
                      " to QP register 0x%x", val, reg);
    }
}

uint64_t hea_qp_reg_read(HeaQP *qp, unsigned reg)
{
    const HeaRing *sq = &qp->ring[HEA_SQ], *rq1 = &qp->ring[HEA_RQ1];

    switch (reg) {
    case HEA_QPR_AER:
        return qp->aer;
    case HEA_QPR_AERR:
        return qp->aerr;
    case HEA_QPR_SQ_HEAD:
        return sq->next;
    case HEA_QPR_SQ_TAIL:
        return (sq->next + qp->posted[HEA_SQ]) % sq->slots;
    case HEA_QPR_RQ1_HEAD:
        return rq1->next;
    case HEA_QPR_RQ1_TAIL:
        return (rq1->next + qp->posted[HEA_RQ1]) % rq1->slots;
    case HEA_QPR_SQA:
    case HEA_QPR_RQ1A:
    case HEA_QPR_RQ2A:
    case HEA_QPR_RQ3A:
        return 0;
    default:
        hea_violation(qp->res.hea, HEA_V_MMIO_REGISTER, "load of QP register "
                      "0x%x", reg);
        return 0;
    }
}
