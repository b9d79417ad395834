/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: port control blocks, filters, link.
 */
#include "qemu/osdep.h"
#include "spapr_hea_int.h"
#include "trace.h"

/* What one kind of port control block is made of */
typedef struct HeaCb {
    uint8_t number;
    uint16_t len;
    uint64_t readable, writable;        /* mask bits */
    void (*fill)(HeaPort *port, uint64_t mask, uint8_t *cb);
    int64_t (*apply)(HeaPort *port, uint64_t mask, const uint8_t *cb);
} HeaCb;

/* Link and life */

bool hea_port_started(const HeaPort *port)
{
    return port->rxctrl & HEA_RXC_VALID;
}

static uint64_t hea_port_state(const HeaPort *port)
{
    uint64_t neqe = HEA_NEQE_CODE_PUT(HEA_NEC_PORT_STATE) |
                    HEA_NEQE_PORT_PUT(port->number) | HEA_NEQE_PRIMARY;

    if (port->logical_up) {
        neqe |= HEA_NEQE_PORT_UP;
    }
    if (port->physical_up) {
        neqe |= HEA_NEQE_EXT_UP;
    }
    return neqe;
}

void hea_port_state_event(HeaPort *port)
{
    trace_spapr_hea_link(port->number, port->logical_up, port->physical_up);
    hea_neq_event(port->hea, port, hea_port_state(port));
}

void hea_port_set_link(HeaPort *port, bool logical, bool physical)
{
    if (logical == port->logical_up && physical == port->physical_up) {
        return;
    }
    port->logical_up = logical;
    port->physical_up = physical;
    hea_port_state_event(port);
}

void hea_port_init(HeaPort *port)
{
    port->filters = g_hash_table_new_full(hea_u64_hash, g_int64_equal,
                                          g_free, NULL);
    port->groups = g_hash_table_new_full(hea_u64_hash, g_int64_equal,
                                         g_free, NULL);
    hea_port_reset(port);
}

/* Counters of the tests survive; those that firmware keeps do not */
void hea_port_reset(HeaPort *port)
{
    bool up = !qemu_get_queue(port->nic)->link_down;

    port->mac = hea_mac(port->conf.macaddr.a);
    port->rxctrl = 0;
    port->ducqpn = 0;
    port->pause = port->jumbo = port->wrap = 0;
    port->speed = port->hea->cfg.speed;
    port->logical_up = port->physical_up = up;
    port->hold = false;
    port->hea->filters -= g_hash_table_size(port->filters);
    g_hash_table_remove_all(port->filters);
    g_hash_table_remove_all(port->groups);
    memset(port->qpn, 0, sizeof(port->qpn));
    memset(port->vlans, 0, sizeof(port->vlans));
    memset(port->cb2, 0, sizeof(port->cb2));
    memset(port->cb6, 0, sizeof(port->cb6));
}

/* A dead QP is no default unicast QP any more */
void hea_port_forget_qp(SpaprHea *s, const HeaQP *qp)
{
    unsigned i;

    for (i = 0; i < s->nr_ports; i++) {
        if (s->port[i].ducqpn == qp->res.handle) {
            s->port[i].ducqpn = 0;
        }
    }
}

/* Control block 0: address, receive control, state, default QPs */

static void hea_cb0_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    int i;

    if (mask & HEA_CB0_M_MAC) {
        stq_be_p(cb + HEA_CB0_MAC, port->mac);
    }
    if (mask & HEA_CB0_M_RXCTRL) {
        stq_be_p(cb + HEA_CB0_RXCTRL, port->rxctrl);
    }
    if (mask & HEA_BIT(3)) {
        stl_be_p(cb + HEA_CB0_OPER, port->logical_up);
    }
    if (mask & HEA_BIT(4)) {
        stl_be_p(cb + HEA_CB0_SPEED, port->physical_up ? port->speed : 0);
    }
    if (mask & HEA_BIT(5)) {
        stl_be_p(cb + HEA_CB0_EXT, port->physical_up);
    }
    if (mask & HEA_BIT(6)) {
        stl_be_p(cb + HEA_CB0_PAUSE, port->pause);
    }
    if (mask & HEA_CB0_M_QPNS) {
        stl_be_p(cb + HEA_CB0_NUM_QPS, port->hea->cfg.default_qps);
        for (i = 0; i < HEA_CB0_QPNS; i++) {
            stq_be_p(cb + HEA_CB0_QPN(i), port->qpn[i]);
        }
    }
}

