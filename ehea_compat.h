/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): what differs between the kernels that this
 * driver is built for, 6.12 to 7.2. Nothing else looks at a version.
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

static inline struct devlink_health_reporter *
ehea_health_reporter_create(struct devlink *devlink,
			    const struct devlink_health_reporter_ops *ops,
			    void *priv)
{
	return devlink_health_reporter_create(devlink, ops, priv);
}

#else

static inline struct devlink_health_reporter *
ehea_health_reporter_create(struct devlink *devlink,
			    const struct devlink_health_reporter_ops *ops,
			    void *priv)
{
	return devlink_health_reporter_create(devlink, ops, 0, priv);
}

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

#endif /* EHEA_COMPAT_H */
