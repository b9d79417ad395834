/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: hypercalls, the part common to all of them.
 *
 * Status codes: those that the interface description names are used where it
 * names them; for other refusals the code is the one whose meaning in LoPAR's
 * table fits best.  A client should not depend on the latter.
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "hw/mem/memory-device.h"
#include "spapr_hea_int.h"
#include "trace.h"

#define HEA_POISON 0xbad0bad0bad0bad0ULL

static const HeaCall hea_calls[] = {
    { H_RESET_EVENTS, "H_RESET_EVENTS", hea_h_reset_events, .handle = R5,
      .repeats = true },
    { H_FREE_RESOURCE, "H_FREE_RESOURCE", hea_h_free, .handle = R5 },
    { H_REGISTER_SMR, "H_REGISTER_SMR", hea_h_register_smr, .handle = R5 },
    { H_ERROR_DATA, "H_ERROR_DATA", hea_h_error_data, .handle = R5,
      .repeats = true },
    { H_MODIFY_HEA_QP, "H_MODIFY_HEA_QP", hea_h_modify_qp, .handle = R6,
      .block = R8, .keep_outs = true },
    { H_QUERY_HEA_QP, "H_QUERY_HEA_QP", hea_h_query_qp, .handle = R6,
      .repeats = true },
    { H_QUERY_HEA, "H_QUERY_HEA", hea_h_query_hea, .repeats = true },
    { H_QUERY_HEA_PORT, "H_QUERY_HEA_PORT", hea_h_query_port, .port = true,
      .repeats = true },
    { H_MODIFY_HEA_PORT, "H_MODIFY_HEA_PORT", hea_h_modify_port,
      .port = true, .block = R8 },
    { H_REG_BCMC, "H_REG_BCMC", hea_h_reg_bcmc, .port = true },
    { H_DEREG_BCMC, "H_DEREG_BCMC", hea_h_dereg_bcmc, .port = true },
    { H_REGISTER_HEA_RPAGES, "H_REGISTER_HEA_RPAGES", hea_h_rpages,
      .handle = R6, .block = R7 },
    { H_DISABLE_AND_GET_HEA, "H_DISABLE_AND_GET_HEA", hea_h_disable,
      .handle = R6, .repeats = true },
    { H_ALLOC_HEA_RESOURCE, "H_ALLOC_HEA_RESOURCE", hea_h_alloc },
};

#define S(name) { name, #name }

static const struct {
    int64_t rc;
    const char *name;
} hea_status[] = {
    S(H_SUCCESS), S(H_BUSY), S(H_CLOSED), S(H_NOT_AVAILABLE),
    S(H_CONSTRAINED), S(H_PARTIAL), S(H_IN_PROGRESS), S(H_PAGE_REGISTERED),
    S(H_PARTIAL_STORE), S(H_PENDING), S(H_CONTINUE),
    S(H_LONG_BUSY_ORDER_1_MSEC), S(H_LONG_BUSY_ORDER_10_MSEC),
    S(H_LONG_BUSY_ORDER_100_MSEC), S(H_LONG_BUSY_ORDER_1_SEC),
    S(H_LONG_BUSY_ORDER_10_SEC), S(H_LONG_BUSY_ORDER_100_SEC),
    S(H_HARDWARE), S(H_FUNCTION), S(H_PRIVILEGE), S(H_PARAMETER),
    S(H_BAD_MODE), S(H_PTEG_FULL), S(H_NOT_FOUND), S(H_RESERVED_DABR),
    S(H_NO_MEM), S(H_AUTHORITY), S(H_PERMISSION), S(H_DROPPED),
    S(H_SOURCE_PARM), S(H_DEST_PARM), S(H_REMOTE_PARM), S(H_RESOURCE),
    S(H_ADAPTER_PARM), S(H_RH_PARM), S(H_RCQ_PARM), S(H_SCQ_PARM),
    S(H_EQ_PARM), S(H_RT_PARM), S(H_ST_PARM), S(H_SIGT_PARM),
    S(H_TOKEN_PARM), S(H_MLENGTH_PARM), S(H_MEM_PARM), S(H_MEM_ACCESS_PARM),
    S(H_ATTR_PARM), S(H_PORT_PARM), S(H_MCG_PARM), S(H_VL_PARM),
    S(H_TSIZE_PARM), S(H_TRACE_PARM), S(H_MASK_PARM), S(H_MCG_FULL),
    S(H_ALIAS_EXIST), S(H_P_COUNTER), S(H_TABLE_FULL), S(H_ALT_TABLE),
    S(H_MR_CONDITION), S(H_NOT_ENOUGH_RESOURCES), S(H_R_STATE),
    S(H_RESCINDEND), S(H_P2), S(H_P3), S(H_P4), S(H_P5), S(H_P6), S(H_P7),
    S(H_P8), S(H_P9),
};

