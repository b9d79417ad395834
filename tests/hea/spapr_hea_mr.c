/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: memory regions and the translation of every
 * byte that the adapter moves.
 *
 * An MR maps one range of bus addresses without holes to real pages.  An SMR
 * is a second registration of the same translations under a key of its own.
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"
#include "qemu/units.h"
#include "spapr_hea_int.h"
#include "trace.h"
#include <zlib.h>

static const uint8_t hea_page_shift[] = { 12, 16, 20, 24 };

/* Guest memory by real address */

static const MemTxAttrs hea_attrs = { .memory = 1 };

bool hea_is_ram(hwaddr addr, hwaddr len)
{
    RCU_READ_LOCK_GUARD();

    while (len) {
        hwaddr xlat, plen = len;
        MemoryRegion *mr = address_space_translate(&address_space_memory,
                                                   addr, &xlat, &plen, true,
                                                   hea_attrs);

        if (!memory_region_is_ram(mr) || mr->readonly || !plen) {
            return false;
        }
        addr += plen;
        len -= plen;
    }
    return true;
}

bool hea_mem_read(SpaprHea *s, hwaddr addr, void *buf, size_t len)
{
    s->dma_read += len;
    return address_space_read(&address_space_memory, addr, hea_attrs, buf,
                              len) == MEMTX_OK;
}

bool hea_mem_write(SpaprHea *s, hwaddr addr, const void *buf, size_t len)
{
    s->dma_write += len;
    return address_space_write(&address_space_memory, addr, hea_attrs, buf,
                               len) == MEMTX_OK;
}

/* To tell contents of a page apart; no read of the adapter, so not counted */
uint32_t hea_mem_digest(hwaddr page)
{
    uint8_t buf[HEA_PAGE_SIZE] = { };

    address_space_read(&address_space_memory, page, hea_attrs, buf,
                       sizeof(buf));
    return crc32(0, buf, sizeof(buf));
}

/* Translations */

static void hea_map_unref(HeaMap *map)
{
    if (--map->refs) {
        return;
    }
    g_free(map->page);
    g_free(map->seen);
    g_free(map);
}

static uint32_t hea_new_lkey(SpaprHea *s)
{
    /* An odd factor: no key comes twice, and none looks like an index */
    return s->next_id * 0x9e3779b1u;
}

static void hea_mr_link(SpaprHea *s, HeaMR *mr, unsigned type)
{
    mr->lkey = hea_new_lkey(s);
    mr->map->refs++;
    mr->res.epa = -1;
    hea_res_add(s, &mr->res, type);
    g_hash_table_insert(s->mr_by_lkey, GUINT_TO_POINTER(mr->lkey), mr);
}

void hea_mr_destroy(HeaMR *mr)
{
    g_hash_table_remove(mr->res.hea->mr_by_lkey, GUINT_TO_POINTER(mr->lkey));
    if (mr->parent) {
        mr->parent->smrs--;
    }
    hea_map_unref(mr->map);
    hea_res_del(&mr->res);
}

static bool hea_map_complete(const HeaMap *map)
{
    return map->pages && map->got == map->pages;
}

static int64_t hea_check_access(SpaprHea *s, uint64_t access, uint64_t pd)
{
    if (access != (uint64_t)HEA_MR_ACCESS << 32) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "access control 0x%" PRIx64,
                      access);
        return H_MEM_ACCESS_PARM;
    }
    if (pd >> 32) {
        hea_violation(s, HEA_V_RESERVED_BITS, "PD 0x%" PRIx64, pd);
        return H_PARAMETER;
    }
    return H_SUCCESS;
}

static int64_t hea_check_range(SpaprHea *s, uint64_t start, uint64_t len)
{
    if (!len || len & (HEA_PAGE_SIZE - 1)) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "MR length 0x%" PRIx64, len);
        return H_MLENGTH_PARM;
    }
    if (start & (HEA_PAGE_SIZE - 1) || start + len - 1 < start) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "MR at 0x%" PRIx64 " length 0x%"
                      PRIx64, start, len);
        return H_MEM_PARM;
    }
    if (len > hea_partition_memory()) {
        hea_violation(s, HEA_V_MR_TOO_LARGE, "MR of 0x%" PRIx64 " bytes, "
                      "memory is 0x%" PRIx64, len, hea_partition_memory());
        return H_RESOURCE;
    }
    return H_SUCCESS;
}

