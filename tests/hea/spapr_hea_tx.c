/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: send.
 *
 * A doorbell only notes the work; a bottom half does it, so that one doorbell
 * with a count makes one batch and CPUs do not wait for the network.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "net/eth.h"
#include "spapr_hea_int.h"
#include "trace.h"
#include <zlib.h>

#define HEA_TX_TURN     64      /* frames of one QP before the next's turn */
#define HEA_TX_BATCH    256     /* frames before the main loop's turn */

typedef struct HeaSend {
    HeaQP *qp;
    SpaprHea *s;
    uint8_t wqe[HEA_WQE_MAX];
    unsigned wqe_len;
    uint16_t control;
    unsigned imm_len;
    unsigned descs;
    uint8_t *frame;
    size_t len;
    size_t done;                /* TSO: payload that is out already */
    int frames;                 /* made in this turn */
} HeaSend;

/* Work list */

/* After a delay: at a time of the guest's clock, the same in each run */
static void hea_tx_schedule(SpaprHea *s)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (!s->cfg.tx_delay_ns) {
        qemu_bh_schedule(s->bh);
    } else if (!timer_pending(s->tx_timer)) {
        timer_mod_ns(s->tx_timer, now + s->cfg.tx_delay_ns);
    }
}

void hea_tx_kick(HeaQP *qp)
{
    SpaprHea *s = qp->res.hea;

    if (!qp->queued && qp->posted[HEA_SQ] && !qp->port->hold) {
        qp->queued = true;
        QTAILQ_INSERT_TAIL(&s->work, qp, work);
        hea_tx_schedule(s);
    }
}

void hea_tx_forget(HeaQP *qp)
{
    if (qp->queued) {
        qp->queued = false;
        QTAILQ_REMOVE(&qp->res.hea->work, qp, work);
    }
}

/* The WQE */

/* Number of descriptors, and the offset of one in its WQE */

unsigned hea_swqe_descs(const uint8_t *wqe)
{
    return lduw_be_p(wqe + HEA_WQE_CONTROL) & HEA_SWC_DESC ?
           wqe[HEA_WQE_DESCS] : 0;
}

unsigned hea_swqe_desc(const uint8_t *wqe, unsigned i)
{
    if (i && lduw_be_p(wqe + HEA_WQE_CONTROL) & HEA_SWC_IMM) {
        return HEA_WQE_IMM_DESCS + (i - 1) * HEA_DESC_SIZE;
    }
    return HEA_WQE_HEADER + i * HEA_DESC_SIZE;
}

static bool hea_tx_bad(HeaSend *tx, const char *why)
{
    hea_violation(tx->s, HEA_V_BAD_WQE, "QP %u: send control 0x%04x, "
                  "immediate %u, descriptors %u: %s", tx->qp->res.number,
                  tx->control, tx->imm_len, tx->descs, why);
    return false;
}

static bool hea_tx_parse(HeaSend *tx)
{
    unsigned room, max;

    tx->control = lduw_be_p(tx->wqe + HEA_WQE_CONTROL);
    tx->imm_len = tx->control & HEA_SWC_IMM ? tx->wqe[HEA_WQE_IMM_LEN] : 0;
    tx->descs = hea_swqe_descs(tx->wqe);
    if (tx->control & ~HEA_SWC_VALID) {
        return hea_tx_bad(tx, "reserved bits");
    }
    if (tx->control & HEA_SWC_PURGE) {
        return true;
    }
    if (tx->control & HEA_SWC_DESC ? !tx->descs : !tx->imm_len) {
        return hea_tx_bad(tx, "no data");
    }
    if (!tx->descs) {
        room = MIN(tx->wqe_len - HEA_WQE_HEADER, HEA_IMM_ONLY_MAX);
        max = 0;
    } else if (!(tx->control & HEA_SWC_IMM)) {
        room = 0;
        max = (tx->wqe_len - HEA_WQE_HEADER) / HEA_DESC_SIZE;
    } else {
        room = MIN(tx->wqe_len - HEA_WQE_IMM, HEA_IMM_MIXED_MAX);
        max = 1;
        if (tx->wqe_len > HEA_WQE_IMM_DESCS) {
            max += (tx->wqe_len - HEA_WQE_IMM_DESCS) / HEA_DESC_SIZE;
        }
    }
    if (tx->imm_len > room || tx->descs > max) {
        return hea_tx_bad(tx, "more than fits");
    }
    return true;
}

