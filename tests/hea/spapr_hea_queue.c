/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: rings in guest memory, event and completion
 * queues, interrupts.
 */
#include "qemu/osdep.h"
#include "spapr_hea_int.h"
#include "trace.h"

#define HEA_MAX_EQES    65536
#define HEA_MAX_CQES    65536

/* Rings */

bool hea_ring_init(HeaRing *ring, uint64_t entries, uint32_t entry_size)
{
    if (!entries || entries > UINT16_MAX + 1) {
        return false;
    }
    ring->entry_size = entry_size;
    ring->pages = DIV_ROUND_UP(entries * entry_size, HEA_PAGE_SIZE);
    ring->slots = ring->pages * (HEA_PAGE_SIZE / entry_size);
    ring->page = g_new0(uint64_t, ring->pages);
    ring->phase = true;
    return true;
}

void hea_ring_reset(HeaRing *ring)
{
    ring->next = 0;
    ring->phase = true;
}

void hea_ring_free(SpaprHea *s, HeaRing *ring)
{
    uint32_t i;

    for (i = 0; i < ring->got; i++) {
        g_hash_table_remove(s->queue_pages, &ring->page[i]);
    }
    g_free(ring->page);
    ring->page = NULL;
    ring->got = 0;
}

hwaddr hea_ring_slot(const HeaRing *ring, uint32_t slot)
{
    uint32_t per_page = HEA_PAGE_SIZE / ring->entry_size;

    return ring->page[slot / per_page] +
           (slot % per_page) * ring->entry_size;
}

void hea_ring_advance(HeaRing *ring)
{
    if (++ring->next == ring->slots) {
        ring->next = 0;
        ring->phase = !ring->phase;
    }
}

bool hea_ring_ready(const HeaRing *ring)
{
    return ring->got == ring->pages;
}

/* H_REGISTER_HEA_RPAGES for one page of one ring */
int64_t hea_ring_page(SpaprHea *s, HeaRing *ring, uint64_t addr)
{
    uint64_t *key;

    if (hea_ring_ready(ring)) {
        hea_violation(s, HEA_V_PAGES_AFTER_COMPLETE, "queue page 0x%" PRIx64,
                      addr);
        return H_TABLE_FULL;
    }
    if (addr & (HEA_PAGE_SIZE - 1)) {
        hea_violation(s, HEA_V_PAGE_ALIGN, "queue page 0x%" PRIx64, addr);
        return H_PARAMETER;
    }
    if (!hea_is_ram(addr, HEA_PAGE_SIZE)) {
        hea_violation(s, HEA_V_PAGE_NOT_RAM, "queue page 0x%" PRIx64, addr);
        return H_MEM_PARM;
    }
    if (hea_lmb_refused(s, addr, "queue page")) {
        return H_MEM_PARM;
    }
    if (g_hash_table_contains(s->queue_pages, &addr)) {
        hea_violation(s, HEA_V_PAGE_TWICE, "queue page 0x%" PRIx64, addr);
        return H_PARAMETER;
    }
    key = g_new(uint64_t, 1);
    *key = addr;
    g_hash_table_add(s->queue_pages, key);
    ring->page[ring->got++] = addr;
    return hea_ring_ready(ring) ? H_SUCCESS : H_PAGE_REGISTERED;
}

/* Interrupts */

/* Kinds of interrupts, as HEA_K_CODE */
unsigned hea_eq_kind(const HeaEQ *eq)
{
    if (eq->is_neq) {
        return HEA_IRQ_NEQ;
    }
    return eq->no_eqe ? HEA_IRQ_QUEUE : HEA_IRQ_AFF;
}

static void hea_irq_now(SpaprHea *s, int irq)
{
    SpaprMachineState *spapr = SPAPR_MACHINE(qdev_get_machine());

    s->irq_count++;
    trace_spapr_hea_irq(irq);
    qemu_irq_pulse(spapr_qirq(spapr, irq));
}

/* By number, for the EQ may be gone by then */
typedef struct HeaLateIrq {
    SpaprHea *hea;
    int irq;
} HeaLateIrq;

static void hea_irq_late(void *opaque)
{
    HeaLateIrq *late = opaque;

    hea_irq_now(late->hea, late->irq);
}

