/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: receive.
 *
 * A frame passes the port's filters, finds a QP, and goes inline into a slot
 * of receive queue 1 or into a buffer of queue 2 or 3.  The completion always
 * appears in receive queue 1, in order.
 */
#include "qemu/osdep.h"
#include "net/eth.h"
#include "spapr_hea_int.h"
#include "trace.h"
#include <zlib.h>

#define HEA_STANDARD    1518    /* longest frame with FCS, untagged */
#define HEA_RWQE_LEN    128     /* as much of a receive WQE as is looked at */

typedef struct HeaRx {
    SpaprHea *s;
    HeaPort *port;
    HeaQP *qp;
    uint8_t *frame;             /* what goes to memory */
    size_t len;                 /* without FCS */
    size_t total;               /* with FCS */
    bool tagged;
    bool multicast, broadcast;
    bool by_default;            /* through the default unicast QP */
    uint16_t vlan;
    int rq;
    uint8_t cqe[HEA_CQE_SIZE];
} HeaRx;

/* Counters */

static bool hea_is_tagged(const uint8_t *frame, size_t len)
{
    return len >= ETH_HLEN + HEA_VLAN_LEN &&
           lduw_be_p(frame + 12) == ETH_P_VLAN;
}

static size_t hea_standard_limit(const uint8_t *frame, size_t len)
{
    return HEA_STANDARD + (hea_is_tagged(frame, len) ? HEA_VLAN_LEN : 0);
}

/* The longest frame with FCS.  Receive also asks the receive control. */
size_t hea_frame_limit(const HeaPort *port, const uint8_t *frame, size_t len)
{
    if (port->jumbo) {
        return port->hea->cfg.max_frame;
    }
    return hea_standard_limit(frame, len);
}

/* Octets with FCS; sizes 64, 65-127, 128-255, ... 1024 and more */
void hea_count_frame(HeaPort *port, const uint8_t *frame, size_t len, bool tx)
{
    size_t total = len + HEA_FCS_LEN;
    unsigned bucket = total <= 64 ? 0 : MIN(clz32(64) - clz32(total) + 1, 5);
    bool multicast = frame[0] & 1;
    bool broadcast = multicast && !(~ldl_he_p(frame) | (uint16_t)
                                    ~lduw_he_p(frame + 4));

    port->cb6[tx ? HEA_CB6_TX_OCTETS : HEA_CB6_RX_OCTETS] += total;
    port->cb6[(tx ? HEA_CB6_TX_SIZE64 : HEA_CB6_RX_SIZE64) + bucket]++;
    port->cb2[tx ? HEA_CB2_TX_OCTETS : HEA_CB2_RX_OCTETS] += total;
    if (broadcast) {
        port->cb6[tx ? HEA_CB6_TX_BCAST : HEA_CB6_RX_BCAST]++;
        port->cb2[tx ? HEA_CB2_TX_BCAST : HEA_CB2_RX_BCAST]++;
    } else if (multicast) {
        port->cb6[tx ? HEA_CB6_TX_MCAST : HEA_CB6_RX_MCAST]++;
        port->cb2[tx ? HEA_CB2_TX_MCAST : HEA_CB2_RX_MCAST]++;
    } else {
        port->cb2[tx ? HEA_CB2_TX_UCAST : HEA_CB2_RX_UCAST]++;
    }
}

/* Does the port take this frame?  HEA_D_MAX if so, else why not */

static HeaDrop hea_rx_physical(const HeaPort *port, const uint8_t *frame,
                               size_t len)
{
    if (!port->wrap && !port->physical_up) {
        return HEA_D_LINK_DOWN;
    }
    if (len < ETH_ZLEN) {
        return HEA_D_RUNT;
    }
    if (len + HEA_FCS_LEN > hea_frame_limit(port, frame, len)) {
        return HEA_D_TOO_LONG;
    }
    if (!hea_port_started(port)) {
        return HEA_D_PORT_STOPPED;
    }
    if (!(port->rxctrl & HEA_RXC_JUMBO) &&
        len + HEA_FCS_LEN > hea_standard_limit(frame, len)) {
        return HEA_D_TOO_LONG;
    }
    return HEA_D_MAX;
}

static HeaDrop hea_rx_filter(HeaRx *rx, const uint8_t *frame)
{
    HeaPort *port = rx->port;
    uint64_t mac = hea_mac(frame);

    rx->multicast = frame[0] & 1;
    rx->broadcast = mac == 0xffffffffffffULL;
    if (!hea_vlan_match(port, rx->tagged, rx->vlan)) {
        return HEA_D_VLAN;
    }
    if (rx->multicast) {
        if (hea_filter_match(port, mac, rx->broadcast, rx->tagged,
                             rx->vlan)) {
            return HEA_D_MAX;
        }
        return rx->broadcast ? HEA_D_BROADCAST : HEA_D_MULTICAST;
    }
    if (mac == port->mac) {
        return HEA_D_MAX;
    }
    rx->by_default = port->ducqpn;
    return rx->by_default ? HEA_D_MAX : HEA_D_MAC;
}

