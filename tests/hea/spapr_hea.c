/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter (HEA, "lhea"): the device itself.
 *
 * Properties, device tree, resource table, register pages, interrupt
 * numbers, reset.  README.md of this model says what is known of the
 * hardware and what is our reading of it.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/range.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "migration/vmstate.h"
#include "hw/ppc/spapr_drc.h"
#include "spapr_hea_int.h"
#include "trace.h"

#include <libfdt.h>

const char *const hea_type_names[HEA_TYPE_SMR + 1] = {
    [HEA_TYPE_QP] = "qp", [HEA_TYPE_CQ] = "cq", [HEA_TYPE_EQ] = "eq",
    [HEA_TYPE_MR] = "mr", [HEA_TYPE_SMR] = "smr",
};

static QLIST_HEAD(, SpaprHea) hea_list = QLIST_HEAD_INITIALIZER(hea_list);

/* First addresses of LMBs that the partition has isolated, some not any more */
static GHashTable *hea_isolated;

guint hea_u64_hash(gconstpointer p)
{
    uint64_t v = *(const uint64_t *)p;

    return v ^ (v >> 32) ^ (v >> 12);
}

/* Blocks of interrupt numbers that no other pseries device uses */
static const struct {
    int first, last;
} hea_irq_blocks[] = { { 0x1010, 0x10ff }, { 0x127c, 0x12ff } };

/* Interrupt numbers */

static int hea_irq_next_free(void)
{
    static unsigned block, offset;
    int irq;

    if (block == ARRAY_SIZE(hea_irq_blocks)) {
        return -1;
    }
    irq = hea_irq_blocks[block].first + offset++;
    if (irq == hea_irq_blocks[block].last) {
        block++;
        offset = 0;
    }
    return irq;
}

/*
 * The numbers are claimed once and for all: those of the MSI allocator would
 * have to be given back at each reset.
 */
static bool hea_irq_claim_pool(SpaprHea *s, Error **errp)
{
    SpaprMachineState *spapr = SPAPR_MACHINE(qdev_get_machine());
    bool chosen = s->cfg.max_eqs;
    unsigned want = s->cfg.max_eqs;
    int irq;

    if (!chosen) {
        /* Enough to make a port's new queues before the old ones go */
        want = 1 + s->nr_ports * 2 * (1 + MIN(MAX(s->cfg.default_qps, 1),
                                              HEA_CB0_QPNS));
    }
    s->irqs = g_new0(int, want);
    s->irq_used = g_new0(bool, want);
    for (s->nr_irqs = 0; s->nr_irqs < want; s->nr_irqs++) {
        irq = hea_irq_next_free();
        if (irq < 0) {
            break;
        }
        if (spapr_irq_claim(spapr, irq, false, errp) < 0) {
            return false;
        }
        s->irqs[s->nr_irqs] = irq;
    }
    if (s->nr_irqs < (chosen ? want : MIN(want, 1 + 2 * s->nr_ports))) {
        error_setg(errp, "spapr-hea: out of interrupt numbers");
        return false;
    }
    s->cfg.max_eqs = s->nr_irqs;
    return true;
}

int hea_irq_get(SpaprHea *s)
{
    unsigned i;

    for (i = 0; i < s->nr_irqs; i++) {
        if (!s->irq_used[i]) {
            s->irq_used[i] = true;
            return s->irqs[i];
        }
    }
    return -1;
}

void hea_irq_put(SpaprHea *s, int irq)
{
    unsigned i;

    for (i = 0; i < s->nr_irqs; i++) {
        if (s->irqs[i] == irq) {
            s->irq_used[i] = false;
        }
    }
}

/* Resources */

SpaprHea *hea_by_handle(uint64_t handle)
{
    SpaprHea *s;

    QLIST_FOREACH(s, &hea_list, list) {
        if (s->handle == handle) {
            return s;
        }
    }
    return NULL;
}

/* As without any HEA if there is none, else it is the guest's fault */
int64_t hea_unknown_adapter(uint64_t handle)
{
    SpaprHea *s = QLIST_FIRST(&hea_list);

    if (!s) {
        return H_FUNCTION;
    }
    hea_violation(s, HEA_V_BAD_ADAPTER, "no adapter 0x%" PRIx64, handle);
    return H_ADAPTER_PARM;
}

static uint64_t hea_make_handle(SpaprHea *s, unsigned type, uint32_t id)
{
    return HEA_PUT(0x80 + s->index, 0, 7) | HEA_PUT(type, 8, 15) |
           HEA_PUT(id, 32, 63);
}

static bool hea_was_alive(SpaprHea *s, uint64_t handle)
{
    uint32_t id = handle;

    return id && id < s->next_id &&
           handle == hea_make_handle(s, HEA_GET(handle, 8, 15), id);
}