#undef S

const char *hea_status_name(int64_t rc)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(hea_status); i++) {
        if (hea_status[i].rc == rc) {
            return hea_status[i].name;
        }
    }
    return NULL;
}

bool hea_status_by_name(const char *name, int64_t *rc)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(hea_status); i++) {
        if (!strcasecmp(name, hea_status[i].name) ||
            !strcasecmp(name, hea_status[i].name + 2)) {
            *rc = hea_status[i].rc;
            return true;
        }
    }
    return false;
}

static const HeaCall *hea_call_by_opcode(uint64_t opcode)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(hea_calls); i++) {
        if (hea_calls[i].opcode == opcode) {
            return &hea_calls[i];
        }
    }
    g_assert_not_reached();     /* others are not registered */
}

const char *hea_call_name(uint64_t opcode)
{
    return hea_call_by_opcode(opcode)->name;
}

/* With or without "H_"; ALLOC, RPAGES and the like will do */
bool hea_call_by_name(const char *name, uint64_t *opcode)
{
    static const struct {
        const char *alias;
        uint64_t opcode;
    } aliases[] = {
        { "ALLOC", H_ALLOC_HEA_RESOURCE }, { "FREE", H_FREE_RESOURCE },
        { "RPAGES", H_REGISTER_HEA_RPAGES },
        { "DISABLE", H_DISABLE_AND_GET_HEA },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(hea_calls); i++) {
        if (!strcasecmp(name, hea_calls[i].name) ||
            !strcasecmp(name, hea_calls[i].name + 2)) {
            *opcode = hea_calls[i].opcode;
            return true;
        }
    }
    for (i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcasecmp(name, aliases[i].alias)) {
            *opcode = aliases[i].opcode;
            return true;
        }
    }
    return false;
}

/* Control blocks */

int64_t hea_cb_check(SpaprHea *s, uint64_t addr, const char *what)
{
    if (addr & (HEA_PAGE_SIZE - 1)) {
        hea_violation(s, HEA_V_CB_ALIGN, "%s at 0x%" PRIx64, what, addr);
        return H_PARAMETER;
    }
    if (!hea_is_ram(addr, HEA_PAGE_SIZE)) {
        hea_violation(s, HEA_V_CB_NOT_RAM, "%s at 0x%" PRIx64, what, addr);
        return H_PARAMETER;
    }
    return H_SUCCESS;
}

int64_t hea_cb_read(SpaprHea *s, uint64_t addr, void *cb, unsigned len)
{
    int64_t rc = hea_cb_check(s, addr, "control block");

    if (rc == H_SUCCESS && !hea_mem_read(s, addr, cb, len)) {
        rc = H_PARAMETER;
    }
    return rc;
}

int64_t hea_cb_write(SpaprHea *s, uint64_t addr, void *cb, unsigned len)
{
    hea_fault_corrupt_cb(s, cb, len);
    return hea_mem_write(s, addr, cb, len) ? H_SUCCESS : H_PARAMETER;
}

/* Calls on resources of any type */

int64_t hea_h_alloc(SpaprHea *s, uint64_t *args)
{
    switch (HEA_GET(args[R5], 56, 63)) {
    case HEA_TYPE_QP:
        return hea_qp_alloc(s, args);
    case HEA_TYPE_CQ:
        return hea_cq_alloc(s, args);
    case HEA_TYPE_EQ:
        return hea_eq_alloc(s, args);
    case HEA_TYPE_MR:
        return hea_mr_alloc(s, args);
    default:
        hea_violation(s, HEA_V_BAD_ARGUMENT, "resource type %d",
                      (int)HEA_GET(args[R5], 56, 63));
        return H_RT_PARM;
    }
}