static bool hea_vlan_filter_valid(unsigned filter)
{
    return !filter || filter == HEA_RXC_VLAN_BY_CB1;
}

static int64_t hea_cb0_check(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    uint64_t mac = ldq_be_p(cb + HEA_CB0_MAC);
    int i;

    if (mask & HEA_CB0_M_MAC && (!mac || mac >> 48 || mac & HEA_BIT(23))) {
        hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "MAC 0x%" PRIx64, mac);
        return H_ATTR_PARM;
    }
    if (mask & HEA_CB0_M_RXCTRL &&
        ldq_be_p(cb + HEA_CB0_RXCTRL) & ~HEA_BITS(49, 63)) {
        hea_violation(port->hea, HEA_V_RESERVED_BITS, "receive control 0x%"
                      PRIx64, ldq_be_p(cb + HEA_CB0_RXCTRL));
        return H_ATTR_PARM;
    }
    if (mask & HEA_CB0_M_RXCTRL && !hea_vlan_filter_valid(
            HEA_RXC_VLAN_FILTER(ldq_be_p(cb + HEA_CB0_RXCTRL)))) {
        hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "VLAN filter in 0x%"
                      PRIx64, ldq_be_p(cb + HEA_CB0_RXCTRL));
        return H_ATTR_PARM;
    }
    for (i = 0; mask & HEA_CB0_M_QPNS && i < HEA_CB0_QPNS; i++) {
        if (ldq_be_p(cb + HEA_CB0_QPN(i)) > 0xffffff) {
            hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "QP number 0x%"
                          PRIx64, ldq_be_p(cb + HEA_CB0_QPN(i)));
            return H_ATTR_PARM;
        }
    }
    return H_SUCCESS;
}

static int64_t hea_cb0_apply(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    int64_t rc = hea_cb0_check(port, mask, cb);
    int i;

    if (rc != H_SUCCESS) {
        return rc;
    }
    if (mask & HEA_CB0_M_MAC) {
        port->mac = ldq_be_p(cb + HEA_CB0_MAC);
    }
    for (i = 0; mask & HEA_CB0_M_QPNS && i < HEA_CB0_QPNS; i++) {
        port->qpn[i] = ldq_be_p(cb + HEA_CB0_QPN(i));
    }
    if (mask & HEA_CB0_M_RXCTRL) {
        port->rxctrl = ldq_be_p(cb + HEA_CB0_RXCTRL);
        if (hea_port_started(port)) {
            hea_port_state_event(port);
        }
    }
    return H_SUCCESS;
}

/* Control block 1: VLAN filter */

static void hea_cb1_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    int i;

    for (i = 0; i < HEA_CB1_WORDS; i++) {
        stq_be_p(cb + 8 * i, port->vlans[i]);
    }
}

static int64_t hea_cb1_apply(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    int i;

    for (i = 0; i < HEA_CB1_WORDS; i++) {
        port->vlans[i] = ldq_be_p(cb + 8 * i);
    }
    return H_SUCCESS;
}

/* Control blocks 2 and 6: counters */

static void hea_words_fill(const uint64_t *words, unsigned n, uint64_t mask,
                           uint8_t *cb)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (mask & HEA_BIT(i)) {
            stq_be_p(cb + 8 * i, words[i]);
        }
    }
}