static void hea_irq_in(SpaprHea *s, int irq, uint32_t us)
{
    HeaLateIrq *late = g_new(HeaLateIrq, 1);

    late->hea = s;
    late->irq = irq;
    hea_delay(s, us, hea_irq_late, late);
}

void hea_irq_pulse(HeaEQ *eq)
{
    SpaprHea *s = eq->res.hea;
    HeaEvent ev = { .site = HEA_S_IRQ };
    HeaVerdict verdict = { };

    if (!QTAILQ_EMPTY(&s->faults)) {
        hea_event_set(&ev, HEA_K_EQ, eq->irq);
        hea_event_set(&ev, HEA_K_HANDLE, eq->res.handle);
        hea_event_set(&ev, HEA_K_CODE, hea_eq_kind(eq));
        verdict = hea_fault_apply(s, &ev, NULL, 0);
    }
    if (verdict.delay_us) {
        hea_irq_in(s, eq->irq, verdict.delay_us);
        return;
    }
    if (verdict.drop) {
        return;
    }
    do {
        hea_irq_now(s, eq->irq);
    } while (verdict.dup--);
}

/* Event queues */

int64_t hea_eq_alloc(SpaprHea *s, uint64_t *args)
{
    uint64_t ctrl = args[R5];
    HeaEQ *eq;
    int irq;

    if (ctrl & ~HEA_EQ_CTRL_VALID || HEA_EQ_CTRL_IRQS(ctrl) > 1) {
        hea_violation(s, HEA_V_RESERVED_BITS, "EQ controls 0x%" PRIx64, ctrl);
        return H_PARAMETER;
    }
    if (!args[R6] || args[R6] > HEA_MAX_EQES) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "EQ of %" PRIu64 " entries",
                      args[R6]);
        return H_PARAMETER;
    }
    irq = s->live[HEA_TYPE_EQ] < s->cfg.max_eqs ? hea_irq_get(s) : -1;
    if (irq < 0) {
        return H_NOT_ENOUGH_RESOURCES;
    }
    eq = g_new0(HeaEQ, 1);
    hea_ring_init(&eq->ring, args[R6], HEA_EQE_SIZE);
    eq->irq = irq;
    eq->is_neq = ctrl & HEA_EQ_CTRL_NEQ;
    eq->no_eqe = ctrl & HEA_EQ_CTRL_NO_EQE;
    eq->armed = HEA_NEM_ALL;
    eq->res.epa = -1;
    hea_res_add(s, &eq->res, HEA_TYPE_EQ);
    args[R4] = eq->res.handle;
    args[R7] = eq->ring.slots;
    args[R8] = eq->ring.pages;
    args[R9] = irq;
    args[R10] = args[R11] = args[R12] = 0;
    return H_SUCCESS;
}

void hea_eq_destroy(HeaEQ *eq)
{
    hea_irq_put(eq->res.hea, eq->irq);
    hea_ring_free(eq->res.hea, &eq->ring);
    hea_res_del(&eq->res);
}

int64_t hea_eq_free(SpaprHea *s, HeaEQ *eq)
{
    if (eq->refs) {
        hea_violation(s, HEA_V_STILL_REFERENCED, "EQ with %u users freed",
                      eq->refs);
        return H_RESOURCE;
    }
    hea_eq_destroy(eq);
    return H_SUCCESS;
}

static void hea_eqe_put(HeaEQ *eq, uint64_t eqe)
{
    SpaprHea *s = eq->res.hea;
    uint64_t val = eqe & ~HEA_EQE_VALID;
    uint64_t be;

    if (!hea_ring_ready(&eq->ring)) {
        hea_violation(s, HEA_V_PAGES_MISSING, "event for an EQ without pages");
        return;
    }
    if (eq->ring.phase) {
        val |= HEA_EQE_VALID;
    }
    trace_spapr_hea_eqe(eq->irq, val);
    be = cpu_to_be64(val);
    if (!hea_mem_write(s, hea_ring_slot(&eq->ring, eq->ring.next), &be,
                       sizeof(be))) {
        hea_violation(s, HEA_V_QUEUE_MEMORY, "EQ with interrupt 0x%x",
                      eq->irq);
    }
    hea_ring_advance(&eq->ring);
}