/* Type 0 finds a resource of any type.  A miss is the guest's fault. */
void *hea_find(SpaprHea *s, uint64_t handle, unsigned type)
{
    HeaRes *res = g_hash_table_lookup(s->res, &handle);

    if (res && (!type || res->type == type)) {
        return res;
    }
    if (!res && hea_was_alive(s, handle)) {
        hea_violation(s, HEA_V_DOUBLE_FREE, "handle 0x%" PRIx64
                      " is dead", handle);
    } else {
        hea_violation(s, HEA_V_BAD_HANDLE, "handle 0x%" PRIx64 " is no %s",
                      handle, type ? hea_type_names[type] : "resource");
    }
    return NULL;
}

/*
 * A page is taken again only after all others were, so that a late store to
 * a freed resource meets a dead page and not somebody else's.
 */
static int hea_epa_get(SpaprHea *s, HeaRes *res)
{
    unsigned step = MAX(s->cfg.epa_spacing >> HEA_PAGE_BITS, 1);
    unsigned tries;

    for (tries = 0; tries < HEA_EPA_PAGES / step; tries++) {
        unsigned i = QEMU_ALIGN_UP(s->next_epa, step) % HEA_EPA_PAGES;

        s->next_epa = i + 1;
        if (!s->epa[i]) {
            s->epa[i] = res;
            return i;
        }
    }
    return -1;
}

/* Once only, before anything refers to the resource: it may fail */
bool hea_res_epa_get(SpaprHea *s, HeaRes *res)
{
    res->epa = hea_epa_get(s, res);
    return res->epa >= 0;
}

void hea_res_add(SpaprHea *s, HeaRes *res, unsigned type)
{
    res->hea = s;
    res->type = type;
    res->handle = hea_make_handle(s, type, s->next_id);
    res->number = s->next_id & 0xffffff;
    s->next_id++;
    s->live[type]++;
    g_hash_table_insert(s->res, &res->handle, res);
}

void hea_res_del(HeaRes *res)
{
    SpaprHea *s = res->hea;

    g_hash_table_remove(s->res, &res->handle);
    s->live[res->type]--;
    if (res->epa >= 0) {
        s->epa[res->epa] = NULL;
    }
    g_free(res);
}

uint64_t hea_res_epa(HeaRes *res)
{
    return res->hea->mmio_base + ((uint64_t)res->epa << HEA_PAGE_BITS);
}

HeaPort *hea_port_by_number(SpaprHea *s, uint64_t number)
{
    unsigned i;

    for (i = 0; i < s->nr_ports; i++) {
        if (s->port[i].number == number) {
            return &s->port[i];
        }
    }
    return NULL;
}

/* The port in bits 48-63 of an argument.  A miss is the guest's fault. */
HeaPort *hea_find_port(SpaprHea *s, uint64_t arg)
{
    HeaPort *port = hea_port_by_number(s, HEA_GET(arg, 48, 63));

    if (!port) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "no port %d",
                      (int)HEA_GET(arg, 48, 63));
    }
    return port;
}

/* Register pages */

static HeaReg hea_reg_class(const HeaRes *res, unsigned reg)
{
    static const struct {
        uint8_t type;
        uint16_t reg;
        HeaReg class;
    } map[] = {
        { HEA_TYPE_QP, HEA_QPR_SQA, HEA_R_SQA },
        { HEA_TYPE_QP, HEA_QPR_RQ1A, HEA_R_RQ1A },
        { HEA_TYPE_QP, HEA_QPR_RQ2A, HEA_R_RQ2A },
        { HEA_TYPE_QP, HEA_QPR_RQ3A, HEA_R_RQ3A },
        { HEA_TYPE_CQ, HEA_CQR_FECA, HEA_R_FECA },
        { HEA_TYPE_CQ, HEA_CQR_EP, HEA_R_EP },
        { HEA_TYPE_CQ, HEA_CQR_N1, HEA_R_N1 },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(map); i++) {
        if (map[i].type == res->type && map[i].reg == reg) {
            return map[i].class;
        }
    }
    return HEA_R_OTHER;
}

/* The resource whose page is accessed, NULL if there is none */
static HeaRes *hea_mmio_target(SpaprHea *s, hwaddr addr, unsigned size,
                               const char *what)
{
    HeaRes *res = s->epa[addr >> HEA_PAGE_BITS];

    s->mmio_total++;
    if (!res) {
        hea_violation(s, HEA_V_MMIO_DEAD, "%s at dead register page 0x%"
                      PRIx64, what, s->mmio_base + addr);
        return NULL;
    }
    if (size != 8) {
        hea_violation(s, HEA_V_MMIO_SIZE, "%s of %u bytes at 0x%" PRIx64,
                      what, size, s->mmio_base + addr);
        return NULL;
    }
    return res;
}

