/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: events that are made to happen now.
 *
 * What the "action" property takes; README.md lists it.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "spapr_hea_int.h"

typedef struct HeaAction {
    SpaprHea *hea;
    HeaPort *port;              /* NULL: none was named */
    HeaQP *qp;
    bool has_raw;
    uint64_t raw, code, aer, n, us, up, irq, speed;
} HeaAction;

static HeaQP *hea_nth_qp(SpaprHea *s, HeaPort *port, uint64_t index)
{
    g_autoptr(GList) all = g_hash_table_get_values(s->qp_by_number);
    HeaQP *best = NULL;
    GList *l, *m;

    for (l = all; l; l = l->next) {
        HeaQP *qp = l->data;
        uint64_t older = 0;

        for (m = all; m; m = m->next) {
            HeaQP *other = m->data;

            older += other->port == qp->port &&
                     other->res.number < qp->res.number;
        }
        if ((!port || qp->port == port) && older == index) {
            best = qp;
        }
    }
    return best;
}

static bool hea_act_qp_error(HeaAction *a, Error **errp)
{
    if (!a->qp) {
        a->qp = hea_nth_qp(a->hea, a->port, 0);
    }
    if (!a->qp) {
        error_setg(errp, "no such QP");
        return false;
    }
    hea_qp_error(a->qp, a->aer);
    return true;
}

static bool hea_act_neqe(HeaAction *a, Error **errp)
{
    uint64_t val = a->raw;

    if (!a->has_raw) {
        val = HEA_NEQE_CODE_PUT(a->code) |
              HEA_NEQE_PORT_PUT(a->port ? a->port->number : 0);
    }
    while (a->n--) {
        hea_neq_event(a->hea, a->port, val);
    }
    return true;
}

static bool hea_act_malfunction(HeaAction *a, Error **errp)
{
    a->code = a->port ? HEA_NEC_PORT_MALF : HEA_NEC_ADAPTER_MALF;
    return hea_act_neqe(a, errp);
}

static bool hea_act_eqe(HeaAction *a, Error **errp)
{
    HeaQP *qp = a->qp ?: hea_nth_qp(a->hea, a->port, 0);

    if (!qp) {
        error_setg(errp, "no QP, so no EQ for its errors");
        return false;
    }
    while (a->n--) {
        hea_eq_event(qp->aeq, a->raw);
    }
    return true;
}

static bool hea_act_need_port(HeaAction *a, Error **errp)
{
    if (!a->port) {
        error_setg(errp, "port= is missing");
    }
    return a->port;
}

static bool hea_act_phy(HeaAction *a, Error **errp)
{
    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    hea_port_set_link(a->port, a->port->logical_up, a->up);
    return true;
}

static bool hea_act_logical(HeaAction *a, Error **errp)
{
    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    hea_port_set_link(a->port, a->up, a->port->physical_up);
    return true;
}

static bool hea_act_speed(HeaAction *a, Error **errp)
{
    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    a->port->speed = a->speed;
    hea_port_state_event(a->port);
    return true;
}

typedef struct HeaFlap {
    HeaPort *port;
    uint64_t left;
    uint32_t us;
} HeaFlap;

static void hea_flap_step(void *opaque)
{
    HeaFlap *flap = opaque;
    bool up = !(--flap->left & 1);

    hea_port_set_link(flap->port, up, up);
    if (flap->left) {
        hea_delay(flap->port->hea, flap->us, hea_flap_step,
                  g_memdup2(flap, sizeof(*flap)));
    }
}

/* Down and up, n times */
static bool hea_act_flap(HeaAction *a, Error **errp)
{
    HeaFlap flap = { .port = a->port, .left = 2 * a->n, .us = a->us };

    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    if (a->us) {
        hea_flap_step(&flap);
        return true;
    }
    while (flap.left--) {
        hea_port_set_link(a->port, !(flap.left & 1), !(flap.left & 1));
    }
    return true;
}

typedef struct HeaStorm {
    SpaprHea *hea;
    uint64_t irq, left;
    uint32_t us;
} HeaStorm;

static void hea_storm_step(void *opaque)
{
    HeaStorm *storm = opaque;
    g_autoptr(GList) all = g_hash_table_get_values(storm->hea->res);
    GList *l;

    for (l = all; l; l = l->next) {
        HeaRes *res = l->data;
        HeaEQ *eq = container_of(res, HeaEQ, res);

        if (res->type != HEA_TYPE_EQ) {
            continue;
        }
        if (storm->irq == UINT64_MAX || storm->irq == hea_eq_kind(eq) ||
            storm->irq == eq->irq) {
            hea_irq_pulse(eq);
        }
    }
    if (--storm->left) {
        hea_delay(storm->hea, storm->us, hea_storm_step,
                  g_memdup2(storm, sizeof(*storm)));
    }
}

/* Interrupts without a cause: n of them, us apart */
static bool hea_act_irq(HeaAction *a, Error **errp)
{
    HeaStorm storm = {
        .hea = a->hea, .irq = a->irq, .left = a->n, .us = MAX(a->us, 1),
    };

    hea_storm_step(&storm);
    return true;
}

