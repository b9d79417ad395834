/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: faults on demand.
 *
 * A rule names a place, what must match there, when it fires, and what it
 * does.  README.md has the grammar.  Rules that nobody set cost nothing.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "hw/core/cpu.h"
#include "spapr_hea_int.h"
#include "trace.h"

#define HEA_REPLAYS     16      /* more calls are not under way at a time */

typedef struct HeaRcItem {
    bool own;                   /* what the call itself answers */
    int64_t rc;
    uint64_t count;
} HeaRcItem;

typedef enum HeaTarget { HEA_BYTES, HEA_INPUT, HEA_OUTPUT } HeaTarget;

typedef struct HeaCorrupt {
    HeaTarget target;
    unsigned offset, size;      /* of bytes; of registers the index */
    char how;                   /* ':' set, '^' xor, '|' or, '+' add, '?' any */
    uint64_t val;
} HeaCorrupt;

struct HeaFault {
    unsigned id;
    char *text;
    HeaSite site;
    uint32_t has;
    uint64_t want[HEA_K_MAX];
    uint64_t after, times, seen, hits;
    double prob;
    uint32_t seed;
    GRand *rand;
    bool after_effect;
    GArray *rcs;                /* of HeaRcItem */
    GArray *corrupts;           /* of HeaCorrupt */
    uint32_t delay_us;
    bool drop;
    unsigned dup;
    QTAILQ_ENTRY(HeaFault) next;
};

/* Names */

static const HeaName hea_site_names[] = {
    { "call", HEA_S_CALL }, { "cqe", HEA_S_CQE }, { "eqe", HEA_S_EQE },
    { "neqe", HEA_S_NEQE }, { "irq", HEA_S_IRQ },
    { "doorbell", HEA_S_DOORBELL }, { "tx", HEA_S_TX }, { "rx", HEA_S_RX },
    { "dma", HEA_S_DMA }, { }
};

static const HeaName hea_key_names[] = {
    { "op", HEA_K_OP }, { "rtype", HEA_K_RTYPE }, { "handle", HEA_K_HANDLE },
    { "port", HEA_K_PORT }, { "qp", HEA_K_QP }, { "cq", HEA_K_CQ },
    { "eq", HEA_K_EQ }, { "cb", HEA_K_CB }, { "wr", HEA_K_WR },
    { "reg", HEA_K_REG }, { "code", HEA_K_CODE }, { "irq", HEA_K_CODE }, { }
};

static const HeaName hea_wr_names[] = {
    { "tx", HEA_SQ }, { "rx1", HEA_RQ1 }, { "rx2", HEA_RQ2 },
    { "rx3", HEA_RQ3 }, { }
};

static const HeaName hea_rtype_names[] = {
    { "qp", HEA_TYPE_QP }, { "cq", HEA_TYPE_CQ }, { "eq", HEA_TYPE_EQ },
    { "mr", HEA_TYPE_MR }, { "smr", HEA_TYPE_SMR }, { }
};

static const HeaName hea_reg_keys[] = {
    { "sqa", HEA_R_SQA }, { "rq1a", HEA_R_RQ1A }, { "rq2a", HEA_R_RQ2A },
    { "rq3a", HEA_R_RQ3A }, { "feca", HEA_R_FECA }, { "ep", HEA_R_EP },
    { "n1", HEA_R_N1 }, { }
};

const HeaName hea_irq_names[] = {
    { "neq", HEA_IRQ_NEQ }, { "aff", HEA_IRQ_AFF },
    { "queue", HEA_IRQ_QUEUE }, { }
};