static uint64_t hea_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    SpaprHea *s = opaque;
    HeaRes *res = hea_mmio_target(s, addr, size, "load");
    unsigned reg = addr & (HEA_PAGE_SIZE - 1);
    uint64_t val = 0;

    if (!res) {
        return UINT64_MAX;
    }
    s->reg_count[HEA_R_READS]++;
    if (res->type == HEA_TYPE_QP) {
        val = hea_qp_reg_read(container_of(res, HeaQP, res), reg);
    } else if (res->type == HEA_TYPE_CQ) {
        val = hea_cq_reg_read(container_of(res, HeaCQ, res), reg);
    }
    trace_spapr_hea_mmio_read(hea_type_names[res->type], res->number, reg,
                              val);
    return val;
}

static bool hea_doorbell_dropped(SpaprHea *s, HeaRes *res, HeaReg class,
                                 uint64_t *val)
{
    HeaEvent ev = { .site = HEA_S_DOORBELL };

    if (QTAILQ_EMPTY(&s->faults)) {
        return false;
    }
    hea_event_set(&ev, HEA_K_REG, class);
    hea_event_set(&ev, HEA_K_RTYPE, res->type);
    hea_event_set(&ev, HEA_K_HANDLE, res->handle);
    if (res->type == HEA_TYPE_QP) {
        hea_event_set(&ev, HEA_K_QP, res->number);
        hea_event_set(&ev, HEA_K_PORT,
                      container_of(res, HeaQP, res)->port->number);
    } else {
        hea_event_set(&ev, HEA_K_CQ, res->number);
    }
    return hea_fault_apply_u64(s, &ev, val).drop;
}

static void hea_mmio_write(void *opaque, hwaddr addr, uint64_t val,
                           unsigned size)
{
    SpaprHea *s = opaque;
    HeaRes *res = hea_mmio_target(s, addr, size, "store");
    unsigned reg = addr & (HEA_PAGE_SIZE - 1);
    HeaReg class;

    if (!res) {
        return;
    }
    class = hea_reg_class(res, reg);
    s->reg_count[class]++;
    trace_spapr_hea_mmio_write(hea_type_names[res->type], res->number, reg,
                               val);
    if (hea_doorbell_dropped(s, res, class, &val)) {
        return;
    }
    if (res->type == HEA_TYPE_QP) {
        hea_qp_reg_write(container_of(res, HeaQP, res), reg, val);
    } else if (res->type == HEA_TYPE_CQ) {
        hea_cq_reg_write(container_of(res, HeaCQ, res), reg, val);
    }
}

