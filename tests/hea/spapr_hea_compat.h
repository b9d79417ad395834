/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: differences between versions of QEMU.
 *
 * The model is written for the newest QEMU.  This file finds the headers that
 * moved and gives older versions what they lack; no other file of the model
 * depends on a version.
 */
#ifndef HW_NET_SPAPR_HEA_COMPAT_H
#define HW_NET_SPAPR_HEA_COMPAT_H

#include "qemu/main-loop.h"

#define HEA_QEMU (QEMU_VERSION_MAJOR * 100 + QEMU_VERSION_MINOR)

#if HEA_QEMU >= 1100
#include "hw/core/boards.h"
#include "hw/core/irq.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#else
#include "hw/boards.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#endif

/* The data of a class_init is const, too */
#if HEA_QEMU >= 1001
#include "exec/icount.h"
#include "system/address-spaces.h"
typedef const void HeaClassData;
#else
#include "exec/address-spaces.h"
typedef void HeaClassData;
#endif

#if HEA_QEMU >= 1000
#include "qobject/json-writer.h"
#include "system/cpu-timers.h"
#include "system/reset.h"
#else
#include "qapi/qmp/json-writer.h"
#include "sysemu/cpu-timers.h"
#include "sysemu/reset.h"
#endif

/* Before 10.0 a list of properties had an end marker, all zero */
#ifdef DEFINE_PROP_END_OF_LIST
static inline void hea_set_props(DeviceClass *dc, const Property *props,
                                 size_t n)
{
    Property *list = g_new0(Property, n + 1);

    memcpy(list, props, n * sizeof(*props));
    device_class_set_props(dc, list);
}

#define device_class_set_props(dc, props) \
    hea_set_props(dc, props, ARRAY_SIZE(props))
#endif

/* Came with 8.1, and with what was carried over to 7.2 */
#ifndef aio_bh_new_guarded
#define aio_bh_new_guarded(ctx, cb, opaque, guard) \
    aio_bh_new_full(ctx, cb, opaque, stringify(cb))
#endif

#ifndef bql_lock
#define bql_lock() qemu_mutex_lock_iothread()
#define bql_unlock() qemu_mutex_unlock_iothread()
#endif

#endif