/* An entry for an EQ that writes them, and the interrupt */
void hea_eq_event(HeaEQ *eq, uint64_t eqe)
{
    SpaprHea *s = eq->res.hea;
    HeaEvent ev = { .site = HEA_S_EQE };
    HeaVerdict verdict = { };

    if (!QTAILQ_EMPTY(&s->faults)) {
        hea_event_set(&ev, HEA_K_EQ, eq->irq);
        hea_event_set(&ev, HEA_K_HANDLE, eq->res.handle);
        hea_event_set(&ev, HEA_K_CODE, HEA_GET(eqe, 2, 7));
        verdict = hea_fault_apply_u64(s, &ev, &eqe);
    }
    if (verdict.drop) {
        return;
    }
    do {
        if (!eq->no_eqe) {
            hea_eqe_put(eq, eqe);
        }
    } while (verdict.dup--);
    hea_irq_pulse(eq);
}

/* Notifications */

static uint64_t hea_neq_kind(uint64_t neqe)
{
    switch (HEA_NEQE_CODE(neqe)) {
    case HEA_NEC_ADAPTER_MALF:
        return HEA_NEM_ADAPTER_MALF;
    case HEA_NEC_PORT_MALF:
        return HEA_NEM_PORT_MALF;
    default:
        return HEA_NEM_PORT_STATE;
    }
}

/* After an interrupt the NEQ is silent until the guest re-arms a kind */
static void hea_neq_signal(HeaEQ *eq)
{
    if (!(eq->armed & eq->pending)) {
        return;
    }
    eq->armed = 0;
    eq->pending = 0;
    hea_irq_pulse(eq);
}

static void hea_neq_put(HeaEQ *eq, uint64_t neqe)
{
    hea_eqe_put(eq, neqe);
    eq->pending |= hea_neq_kind(neqe);
    hea_neq_signal(eq);
}

void hea_neq_event(SpaprHea *s, HeaPort *port, uint64_t neqe)
{
    HeaEvent ev = { .site = HEA_S_NEQE };
    HeaVerdict verdict = { };
    GHashTableIter iter;
    gpointer val;
    unsigned n;

    if (!QTAILQ_EMPTY(&s->faults)) {
        hea_event_set(&ev, HEA_K_CODE, HEA_NEQE_CODE(neqe));
        if (port) {
            hea_event_set(&ev, HEA_K_PORT, port->number);
        }
        verdict = hea_fault_apply_u64(s, &ev, &neqe);
    }
    if (verdict.drop) {
        return;
    }
    g_hash_table_iter_init(&iter, s->res);
    while (g_hash_table_iter_next(&iter, NULL, &val)) {
        HeaEQ *eq = val;

        if (eq->res.type != HEA_TYPE_EQ || !eq->is_neq ||
            !hea_ring_ready(&eq->ring)) {
            continue;
        }
        for (n = 0; n <= verdict.dup; n++) {
            hea_neq_put(eq, neqe);
        }
    }
}

int64_t hea_h_reset_events(SpaprHea *s, uint64_t *args)
{
    HeaEQ *eq = hea_find(s, args[R5], HEA_TYPE_EQ);

    if (!eq) {
        return H_RH_PARM;
    }
    if (!eq->is_neq || args[R6] & ~HEA_NEM_ALL) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "reset events 0x%" PRIx64
                      " of %s", args[R6], eq->is_neq ? "NEQ" : "an EQ");
        return H_PARAMETER;
    }
    eq->armed |= args[R6];
    hea_neq_signal(eq);
    return H_SUCCESS;
}

/* Completion queues */

int64_t hea_cq_alloc(SpaprHea *s, uint64_t *args)
{
    HeaEQ *eq = hea_find(s, args[R6], HEA_TYPE_EQ);
    HeaCQ *cq;

    if (!eq) {
        return H_EQ_PARM;
    }
    if (args[R5] & ~HEA_BITS(56, 63) || args[R7] >> 32) {
        hea_violation(s, HEA_V_RESERVED_BITS, "CQ controls 0x%" PRIx64
                      ", token 0x%" PRIx64, args[R5], args[R7]);
        return H_PARAMETER;
    }
    if (!args[R8] || args[R8] > HEA_MAX_CQES || eq->is_neq) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "CQ of %" PRIu64 " entries",
                      args[R8]);
        return H_PARAMETER;
    }
    if (s->live[HEA_TYPE_CQ] >= s->cfg.max_cqs) {
        return H_NOT_ENOUGH_RESOURCES;
    }
    cq = g_new0(HeaCQ, 1);
    if (!hea_res_epa_get(s, &cq->res)) {
        g_free(cq);
        return H_NOT_ENOUGH_RESOURCES;
    }
    hea_ring_init(&cq->ring, args[R8], HEA_CQE_SIZE);
    cq->eq = eq;
    cq->token = args[R7];
    eq->refs++;
    hea_res_add(s, &cq->res, HEA_TYPE_CQ);
    g_hash_table_insert(s->cq_by_number, GUINT_TO_POINTER(cq->res.number),
                        cq);
    args[R4] = cq->res.handle;
    args[R7] = cq->ring.slots;
    args[R8] = cq->ring.pages;
    args[R9] = hea_res_epa(&cq->res);
    return H_SUCCESS;
}