static const MemoryRegionOps hea_mmio_ops = {
    .read = hea_mmio_read,
    .write = hea_mmio_write,
    .endianness = DEVICE_BIG_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

/* Device tree */

static int hea_dt_port(void *fdt, int parent, const HeaPort *port)
{
    uint32_t unit = port->hea->unit + 0x200000 + 0x100 * port->index;
    g_autofree char *name = g_strdup_printf("ethernet@%x", unit);
    int node = fdt_add_subnode(fdt, parent, name);
    int ret = 0;

    if (node < 0) {
        return node;
    }
    ret |= fdt_setprop_cell(fdt, node, "reg", unit);
    ret |= fdt_setprop_string(fdt, node, "device_type", "network");
    ret |= fdt_setprop_string(fdt, node, "compatible", "IBM,lhea-ethernet");
    ret |= fdt_setprop_cell(fdt, node, "ibm,hea-port-no", port->number);
    ret |= fdt_setprop_cell(fdt, node, "ibm,my-drc-index", unit);
    return ret;
}

/*
 * SLOF finds nodes by name@unit again during CAS and reboots for ever over
 * one that has no "reg"; the root has two address and two size cells.
 */
static int hea_dt_adapter(void *fdt, const SpaprHea *s)
{
    g_autofree char *name = g_strdup_printf("lhea@%x", s->unit);
    int node = fdt_add_subnode(fdt, 0, name);
    uint64_t reg[2] = { cpu_to_be64(s->unit), 0 };
    int ret = 0;
    int i;

    if (node < 0) {
        return node;
    }
    ret |= fdt_setprop(fdt, node, "reg", reg, sizeof(reg));
    ret |= fdt_setprop_cell(fdt, node, "#address-cells", 1);
    ret |= fdt_setprop_cell(fdt, node, "#size-cells", 0);
    ret |= fdt_setprop_string(fdt, node, "device_type", "lhea");
    ret |= fdt_setprop_string(fdt, node, "compatible", "IBM,lhea");
    ret |= fdt_setprop_u64(fdt, node, "ibm,hea-handle", s->handle);
    ret |= fdt_setprop_cell(fdt, node, "ibm,my-drc-index", s->unit);
    /* Subnodes are added in front, so backwards gives the natural order */
    for (i = s->nr_ports - 1; i >= 0 && !ret; i--) {
        ret = hea_dt_port(fdt, node, &s->port[i]);
    }
    return ret;
}

int spapr_dt_hea(void *fdt)
{
    SpaprHea *s;
    int ret = 0;

    QLIST_FOREACH(s, &hea_list, list) {
        ret |= hea_dt_adapter(fdt, s);
    }
    return ret ? -1 : 0;
}

/* Memory removal */

static bool hea_uses_memory(SpaprHea *s, hwaddr addr, hwaddr size)
{
    GHashTableIter iter;
    gpointer key, val;

    g_hash_table_iter_init(&iter, s->res);
    while (g_hash_table_iter_next(&iter, &key, &val)) {
        HeaRes *res = val;

        if (res->type == HEA_TYPE_MR &&
            hea_mr_covers(container_of(res, HeaMR, res), addr, size)) {
            return true;
        }
    }
    g_hash_table_iter_init(&iter, s->queue_pages);
    while (g_hash_table_iter_next(&iter, &key, &val)) {
        if (*(uint64_t *)key - addr < size) {
            return true;
        }
    }
    return false;
}

static void hea_note_isolated(hwaddr addr)
{
    uint64_t key = addr;

    if (!hea_isolated) {
        hea_isolated = g_hash_table_new_full(hea_u64_hash, g_int64_equal,
                                             g_free, NULL);
    }
    g_hash_table_add(hea_isolated, g_memdup2(&key, sizeof(key)));
}

bool spapr_hea_may_isolate(hwaddr addr, hwaddr size)
{
    bool allowed = true;
    SpaprHea *s;

    QLIST_FOREACH(s, &hea_list, list) {
        if (s->cfg.lmb_policy == HEA_LMB_OFF ||
            !hea_uses_memory(s, addr, size)) {
            continue;
        }
        hea_violation(s, HEA_V_LMB_IN_USE, "isolate of memory at 0x%"
                      HWADDR_PRIX " that the adapter still uses", addr);
        if (s->cfg.lmb_policy == HEA_LMB_REFUSE) {
            s->refused_isolates++;
            allowed = false;
        }
    }
    if (allowed) {
        hea_note_isolated(addr);
    }
    return allowed;
}

/* The connector knows best: nobody tells when the partition takes it back */
static bool hea_lmb_isolated(hwaddr addr)
{
    uint64_t key = QEMU_ALIGN_DOWN(addr, SPAPR_MEMORY_BLOCK_SIZE);
    SpaprDrc *drc;

    if (!hea_isolated || !g_hash_table_contains(hea_isolated, &key)) {
        return false;
    }
    drc = spapr_drc_by_id(TYPE_SPAPR_DRC_LMB, key / SPAPR_MEMORY_BLOCK_SIZE);
    if (drc && (drc->state == SPAPR_DRC_STATE_LOGICAL_AVAILABLE ||
                drc->state == SPAPR_DRC_STATE_LOGICAL_UNUSABLE)) {
        return true;
    }
    g_hash_table_remove(hea_isolated, &key);
    return false;
}

/* Has the partition given this memory back, so that its use is refused? */
bool hea_lmb_refused(SpaprHea *s, hwaddr addr, const char *what)
{
    if (s->cfg.lmb_policy == HEA_LMB_OFF || !hea_lmb_isolated(addr)) {
        return false;
    }
    hea_violation(s, HEA_V_LMB_ISOLATED, "%s at 0x%" HWADDR_PRIX, what, addr);
    return s->cfg.lmb_policy == HEA_LMB_REFUSE;
}

static void hea_region_del(MemoryListener *listener,
                           MemoryRegionSection *section)
{
    SpaprHea *s = container_of(listener, SpaprHea, listener);
    hwaddr addr = section->offset_within_address_space;

    if (s->cfg.lmb_policy != HEA_LMB_OFF &&
        memory_region_is_ram(section->mr) &&
        hea_uses_memory(s, addr, int128_get64(section->size))) {
        hea_violation(s, HEA_V_LMB_IN_USE, "memory at 0x%" HWADDR_PRIX
                      " is gone, the adapter still uses it", addr);
    }
}

/* Network backends */

static bool hea_nc_can_receive(NetClientState *nc)
{
    return true;        /* what finds no buffer is dropped, as on a wire */
}

static ssize_t hea_nc_receive(NetClientState *nc, const uint8_t *buf,
                              size_t len)
{
    hea_rx_frame(qemu_get_nic_opaque(nc), buf, len);
    return len;
}

static void hea_nc_link_changed(NetClientState *nc)
{
    HeaPort *port = qemu_get_nic_opaque(nc);

    hea_port_set_link(port, !nc->link_down, !nc->link_down);
}

static NetClientInfo hea_nc_info = {
    .type = NET_CLIENT_DRIVER_NIC,
    .size = sizeof(NICState),
    .can_receive = hea_nc_can_receive,
    .receive = hea_nc_receive,
    .link_status_changed = hea_nc_link_changed,
};

static void hea_port_realize(SpaprHea *s, unsigned index)
{
    HeaPort *port = &s->port[index];
    g_autofree char *name = NULL;

    port->hea = s;
    qemu_macaddr_default_if_unset(&port->conf.macaddr);
    name = g_strdup_printf("%s.%u", s->ds.id ?: "hea", index);
    port->nic = qemu_new_nic(&hea_nc_info, &port->conf,
                             object_get_typename(OBJECT(s)), name,
                             &port->guard, port);
    qemu_format_nic_info_str(qemu_get_queue(port->nic),
                             port->conf.macaddr.a);
    hea_port_init(port);
}

/* Life cycle */

/* QPs hold CQs, both hold EQs, SMRs hold their MR: free in that order */
static void hea_destroy_all(SpaprHea *s)
{
    static const uint8_t order[] = {
        HEA_TYPE_QP, HEA_TYPE_CQ, HEA_TYPE_EQ, HEA_TYPE_SMR, HEA_TYPE_MR,
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(order); i++) {
        g_autoptr(GList) all = g_hash_table_get_values(s->res);
        GList *l;

        for (l = all; l; l = l->next) {
            HeaRes *res = l->data;

            if (res->type != order[i]) {
                continue;
            }
            switch (res->type) {
            case HEA_TYPE_QP:
                hea_qp_destroy(container_of(res, HeaQP, res));
                break;
            case HEA_TYPE_CQ:
                hea_cq_destroy(container_of(res, HeaCQ, res));
                break;
            case HEA_TYPE_EQ:
                hea_eq_destroy(container_of(res, HeaEQ, res));
                break;
            default:
                hea_mr_destroy(container_of(res, HeaMR, res));
            }
        }
    }
}

/* As firmware does when the partition ends */
void hea_forget(SpaprHea *s)
{
    unsigned i;

    hea_delay_cancel_all(s);
    hea_destroy_all(s);
    hea_fault_forget_calls(s);
    for (i = 0; i < s->nr_ports; i++) {
        hea_port_reset(&s->port[i]);
        qemu_purge_queued_packets(qemu_get_queue(s->port[i].nic));
    }
}

static void hea_reset(void *opaque)
{
    SpaprHea *s = opaque;

    memcpy(s->leaked, s->live, sizeof(s->leaked));
    s->leaked_filters = s->filters;
    s->resets++;
    hea_forget(s);
}

/* Ports are those up to the last one with a netdev or a MAC, one at least */
static unsigned hea_count_ports(SpaprHea *s)
{
    unsigned i, n = 1;

    if (s->cfg_ports >= 0) {
        return s->cfg_ports;
    }
    for (i = 0; i < HEA_MAX_PORTS; i++) {
        MACAddr none = { };

        if (s->port[i].conf.peers.ncs[0] ||
            memcmp(&s->port[i].conf.macaddr, &none, sizeof(none))) {
            n = i + 1;
        }
    }
    return n;
}

static bool hea_number_ports(SpaprHea *s, Error **errp)
{
    unsigned i, j;

    for (i = 0; i < s->nr_ports; i++) {
        s->port[i].index = i;
        if (!s->port[i].number) {
            s->port[i].number = i + 1;
        }
        for (j = 0; j < i; j++) {
            if (s->port[j].number == s->port[i].number) {
                error_setg(errp, "spapr-hea: two ports have number %u",
                           s->port[i].number);
                return false;
            }
        }
    }
    return true;
}

static bool hea_place(SpaprHea *s, Error **errp)
{
    SpaprHea *other;

    QLIST_FOREACH(other, &hea_list, list) {
        s->index = MAX(s->index, other->index + 1);
    }
    if (s->index >= HEA_MAX_ADAPTERS) {
        error_setg(errp, "spapr-hea: at most %d adapters", HEA_MAX_ADAPTERS);
        return false;
    }
    s->unit = 0x23c00400 + 0x10000 * s->index;
    if (!s->handle) {
        s->handle = 0x1000000000000000ULL | s->unit;
    }
    if (!s->mmio_base) {
        s->mmio_base = HEA_MMIO_BASE + s->index * HEA_MMIO_SIZE;
    }
    QLIST_FOREACH(other, &hea_list, list) {
        if (other->handle == s->handle ||
            ranges_overlap(other->mmio_base, HEA_MMIO_SIZE, s->mmio_base,
                           HEA_MMIO_SIZE)) {
            error_setg(errp, "spapr-hea: another adapter has this handle or "
                       "these register pages");
            return false;
        }
    }
    return true;
}

static void hea_realize(DeviceState *dev, Error **errp)
{
    SpaprHea *s = SPAPR_HEA(dev);
    unsigned i;

    if (!object_dynamic_cast(qdev_get_machine(), TYPE_SPAPR_MACHINE)) {
        error_setg(errp, "spapr-hea needs a pseries machine");
        return;
    }
    if (s->cfg_ports > HEA_MAX_PORTS) {
        error_setg(errp, "spapr-hea: at most %d ports", HEA_MAX_PORTS);
        return;
    }
    s->nr_ports = hea_count_ports(s);
    if (!hea_number_ports(s, errp) || !hea_place(s, errp) ||
        !hea_irq_claim_pool(s, errp)) {
        return;
    }
    memory_region_init_io(&s->mmio, OBJECT(s), &hea_mmio_ops, s, "spapr-hea",
                          HEA_MMIO_SIZE);
    memory_region_add_subregion(get_system_memory(), s->mmio_base, &s->mmio);
    s->bh = aio_bh_new_guarded(qemu_get_aio_context(), hea_tx_bh, s,
                               &s->ds.mem_reentrancy_guard);
    s->tx_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, hea_tx_bh, s);
    for (i = 0; i < s->nr_ports; i++) {
        hea_port_realize(s, i);
    }
    s->listener.name = "spapr-hea";
    s->listener.region_del = hea_region_del;
    memory_listener_register(&s->listener, &address_space_memory);
    QLIST_INSERT_HEAD(&hea_list, s, list);
    qemu_register_reset(hea_reset, s);
}