int64_t hea_h_free(SpaprHea *s, uint64_t *args)
{
    HeaRes *res = hea_find(s, args[R5], 0);

    if (!res) {
        return H_RH_PARM;
    }
    if (args[R6] > 1) {
        hea_violation(s, HEA_V_RESERVED_BITS, "free with flags 0x%" PRIx64,
                      args[R6]);
        return H_PARAMETER;
    }
    switch (res->type) {
    case HEA_TYPE_QP:
        return hea_qp_free(s, container_of(res, HeaQP, res), args[R6]);
    case HEA_TYPE_CQ:
        return hea_cq_free(s, container_of(res, HeaCQ, res));
    case HEA_TYPE_EQ:
        return hea_eq_free(s, container_of(res, HeaEQ, res));
    default:
        return hea_mr_free(s, container_of(res, HeaMR, res), args[R6]);
    }
}

int64_t hea_h_rpages(SpaprHea *s, uint64_t *args)
{
    HeaRes *res = hea_find(s, args[R6], 0);

    if (!res) {
        return H_RH_PARM;
    }
    if (args[R5] & ~HEA_RPAGES_VALID) {
        hea_violation(s, HEA_V_RESERVED_BITS, "page controls 0x%" PRIx64,
                      args[R5]);
        return H_PARAMETER;
    }
    if (res->type == HEA_TYPE_MR) {
        return hea_mr_rpages(s, container_of(res, HeaMR, res), args);
    }
    if (HEA_RPAGES_SIZE(args[R5]) || args[R8] != 1 ||
        (res->type != HEA_TYPE_QP && HEA_RPAGES_QUEUE(args[R5]))) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "queue page: controls 0x%"
                      PRIx64 ", count %" PRId64, args[R5], args[R8]);
        return H_PARAMETER;
    }
    switch (res->type) {
    case HEA_TYPE_QP:
        return hea_qp_rpages(s, container_of(res, HeaQP, res), args);
    case HEA_TYPE_CQ:
        return hea_ring_page(s, &container_of(res, HeaCQ, res)->ring,
                             args[R7]);
    case HEA_TYPE_EQ:
        return hea_ring_page(s, &container_of(res, HeaEQ, res)->ring,
                             args[R7]);
    default:
        hea_violation(s, HEA_V_BAD_HANDLE, "pages for an SMR");
        return H_RH_PARM;
    }
}

int64_t hea_h_error_data(SpaprHea *s, uint64_t *args)
{
    HeaRes *res = hea_find(s, args[R5], 0);
    uint64_t block[HEA_ERR_WORDS] = { };
    HeaQP *qp;
    int64_t rc;

    if (!res) {
        return H_RH_PARM;
    }
    rc = hea_cb_check(s, args[R6], "error data");
    if (rc != H_SUCCESS) {
        return rc;
    }
    if (res->type != HEA_TYPE_QP) {
        return H_R_STATE;
    }
    qp = container_of(res, HeaQP, res);
    if (qp->state != HEA_QPS_ERROR) {
        return H_R_STATE;
    }
    stq_be_p(&block[0], HEA_PUT(sizeof(block), 52, 63));
    stq_be_p(&block[HEA_ERR_HANDLE], res->handle);
    stq_be_p(&block[HEA_ERR_TYPE], HEA_PUT(HEA_ERR_TYPE_QP, 0, 7));
    stq_be_p(&block[HEA_ERR_AER], qp->aer);
    stq_be_p(&block[HEA_ERR_AERR], qp->aerr);
    stq_be_p(&block[HEA_ERR_PORT], qp->port->number);
    return hea_cb_write(s, args[R6], block, sizeof(block));
}

uint64_t hea_partition_memory(void)
{
    MachineState *ms = MACHINE(qdev_get_machine());

    return ms->ram_size + get_plugged_memory_size();
}

int64_t hea_h_query_hea(SpaprHea *s, uint64_t *args)
{
    const struct {
        uint8_t word;
        bool wide;
        uint64_t val;
    } words[] = {
        { 0, false, s->live[HEA_TYPE_QP] }, { 1, false, s->live[HEA_TYPE_CQ] },
        { 2, false, s->live[HEA_TYPE_EQ] }, { 3, false, s->live[HEA_TYPE_MR] },
        { 5, false, s->cfg.max_qps }, { 6, false, s->cfg.max_cqs },
        { 7, false, s->cfg.max_eqs }, { 8, false, s->cfg.max_mrs },
        { 10, false, 512000000 }, { 11, false, 0xffffffff },
        { 13, false, 65535 }, { 14, false, 32767 },
        { 15, false, 0 }, { 16, false, 6 }, { 17, false, 6 },
        { 18, false, s->cfg.mr_page_sizes },
        { 20, true, hea_partition_memory() },
        { 24, false, s->nr_ports }, { 28, true, s->cfg.max_mc },
        { 32, false, 4 }, { 33, false, 1 }, { 34, true, 4096 },
        { 36, false, 1 }, { 37, false, s->nr_ports },
    };
    uint8_t cb[HEA_QUERY_WORD(40)] = { };
    int64_t rc = hea_cb_check(s, args[R5], "control block");
    unsigned i;

    if (rc != H_SUCCESS) {
        return rc;
    }
    for (i = 0; i < ARRAY_SIZE(words); i++) {
        if (words[i].wide) {
            stq_be_p(cb + HEA_QUERY_WORD(words[i].word), words[i].val);
        } else {
            stl_be_p(cb + HEA_QUERY_WORD(words[i].word), words[i].val);
        }
    }
    return hea_cb_write(s, args[R5], cb, sizeof(cb));
}