/* Collect the frame; on failure the QP is in its error state */
static bool hea_tx_gather(HeaSend *tx)
{
    unsigned i;

    memcpy(tx->frame, tx->wqe + (tx->descs ? HEA_WQE_IMM : HEA_WQE_HEADER),
           tx->imm_len);
    tx->len = tx->imm_len;
    for (i = 0; i < tx->descs; i++) {
        const uint8_t *desc = tx->wqe + hea_swqe_desc(tx->wqe, i);
        uint32_t len = ldl_be_p(desc + 12);

        if (!len || tx->len + len > HEA_FRAME_MAX) {
            hea_tx_bad(tx, "descriptor length");
            hea_qp_error(tx->qp, HEA_AER_BAD_WQE);
            return false;
        }
        if (!hea_dma(tx->qp, ldq_be_p(desc), ldl_be_p(desc + 8),
                     tx->frame + tx->len, len, false)) {
            hea_qp_error(tx->qp, HEA_AER_SQ_DMA);
            return false;
        }
        tx->len += len;
    }
    return true;
}

/* Onto the wire */

static void hea_tx_out(HeaSend *tx, uint8_t *frame, size_t len)
{
    HeaPort *port = tx->qp->port;
    HeaEvent ev = { .site = HEA_S_TX };

    if (!QTAILQ_EMPTY(&tx->s->faults)) {
        hea_event_set(&ev, HEA_K_PORT, port->number);
        hea_event_set(&ev, HEA_K_QP, tx->qp->res.number);
        if (hea_fault_apply(tx->s, &ev, frame, len).drop) {
            hea_drop(port, HEA_D_INJECTED);
            return;
        }
    }
    if (!port->wrap && (!port->logical_up || !port->physical_up)) {
        hea_drop(port, HEA_D_TX_LINK_DOWN);
        return;
    }
    hea_count_frame(port, frame, len, true);
    port->tx_frames++;
    port->tx_bytes += len;
    trace_spapr_hea_tx(port->number, tx->qp->res.number, len);
    if (port->wrap) {
        hea_rx_frame(port, frame, len);
    } else {
        qemu_send_packet(qemu_get_queue(port->nic), frame, len);
    }
}

/*
 * What hardware pads with is not known. The worst for a guest is what it left
 * behind the frame in its WQE, so that is what shows on the wire.
 */
static void hea_tx_pad(const HeaSend *tx, uint8_t *frame, size_t len)
{
    size_t count = ETH_ZLEN - len;

    if (tx->descs) {
        memset(frame + len, 0, count);
    } else {
        memcpy(frame + len, tx->wqe + HEA_WQE_HEADER + tx->imm_len, count);
    }
}

/* Tag, padding, size; there is room for both behind the frame */
static void hea_tx_finish(HeaSend *tx, uint8_t *frame, size_t len)
{
    HeaPort *port = tx->qp->port;

    if (tx->control & HEA_SWC_VLAN) {
        memmove(frame + 12 + HEA_VLAN_LEN, frame + 12, len - 12);
        stw_be_p(frame + 12, ETH_P_VLAN);
        stw_be_p(frame + 14, lduw_be_p(tx->wqe + HEA_WQE_VLAN));
        len += HEA_VLAN_LEN;
    }
    if (len < ETH_ZLEN) {
        hea_tx_pad(tx, frame, len);
        len = ETH_ZLEN;
    }
    if (len + HEA_FCS_LEN > hea_frame_limit(port, frame, len)) {
        hea_drop(port, HEA_D_TX_TOO_LONG);
        return;
    }
    hea_tx_out(tx, frame, len);
}

/* Without "append FCS" the guest brings its own */
static bool hea_tx_take_fcs(HeaSend *tx)
{
    uint32_t fcs;

    if (tx->control & HEA_SWC_FCS) {
        return true;
    }
    if (tx->len < ETH_HLEN + HEA_FCS_LEN || tx->control & HEA_SWC_TSO) {
        return hea_tx_bad(tx, "no FCS");
    }
    tx->len -= HEA_FCS_LEN;
    fcs = ldl_le_p(tx->frame + tx->len);
    if (fcs != crc32(0, tx->frame, tx->len)) {
        tx->qp->port->cb6[HEA_CB6_TX_BAD_FCS]++;
        return false;
    }
    return true;
}

/* Offsets of an IPv4 packet, checked against what stands there */
typedef struct HeaOffsets {
    uint8_t *ip, *l4, *csum;
    size_t l4_len;
} HeaOffsets;