static void hea_instance_init(Object *obj)
{
    SpaprHea *s = SPAPR_HEA(obj);

    s->cfg = (HeaConfig) {
        .max_qps = 512, .max_cqs = 1024, .max_mrs = 16, .max_smrs = 1024,
        .default_qps = 1, .max_mc = 128, .max_frame = 9022,
        .mr_page_sizes = HEA_PGSZ_4K | HEA_PGSZ_64K | HEA_PGSZ_1M |
                         HEA_PGSZ_16M,
        .epa_spacing = HEA_PAGE_SIZE, .speed = 8,
        .jumbo = true, .promisc = true, .speed_allowed = true,
        .bcmc_allowed = true, .poison_outs = true,
    };
    s->next_id = 1;
    s->res = g_hash_table_new(hea_u64_hash, g_int64_equal);
    s->queue_pages = g_hash_table_new_full(hea_u64_hash, g_int64_equal,
                                           g_free, NULL);
    s->qp_by_number = g_hash_table_new(NULL, NULL);
    s->cq_by_number = g_hash_table_new(NULL, NULL);
    s->mr_by_lkey = g_hash_table_new(NULL, NULL);
    s->frame = g_malloc(HEA_FRAME_MAX + HEA_FRAME_SLACK);
    s->segment = g_malloc(HEA_FRAME_MAX + HEA_FRAME_SLACK);
    s->received = g_malloc(HEA_FRAME_MAX + HEA_FRAME_SLACK);
    QTAILQ_INIT(&s->work);
    QTAILQ_INIT(&s->faults);
    QTAILQ_INIT(&s->replays);
    hea_stats_init(s);
}