/* Fields that corrupt= knows by name; others are given as "+offset.size" */
static const struct {
    const char *name;
    uint16_t offset, size;
} hea_fields[] = {
    { "wr_id", HEA_CQE_WR_ID, 8 }, { "type", HEA_CQE_TYPE, 1 },
    { "valid", HEA_CQE_VALID, 1 },
    { "status", HEA_CQE_STATUS, 2 }, { "bytes", HEA_CQE_BYTES, 2 },
    { "vlan", HEA_CQE_VLAN, 2 }, { "csum", HEA_CQE_CSUM, 2 },
    { "hlen", HEA_CQE_HLEN, 1 }, { "count", HEA_CQE_WQE_COUNT, 2 },
    { "cqe.token", HEA_CQE_TOKEN, 4 },
    { "raw", 0, 8 }, { "eqe.token", 4, 4 }, { "neqe.port", 4, 2 },
    { "cb0.mac", HEA_CB0_MAC, 8 }, { "cb0.rxctrl", HEA_CB0_RXCTRL, 8 },
    { "cb0.oper", HEA_CB0_OPER, 4 }, { "cb0.speed", HEA_CB0_SPEED, 4 },
    { "cb0.ext", HEA_CB0_EXT, 4 }, { "cb0.pause", HEA_CB0_PAUSE, 4 },
    { "cb0.default-qps", HEA_CB0_NUM_QPS, 4 },
    { "cb4.speed", HEA_CB4_SPEED, 4 }, { "cb4.pause", HEA_CB4_PAUSE, 4 },
    { "cb4.state", HEA_CB4_STATE, 4 }, { "cb4.jumbo", HEA_CB4_JUMBO, 4 },
    { "cb4.wrap", HEA_CB4_WRAP, 4 }, { "cb7.ducqpn", 0, 8 },
    { "qp.control", HEA_QPCB_CONTROL, 8 }, { "qp.aer", HEA_QPCB_AER, 8 },
    { "hea.max-qps", HEA_QUERY_WORD(5), 4 },
    { "hea.max-cqs", HEA_QUERY_WORD(6), 4 },
    { "hea.max-eqs", HEA_QUERY_WORD(7), 4 },
    { "hea.max-mrs", HEA_QUERY_WORD(8), 4 },
    { "hea.page-sizes", HEA_QUERY_WORD(18), 4 },
    { "hea.max-mr-size", HEA_QUERY_WORD(20), 8 },
    { "hea.ports", HEA_QUERY_WORD(24), 4 },
    { "hea.max-mc", HEA_QUERY_WORD(28), 8 },
};

static bool hea_name_lookup(const HeaName *names, const char *name,
                            uint64_t *val)
{
    for (; names->name; names++) {
        if (!strcmp(names->name, name)) {
            *val = names->val;
            return true;
        }
    }
    return false;
}

/* Parsing */

static bool hea_parse_number(const char *text, uint64_t *val, Error **errp)
{
    if (qemu_strtou64(text, NULL, 0, val)) {
        error_setg(errp, "\"%s\" is no number", text);
        return false;
    }
    return true;
}

/* A name from a list, or a number */
bool hea_parse_named(const HeaName *names, const char *text, uint64_t *val,
                     Error **errp)
{
    return hea_name_lookup(names, text, val) ||
           hea_parse_number(text, val, errp);
}

static bool hea_parse_rc(const char *text, int64_t *rc, Error **errp)
{
    if (hea_status_by_name(text, rc) || !qemu_strtoi64(text, NULL, 0, rc)) {
        return true;
    }
    error_setg(errp, "\"%s\" is no status", text);
    return false;
}

/*
 * Each item is a status, or "status*count".  In a sequence H_SUCCESS has
 * always meant that the call runs; a lone rc=H_SUCCESS is a status like others.
 */
static bool hea_parse_rcs(HeaFault *f, const char *text, bool seq,
                          Error **errp)
{
    g_auto(GStrv) items = g_strsplit_set(text, ",/", -1);
    int i;

    for (i = 0; items[i]; i++) {
        HeaRcItem item = { .count = 1 };
        char *star = strchr(items[i], '*');

        if (star) {
            *star = 0;
            if (!hea_parse_number(star + 1, &item.count, errp)) {
                return false;
            }
        }
        item.own = !strcmp(items[i], "run");
        if (!item.own && !hea_parse_rc(items[i], &item.rc, errp)) {
            return false;
        }
        item.own |= seq && item.rc == H_SUCCESS;
        g_array_append_val(f->rcs, item);
    }
    return true;
}

static bool hea_parse_field(const char *name, HeaCorrupt *c, Error **errp)
{
    unsigned i, reg;

    for (i = 0; i < ARRAY_SIZE(hea_fields); i++) {
        if (!strcmp(hea_fields[i].name, name)) {
            c->offset = hea_fields[i].offset;
            c->size = hea_fields[i].size;
            return true;
        }
    }
    if (sscanf(name, "+%i.%u", (int *)&c->offset, &c->size) == 2 &&
        c->size >= 1 && c->size <= 8) {
        return true;
    }
    c->target = g_str_has_prefix(name, "in.") ? HEA_INPUT : HEA_OUTPUT;
    name += c->target == HEA_INPUT ? 3 : 0;
    if (sscanf(name, "r%u", &reg) == 1 && reg >= 4 && reg <= 12) {
        c->offset = reg - 4;
        return true;
    }
    error_setg(errp, "no field \"%s\"", name);
    return false;
}