static void hea_cb2_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    hea_words_fill(port->cb2, HEA_CB2_WORDS, mask, cb);
}

static void hea_cb6_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    hea_words_fill(port->cb6, HEA_CB6_WORDS, mask, cb);
}

/* Control block 4: speed, pause, state, jumbo, wrap */

static void hea_cb4_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    if (mask & HEA_CB4_M_SPEED) {
        stl_be_p(cb + HEA_CB4_SPEED, port->physical_up ? port->speed : 0);
    }
    if (mask & HEA_CB4_M_PAUSE) {
        stl_be_p(cb + HEA_CB4_PAUSE, port->pause);
    }
    if (mask & HEA_CB4_M_STATE) {
        stl_be_p(cb + HEA_CB4_STATE, port->logical_up);
    }
    if (mask & HEA_CB4_M_JUMBO) {
        stl_be_p(cb + HEA_CB4_JUMBO, port->jumbo);
    }
    if (mask & HEA_CB4_M_WRAP) {
        stl_be_p(cb + HEA_CB4_WRAP, port->wrap);
    }
}

static bool hea_speed_valid(uint32_t speed)
{
    return speed <= 4 || speed == 6 || speed == 8;
}

static int64_t hea_cb4_check(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    const HeaConfig *cfg = &port->hea->cfg;

    if (mask & HEA_CB4_M_SPEED) {
        if (!hea_speed_valid(ldl_be_p(cb + HEA_CB4_SPEED))) {
            hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "speed %u",
                          ldl_be_p(cb + HEA_CB4_SPEED));
            return H_ATTR_PARM;
        }
        if (!cfg->speed_allowed) {
            return H_AUTHORITY;
        }
    }
    if (mask & HEA_CB4_M_JUMBO && ldl_be_p(cb + HEA_CB4_JUMBO) &&
        !cfg->jumbo) {
        return H_AUTHORITY;
    }
    if ((mask & HEA_CB4_M_STATE && ldl_be_p(cb + HEA_CB4_STATE) & ~1u) ||
        (mask & HEA_CB4_M_JUMBO && ldl_be_p(cb + HEA_CB4_JUMBO) & ~1u) ||
        (mask & HEA_CB4_M_WRAP && ldl_be_p(cb + HEA_CB4_WRAP) & ~1u)) {
        hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "state, jumbo or wrap "
                      "not 0 or 1");
        return H_ATTR_PARM;
    }
    return H_SUCCESS;
}

static int64_t hea_cb4_apply(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    int64_t rc = hea_cb4_check(port, mask, cb);

    if (rc != H_SUCCESS) {
        return rc;
    }
    if (mask & HEA_CB4_M_PAUSE) {
        port->pause = ldl_be_p(cb + HEA_CB4_PAUSE);
    }
    if (mask & HEA_CB4_M_JUMBO) {
        port->jumbo = ldl_be_p(cb + HEA_CB4_JUMBO);
    }
    if (mask & HEA_CB4_M_WRAP) {
        port->wrap = ldl_be_p(cb + HEA_CB4_WRAP);
    }
    if (mask & HEA_CB4_M_STATE) {
        hea_port_set_link(port, ldl_be_p(cb + HEA_CB4_STATE),
                          port->physical_up);
    }
    if (mask & HEA_CB4_M_SPEED) {
        port->speed = ldl_be_p(cb + HEA_CB4_SPEED) ?: port->hea->cfg.speed;
        hea_port_state_event(port);
    }
    return H_SUCCESS;
}

/* Control block 7: default unicast QP */

static void hea_cb7_fill(HeaPort *port, uint64_t mask, uint8_t *cb)
{
    stq_be_p(cb, port->ducqpn);
}