static void hea_instance_finalize(Object *obj)
{
    SpaprHea *s = SPAPR_HEA(obj);

    hea_fault_clear_all(s);
    hea_fault_forget_calls(s);
    g_hash_table_destroy(s->res);
    g_hash_table_destroy(s->queue_pages);
    g_hash_table_destroy(s->qp_by_number);
    g_hash_table_destroy(s->cq_by_number);
    g_hash_table_destroy(s->mr_by_lkey);
    g_hash_table_destroy(s->calls);
    g_free(s->frame);
    g_free(s->segment);
    g_free(s->received);
    g_free(s->irqs);
    g_free(s->irq_used);
}

/* Properties that may be set at any time; qdev's may not, once realized */

typedef struct HeaProp {
    const char *name;
    size_t offset;
    const char *help;
} HeaProp;

#define HEA_PROP(n, field, h) { n, offsetof(SpaprHea, cfg.field), h }

static const HeaProp hea_u32_props[] = {
    HEA_PROP("max-qps", max_qps, "queue pairs"),
    HEA_PROP("max-cqs", max_cqs, "completion queues"),
    HEA_PROP("max-eqs", max_eqs, "event queues (at start: 0 = automatic)"),
    HEA_PROP("max-mrs", max_mrs, "memory regions, SMRs not counted"),
    HEA_PROP("max-smrs", max_smrs, "shared memory regions"),
    HEA_PROP("default-qps", default_qps, "default QPs of a port"),
    HEA_PROP("mr-page-sizes", mr_page_sizes, "mask as in H_QUERY_HEA"),
    HEA_PROP("max-mc", max_mc, "multicast MACs of a port, one is taken"),
    HEA_PROP("max-frame", max_frame, "longest jumbo frame with tag and FCS"),
    HEA_PROP("hcall-delay-us", hcall_delay_us, "busy time of each call"),
    HEA_PROP("tx-delay-ns", tx_delay_ns, "doorbell to sending (0 = at once)"),
    HEA_PROP("epa-spacing", epa_spacing, "distance of register pages"),
    HEA_PROP("speed", speed, "code of the speed that a link comes up with"),
};