/*
 * "field:value"; a value after ^, | or + changes instead of replacing, and "?"
 * is a random one
 */
static bool hea_parse_corrupt(HeaFault *f, const char *text, Error **errp)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);
    int i;

    for (i = 0; items[i]; i++) {
        HeaCorrupt c = { .how = ':' };
        char *val = strchr(items[i], ':');

        if (!val) {
            error_setg(errp, "corrupt: \"%s\" has no value", items[i]);
            return false;
        }
        *val++ = 0;
        if (*val && strchr("^|+", *val)) {
            c.how = *val++;
        }
        if (!strcmp(val, "?")) {
            c.how = '?';
            val = (char *)"0";
        }
        if (!hea_parse_field(items[i], &c, errp) ||
            !hea_parse_number(val, &c.val, errp)) {
            return false;
        }
        g_array_append_val(f->corrupts, c);
    }
    return true;
}

static bool hea_parse_op(HeaFault *f, const char *text, Error **errp)
{
    f->site = HEA_S_CALL;
    if (!strcasecmp(text, "any")) {
        return true;
    }
    if (!hea_call_by_name(text, &f->want[HEA_K_OP])) {
        error_setg(errp, "no call \"%s\"", text);
        return false;
    }
    f->has |= 1u << HEA_K_OP;
    return true;
}

/* A key that says what must match; some of them also say where */
static bool hea_parse_match(HeaFault *f, HeaKey key, const char *name,
                            const char *text, Error **errp)
{
    const HeaName *names = NULL;
    static const HeaName none[] = { { } };

    switch (key) {
    case HEA_K_OP:
        return hea_parse_op(f, text, errp);
    case HEA_K_RTYPE:
        names = hea_rtype_names;
        break;
    case HEA_K_WR:
        names = hea_wr_names;
        if (f->site == HEA_S_MAX) {
            f->site = HEA_S_CQE;
        }
        break;
    case HEA_K_REG:
        names = hea_reg_keys;
        f->site = HEA_S_DOORBELL;
        break;
    case HEA_K_CODE:
        if (!strcmp(name, "irq")) {
            names = hea_irq_names;
            f->site = HEA_S_IRQ;
            if (!strcmp(text, "any")) {
                return true;
            }
        }
        break;
    default:
        break;
    }
    f->has |= 1u << key;
    return hea_parse_named(names ?: none, text, &f->want[key], errp);
}

static bool hea_parse_u32(const char *text, uint32_t *val, Error **errp)
{
    uint64_t wide;

    if (!hea_parse_number(text, &wide, errp)) {
        return false;
    }
    if (wide > UINT32_MAX) {
        error_setg(errp, "\"%s\" is too large", text);
        return false;
    }
    *val = wide;
    return true;
}

static bool hea_parse_prob(HeaFault *f, const char *text, Error **errp)
{
    if (qemu_strtod_finite(text, NULL, &f->prob) || f->prob < 0 ||
        f->prob > 1) {
        error_setg(errp, "\"%s\" is no probability", text);
        return false;
    }
    return true;
}

static bool hea_parse_stage(HeaFault *f, const char *text, Error **errp)
{
    f->after_effect = !strcmp(text, "after");
    if (!f->after_effect && strcmp(text, "before")) {
        error_setg(errp, "stage is before or after");
        return false;
    }
    return true;
}

static bool hea_parse_site(HeaFault *f, const char *text, Error **errp)
{
    uint64_t site;

    if (!hea_name_lookup(hea_site_names, text, &site)) {
        error_setg(errp, "no place \"%s\"", text);
        return false;
    }
    f->site = site;
    return true;
}