void hea_cq_destroy(HeaCQ *cq)
{
    SpaprHea *s = cq->res.hea;

    cq->eq->refs--;
    g_hash_table_remove(s->cq_by_number, GUINT_TO_POINTER(cq->res.number));
    hea_ring_free(s, &cq->ring);
    hea_res_del(&cq->res);
}

int64_t hea_cq_free(SpaprHea *s, HeaCQ *cq)
{
    if (cq->refs) {
        hea_violation(s, HEA_V_STILL_REFERENCED, "CQ with %u users freed",
                      cq->refs);
        return H_RESOURCE;
    }
    hea_cq_destroy(cq);
    return H_SUCCESS;
}

static void hea_cq_raise(HeaCQ *cq)
{
    cq->armed = false;
    cq->missed = false;
    cq->pending = true;
    hea_eq_event(cq->eq, HEA_EQE_CQE | HEA_EQE_NUM_PUT(cq->res.number) |
                         cq->token);
}

/*
 * Strict: one event per arming, for a completion after it.  Lenient: arming
 * also reports what came in unreported before.
 */
static void hea_cq_completion(HeaCQ *cq)
{
    if (cq->armed && !cq->pending) {
        hea_cq_raise(cq);
    } else {
        cq->missed = true;
    }
}

typedef struct HeaLateCq {
    SpaprHea *hea;
    uint64_t handle;
} HeaLateCq;

static void hea_cq_completion_late(void *opaque)
{
    HeaLateCq *late = opaque;
    HeaRes *res = g_hash_table_lookup(late->hea->res, &late->handle);

    if (res && res->type == HEA_TYPE_CQ) {
        hea_cq_completion(container_of(res, HeaCQ, res));
    }
}

/* The same, but a rule may have the adapter look at the arming later */
void hea_cq_completion_in(HeaCQ *cq, uint32_t us)
{
    HeaLateCq *late;

    if (!us) {
        hea_cq_completion(cq);
        return;
    }
    late = g_new(HeaLateCq, 1);
    late->hea = cq->res.hea;
    late->handle = cq->res.handle;
    hea_delay(cq->res.hea, us, hea_cq_completion_late, late);
}

/*
 * The valid byte goes last: the guest's CPUs run in parallel.  A rule that
 * set the valid bit in the CQE makes the entry look like one of last lap.
 */
bool hea_cqe_write(SpaprHea *s, hwaddr slot, bool phase, const uint8_t *cqe)
{
    uint8_t entry[HEA_CQE_SIZE];

    memcpy(entry, cqe, sizeof(entry));
    if (phase) {
        entry[HEA_CQE_VALID] ^= HEA_CQE_VALID_BIT;
    }
    entry[HEA_CQE_VALID] ^= HEA_CQE_VALID_BIT;
    if (!hea_mem_write(s, slot, entry, sizeof(entry))) {
        return false;
    }
    smp_wmb(); /* what the valid bit announces comes before it */
    entry[HEA_CQE_VALID] ^= HEA_CQE_VALID_BIT;
    return hea_mem_write(s, slot + HEA_CQE_VALID, &entry[HEA_CQE_VALID], 1);
}