static const HeaProp hea_bool_props[] = {
    HEA_PROP("jumbo", jumbo, "jumbo frames are permitted"),
    HEA_PROP("promisc", promisc, "a default unicast QP is permitted"),
    HEA_PROP("speed-allowed", speed_allowed, "setting speed is permitted"),
    HEA_PROP("bcmc-allowed", bcmc_allowed, "multicast is permitted"),
    HEA_PROP("poison-outs", poison_outs, "failed calls spoil R4 to R12"),
};

static void *hea_prop_ptr(Object *obj, const HeaProp *prop)
{
    return (char *)SPAPR_HEA(obj) + prop->offset;
}

static void hea_get_u32(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    visit_type_uint32(v, name, hea_prop_ptr(obj, opaque), errp);
}

static void hea_set_u32(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    SpaprHea *s = SPAPR_HEA(obj);
    uint32_t *ptr = hea_prop_ptr(obj, opaque);
    uint32_t val;

    if (!visit_type_uint32(v, name, &val, errp)) {
        return;
    }
    if (ptr == &s->cfg.max_eqs && s->ds.realized && val > s->nr_irqs) {
        error_setg(errp, "max-eqs: only %u interrupts", s->nr_irqs);
        return;
    }
    if (ptr == &s->cfg.epa_spacing &&
        (val < HEA_PAGE_SIZE || val > 64 * KiB || !is_power_of_2(val))) {
        error_setg(errp, "epa-spacing: a power of 2 from 4096 to 65536");
        return;
    }
    *ptr = val;
}

static void hea_get_bool(Object *obj, Visitor *v, const char *name,
                         void *opaque, Error **errp)
{
    visit_type_bool(v, name, hea_prop_ptr(obj, opaque), errp);
}

static void hea_set_bool(Object *obj, Visitor *v, const char *name,
                         void *opaque, Error **errp)
{
    visit_type_bool(v, name, hea_prop_ptr(obj, opaque), errp);
}

static const QEnumLookup hea_arming_names = {
    .array = (const char *const[]) { "strict", "lenient" }, .size = 2,
};

static const QEnumLookup hea_lmb_names = {
    .array = (const char *const[]) { "refuse", "count", "off" }, .size = 3,
};

static int hea_get_arming(Object *obj, Error **errp)
{
    return SPAPR_HEA(obj)->cfg.arming;
}

static void hea_set_arming(Object *obj, int val, Error **errp)
{
    SPAPR_HEA(obj)->cfg.arming = val;
}

static int hea_get_lmb_policy(Object *obj, Error **errp)
{
    return SPAPR_HEA(obj)->cfg.lmb_policy;
}

static void hea_set_lmb_policy(Object *obj, int val, Error **errp)
{
    SPAPR_HEA(obj)->cfg.lmb_policy = val;
}

static void hea_add_props(ObjectClass *oc, const HeaProp *props, size_t n,
                          const char *type, ObjectPropertyAccessor *get,
                          ObjectPropertyAccessor *set)
{
    size_t i;

    for (i = 0; i < n; i++) {
        object_class_property_add(oc, props[i].name, type, get, set, NULL,
                                  (void *)&props[i]);
        object_class_property_set_description(oc, props[i].name,
                                              props[i].help);
    }
}