static bool hea_parse_key(HeaFault *f, const char *key, const char *val,
                          Error **errp)
{
    uint64_t match;

    if (hea_name_lookup(hea_key_names, key, &match)) {
        return hea_parse_match(f, match, key, val, errp);
    } else if (!strcmp(key, "at")) {
        return hea_parse_site(f, val, errp);
    } else if (!strcmp(key, "after")) {
        return hea_parse_number(val, &f->after, errp);
    } else if (!strcmp(key, "times")) {
        return hea_parse_number(val, &f->times, errp);
    } else if (!strcmp(key, "prob")) {
        return hea_parse_prob(f, val, errp);
    } else if (!strcmp(key, "seed")) {
        return hea_parse_u32(val, &f->seed, errp);
    } else if (!strcmp(key, "stage")) {
        return hea_parse_stage(f, val, errp);
    } else if (!strcmp(key, "rc") || !strcmp(key, "rc-seq")) {
        return hea_parse_rcs(f, val, !strcmp(key, "rc-seq"), errp);
    } else if (!strcmp(key, "corrupt")) {
        return hea_parse_corrupt(f, val, errp);
    } else if (!strcmp(key, "delay") || !strcmp(key, "delay-us")) {
        return hea_parse_u32(val, &f->delay_us, errp);
    } else if (!strcmp(key, "dup")) {
        return hea_parse_u32(val, &f->dup, errp);
    } else if (!strcmp(key, "drop")) {
        f->drop = strcmp(val, "0");
        return true;
    }
    error_setg(errp, "no key \"%s\"", key);
    return false;
}

/* "a=1,b=x,y" is a=1 and b="x,y"; "drop" alone is drop=1 */
static GPtrArray *hea_split(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    GPtrArray *pairs = g_ptr_array_new_with_free_func(g_free);
    int i;

    for (i = 0; words[i]; i++) {
        char *word = g_strstrip(words[i]);

        if (strchr(word, '=') || !pairs->len) {
            g_ptr_array_add(pairs, g_strdup(word));
        } else if (!strcmp(word, "drop")) {
            g_ptr_array_add(pairs, g_strdup("drop=1"));
        } else {
            char **last = (char **)&pairs->pdata[pairs->len - 1];
            char *joined = g_strdup_printf("%s,%s", *last, word);

            g_free(*last);
            *last = joined;
        }
    }
    return pairs;
}

static void hea_fault_free(HeaFault *f)
{
    if (f->rand) {
        g_rand_free(f->rand);
    }
    g_array_unref(f->rcs);
    g_array_unref(f->corrupts);
    g_free(f->text);
    g_free(f);
}

static bool hea_fault_parse(HeaFault *f, const char *text, Error **errp)
{
    g_autoptr(GPtrArray) pairs = hea_split(text);
    unsigned i;

    for (i = 0; i < pairs->len; i++) {
        char *key = pairs->pdata[i];
        char *val = strchr(key, '=');

        if (!val) {
            error_setg(errp, "\"%s\" has no value", key);
            return false;
        }
        *val++ = 0;
        if (!hea_parse_key(f, key, val, errp)) {
            return false;
        }
    }
    if (f->site == HEA_S_MAX) {
        error_setg(errp, "the rule does not say where: op=, wr=, reg=, "
                   "irq= or at=");
        return false;
    }
    return true;
}

static uint64_t hea_fault_default_times(const HeaFault *f)
{
    uint64_t n = 0;
    unsigned i;

    for (i = 0; i < f->rcs->len; i++) {
        n += g_array_index(f->rcs, HeaRcItem, i).count;
    }
    return MAX(n, 1);
}

static void hea_fault_add(SpaprHea *s, const char *text, Error **errp)
{
    HeaFault *f = g_new0(HeaFault, 1);

    f->site = HEA_S_MAX;
    f->times = UINT64_MAX;
    f->prob = 1;
    f->seed = 1;
    f->text = g_strdup(text);
    f->rcs = g_array_new(false, false, sizeof(HeaRcItem));
    f->corrupts = g_array_new(false, false, sizeof(HeaCorrupt));
    if (!hea_fault_parse(f, text, errp)) {
        hea_fault_free(f);
        return;
    }
    if (f->times == UINT64_MAX) {
        f->times = hea_fault_default_times(f);
    }
    f->rand = g_rand_new_with_seed(f->seed);
    f->id = ++s->next_fault;
    QTAILQ_INSERT_TAIL(&s->faults, f, next);
}

/* Matching */

static bool hea_fault_fits(const HeaFault *f, const HeaEvent *ev)
{
    unsigned k;

    if (f->site != ev->site || f->has & ~ev->has) {
        return false;
    }
    for (k = 0; k < HEA_K_MAX; k++) {
        if (f->has & (1u << k) && f->want[k] != ev->val[k]) {
            return false;
        }
    }
    return true;
}