static HeaDrop hea_rx_steer(HeaRx *rx, const uint8_t *frame, size_t len)
{
    SpaprHea *s = rx->s;
    unsigned n = MIN(s->cfg.default_qps, HEA_CB0_QPNS);
    HeaRes *res;

    if (rx->by_default) {
        res = g_hash_table_lookup(s->res, &rx->port->ducqpn);
        rx->qp = res && res->type == HEA_TYPE_QP ?
                 container_of(res, HeaQP, res) : NULL;
    } else if (n) {
        unsigned i = n > 1 ? hea_flow_hash(rx->port, frame, len) % n : 0;

        rx->qp = hea_qp_by_number(s, rx->port->qpn[i]);
    }
    if (!rx->qp || rx->qp->port != rx->port) {
        return HEA_D_NO_QP;
    }
    if (rx->qp->state == HEA_QPS_ERROR) {
        return HEA_D_QP_ERROR;
    }
    return hea_qp_can_receive(rx->qp) ? HEA_D_MAX : HEA_D_QP_DISABLED;
}

/* The frame as it goes to memory, and what the completion says of it */

static void hea_rx_prepare(HeaRx *rx, const uint8_t *frame, size_t len)
{
    uint8_t *buf = rx->s->received;
    uint16_t status = 0;

    rx->frame = buf;
    if (rx->tagged && rx->port->rxctrl & HEA_RXC_VLAN_XTRACT) {
        memcpy(buf, frame, 12);
        memcpy(buf + 12, frame + 16, len - 16);
        len -= HEA_VLAN_LEN;
        status = HEA_CQS_VLAN;
        stw_be_p(rx->cqe + HEA_CQE_VLAN, lduw_be_p(frame + 14));
    } else {
        memcpy(buf, frame, len);
    }
    stl_le_p(buf + len, crc32(0, buf, len));
    rx->len = len;
    rx->total = len + HEA_FCS_LEN;
    stw_be_p(rx->cqe + HEA_CQE_STATUS, status);
    stw_be_p(rx->cqe + HEA_CQE_BYTES, rx->total);
}

/*
 * Blind: the complemented sum of all behind the MAC header.  That is said of
 * whatever was not checked, for a checked frame without an error counts as
 * verified.
 */
static void hea_rx_checksum(HeaRx *rx)
{
    uint64_t control = rx->port->rxctrl;
    uint16_t status = lduw_be_p(rx->cqe + HEA_CQE_STATUS);
    HeaL3 l3;

    hea_parse_l3(rx->frame, rx->len, &l3);
    if (!l3.ipv4 || !(control & HEA_RXC_IP_CHECK) ||
        !(control & HEA_RXC_L4_CHECK)) {
        status |= HEA_CQS_BLIND;
        stw_be_p(rx->cqe + HEA_CQE_CSUM,
                 hea_sum(rx->frame + ETH_HLEN, rx->len - ETH_HLEN));
    } else if (!l3.ip_ok) {
        status |= HEA_CQS_IP_ERROR | HEA_CQS_L4_ERROR;
    } else {
        rx->cqe[HEA_CQE_HLEN] = l3.l4 ? l3.header_len : 0;
        if (!l3.l4 || !l3.l4_ok) {
            status |= HEA_CQS_L4_ERROR;
        }
    }
    stw_be_p(rx->cqe + HEA_CQE_STATUS, status);
}

/* Into memory */

static HeaDrop hea_rx_choose(HeaRx *rx)
{
    HeaQP *qp = rx->qp;
    size_t room = qp->ring[HEA_RQ1].entry_size - HEA_CQE_SIZE;

    if (rx->total <= room && rx->total <= qp->threshold[HEA_RQ2]) {
        rx->rq = HEA_RQ1;
    } else {
        rx->rq = rx->total <= qp->threshold[HEA_RQ3] ? HEA_RQ2 : HEA_RQ3;
    }
    if (!qp->posted[HEA_RQ1]) {
        return HEA_D_RQ1_EMPTY;
    }
    if (!qp->posted[rx->rq]) {
        return rx->rq == HEA_RQ2 ? HEA_D_RQ2_EMPTY : HEA_D_RQ3_EMPTY;
    }
    return HEA_D_MAX;
}

static HeaDrop hea_rx_qp_fault(HeaRx *rx, uint64_t aer)
{
    hea_qp_error(rx->qp, aer);
    return HEA_D_RX_DMA;
}

