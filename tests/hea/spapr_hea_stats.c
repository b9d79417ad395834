/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: counters, violations, and their JSON.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qapi/error.h"
#include "spapr_hea_int.h"
#include "trace.h"

static const char *const hea_violation_names[HEA_V_MAX] = {
    [HEA_V_BAD_ADAPTER] = "bad-adapter",
    [HEA_V_BAD_HANDLE] = "bad-handle",
    [HEA_V_DOUBLE_FREE] = "dead-handle",
    [HEA_V_RESERVED_BITS] = "reserved-bits",
    [HEA_V_BAD_ARGUMENT] = "bad-argument",
    [HEA_V_CB_ALIGN] = "cb-unaligned",
    [HEA_V_CB_NOT_RAM] = "cb-not-ram",
    [HEA_V_BAD_MASK] = "bad-mask",
    [HEA_V_STILL_REFERENCED] = "free-while-referenced",
    [HEA_V_FREE_ENABLED_QP] = "free-enabled-qp",
    [HEA_V_MR_IN_USE] = "free-mr-in-use",
    [HEA_V_MR_TOO_LARGE] = "mr-too-large",
    [HEA_V_PAGE_ALIGN] = "page-unaligned",
    [HEA_V_PAGE_NOT_RAM] = "page-not-ram",
    [HEA_V_PAGE_TWICE] = "page-twice",
    [HEA_V_PAGES_AFTER_COMPLETE] = "pages-after-complete",
    [HEA_V_PAGES_MISSING] = "pages-missing",
    [HEA_V_QP_STATE] = "qp-state",
    [HEA_V_BCMC] = "bcmc",
    [HEA_V_MMIO_DEAD] = "mmio-dead-page",
    [HEA_V_MMIO_SIZE] = "mmio-size",
    [HEA_V_MMIO_REGISTER] = "mmio-register",
    [HEA_V_SQ_OVERRUN] = "sq-overrun",
    [HEA_V_RQ_OVERRUN] = "rq-overrun",
    [HEA_V_CQ_OVERRUN] = "cq-overrun",
    [HEA_V_CQ_CREDITS] = "cq-credits",
    [HEA_V_DMA_LKEY] = "dma-lkey",
    [HEA_V_DMA_PD] = "dma-pd",
    [HEA_V_DMA_RANGE] = "dma-range",
    [HEA_V_DMA_INCOMPLETE] = "dma-incomplete-mr",
    [HEA_V_DMA_MEMORY] = "dma-no-memory",
    [HEA_V_QUEUE_MEMORY] = "queue-no-memory",
    [HEA_V_BAD_WQE] = "bad-wqe",
    [HEA_V_LMB_IN_USE] = "lmb-in-use",
    [HEA_V_LMB_ISOLATED] = "lmb-isolated",
};

static const char *const hea_drop_names[HEA_D_MAX] = {
    [HEA_D_LINK_DOWN] = "link-down",
    [HEA_D_PORT_STOPPED] = "port-stopped",
    [HEA_D_RUNT] = "runt",
    [HEA_D_TOO_LONG] = "too-long",
    [HEA_D_MAC] = "mac-filter",
    [HEA_D_MULTICAST] = "multicast-filter",
    [HEA_D_BROADCAST] = "broadcast-filter",
    [HEA_D_VLAN] = "vlan-filter",
    [HEA_D_NO_QP] = "no-qp",
    [HEA_D_QP_DISABLED] = "qp-disabled",
    [HEA_D_QP_ERROR] = "qp-error",
    [HEA_D_RQ1_EMPTY] = "rq1-empty",
    [HEA_D_RQ2_EMPTY] = "rq2-empty",
    [HEA_D_RQ3_EMPTY] = "rq3-empty",
    [HEA_D_BUFFER_SHORT] = "buffer-short",
    [HEA_D_RX_DMA] = "rx-dma",
    [HEA_D_TX_LINK_DOWN] = "tx-link-down",
    [HEA_D_TX_TOO_LONG] = "tx-too-long",
    [HEA_D_TX_BAD] = "tx-bad",
    [HEA_D_INJECTED] = "injected",
};

static const char *const hea_reg_names[HEA_R_MAX] = {
    [HEA_R_SQA] = "sqa", [HEA_R_RQ1A] = "rq1a", [HEA_R_RQ2A] = "rq2a",
    [HEA_R_RQ3A] = "rq3a", [HEA_R_FECA] = "feca", [HEA_R_EP] = "ep",
    [HEA_R_N1] = "n1", [HEA_R_READS] = "reads", [HEA_R_OTHER] = "other",
};

static const char *const hea_page_names[4] = { "4K", "64K", "1M", "16M" };

/* Counting */