/* The first rule that fires for an event, NULL if none does */
static HeaFault *hea_fault_match(SpaprHea *s, const HeaEvent *ev)
{
    HeaFault *f;

    QTAILQ_FOREACH(f, &s->faults, next) {
        if (!hea_fault_fits(f, ev)) {
            continue;
        }
        f->seen++;
        if (f->seen <= f->after || (f->times && f->hits >= f->times) ||
            (f->prob < 1 && g_rand_double(f->rand) >= f->prob)) {
            continue;
        }
        f->hits++;
        trace_spapr_hea_fault(f->id, f->hits, f->text);
        return f;
    }
    return NULL;
}

/* Effects */

static uint64_t hea_corrupt_value(const HeaFault *f, const HeaCorrupt *c,
                                  uint64_t old)
{
    switch (c->how) {
    case '?':
        return (uint64_t)g_rand_int(f->rand) << 32 | g_rand_int(f->rand);
    case '^':
        return old ^ c->val;
    case '|':
        return old | c->val;
    case '+':
        return old + c->val;
    default:
        return c->val;
    }
}

static void hea_corrupt_bytes(const HeaFault *f, uint8_t *data, size_t len)
{
    unsigned i;

    for (i = 0; data && i < f->corrupts->len; i++) {
        const HeaCorrupt *c = &g_array_index(f->corrupts, HeaCorrupt, i);

        if (c->target == HEA_BYTES && c->size <= len &&
            c->offset <= len - c->size) {
            stn_be_p(data + c->offset, c->size,
                     hea_corrupt_value(f, c, ldn_be_p(data + c->offset,
                                                      c->size)));
        }
    }
}

static void hea_corrupt_regs(const HeaFault *f, HeaTarget which,
                             uint64_t *args)
{
    unsigned i;

    for (i = 0; f && i < f->corrupts->len; i++) {
        const HeaCorrupt *c = &g_array_index(f->corrupts, HeaCorrupt, i);

        if (c->target == which) {
            args[c->offset] = hea_corrupt_value(f, c, args[c->offset]);
        }
    }
}

/* Of what the present call writes to its control block */
void hea_fault_corrupt_cb(SpaprHea *s, void *cb, unsigned len)
{
    if (s->call_fault) {
        hea_corrupt_bytes(s->call_fault, cb, len);
    }
}

HeaVerdict hea_fault_apply(SpaprHea *s, const HeaEvent *ev, void *data,
                           size_t len)
{
    HeaFault *f = hea_fault_match(s, ev);
    HeaVerdict verdict = { };

    if (f) {
        hea_corrupt_bytes(f, data, len);
        verdict.drop = f->drop;
        verdict.dup = f->dup;
        verdict.delay_us = f->delay_us;
    }
    return verdict;
}

/* The same for one big-endian word that is at hand in host order */
HeaVerdict hea_fault_apply_u64(SpaprHea *s, const HeaEvent *ev, uint64_t *val)
{
    uint64_t be = cpu_to_be64(*val);
    HeaVerdict verdict = hea_fault_apply(s, ev, &be, sizeof(be));

    *val = be64_to_cpu(be);
    return verdict;
}

/* The status that a rule gives its present hit, false if none */
static bool hea_fault_rc(const HeaFault *f, int64_t *rc)
{
    const HeaRcItem *item = NULL;
    uint64_t n = f->hits;
    unsigned i;

    for (i = 0; i < f->rcs->len; i++) {
        item = &g_array_index(f->rcs, HeaRcItem, i);
        if (n <= item->count) {
            break;
        }
        n -= item->count;
    }
    if (!item || item->own) {
        return false;
    }
    *rc = item->rc;
    return true;
}

static bool hea_is_busy(int64_t rc)
{
    return rc == H_BUSY || H_IS_LONG_BUSY(rc);
}

/*
 * What came of a call.  With stage=after and "later" it is kept until the same
 * call comes again, as firmware that works on in the background does it.
 */
struct HeaReplay {
    const HeaCall *call;
    uint64_t in[HEA_ARGS];
    uint32_t digest;            /* of the block that an argument points at */
    uint64_t out[HEA_ARGS];
    int64_t status;
    QTAILQ_ENTRY(HeaReplay) next;
};

static void hea_replay_drop(SpaprHea *s, HeaReplay *r)
{
    QTAILQ_REMOVE(&s->replays, r, next);
    s->nr_replays--;
    g_free(r);
}