static int64_t hea_cb7_apply(HeaPort *port, uint64_t mask, const uint8_t *cb)
{
    uint64_t handle = ldq_be_p(cb);
    HeaQP *qp;

    if (!handle) {
        port->ducqpn = 0;
        return H_SUCCESS;
    }
    if (!port->hea->cfg.promisc) {
        return H_AUTHORITY;
    }
    qp = hea_find(port->hea, handle, HEA_TYPE_QP);
    if (!qp) {
        return H_RH_PARM;
    }
    if (qp->port != port) {
        hea_violation(port->hea, HEA_V_BAD_ARGUMENT, "default unicast QP %u "
                      "is of port %u, not %u", qp->res.number,
                      qp->port->number, port->number);
        return H_RH_PARM;
    }
    port->ducqpn = handle;
    return H_SUCCESS;
}

/* Query and modify */

static const HeaCb hea_cbs[] = {
    { 0, HEA_CB0_QPN(HEA_CB0_QPNS), HEA_CB0_M_ALL, HEA_CB0_M_WRITE,
      hea_cb0_fill, hea_cb0_apply },
    { 1, 8 * HEA_CB1_WORDS, HEA_BIT(0), HEA_BIT(0),
      hea_cb1_fill, hea_cb1_apply },
    { 2, 8 * HEA_CB2_WORDS, HEA_BITS(0, 10), 0, hea_cb2_fill, NULL },
    { 4, HEA_CB4_WRAP + 4, HEA_CB4_M_ALL, HEA_CB4_M_ALL,
      hea_cb4_fill, hea_cb4_apply },
    { 6, 8 * HEA_CB6_WORDS, HEA_CB6_M_ALL, 0, hea_cb6_fill, NULL },
    { 7, 8, HEA_BIT(0), HEA_BIT(0), hea_cb7_fill, hea_cb7_apply },
};

typedef struct HeaPortCall {
    HeaPort *port;
    const HeaCb *cb;
    uint8_t data[HEA_PAGE_SIZE];
} HeaPortCall;

static int64_t hea_port_call(SpaprHea *s, const uint64_t *args, bool modify,
                             HeaPortCall *pc)
{
    unsigned number = HEA_GET(args[R5], 40, 47);
    uint64_t valid;
    unsigned i;

    pc->port = hea_find_port(s, args[R5]);
    if (!pc->port) {
        return H_PORT_PARM;
    }
    for (i = 0; i < ARRAY_SIZE(hea_cbs) && hea_cbs[i].number != number; i++) {
        continue;
    }
    if (i == ARRAY_SIZE(hea_cbs) || args[R7] ||
        args[R5] & ~HEA_BITS(40, 63)) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "port controls 0x%" PRIx64
                      ", R7 0x%" PRIx64, args[R5], args[R7]);
        return H_PARAMETER;
    }
    pc->cb = &hea_cbs[i];
    valid = modify ? pc->cb->writable : pc->cb->readable;
    if (!args[R6] || args[R6] & ~valid) {
        hea_violation(s, HEA_V_BAD_MASK, "%s of control block %u with mask "
                      "0x%" PRIx64, modify ? "modify" : "query", number,
                      args[R6]);
        return H_MASK_PARM;
    }
    return hea_cb_read(s, args[R8], pc->data, pc->cb->len);
}

int64_t hea_h_query_port(SpaprHea *s, uint64_t *args)
{
    HeaPortCall pc;
    int64_t rc = hea_port_call(s, args, false, &pc);

    if (rc != H_SUCCESS) {
        return rc;
    }
    pc.cb->fill(pc.port, args[R6], pc.data);
    return hea_cb_write(s, args[R8], pc.data, pc.cb->len);
}

int64_t hea_h_modify_port(SpaprHea *s, uint64_t *args)
{
    HeaPortCall pc;
    int64_t rc = hea_port_call(s, args, true, &pc);

    if (rc == H_SUCCESS) {
        rc = pc.cb->apply(pc.port, args[R6], pc.data);
    }
    return rc;
}

/* Broadcast, multicast and VLAN filters */

