/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): what differs between the kernels that this
 * driver is built for, 6.12 and 7.2. Nothing else looks at a version.
 */
#ifndef EHEA_COMPAT_H
#define EHEA_COMPAT_H

#include <linux/version.h>
#include <net/devlink.h>
#include <net/netdev_queues.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)

/* Receive filters are set where one may sleep. */
#define EHEA_HAVE_RX_MODE_ASYNC

/* The number of receive rings has an operation of its own. */
#define EHEA_HAVE_RX_RING_COUNT

static inline void
ehea_qstats_set_csum_complete(struct netdev_queue_stats_rx *rx, u64 packets)
{
	rx->csum_complete = packets;
}

static inline void
ehea_qstats_add_csum_complete(struct netdev_queue_stats_rx *sum,
			      const struct netdev_queue_stats_rx *rx)
{
	sum->csum_complete += rx->csum_complete;
}

#else

static inline void
ehea_qstats_set_csum_complete(struct netdev_queue_stats_rx *rx, u64 packets)
{
}

static inline void
ehea_qstats_add_csum_complete(struct netdev_queue_stats_rx *sum,
			      const struct netdev_queue_stats_rx *rx)
{
}

#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
/* The grace period became a matter of the operations. */
#define ehea_health_reporter_create(devlink, ops, priv) \
	devlink_health_reporter_create(devlink, ops, priv)
#else
#define ehea_health_reporter_create(devlink, ops, priv) \
	devlink_health_reporter_create(devlink, ops, 0, priv)
#endif

#endif /* EHEA_COMPAT_H */