int64_t hea_mr_alloc(SpaprHea *s, uint64_t *args)
{
    HeaMR *mr;
    int64_t rc;

    if (args[R5] & ~HEA_BITS(56, 63)) {
        hea_violation(s, HEA_V_RESERVED_BITS, "MR controls 0x%" PRIx64,
                      args[R5]);
        return H_PARAMETER;
    }
    rc = hea_check_range(s, args[R6], args[R7]);
    if (rc == H_SUCCESS) {
        rc = hea_check_access(s, args[R8], args[R9]);
    }
    if (rc != H_SUCCESS) {
        return rc;
    }
    if (s->live[HEA_TYPE_MR] >= s->cfg.max_mrs) {
        return H_NOT_ENOUGH_RESOURCES;
    }
    mr = g_new0(HeaMR, 1);
    mr->map = g_new0(HeaMap, 1);
    mr->map->length = args[R7];
    mr->start = args[R6];
    mr->pd = args[R9];
    hea_mr_link(s, mr, HEA_TYPE_MR);
    s->mr_registrations++;
    args[R4] = mr->res.handle;
    args[R6] = mr->lkey;
    return H_SUCCESS;
}

int64_t hea_h_register_smr(SpaprHea *s, uint64_t *args)
{
    HeaMR *mr = hea_find(s, args[R5], HEA_TYPE_MR);
    HeaMR *smr;
    int64_t rc;

    if (!mr) {
        return H_RH_PARM;
    }
    rc = hea_check_access(s, args[R7], args[R8]);
    if (rc != H_SUCCESS) {
        return rc;
    }
    if (args[R8] != mr->pd) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "SMR with PD 0x%" PRIx64
                      ", that of its MR is 0x%x", args[R8], mr->pd);
        return H_PARAMETER;
    }
    if (!hea_map_complete(mr->map)) {
        hea_violation(s, HEA_V_PAGES_MISSING, "SMR of an incomplete MR");
        return H_MR_CONDITION;
    }
    if (args[R6] & ((1ULL << mr->map->shift) - 1) ||
        args[R6] + mr->map->length - 1 < args[R6]) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "SMR at 0x%" PRIx64, args[R6]);
        return H_MEM_PARM;
    }
    if (s->live[HEA_TYPE_SMR] >= s->cfg.max_smrs) {
        return H_NOT_ENOUGH_RESOURCES;
    }
    smr = g_new0(HeaMR, 1);
    smr->map = mr->map;
    smr->parent = mr;
    smr->start = args[R6];
    smr->pd = args[R8];
    mr->smrs++;
    hea_mr_link(s, smr, HEA_TYPE_SMR);
    s->smr_registrations++;
    args[R4] = smr->res.handle;
    args[R6] = smr->lkey;
    return H_SUCCESS;
}

/* A WQE that a running QP was given must not lose its translation */
static void hea_mr_check_idle(SpaprHea *s, HeaMR *mr)
{
    GHashTableIter iter;
    gpointer val;

    g_hash_table_iter_init(&iter, s->qp_by_number);
    while (g_hash_table_iter_next(&iter, NULL, &val)) {
        HeaQP *qp = val;

        if ((hea_qp_can_send(qp) || hea_qp_can_receive(qp)) &&
            hea_qp_posted_lkey(qp, mr->lkey)) {
            hea_violation(s, HEA_V_MR_IN_USE, "lkey 0x%x freed, QP %u has "
                          "WQEs with it", mr->lkey, qp->res.number);
        }
    }
}

int64_t hea_mr_free(SpaprHea *s, HeaMR *mr, bool force)
{
    if (mr->smrs) {
        hea_violation(s, HEA_V_STILL_REFERENCED, "MR with %u SMRs freed",
                      mr->smrs);
        return H_RESOURCE;
    }
    hea_mr_check_idle(s, mr);
    if (mr->res.type == HEA_TYPE_MR) {
        s->mr_frees++;
    } else {
        s->smr_frees++;
    }
    hea_mr_destroy(mr);
    return H_SUCCESS;
}

/* Pages */

static int64_t hea_map_begin(SpaprHea *s, HeaMR *mr, unsigned code)
{
    uint32_t offered = s->cfg.mr_page_sizes ?: HEA_PGSZ_4K;
    HeaMap *map = mr->map;
    unsigned shift;

    if (code >= ARRAY_SIZE(hea_page_shift) ||
        !(offered & (HEA_PGSZ_4K >> code))) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "page size code %u", code);
        return H_PARAMETER;
    }
    shift = hea_page_shift[code];
    if (map->pages) {
        if (shift != map->shift) {
            hea_violation(s, HEA_V_BAD_ARGUMENT, "second page size in an MR");
            return H_PARAMETER;
        }
        return H_SUCCESS;
    }
    if ((mr->start | map->length) & ((1ULL << shift) - 1)) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "MR at 0x%" PRIx64 " length 0x%"
                      PRIx64 " with pages of 0x%x", mr->start, map->length,
                      1u << shift);
        return H_PARAMETER;
    }
    map->shift = shift;
    map->pages = map->length >> shift;
    map->page = g_new0(uint64_t, map->pages);
    map->seen_pages = (MACHINE(qdev_get_machine())->maxram_size + 64 * GiB)
                      >> shift;
    map->seen = bitmap_new(map->seen_pages);
    return H_SUCCESS;
}