bool hea_vlan_match(const HeaPort *port, bool tagged, uint16_t vlan)
{
    if (!tagged) {
        return !(port->rxctrl & HEA_RXC_UNTAGGED);
    }
    if (HEA_RXC_VLAN_FILTER(port->rxctrl) != HEA_RXC_VLAN_BY_CB1) {
        return true;
    }
    return port->vlans[vlan / 64] & HEA_BIT(vlan % 64);
}

typedef struct HeaFilter {
    uint8_t kind;
    uint16_t vlan;
    uint64_t mac;
} HeaFilter;

/* Kind, VLAN id and MAC fill a word exactly */
static uint64_t hea_filter_key(const HeaFilter *f)
{
    return HEA_PUT(f->kind, 0, 3) | HEA_PUT(f->vlan, 4, 15) | f->mac;
}

static bool hea_filter_has(const HeaPort *port, const HeaFilter *f)
{
    uint64_t key = hea_filter_key(f);

    return g_hash_table_contains(port->filters, &key);
}

static bool hea_filter_is_group(const HeaFilter *f)
{
    return (f->kind & (HEA_MC_ALL | HEA_MC_MULTICAST)) == HEA_MC_MULTICAST;
}

/* Filters of one scope: untagged frames, any VLAN, or a certain one */
static bool hea_filter_scope(const HeaPort *port, uint8_t scope, uint64_t mac,
                             bool tagged, uint16_t vlan)
{
    HeaFilter f = { .kind = scope | HEA_MC_UNTAGGED, .mac = mac };

    if (!tagged) {
        return hea_filter_has(port, &f);
    }
    f.kind = scope | HEA_MC_ANY_VLAN;
    if (hea_filter_has(port, &f)) {
        return true;
    }
    f.kind = scope;
    f.vlan = vlan;
    return hea_filter_has(port, &f);
}

/* A broadcast filter names the port's own MAC and dies with a change of it */
bool hea_filter_match(const HeaPort *port, uint64_t mac, bool broadcast,
                      bool tagged, uint16_t vlan)
{
    if (broadcast) {
        return hea_filter_scope(port, 0, port->mac, tagged, vlan);
    }
    return hea_filter_scope(port, HEA_MC_MULTICAST, mac, tagged, vlan) ||
           hea_filter_scope(port, HEA_MC_ALL | HEA_MC_MULTICAST, 0, tagged,
                            vlan);
}

static unsigned hea_group_filters(const HeaPort *port, uint64_t mac)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(port->groups, &mac));
}

static void hea_group_set(HeaPort *port, uint64_t mac, unsigned n)
{
    if (!n) {
        g_hash_table_remove(port->groups, &mac);
        return;
    }
    g_hash_table_insert(port->groups, g_memdup2(&mac, sizeof(mac)),
                        GUINT_TO_POINTER(n));
}

/* One MAC is taken from the start */
static bool hea_filter_full(const HeaPort *port, const HeaFilter *f)
{
    if (g_hash_table_size(port->filters) >= HEA_MAX_FILTERS) {
        return true;
    }
    return hea_filter_is_group(f) && !hea_group_filters(port, f->mac) &&
           g_hash_table_size(port->groups) + 1 >=
           MAX(port->hea->cfg.max_mc, 1);
}

static void hea_filter_add(HeaPort *port, const HeaFilter *f)
{
    uint64_t key = hea_filter_key(f);

    g_hash_table_add(port->filters, g_memdup2(&key, sizeof(key)));
    port->hea->filters++;
    if (hea_filter_is_group(f)) {
        hea_group_set(port, f->mac, hea_group_filters(port, f->mac) + 1);
    }
}

static void hea_filter_remove(HeaPort *port, const HeaFilter *f)
{
    uint64_t key = hea_filter_key(f);

    g_hash_table_remove(port->filters, &key);
    port->hea->filters--;
    if (hea_filter_is_group(f)) {
        hea_group_set(port, f->mac, hea_group_filters(port, f->mac) - 1);
    }
}