void hea_violation(SpaprHea *s, HeaViolation kind, const char *fmt, ...)
{
    unsigned slot = s->violations++ % HEA_LOG_LINES;
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    s->violation[kind]++;
    g_free(s->log[slot]);
    s->log[slot] = g_strdup_printf("%" PRId64 " us: %s%s%s: %s",
                                   qemu_clock_get_us(QEMU_CLOCK_VIRTUAL),
                                   s->call_name ?: "",
                                   s->call_name ? ": " : "",
                                   hea_violation_names[kind], text);
    qemu_log_mask(LOG_GUEST_ERROR, "spapr-hea: %s\n", s->log[slot]);
    trace_spapr_hea_violation(hea_violation_names[kind], text);
}

void hea_drop(HeaPort *port, HeaDrop why)
{
    port->drops[why]++;
}

static void hea_call_stat_free(gpointer p)
{
    HeaCallStat *st = p;

    g_hash_table_destroy(st->by_status);
    g_free(st);
}

static HeaCallStat *hea_call_stat(SpaprHea *s, uint64_t opcode)
{
    HeaCallStat *st = g_hash_table_lookup(s->calls, GUINT_TO_POINTER(opcode));

    if (!st) {
        st = g_new0(HeaCallStat, 1);
        st->by_status = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                              g_free, g_free);
        g_hash_table_insert(s->calls, GUINT_TO_POINTER(opcode), st);
    }
    return st;
}

void hea_count_call(SpaprHea *s, uint64_t opcode, int64_t rc)
{
    HeaCallStat *st = hea_call_stat(s, opcode);
    uint64_t *n = g_hash_table_lookup(st->by_status, &rc);

    if (!n) {
        n = g_new0(uint64_t, 1);
        g_hash_table_insert(st->by_status, g_memdup2(&rc, sizeof(rc)), n);
    }
    ++*n;
    st->total++;
    s->calls_total++;
}

/* JSON */

static void hea_json_call(gpointer key, gpointer val, gpointer opaque)
{
    HeaCallStat *st = val;
    JSONWriter *w = opaque;
    GHashTableIter iter;
    gpointer rc, n;

    json_writer_start_object(w, hea_call_name(GPOINTER_TO_UINT(key)));
    json_writer_uint64(w, "total", st->total);
    g_hash_table_iter_init(&iter, st->by_status);
    while (g_hash_table_iter_next(&iter, &rc, &n)) {
        g_autofree char *number = g_strdup_printf("%" PRId64,
                                                  *(int64_t *)rc);

        json_writer_uint64(w, hea_status_name(*(int64_t *)rc) ?: number,
                           *(uint64_t *)n);
    }
    json_writer_end_object(w);
}

static void hea_json_mr(JSONWriter *w, SpaprHea *s)
{
    unsigned i;

    json_writer_start_object(w, "mr");
    json_writer_uint64(w, "registrations", s->mr_registrations);
    json_writer_uint64(w, "frees", s->mr_frees);
    json_writer_uint64(w, "smr_registrations", s->smr_registrations);
    json_writer_uint64(w, "smr_frees", s->smr_frees);
    json_writer_uint64(w, "live_bytes", hea_mr_live_bytes(s));
    json_writer_start_object(w, "pages");
    for (i = 0; i < ARRAY_SIZE(hea_page_names); i++) {
        json_writer_uint64(w, hea_page_names[i], s->mr_pages[i]);
    }
    json_writer_end_object(w);
    json_writer_uint64(w, "page_calls", s->mr_page_calls);
    json_writer_end_object(w);
}

static void hea_json_pauses(JSONWriter *w, const SpaprHea *s)
{
    json_writer_start_object(w, "qp_pauses");
    json_writer_uint64(w, "count", s->qp_pauses);
    json_writer_uint64(w, "total_ns", s->qp_paused_ns);
    json_writer_uint64(w, "longest_ns", s->qp_pause_max_ns);
    json_writer_end_object(w);
}

static void hea_json_port(JSONWriter *w, const HeaPort *port)
{
    unsigned i;

    json_writer_start_object(w, NULL);
    json_writer_int64(w, "port", port->number);
    json_writer_bool(w, "started", hea_port_started(port));
    json_writer_uint64(w, "receive_control", port->rxctrl);
    json_writer_bool(w, "logical_up", port->logical_up);
    json_writer_bool(w, "physical_up", port->physical_up);
    json_writer_bool(w, "jumbo", port->jumbo);
    json_writer_bool(w, "default_unicast", port->ducqpn);
    json_writer_int64(w, "filters", g_hash_table_size(port->filters));
    json_writer_uint64(w, "tx_frames", port->tx_frames);
    json_writer_uint64(w, "tx_bytes", port->tx_bytes);
    json_writer_uint64(w, "rx_frames", port->rx_frames);
    json_writer_uint64(w, "rx_bytes", port->rx_bytes);
    json_writer_start_object(w, "drops");
    for (i = 0; i < HEA_D_MAX; i++) {
        if (port->drops[i]) {
            json_writer_uint64(w, hea_drop_names[i], port->drops[i]);
        }
    }
    json_writer_end_object(w);
    json_writer_end_object(w);
}