/* The list of pages, one of them in the register itself */
static int64_t hea_rpages_list(SpaprHea *s, const uint64_t *args,
                               uint64_t *list)
{
    uint64_t count = args[R8], i;

    if (!count || count > HEA_RPAGES_MAX || HEA_RPAGES_QUEUE(args[R5])) {
        hea_violation(s, HEA_V_BAD_ARGUMENT, "MR pages: controls 0x%" PRIx64
                      ", count %" PRIu64, args[R5], count);
        return H_PARAMETER;
    }
    if (count == 1) {
        list[0] = args[R7];
        return H_SUCCESS;
    }
    if (hea_cb_read(s, args[R7], list, count * 8) != H_SUCCESS) {
        return H_PARAMETER;
    }
    for (i = 0; i < count; i++) {
        list[i] = be64_to_cpu(list[i]);
    }
    return H_SUCCESS;
}

/* A refused call leaves no trace: the next one may name another page size */
static void hea_map_undo(HeaMap *map)
{
    if (map->pages && !map->got) {
        g_free(map->page);
        g_free(map->seen);
        map->page = NULL;
        map->seen = NULL;
        map->pages = 0;
    }
}

static int64_t hea_check_page(SpaprHea *s, const HeaMap *map, uint64_t addr)
{
    uint64_t size = 1ULL << map->shift;

    if (addr & (size - 1)) {
        hea_violation(s, HEA_V_PAGE_ALIGN, "page 0x%" PRIx64, addr);
        return H_PARAMETER;
    }
    if (addr >> map->shift >= map->seen_pages || !hea_is_ram(addr, size)) {
        hea_violation(s, HEA_V_PAGE_NOT_RAM, "page 0x%" PRIx64, addr);
        return H_MEM_PARM;
    }
    if (hea_lmb_refused(s, addr, "MR page")) {
        return H_MEM_PARM;
    }
    if (test_bit(addr >> map->shift, map->seen)) {
        hea_violation(s, HEA_V_PAGE_TWICE, "page 0x%" PRIx64, addr);
        return H_PARAMETER;
    }
    return H_SUCCESS;
}

/* Mark all pages as seen, or none */
static int64_t hea_map_see(SpaprHea *s, HeaMap *map, const uint64_t *list,
                           uint64_t count)
{
    int64_t rc = H_SUCCESS;
    uint64_t i;

    for (i = 0; i < count; i++) {
        rc = hea_check_page(s, map, list[i]);
        if (rc != H_SUCCESS) {
            break;
        }
        set_bit(list[i] >> map->shift, map->seen);
    }
    while (rc != H_SUCCESS && i--) {
        clear_bit(list[i] >> map->shift, map->seen);
    }
    return rc;
}

static int64_t hea_map_add(SpaprHea *s, HeaMap *map, const uint64_t *list,
                           uint64_t count)
{
    int64_t rc;

    if (count > map->pages - map->got) {
        hea_violation(s, HEA_V_PAGES_AFTER_COMPLETE, "%" PRIu64 " pages for "
                      "an MR that lacks %" PRIu64, count,
                      map->pages - map->got);
        return H_TABLE_FULL;
    }
    rc = hea_map_see(s, map, list, count);
    if (rc != H_SUCCESS) {
        return rc;
    }
    memcpy(map->page + map->got, list, count * sizeof(*list));
    map->got += count;
    return hea_map_complete(map) ? H_SUCCESS : H_PAGE_REGISTERED;
}

int64_t hea_mr_rpages(SpaprHea *s, HeaMR *mr, uint64_t *args)
{
    uint64_t list[HEA_RPAGES_MAX];
    int64_t rc;

    s->mr_page_calls++;
    rc = hea_rpages_list(s, args, list);
    if (rc == H_SUCCESS) {
        rc = hea_map_begin(s, mr, HEA_RPAGES_SIZE(args[R5]));
    }
    if (rc == H_SUCCESS) {
        rc = hea_map_add(s, mr->map, list, args[R8]);
    }
    if (rc == H_SUCCESS || rc == H_PAGE_REGISTERED) {
        s->mr_pages[HEA_RPAGES_SIZE(args[R5])] += args[R8];
    } else {
        hea_map_undo(mr->map);
    }
    return rc;
}