void hea_fault_forget_calls(SpaprHea *s)
{
    while (!QTAILQ_EMPTY(&s->replays)) {
        hea_replay_drop(s, QTAILQ_FIRST(&s->replays));
    }
}

static void hea_replay_keep(SpaprHea *s, const HeaReplay *done)
{
    HeaReplay *r = g_memdup2(done, sizeof(*done));

    if (s->nr_replays == HEA_REPLAYS) {
        hea_replay_drop(s, QTAILQ_FIRST(&s->replays));
    }
    QTAILQ_INSERT_TAIL(&s->replays, r, next);
    s->nr_replays++;
}

/* A single page is given by its own address, and nothing is read */
static uint32_t hea_call_digest(const HeaCall *call, const uint64_t *args)
{
    if (!call->block ||
        (call->opcode == H_REGISTER_HEA_RPAGES && args[R8] == 1)) {
        return 0;
    }
    return hea_mem_digest(args[call->block]);
}

/* Take the outcome of this call from the list; false if it is not there */
static bool hea_replay_take(SpaprHea *s, HeaReplay *done)
{
    HeaReplay *r;

    if (QTAILQ_EMPTY(&s->replays)) {
        return false;
    }
    done->digest = hea_call_digest(done->call, done->in);
    QTAILQ_FOREACH(r, &s->replays, next) {
        if (r->call == done->call && r->digest == done->digest &&
            !memcmp(r->in, done->in, sizeof(r->in))) {
            *done = *r;
            hea_replay_drop(s, r);
            return true;
        }
    }
    return false;
}

/*
 * A call that sets the same thing to something else, or takes back what the
 * older one did: so the guest does not wait for the older one any more, and
 * if it comes again that is a new call.
 */
static bool hea_replay_is_stale(const HeaReplay *r, const HeaReplay *now)
{
    unsigned key = now->call->handle ?: R5;

    if (r->call == now->call) {
        return now->call->block && r->in[key] == now->in[key];
    }
    return !memcmp(r->in, now->in, sizeof(r->in));
}

static void hea_call_run(SpaprHea *s, const HeaFault *f, HeaReplay *done)
{
    HeaReplay *r, *next;

    QTAILQ_FOREACH_SAFE(r, &s->replays, next, next) {
        if (hea_replay_is_stale(r, done)) {
            hea_replay_drop(s, r);
        }
    }
    memcpy(done->out, done->in, sizeof(done->out));
    hea_corrupt_regs(f, HEA_INPUT, done->out);
    s->call_name = done->call->name;
    s->call_fault = f;
    done->status = done->call->fn(s, done->out);
    s->call_fault = NULL;
    s->call_name = NULL;
}

/*
 * Run a call under the rule that fires for it, if one does.  What was done
 * under a "later" is not done again, whatever the rule says this time.
 */
int64_t hea_fault_call(SpaprHea *s, const HeaCall *call, const HeaEvent *ev,
                       uint64_t *args)
{
    HeaFault *f = hea_fault_match(s, ev);
    uint32_t delay_us = f ? f->delay_us : 0;
    HeaReplay done = { .call = call };
    bool given, effect;
    int64_t rc = H_SUCCESS;

    memcpy(done.in, args, sizeof(done.in));
    given = f && hea_fault_rc(f, &rc);
    effect = hea_replay_take(s, &done);
    if (!given || f->after_effect) {
        if (!effect) {
            hea_call_run(s, f, &done);
        }
        effect = true;
        memcpy(args, done.out, sizeof(done.out));
    }
    if (!given) {
        rc = done.status;
    } else if (effect && hea_is_busy(rc) && !call->repeats) {
        done.digest = hea_call_digest(call, done.in);
        hea_replay_keep(s, &done);
    }
    hea_poison_outs(s, call, rc, args);
    hea_corrupt_regs(f, HEA_OUTPUT, args);
    hea_busy_wait(delay_us);    /* others go on, so nothing is held here */
    return rc;
}

/* Time */

typedef struct HeaDelay {
    SpaprHea *hea;
    QEMUTimer *timer;
    void (*fn)(void *opaque);
    void *arg;
} HeaDelay;

static void hea_delay_free(HeaDelay *d)
{
    timer_free(d->timer);
    g_free(d->arg);
    g_free(d);
}