static bool hea_cq_put(HeaCQ *cq, HeaQP *qp, uint8_t *cqe)
{
    SpaprHea *s = cq->res.hea;

    if (cq->unread == cq->ring.slots) {
        hea_violation(s, HEA_V_CQ_OVERRUN, "CQ %u is full", cq->res.number);
        hea_qp_error(qp, HEA_AER_CQ_OVERRUN);
        return false;
    }
    trace_spapr_hea_cqe(cq->res.number, cq->ring.next, ldq_be_p(cqe),
                        lduw_be_p(cqe + HEA_CQE_STATUS));
    if (!hea_cqe_write(s, hea_ring_slot(&cq->ring, cq->ring.next),
                       cq->ring.phase, cqe)) {
        hea_violation(s, HEA_V_QUEUE_MEMORY, "CQ %u", cq->res.number);
        hea_qp_error(qp, HEA_AER_QUEUE_DMA);
        return false;
    }
    hea_ring_advance(&cq->ring);
    cq->written = true;
    cq->unread++;
    return true;
}

/* A send completion */
void hea_cq_post(HeaCQ *cq, HeaQP *qp, uint8_t *cqe)
{
    SpaprHea *s = cq->res.hea;
    HeaEvent ev = { .site = HEA_S_CQE };
    HeaVerdict verdict = { };
    bool any = false, ok;

    if (!QTAILQ_EMPTY(&s->faults)) {
        hea_event_set(&ev, HEA_K_WR, HEA_SQ);
        hea_event_set(&ev, HEA_K_PORT, qp->port->number);
        hea_event_set(&ev, HEA_K_QP, qp->res.number);
        hea_event_set(&ev, HEA_K_CQ, cq->res.number);
        verdict = hea_fault_apply(s, &ev, cqe, HEA_CQE_SIZE);
    }
    if (verdict.drop) {
        return;
    }
    do {
        ok = hea_cq_put(cq, qp, cqe);
        any |= ok;
    } while (ok && verdict.dup--);
    if (any) {
        hea_cq_completion_in(cq, verdict.delay_us);
    }
}

uint64_t hea_cq_reg_read(HeaCQ *cq, unsigned reg)
{
    switch (reg) {
    case HEA_CQR_EP:
        return cq->pending ? HEA_CQR_PENDING : 0;
    case HEA_CQR_N1:
        return cq->armed ? HEA_CQR_ARM : 0;
    case HEA_CQR_FECA:
        return 0;
    default:
        hea_violation(cq->res.hea, HEA_V_MMIO_REGISTER, "load of CQ register "
                      "0x%x", reg);
        return 0;
    }
}

/* Only CQs whose ring is written keep account: a receive CQ's never is */
static void hea_cq_credits(HeaCQ *cq, uint32_t n)
{
    if (!cq->written) {
        return;
    }
    if (n > cq->unread) {
        hea_violation(cq->res.hea, HEA_V_CQ_CREDITS, "CQ %u: %u entries given "
                      "back, %u were written", cq->res.number, n, cq->unread);
        n = cq->unread;
    }
    cq->unread -= n;
}

/* What each register takes */
static void hea_cq_reg_check(HeaCQ *cq, unsigned reg, uint64_t val)
{
    uint64_t valid = reg == HEA_CQR_FECA ? HEA_BITS(32, 63) :
                     reg == HEA_CQR_N1 ? HEA_CQR_ARM : 0;

    if (val & ~valid) {
        hea_violation(cq->res.hea, HEA_V_RESERVED_BITS, "store of 0x%" PRIx64
                      " to CQ register 0x%x", val, reg);
    }
}

static void hea_cq_arm(HeaCQ *cq, bool arm)
{
    cq->armed = arm;
    if (arm && cq->missed && !cq->pending &&
        cq->res.hea->cfg.arming == HEA_ARM_LENIENT) {
        hea_cq_raise(cq);
    }
    if (cq->armed) {
        cq->missed = false;
    }
}

void hea_cq_reg_write(HeaCQ *cq, unsigned reg, uint64_t val)
{
    switch (reg) {
    case HEA_CQR_FECA:
        hea_cq_reg_check(cq, reg, val);
        hea_cq_credits(cq, HEA_CQR_ADD(val));
        break;
    case HEA_CQR_EP:
        hea_cq_reg_check(cq, reg, val);
        cq->pending = val & HEA_CQR_PENDING;
        break;
    case HEA_CQR_N1:
        hea_cq_reg_check(cq, reg, val);
        hea_cq_arm(cq, val & HEA_CQR_ARM);
        break;
    default:
        hea_violation(cq->res.hea, HEA_V_MMIO_REGISTER, "store of 0x%" PRIx64
                      " to CQ register 0x%x", val, reg);
    }
}