/* Bytes that MRs cover now, whatever SMRs there are of them */
uint64_t hea_mr_live_bytes(SpaprHea *s)
{
    GHashTableIter iter;
    uint64_t bytes = 0;
    gpointer val;

    g_hash_table_iter_init(&iter, s->mr_by_lkey);
    while (g_hash_table_iter_next(&iter, NULL, &val)) {
        HeaMR *mr = val;

        bytes += mr->parent ? 0 : mr->map->length;
    }
    return bytes;
}

bool hea_mr_covers(HeaMR *mr, hwaddr addr, hwaddr size)
{
    HeaMap *map = mr->map;
    uint64_t first, last;

    if (!map->seen) {
        return false;
    }
    first = addr >> map->shift;
    last = (addr + size - 1) >> map->shift;
    if (first >= map->seen_pages) {
        return false;
    }
    last = MIN(last, map->seen_pages - 1);
    return find_next_bit(map->seen, last + 1, first) <= last;
}

/* What the data path uses */

static HeaMR *hea_dma_check(HeaQP *qp, uint64_t addr, uint32_t lkey,
                            size_t len)
{
    SpaprHea *s = qp->res.hea;
    HeaMR *mr = g_hash_table_lookup(s->mr_by_lkey, GUINT_TO_POINTER(lkey));

    if (!mr) {
        hea_violation(s, HEA_V_DMA_LKEY, "QP %u: lkey 0x%x (address 0x%"
                      PRIx64 ")", qp->res.number, lkey, addr);
        return NULL;
    }
    if (mr->pd != qp->pd) {
        hea_violation(s, HEA_V_DMA_PD, "QP %u: PD 0x%x, that of lkey 0x%x is "
                      "0x%x", qp->res.number, qp->pd, lkey, mr->pd);
        return NULL;
    }
    if (addr < mr->start || addr - mr->start > mr->map->length ||
        len > mr->map->length - (addr - mr->start)) {
        hea_violation(s, HEA_V_DMA_RANGE, "QP %u: 0x%zx bytes at 0x%" PRIx64
                      ", lkey 0x%x has 0x%" PRIx64 " at 0x%" PRIx64,
                      qp->res.number, len, addr, lkey, mr->map->length,
                      mr->start);
        return NULL;
    }
    if (!hea_map_complete(mr->map)) {
        hea_violation(s, HEA_V_DMA_INCOMPLETE, "QP %u: lkey 0x%x",
                      qp->res.number, lkey);
        return NULL;
    }
    return mr;
}

static bool hea_dma_injected(HeaQP *qp, bool write)
{
    SpaprHea *s = qp->res.hea;
    HeaEvent ev = { .site = HEA_S_DMA };

    if (QTAILQ_EMPTY(&s->faults)) {
        return false;
    }
    hea_event_set(&ev, HEA_K_PORT, qp->port->number);
    hea_event_set(&ev, HEA_K_QP, qp->res.number);
    hea_event_set(&ev, HEA_K_WR, write ? HEA_RQ1 : HEA_SQ);
    return hea_fault_apply(s, &ev, NULL, 0).drop;
}

/*
 * Move bytes between a buffer of the guest and the adapter.  False if a byte
 * has no valid translation; those before it may have been moved.
 */
bool hea_dma(HeaQP *qp, uint64_t addr, uint32_t lkey, void *buf, size_t len,
             bool write)
{
    SpaprHea *s = qp->res.hea;
    HeaMR *mr = hea_dma_injected(qp, write) ? NULL :
                hea_dma_check(qp, addr, lkey, len);
    uint64_t offset;

    if (!mr) {
        s->dma_faults++;
        trace_spapr_hea_dma_fault(qp->res.number, addr, lkey, len, write);
        return false;
    }
    for (offset = addr - mr->start; len; ) {
        uint64_t in_page = offset & ((1ULL << mr->map->shift) - 1);
        size_t chunk = MIN(len, (1ULL << mr->map->shift) - in_page);
        uint64_t real = mr->map->page[offset >> mr->map->shift] + in_page;

        if (hea_lmb_refused(s, real, "DMA")) {
            s->dma_faults++;
            return false;
        }
        if (!(write ? hea_mem_write(s, real, buf, chunk) :
                      hea_mem_read(s, real, buf, chunk))) {
            hea_violation(s, HEA_V_DMA_MEMORY, "QP %u: no memory at 0x%"
                          PRIx64, qp->res.number, real);
            s->dma_faults++;
            return false;
        }
        buf = (char *)buf + chunk;
        offset += chunk;
        len -= chunk;
    }
    return true;
}