static void hea_delay_fire(void *opaque)
{
    HeaDelay *d = opaque;

    d->hea->timers = g_slist_remove(d->hea->timers, d);
    d->fn(d->arg);
    hea_delay_free(d);
}

/* Call fn(arg) later, in guest time.  Frees arg, also on a reset. */
void hea_delay(SpaprHea *s, uint32_t us, void (*fn)(void *opaque), void *arg)
{
    HeaDelay *d = g_new(HeaDelay, 1);

    d->hea = s;
    d->fn = fn;
    d->arg = arg;
    d->timer = timer_new_us(QEMU_CLOCK_VIRTUAL, hea_delay_fire, d);
    s->timers = g_slist_prepend(s->timers, d);
    timer_mod(d->timer, qemu_clock_get_us(QEMU_CLOCK_VIRTUAL) + us);
}

void hea_delay_cancel_all(SpaprHea *s)
{
    g_slist_free_full(s->timers, (GDestroyNotify)hea_delay_free);
    s->timers = NULL;
}

/*
 * The calling CPU is busy, as in slow firmware; the others and the devices
 * go on, so the lock is given up.  Under -icount time does not pass by
 * itself: the CPU is charged for instructions it did not execute.
 */
void hea_busy_wait(uint32_t us)
{
    int64_t end, left;

    if (!us) {
        return;
    }
    if (icount_enabled()) {
        if (current_cpu) {
            current_cpu->icount_budget +=
                (int64_t)us * 1000 / icount_to_ns(1);
            cpu_exit(current_cpu);
        }
        return;
    }
    end = get_clock() + (int64_t)us * 1000;
    bql_unlock();
    while ((left = end - get_clock()) > 0) {
        if (left > 200 * 1000) {
            g_usleep(left / 1000 - 100);
        }
    }
    bql_lock();
}

/* Properties */

static char *hea_get_fault(Object *obj, Error **errp)
{
    return g_strdup_printf("%u", SPAPR_HEA(obj)->next_fault);
}

static void hea_set_fault(Object *obj, const char *text, Error **errp)
{
    hea_fault_add(SPAPR_HEA(obj), text, errp);
}

void hea_fault_clear_all(SpaprHea *s)
{
    HeaFault *f, *next;

    QTAILQ_FOREACH_SAFE(f, &s->faults, next, next) {
        QTAILQ_REMOVE(&s->faults, f, next);
        hea_fault_free(f);
    }
}

static void hea_set_fault_clear(Object *obj, const char *text, Error **errp)
{
    SpaprHea *s = SPAPR_HEA(obj);
    HeaFault *f;
    uint64_t id;

    if (!*text || !strcmp(text, "all")) {
        hea_fault_clear_all(s);
        return;
    }
    if (!hea_parse_number(text, &id, errp)) {
        return;
    }
    QTAILQ_FOREACH(f, &s->faults, next) {
        if (f->id == id) {
            QTAILQ_REMOVE(&s->faults, f, next);
            hea_fault_free(f);
            return;
        }
    }
    error_setg(errp, "no rule %s", text);
}

static char *hea_get_faults(Object *obj, Error **errp)
{
    g_autoptr(JSONWriter) w = json_writer_new(false);
    HeaFault *f;

    json_writer_start_array(w, NULL);
    QTAILQ_FOREACH(f, &SPAPR_HEA(obj)->faults, next) {
        json_writer_start_object(w, NULL);
        json_writer_int64(w, "id", f->id);
        json_writer_str(w, "rule", f->text);
        json_writer_uint64(w, "seen", f->seen);
        json_writer_uint64(w, "hits", f->hits);
        json_writer_bool(w, "expired", f->times && f->hits >= f->times);
        json_writer_end_object(w);
    }
    json_writer_end_array(w);
    return g_strdup(json_writer_get(w));
}

void hea_fault_class_init(ObjectClass *oc)
{
    object_class_property_add_str(oc, "fault", hea_get_fault, hea_set_fault);
    object_class_property_add_str(oc, "fault-clear", NULL,
                                  hea_set_fault_clear);
    object_class_property_add_str(oc, "faults", hea_get_faults, NULL);
    object_class_property_set_description(oc, "fault",
        "add a rule; reading gives the number of the last one");
    object_class_property_set_description(oc, "fault-clear",
        "remove the rule with this number, or \"all\"");
    object_class_property_set_description(oc, "faults",
        "rules with their hits, as JSON");
}