static const Property hea_properties[] = {
    DEFINE_PROP_UINT64("mmio-base", SpaprHea, mmio_base, 0),
    DEFINE_PROP_UINT64("handle", SpaprHea, handle, 0),
    DEFINE_PROP_INT32("ports", SpaprHea, cfg_ports, -1),
    DEFINE_PROP_NETDEV("netdev0", SpaprHea, port[0].conf.peers),
    DEFINE_PROP_MACADDR("mac0", SpaprHea, port[0].conf.macaddr),
    DEFINE_PROP_UINT16("port-no0", SpaprHea, port[0].number, 0),
    DEFINE_PROP_NETDEV("netdev1", SpaprHea, port[1].conf.peers),
    DEFINE_PROP_MACADDR("mac1", SpaprHea, port[1].conf.macaddr),
    DEFINE_PROP_UINT16("port-no1", SpaprHea, port[1].number, 0),
    DEFINE_PROP_NETDEV("netdev2", SpaprHea, port[2].conf.peers),
    DEFINE_PROP_MACADDR("mac2", SpaprHea, port[2].conf.macaddr),
    DEFINE_PROP_UINT16("port-no2", SpaprHea, port[2].number, 0),
    DEFINE_PROP_NETDEV("netdev3", SpaprHea, port[3].conf.peers),
    DEFINE_PROP_MACADDR("mac3", SpaprHea, port[3].conf.macaddr),
    DEFINE_PROP_UINT16("port-no3", SpaprHea, port[3].number, 0),
    DEFINE_PROP_NETDEV("netdev4", SpaprHea, port[4].conf.peers),
    DEFINE_PROP_MACADDR("mac4", SpaprHea, port[4].conf.macaddr),
    DEFINE_PROP_UINT16("port-no4", SpaprHea, port[4].number, 0),
    DEFINE_PROP_NETDEV("netdev5", SpaprHea, port[5].conf.peers),
    DEFINE_PROP_MACADDR("mac5", SpaprHea, port[5].conf.macaddr),
    DEFINE_PROP_UINT16("port-no5", SpaprHea, port[5].number, 0),
    DEFINE_PROP_NETDEV("netdev6", SpaprHea, port[6].conf.peers),
    DEFINE_PROP_MACADDR("mac6", SpaprHea, port[6].conf.macaddr),
    DEFINE_PROP_UINT16("port-no6", SpaprHea, port[6].number, 0),
    DEFINE_PROP_NETDEV("netdev7", SpaprHea, port[7].conf.peers),
    DEFINE_PROP_MACADDR("mac7", SpaprHea, port[7].conf.macaddr),
    DEFINE_PROP_UINT16("port-no7", SpaprHea, port[7].number, 0),
    DEFINE_PROP_NETDEV("netdev8", SpaprHea, port[8].conf.peers),
    DEFINE_PROP_MACADDR("mac8", SpaprHea, port[8].conf.macaddr),
    DEFINE_PROP_UINT16("port-no8", SpaprHea, port[8].number, 0),
    DEFINE_PROP_NETDEV("netdev9", SpaprHea, port[9].conf.peers),
    DEFINE_PROP_MACADDR("mac9", SpaprHea, port[9].conf.macaddr),
    DEFINE_PROP_UINT16("port-no9", SpaprHea, port[9].number, 0),
    DEFINE_PROP_NETDEV("netdev10", SpaprHea, port[10].conf.peers),
    DEFINE_PROP_MACADDR("mac10", SpaprHea, port[10].conf.macaddr),
    DEFINE_PROP_UINT16("port-no10", SpaprHea, port[10].number, 0),
    DEFINE_PROP_NETDEV("netdev11", SpaprHea, port[11].conf.peers),
    DEFINE_PROP_MACADDR("mac11", SpaprHea, port[11].conf.macaddr),
    DEFINE_PROP_UINT16("port-no11", SpaprHea, port[11].number, 0),
    DEFINE_PROP_NETDEV("netdev12", SpaprHea, port[12].conf.peers),
    DEFINE_PROP_MACADDR("mac12", SpaprHea, port[12].conf.macaddr),
    DEFINE_PROP_UINT16("port-no12", SpaprHea, port[12].number, 0),
    DEFINE_PROP_NETDEV("netdev13", SpaprHea, port[13].conf.peers),
    DEFINE_PROP_MACADDR("mac13", SpaprHea, port[13].conf.macaddr),
    DEFINE_PROP_UINT16("port-no13", SpaprHea, port[13].number, 0),
    DEFINE_PROP_NETDEV("netdev14", SpaprHea, port[14].conf.peers),
    DEFINE_PROP_MACADDR("mac14", SpaprHea, port[14].conf.macaddr),
    DEFINE_PROP_UINT16("port-no14", SpaprHea, port[14].number, 0),
    DEFINE_PROP_NETDEV("netdev15", SpaprHea, port[15].conf.peers),
    DEFINE_PROP_MACADDR("mac15", SpaprHea, port[15].conf.macaddr),
    DEFINE_PROP_UINT16("port-no15", SpaprHea, port[15].number, 0),
};

/* A partition with an HEA could never be migrated either */
static const VMStateDescription hea_vmstate = {
    .name = TYPE_SPAPR_HEA,
    .unmigratable = 1,
};

static void hea_class_init(ObjectClass *oc, HeaClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->realize = hea_realize;
    dc->desc = "PAPR Host Ethernet Adapter";
    dc->vmsd = &hea_vmstate;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    device_class_set_props(dc, hea_properties);
    hea_add_props(oc, hea_u32_props, ARRAY_SIZE(hea_u32_props), "uint32",
                  hea_get_u32, hea_set_u32);
    hea_add_props(oc, hea_bool_props, ARRAY_SIZE(hea_bool_props), "bool",
                  hea_get_bool, hea_set_bool);
    object_class_property_add_enum(oc, "arming", "HeaArming",
                                   &hea_arming_names, hea_get_arming,
                                   hea_set_arming);
    object_class_property_add_enum(oc, "lmb-policy", "HeaLmbPolicy",
                                   &hea_lmb_names, hea_get_lmb_policy,
                                   hea_set_lmb_policy);
    hea_stats_class_init(oc);
    hea_fault_class_init(oc);
    hea_action_class_init(oc);
}

static const TypeInfo hea_info = {
    .name = TYPE_SPAPR_HEA,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(SpaprHea),
    .instance_init = hea_instance_init,
    .instance_finalize = hea_instance_finalize,
    .class_init = hea_class_init,
};

static void hea_register(void)
{
    hea_register_calls();
    type_register_static(&hea_info);
}

type_init(hea_register)