/* The way in */

static void hea_call_event(SpaprHea *s, const HeaCall *call,
                           const uint64_t *args, HeaEvent *ev)
{
    HeaRes *res;

    hea_event_set(ev, HEA_K_OP, call->opcode);
    if (call->handle) {
        hea_event_set(ev, HEA_K_HANDLE, args[call->handle]);
        res = g_hash_table_lookup(s->res, &args[call->handle]);
        if (res) {
            hea_event_set(ev, HEA_K_RTYPE, res->type);
        }
        if (res && res->type == HEA_TYPE_QP) {
            hea_event_set(ev, HEA_K_QP, res->number);
            hea_event_set(ev, HEA_K_PORT,
                          container_of(res, HeaQP, res)->port->number);
        }
    }
    if (call->port) {
        hea_event_set(ev, HEA_K_PORT, HEA_GET(args[R5], 48, 63));
        hea_event_set(ev, HEA_K_CB, HEA_GET(args[R5], 40, 47));
    }
    if (call->opcode == H_ALLOC_HEA_RESOURCE) {
        hea_event_set(ev, HEA_K_RTYPE, HEA_GET(args[R5], 56, 63));
        if (HEA_GET(args[R5], 56, 63) == HEA_TYPE_QP) {
            hea_event_set(ev, HEA_K_PORT, HEA_GET(args[R11], 48, 63));
        }
    }
    if (call->opcode == H_REGISTER_SMR) {
        hea_event_set(ev, HEA_K_RTYPE, HEA_TYPE_SMR);
    }
    if (call->opcode == H_REGISTER_HEA_RPAGES) {
        hea_event_set(ev, HEA_K_WR, HEA_RPAGES_QUEUE(args[R5]));
    }
}

/* What a failed call leaves in its output registers is not defined */
void hea_poison_outs(SpaprHea *s, const HeaCall *call, int64_t rc,
                     uint64_t *args)
{
    int i;

    if (!s->cfg.poison_outs || call->keep_outs || rc == H_SUCCESS ||
        rc == H_PAGE_REGISTERED || rc == H_CONSTRAINED) {
        return;
    }
    for (i = 0; i < HEA_ARGS; i++) {
        args[i] = HEA_POISON;
    }
}

static target_ulong hea_hcall(PowerPCCPU *cpu, SpaprMachineState *spapr,
                              target_ulong opcode, target_ulong *regs)
{
    const HeaCall *call = hea_call_by_opcode(opcode);
    HeaEvent ev = { .site = HEA_S_CALL };
    SpaprHea *s = hea_by_handle(regs[R4]);
    uint64_t args[HEA_ARGS];
    int64_t rc;
    int i;

    if (!s) {
        return hea_unknown_adapter(regs[R4]);
    }
    hea_busy_wait(s->cfg.hcall_delay_us);
    for (i = 0; i < HEA_ARGS; i++) {
        args[i] = regs[i];
    }
    hea_call_event(s, call, args, &ev);
    trace_spapr_hea_call(call->name, args[R5], args[R6], args[R7], args[R8],
                         args[R9]);
    rc = hea_fault_call(s, call, &ev, args);
    hea_count_call(s, opcode, rc);
    trace_spapr_hea_return(call->name, hea_status_name(rc) ?: "?", rc,
                           args[R4], args[R5], args[R6], args[R7]);
    for (i = 0; i < HEA_ARGS; i++) {
        regs[i] = args[i];
    }
    return rc;
}

void hea_register_calls(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(hea_calls); i++) {
        spapr_register_hypercall(hea_calls[i].opcode, hea_hcall);
    }
}