/* All descriptors are checked for room before a byte is moved */
static HeaDrop hea_rx_scatter(HeaRx *rx, const uint8_t *wqe, unsigned descs)
{
    size_t done = 0, room = 0;
    unsigned i;

    for (i = 0; i < descs; i++) {
        room += ldl_be_p(wqe + HEA_WQE_HEADER + i * HEA_DESC_SIZE + 12);
    }
    if (room < rx->total) {
        stw_be_p(rx->cqe + HEA_CQE_STATUS, HEA_CQS_TOO_SHORT);
        return HEA_D_BUFFER_SHORT;
    }
    for (i = 0; done < rx->total; i++) {
        const uint8_t *desc = wqe + HEA_WQE_HEADER + i * HEA_DESC_SIZE;
        size_t chunk = MIN(ldl_be_p(desc + 12), rx->total - done);

        if (!hea_dma(rx->qp, ldq_be_p(desc), ldl_be_p(desc + 8),
                     rx->frame + done, chunk, true)) {
            return hea_rx_qp_fault(rx, HEA_AER_RQ_DMA);
        }
        done += chunk;
    }
    return HEA_D_MAX;
}

/* Into a buffer of queue 2 or 3.  One that is too small is used up, too. */
static HeaDrop hea_rx_buffer(HeaRx *rx)
{
    HeaRing *ring = &rx->qp->ring[rx->rq];
    uint8_t wqe[HEA_RWQE_LEN];
    HeaDrop why;

    if (!hea_mem_read(rx->s, hea_ring_slot(ring, ring->next), wqe,
                      sizeof(wqe))) {
        hea_violation(rx->s, HEA_V_QUEUE_MEMORY, "RQ%d of QP %u", rx->rq,
                      rx->qp->res.number);
        return hea_rx_qp_fault(rx, HEA_AER_QUEUE_DMA);
    }
    if (!wqe[HEA_RWQE_DESCS] || wqe[HEA_RWQE_DESCS] >
        (sizeof(wqe) - HEA_WQE_HEADER) / HEA_DESC_SIZE) {
        hea_violation(rx->s, HEA_V_BAD_WQE, "QP %u: receive WQE with %u "
                      "descriptors", rx->qp->res.number, wqe[HEA_RWQE_DESCS]);
        return hea_rx_qp_fault(rx, HEA_AER_BAD_WQE);
    }
    why = hea_rx_scatter(rx, wqe, wqe[HEA_RWQE_DESCS]);
    if (why == HEA_D_RX_DMA) {
        return why;
    }
    memcpy(rx->cqe + HEA_CQE_WR_ID, wqe + HEA_WQE_WR_ID, 8);
    hea_ring_advance(ring);
    rx->qp->posted[rx->rq]--;
    return why;
}

/* One slot of receive queue 1: the CQE, and a small frame behind it */
static bool hea_rx_slot(HeaRx *rx)
{
    HeaQP *qp = rx->qp;
    HeaRing *rq1 = &qp->ring[HEA_RQ1];
    hwaddr slot = hea_ring_slot(rq1, rq1->next);

    if (!qp->posted[HEA_RQ1]) {
        return false;
    }
    if (rx->rq == HEA_RQ1 &&
        !hea_mem_write(rx->s, slot + HEA_CQE_SIZE, rx->frame, rx->total)) {
        goto lost;
    }
    trace_spapr_hea_cqe(qp->res.number, rq1->next, ldq_be_p(rx->cqe),
                        lduw_be_p(rx->cqe + HEA_CQE_STATUS));
    if (!hea_cqe_write(rx->s, slot, rq1->phase, rx->cqe)) {
        goto lost;
    }
    hea_ring_advance(rq1);
    qp->posted[HEA_RQ1]--;
    return true;
lost:
    hea_violation(rx->s, HEA_V_QUEUE_MEMORY, "RQ1 of QP %u", qp->res.number);
    hea_qp_error(qp, HEA_AER_QUEUE_DMA);
    return false;
}