static unsigned hea_l4_min(uint8_t proto)
{
    return proto == IP_PROTO_TCP ? HEA_TCP_MIN : HEA_UDP_LEN;
}

static bool hea_tx_offsets(HeaSend *tx, uint8_t *frame, size_t len,
                           HeaOffsets *o)
{
    unsigned start = tx->wqe[HEA_WQE_IP_START];
    unsigned end = tx->wqe[HEA_WQE_IP_END];
    unsigned csum = tx->wqe[HEA_WQE_L4_CSUM];
    unsigned total;

    o->ip = frame + start;
    o->l4 = frame + end + 1;
    o->csum = frame + csum;
    if (start < ETH_HLEN || start + HEA_IP_MIN > len || end >= len ||
        o->ip[0] >> 4 != 4 || end + 1 - start < HEA_IP_MIN ||
        end + 1 - start != 4 * (o->ip[0] & 15)) {
        return hea_tx_bad(tx, "no IPv4 header at its offsets");
    }
    if (!(tx->control & (HEA_SWC_L4_CSUM | HEA_SWC_TSO))) {
        return true;
    }
    total = tx->control & HEA_SWC_TSO ? len - start : lduw_be_p(o->ip + 2);
    if (start + total > len ||
        total < end + 1 - start + hea_l4_min(o->ip[9]) ||
        csum != end + 1 + (o->ip[9] == IP_PROTO_TCP ? 16 : 6) ||
        (o->ip[9] != IP_PROTO_TCP && o->ip[9] != IP_PROTO_UDP)) {
        return hea_tx_bad(tx, "no TCP or UDP checksum at its offset");
    }
    o->l4_len = start + total - (end + 1);
    return true;
}

static void hea_tx_ip_csum(HeaOffsets *o)
{
    stw_be_p(o->ip + 10, 0);
    stw_be_p(o->ip + 10, hea_sum(o->ip, o->l4 - o->ip));
}

static void hea_tx_l4_csum(HeaOffsets *o)
{
    uint16_t sum;

    stw_be_p(o->csum, 0);
    sum = hea_l4_sum(o->ip, o->l4, o->l4_len);
    if (!sum && o->ip[9] == IP_PROTO_UDP) {
        sum = 0xffff;
    }
    stw_be_p(o->csum, sum);
}

static bool hea_tx_plain(HeaSend *tx)
{
    HeaOffsets o;

    if (tx->control & (HEA_SWC_IP_CSUM | HEA_SWC_L4_CSUM) &&
        !hea_tx_offsets(tx, tx->frame, tx->len, &o)) {
        return false;
    }
    if (tx->control & HEA_SWC_IP_CSUM) {
        hea_tx_ip_csum(&o);
    }
    if (tx->control & HEA_SWC_L4_CSUM) {
        hea_tx_l4_csum(&o);
    }
    hea_tx_finish(tx, tx->frame, tx->len);
    return true;
}

#define HEA_TCP_FIN_PSH 0x09
#define HEA_TCP_CWR     0x80

static void hea_tx_segment(HeaSend *tx, size_t done, size_t chunk, unsigned n)
{
    uint8_t *seg = tx->s->segment;
    size_t header = tx->imm_len;
    HeaOffsets o;

    memcpy(seg, tx->frame, header);
    memcpy(seg + header, tx->frame + header + done, chunk);
    o.ip = seg + tx->wqe[HEA_WQE_IP_START];
    o.l4 = seg + tx->wqe[HEA_WQE_IP_END] + 1;
    o.csum = seg + tx->wqe[HEA_WQE_L4_CSUM];
    o.l4_len = seg + header + chunk - o.l4;
    stw_be_p(o.ip + 2, seg + header + chunk - o.ip);
    stw_be_p(o.ip + 4, lduw_be_p(o.ip + 4) + n);
    stl_be_p(o.l4 + 4, ldl_be_p(o.l4 + 4) + done);
    if (header + done + chunk < tx->len) {
        o.l4[13] &= ~HEA_TCP_FIN_PSH;
    }
    if (done) {
        o.l4[13] &= ~HEA_TCP_CWR;
    }
    hea_tx_ip_csum(&o);
    hea_tx_l4_csum(&o);
    hea_tx_finish(tx, seg, header + chunk);
}

/*
 * A small MSS makes tens of thousands of frames: after a turn's worth the WQE
 * stays at the head of its queue, and is read again when its turn comes.
 */