static int64_t hea_filter_check(HeaPort *port, const HeaFilter *f)
{
    uint8_t scope = f->kind & (HEA_MC_ALL | HEA_MC_MULTICAST);
    uint8_t tag = f->kind & (HEA_MC_UNTAGGED | HEA_MC_ANY_VLAN);
    bool ok;

    switch (scope) {
    case HEA_MC_ALL | HEA_MC_MULTICAST:
        ok = !f->mac;
        break;
    case HEA_MC_MULTICAST:
        ok = f->mac & HEA_BIT(23);
        break;
    case 0:
        ok = f->mac && !(f->mac & HEA_BIT(23));
        break;
    default:
        ok = false;
    }
    if (!ok || tag == (HEA_MC_UNTAGGED | HEA_MC_ANY_VLAN)) {
        hea_violation(port->hea, HEA_V_BCMC, "kind %u, MAC 0x%" PRIx64,
                      f->kind, f->mac);
        return H_MCG_PARM;
    }
    return H_SUCCESS;
}

static HeaPort *hea_bcmc_args(SpaprHea *s, const uint64_t *args,
                              HeaFilter *f, int64_t *rc)
{
    HeaPort *port = hea_find_port(s, args[R5]);

    *rc = H_SUCCESS;
    if (!port) {
        *rc = H_PORT_PARM;
        return NULL;
    }
    if (args[R5] & ~HEA_BITS(48, 63) || args[R6] & ~HEA_BITS(60, 63) ||
        args[R7] & ~HEA_BITS(16, 63) || args[R8] & ~HEA_BITS(52, 63)) {
        hea_violation(s, HEA_V_RESERVED_BITS, "filter 0x%" PRIx64 " 0x%"
                      PRIx64 " 0x%" PRIx64 " 0x%" PRIx64, args[R5], args[R6],
                      args[R7], args[R8]);
        *rc = H_PARAMETER;
        return NULL;
    }
    f->kind = args[R6];
    f->mac = args[R7];
    f->vlan = f->kind & (HEA_MC_UNTAGGED | HEA_MC_ANY_VLAN) ? 0 : args[R8];
    *rc = hea_filter_check(port, f);
    return *rc == H_SUCCESS ? port : NULL;
}

int64_t hea_h_reg_bcmc(SpaprHea *s, uint64_t *args)
{
    HeaFilter f;
    int64_t rc;
    HeaPort *port = hea_bcmc_args(s, args, &f, &rc);

    if (!port) {
        return rc;
    }
    if (!s->cfg.bcmc_allowed && f.kind & HEA_MC_MULTICAST) {
        return H_AUTHORITY;
    }
    if (!(f.kind & HEA_MC_MULTICAST) && f.mac != port->mac) {
        hea_violation(s, HEA_V_BCMC, "broadcast with MAC 0x%" PRIx64
                      ", the port's is 0x%" PRIx64, f.mac, port->mac);
        return H_MCG_PARM;
    }
    if (hea_filter_has(port, &f)) {
        hea_violation(s, HEA_V_BCMC, "kind %u, MAC 0x%" PRIx64 " is there",
                      f.kind, f.mac);
        return H_ALIAS_EXIST;
    }
    if (hea_filter_full(port, &f)) {
        return H_MCG_FULL;
    }
    hea_filter_add(port, &f);
    return H_SUCCESS;
}

int64_t hea_h_dereg_bcmc(SpaprHea *s, uint64_t *args)
{
    HeaFilter f;
    int64_t rc;
    HeaPort *port = hea_bcmc_args(s, args, &f, &rc);

    if (!port) {
        return rc;
    }
    if (!hea_filter_has(port, &f)) {
        hea_violation(s, HEA_V_BCMC, "kind %u, MAC 0x%" PRIx64
                      " is not there", f.kind, f.mac);
        return H_MCG_PARM;
    }
    hea_filter_remove(port, &f);
    return H_SUCCESS;
}