static void hea_release(void *opaque)
{
    HeaPort *port = *(HeaPort **)opaque;
    GHashTableIter iter;
    gpointer val;

    port->hold = false;
    g_hash_table_iter_init(&iter, port->hea->qp_by_number);
    while (g_hash_table_iter_next(&iter, NULL, &val)) {
        HeaQP *qp = val;

        if (qp->port == port && hea_qp_can_send(qp)) {
            hea_tx_kick(qp);
        }
    }
}

/* A send queue that hangs: for us microseconds, or until "release" */
static bool hea_act_hold(HeaAction *a, Error **errp)
{
    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    a->port->hold = true;
    if (a->us) {
        hea_delay(a->hea, a->us, hea_release,
                  g_memdup2(&a->port, sizeof(a->port)));
    }
    return true;
}

static bool hea_act_release(HeaAction *a, Error **errp)
{
    if (!hea_act_need_port(a, errp)) {
        return false;
    }
    hea_release(&a->port);
    return true;
}

/* Take back all that the guest has allocated */
static bool hea_act_forget(HeaAction *a, Error **errp)
{
    hea_forget(a->hea);
    return true;
}

static const struct {
    const char *name;
    bool (*fn)(HeaAction *a, Error **errp);
} hea_actions[] = {
    { "qp-error", hea_act_qp_error }, { "neqe", hea_act_neqe },
    { "eqe", hea_act_eqe }, { "malfunction", hea_act_malfunction },
    { "phy", hea_act_phy }, { "logical", hea_act_logical },
    { "speed", hea_act_speed }, { "flap", hea_act_flap },
    { "irq", hea_act_irq }, { "hold", hea_act_hold },
    { "release", hea_act_release }, { "forget", hea_act_forget },
};

static bool hea_action_port(HeaAction *a, uint64_t number, Error **errp)
{
    a->port = hea_port_by_number(a->hea, number);
    if (!a->port) {
        error_setg(errp, "no port %" PRIu64, number);
    }
    return a->port;
}

static bool hea_action_qp(HeaAction *a, uint64_t number, bool index,
                          Error **errp)
{
    a->qp = index ? hea_nth_qp(a->hea, a->port, number) :
                    hea_qp_by_number(a->hea, number);
    if (!a->qp) {
        error_setg(errp, "no QP %" PRIu64, number);
    }
    return a->qp;
}

static bool hea_action_key(HeaAction *a, const char *key, const char *text,
                           Error **errp)
{
    const struct {
        const char *name;
        uint64_t *val;
    } plain[] = {
        { "raw", &a->raw }, { "code", &a->code }, { "aer", &a->aer },
        { "n", &a->n }, { "us", &a->us }, { "up", &a->up },
        { "speed", &a->speed }, { "irq", &a->irq },
    };
    uint64_t val;
    unsigned i;

    if (!hea_parse_named(hea_irq_names, text, &val, errp)) {
        return false;
    }
    if (!strcmp(key, "port")) {
        return hea_action_port(a, val, errp);
    }
    if (!strcmp(key, "qp") || !strcmp(key, "index")) {
        return hea_action_qp(a, val, !strcmp(key, "index"), errp);
    }
    for (i = 0; i < ARRAY_SIZE(plain); i++) {
        if (!strcmp(key, plain[i].name)) {
            *plain[i].val = val;
            a->has_raw |= plain[i].val == &a->raw;
            return true;
        }
    }
    error_setg(errp, "no key \"%s\"", key);
    return false;
}

/* "verb key=value ..."; commas do as well as spaces */
static void hea_set_action(Object *obj, const char *text, Error **errp)
{
    SpaprHea *s = SPAPR_HEA(obj);
    g_auto(GStrv) words = g_strsplit_set(text, " ,", -1);
    HeaAction a = {
        .hea = s, .n = 1, .aer = HEA_AER_INJECTED, .irq = UINT64_MAX,
    };
    unsigned i;

    for (i = 1; words[0] && words[i]; i++) {
        char *val = strchr(words[i], '=');

        if (!*words[i]) {
            continue;
        }
        if (!val) {
            error_setg(errp, "\"%s\" has no value", words[i]);
            return;
        }
        *val++ = 0;
        if (!hea_action_key(&a, words[i], val, errp)) {
            return;
        }
    }
    if (!a.n || a.us > UINT32_MAX) {
        error_setg(errp, "n or us out of range");
        return;
    }
    for (i = 0; i < ARRAY_SIZE(hea_actions); i++) {
        if (!g_strcmp0(words[0], hea_actions[i].name)) {
            hea_actions[i].fn(&a, errp);
            return;
        }
    }
    error_setg(errp, "no action \"%s\"", words[0] ?: "");
}

void hea_action_class_init(ObjectClass *oc)
{
    object_class_property_add_str(oc, "action", NULL, hea_set_action);
    object_class_property_set_description(oc, "action",
        "make an event happen now");
}