static bool hea_tx_tso(HeaSend *tx)
{
    unsigned mss = lduw_be_p(tx->wqe + HEA_WQE_MSS);
    size_t done, payload;
    HeaOffsets o;

    if (!hea_tx_offsets(tx, tx->frame, tx->len, &o)) {
        return false;
    }
    if (!mss || o.ip[9] != IP_PROTO_TCP || tx->len == tx->imm_len ||
        o.l4[12] >> 4 < HEA_TCP_MIN / 4 ||
        tx->imm_len != o.l4 - tx->frame + 4 * (o.l4[12] >> 4)) {
        return hea_tx_bad(tx, "TSO without MSS, or immediate data is not "
                          "just the headers");
    }
    payload = tx->len - tx->imm_len;
    for (done = tx->done; done < payload && tx->frames < HEA_TX_TURN;
         done += mss) {
        hea_tx_segment(tx, done, MIN(mss, payload - done), done / mss);
        tx->frames++;
    }
    tx->qp->tso_done = done < payload ? done : 0;
    return true;
}

static void hea_tx_frame(HeaSend *tx)
{
    bool ok = tx->len >= ETH_HLEN || hea_tx_bad(tx, "no Ethernet header");

    ok = ok && hea_tx_take_fcs(tx);
    ok = ok && (tx->control & HEA_SWC_TSO ? hea_tx_tso(tx) :
                                            hea_tx_plain(tx));
    if (!ok) {
        hea_drop(tx->qp->port, HEA_D_TX_BAD);
    }
}

/* Completion */

static void hea_tx_complete(HeaSend *tx)
{
    HeaQP *qp = tx->qp;
    uint8_t cqe[HEA_CQE_SIZE] = { };

    qp->sent++;
    if (!(tx->control & HEA_SWC_SIGNALLED)) {
        return;
    }
    memcpy(cqe + HEA_CQE_WR_ID, tx->wqe + HEA_WQE_WR_ID, 8);
    stw_be_p(cqe + HEA_CQE_BYTES, MIN(tx->len, UINT16_MAX));
    stw_be_p(cqe + HEA_CQE_WQE_COUNT, qp->sent);
    stl_be_p(cqe + HEA_CQE_TOKEN, qp->token);
    stl_be_p(cqe + HEA_CQE_TIMESTAMP,
             qemu_clock_get_us(QEMU_CLOCK_VIRTUAL));
    qp->sent = 0;
    hea_cq_post(qp->scq, qp, cqe);
}

/* Returns how many frames that made; one that makes none counts, too */
static int hea_tx_one(SpaprHea *s, HeaQP *qp)
{
    HeaRing *sq = &qp->ring[HEA_SQ];
    HeaSend tx = { .qp = qp, .s = s, .done = qp->tso_done };

    qp->tso_done = 0;
    tx.wqe_len = sq->entry_size;
    tx.frame = s->frame;
    if (!hea_mem_read(s, hea_ring_slot(sq, sq->next), tx.wqe, tx.wqe_len)) {
        hea_violation(s, HEA_V_QUEUE_MEMORY, "SQ of QP %u", qp->res.number);
        hea_qp_error(qp, HEA_AER_QUEUE_DMA);
        return 1;
    }
    if (!hea_tx_parse(&tx)) {
        hea_qp_error(qp, HEA_AER_BAD_WQE);
        return 1;
    }
    if (!(tx.control & HEA_SWC_PURGE)) {
        if (!hea_tx_gather(&tx)) {
            return 1;
        }
        hea_tx_frame(&tx);
    }
    if (!qp->tso_done) {
        hea_ring_advance(sq);
        qp->posted[HEA_SQ]--;
        hea_tx_complete(&tx);
    }
    return MAX(tx.frames, 1);
}

static int hea_tx_turn(SpaprHea *s, HeaQP *qp)
{
    int frames = 0;

    while (frames < HEA_TX_TURN && hea_qp_can_send(qp) &&
           qp->posted[HEA_SQ] && !qp->port->hold) {
        frames += hea_tx_one(s, qp);
    }
    hea_tx_forget(qp);
    if (hea_qp_can_send(qp)) {
        hea_tx_kick(qp);
    }
    return frames;
}

void hea_tx_bh(void *opaque)
{
    SpaprHea *s = opaque;
    int frames = 0;

    while (frames < HEA_TX_BATCH && !QTAILQ_EMPTY(&s->work)) {
        frames += hea_tx_turn(s, QTAILQ_FIRST(&s->work));
    }
    /* Whoever is left was put on the list before this run, or during it */
    if (!QTAILQ_EMPTY(&s->work)) {
        hea_tx_schedule(s);
    }
}