static void hea_json_live(JSONWriter *w, const unsigned *live)
{
    json_writer_uint64(w, "qp", live[HEA_TYPE_QP]);
    json_writer_uint64(w, "cq", live[HEA_TYPE_CQ]);
    json_writer_uint64(w, "eq", live[HEA_TYPE_EQ]);
    json_writer_uint64(w, "mr", live[HEA_TYPE_MR]);
    json_writer_uint64(w, "smr", live[HEA_TYPE_SMR]);
}

static void hea_json_rest(JSONWriter *w, SpaprHea *s)
{
    unsigned i;

    json_writer_start_object(w, "mmio");
    for (i = 0; i < HEA_R_MAX; i++) {
        json_writer_uint64(w, hea_reg_names[i], s->reg_count[i]);
    }
    json_writer_uint64(w, "total", s->mmio_total);
    json_writer_end_object(w);
    json_writer_uint64(w, "irqs", s->irq_count);
    json_writer_start_object(w, "dma");
    json_writer_uint64(w, "read_bytes", s->dma_read);
    json_writer_uint64(w, "write_bytes", s->dma_write);
    json_writer_uint64(w, "faults", s->dma_faults);
    json_writer_end_object(w);
    json_writer_uint64(w, "forced_qp_frees", s->forced_frees);
    json_writer_uint64(w, "refused_isolates", s->refused_isolates);
    json_writer_uint64(w, "resets", s->resets);
    json_writer_start_object(w, "leaked_at_reset");
    hea_json_live(w, s->leaked);
    json_writer_uint64(w, "bcmc", s->leaked_filters);
    json_writer_end_object(w);
}

static char *hea_get_stats(Object *obj, Error **errp)
{
    g_autoptr(JSONWriter) w = json_writer_new(false);
    SpaprHea *s = SPAPR_HEA(obj);
    unsigned i;

    json_writer_start_object(w, NULL);
    json_writer_start_object(w, "calls");
    g_hash_table_foreach(s->calls, hea_json_call, w);
    json_writer_end_object(w);
    json_writer_uint64(w, "calls_total", s->calls_total);
    hea_json_mr(w, s);
    hea_json_pauses(w, s);
    json_writer_start_array(w, "ports");
    for (i = 0; i < s->nr_ports; i++) {
        hea_json_port(w, &s->port[i]);
    }
    json_writer_end_array(w);
    hea_json_rest(w, s);
    json_writer_end_object(w);
    return g_strdup(json_writer_get(w));
}

static char *hea_get_violations(Object *obj, Error **errp)
{
    g_autoptr(JSONWriter) w = json_writer_new(false);
    SpaprHea *s = SPAPR_HEA(obj);
    uint64_t i;

    json_writer_start_object(w, NULL);
    json_writer_uint64(w, "total", s->violations);
    json_writer_start_object(w, "by_kind");
    for (i = 0; i < HEA_V_MAX; i++) {
        if (s->violation[i]) {
            json_writer_uint64(w, hea_violation_names[i], s->violation[i]);
        }
    }
    json_writer_end_object(w);
    json_writer_start_array(w, "log");
    i = s->violations > HEA_LOG_LINES ? s->violations - HEA_LOG_LINES : 0;
    for (; i < s->violations; i++) {
        json_writer_str(w, NULL, s->log[i % HEA_LOG_LINES]);
    }
    json_writer_end_array(w);
    json_writer_end_object(w);
    return g_strdup(json_writer_get(w));
}

static char *hea_get_resources(Object *obj, Error **errp)
{
    g_autoptr(JSONWriter) w = json_writer_new(false);
    SpaprHea *s = SPAPR_HEA(obj);

    json_writer_start_object(w, NULL);
    hea_json_live(w, s->live);
    json_writer_uint64(w, "bcmc", s->filters);
    json_writer_end_object(w);
    return g_strdup(json_writer_get(w));
}

void hea_stats_init(SpaprHea *s)
{
    s->calls = g_hash_table_new_full(NULL, NULL, NULL, hea_call_stat_free);
}

void hea_stats_class_init(ObjectClass *oc)
{
    object_class_property_add_str(oc, "stats", hea_get_stats, NULL);
    object_class_property_add_str(oc, "violations", hea_get_violations, NULL);
    object_class_property_add_str(oc, "resources", hea_get_resources, NULL);
    object_class_property_set_description(oc, "stats", "counters, as JSON");
    object_class_property_set_description(oc, "violations",
        "what the guest must not have done, as JSON");
    object_class_property_set_description(oc, "resources",
        "what is allocated now, as JSON");
}