static bool hea_rx_complete(HeaRx *rx)
{
    HeaEvent ev = { .site = HEA_S_CQE };
    HeaVerdict verdict = { };
    bool any = false, ok;

    rx->cqe[HEA_CQE_TYPE] = rx->rq << HEA_CQE_RQ_SHIFT;
    stw_be_p(rx->cqe + HEA_CQE_WQE_COUNT, 1);
    stl_be_p(rx->cqe + HEA_CQE_TOKEN, rx->qp->token);
    stl_be_p(rx->cqe + HEA_CQE_TIMESTAMP,
             qemu_clock_get_us(QEMU_CLOCK_VIRTUAL));
    if (!QTAILQ_EMPTY(&rx->s->faults)) {
        hea_event_set(&ev, HEA_K_WR, rx->rq);
        hea_event_set(&ev, HEA_K_PORT, rx->port->number);
        hea_event_set(&ev, HEA_K_QP, rx->qp->res.number);
        verdict = hea_fault_apply(rx->s, &ev, rx->cqe, sizeof(rx->cqe));
    }
    if (verdict.drop) {
        return false;
    }
    do {
        ok = hea_rx_slot(rx);
        any |= ok;
    } while (ok && verdict.dup--);
    if (any) {
        hea_cq_completion_in(rx->qp->rcq, verdict.delay_us);
    }
    return any;
}

static HeaDrop hea_rx_deliver(HeaRx *rx, const uint8_t *frame, size_t len)
{
    HeaDrop why = hea_rx_steer(rx, frame, len);

    if (why != HEA_D_MAX) {
        return why;
    }
    hea_rx_prepare(rx, frame, len);
    why = hea_rx_choose(rx);
    if (why != HEA_D_MAX) {
        return why;
    }
    hea_rx_checksum(rx);
    if (rx->rq != HEA_RQ1) {
        why = hea_rx_buffer(rx);
        if (why == HEA_D_RX_DMA) {
            return why;
        }
    }
    if (!hea_rx_complete(rx)) {
        return HEA_D_INJECTED;
    }
    return why;
}

static void hea_rx_count_drop(HeaPort *port, HeaDrop why, bool unicast)
{
    switch (why) {
    case HEA_D_RUNT:
        port->cb6[HEA_CB6_RX_RUNTS]++;
        break;
    case HEA_D_TOO_LONG:
        port->cb6[HEA_CB6_RX_TOO_LONG]++;
        port->cb2[HEA_CB2_RX_TOO_LONG]++;
        break;
    case HEA_D_MAC:
    case HEA_D_MULTICAST:
    case HEA_D_BROADCAST:
    case HEA_D_VLAN:
        port->cb2[HEA_CB2_RX_UCAST_FILTERED] += unicast;
        port->cb6[HEA_CB6_RX_FILTERED]++;
        break;
    case HEA_D_LINK_DOWN:
    case HEA_D_PORT_STOPPED:
        break;
    default:
        port->cb6[HEA_CB6_RX_OTHER]++;
        port->cb2[HEA_CB2_RX_UCAST_ERRORS] += unicast;
        break;
    }
    hea_drop(port, why);
}

static bool hea_rx_injected(HeaPort *port, uint8_t *frame, size_t len)
{
    HeaEvent ev = { .site = HEA_S_RX };

    hea_event_set(&ev, HEA_K_PORT, port->number);
    return hea_fault_apply(port->hea, &ev, frame, len).drop;
}

static HeaDrop hea_rx_try(HeaPort *port, const uint8_t *frame, size_t len)
{
    HeaRx rx = { .s = port->hea, .port = port };
    HeaDrop why = hea_rx_physical(port, frame, len);

    if (why != HEA_D_MAX) {
        return why;
    }
    rx.tagged = hea_is_tagged(frame, len);
    rx.vlan = rx.tagged ? lduw_be_p(frame + 14) & 0xfff : 0;
    why = hea_rx_filter(&rx, frame);
    if (why != HEA_D_MAX) {
        return why;
    }
    hea_count_frame(port, frame, len, false);
    if (rx.by_default) {
        port->cb6[HEA_CB6_RX_DEFAULT_UCAST]++;
    }
    why = hea_rx_deliver(&rx, frame, len);
    if (why == HEA_D_MAX) {
        trace_spapr_hea_rx(port->number, rx.qp->res.number, rx.rq, rx.total);
    }
    return why;
}

/* True if the frame reached a queue */
bool hea_rx_frame(HeaPort *port, const uint8_t *buf, size_t len)
{
    g_autofree uint8_t *copy = NULL;
    HeaDrop why;

    if (len > HEA_FRAME_MAX) {
        hea_rx_count_drop(port, HEA_D_TOO_LONG, false);
        return false;
    }
    if (!QTAILQ_EMPTY(&port->hea->faults)) {
        copy = g_memdup2(buf, len);
        if (hea_rx_injected(port, copy, len)) {
            hea_drop(port, HEA_D_INJECTED);
            return false;
        }
        buf = copy;
    }
    why = hea_rx_try(port, buf, len);
    if (why != HEA_D_MAX) {
        hea_rx_count_drop(port, why, len && !(buf[0] & 1));
        trace_spapr_hea_drop(port->number, why, len);
        return false;
    }
    port->rx_frames++;
    port->rx_bytes += len;
    return true;
}
