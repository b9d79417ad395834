// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): a port as a network device: opening, closing
 * and resetting it, its carrier, its settings.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "ehea.h"
#include "ehea_compat.h"
#include "ehea_frame.h"

/* A port that is reset again and again is reset ever less often. */
#define EHEA_RESET_DELAY_MIN	msecs_to_jiffies(100)
#define EHEA_RESET_DELAY_MAX	msecs_to_jiffies(10000)
#define EHEA_RESET_CALM		msecs_to_jiffies(30000)

/* Receive filters that firmware refused are asked for again. */
#define EHEA_FILTER_RETRY	msecs_to_jiffies(5000)

/* What is told of a port; more or less by "ethtool -s msglvl". */
#define EHEA_MSG_DEFAULT	(NETIF_MSG_DRV | NETIF_MSG_PROBE | \
				 NETIF_MSG_LINK | NETIF_MSG_TIMER | \
				 NETIF_MSG_TX_ERR)

/* A lost interrupt costs this much at most. */
#define EHEA_KICK_PERIOD	msecs_to_jiffies(500)

/* How long queues may take to finish what they have. */
#define EHEA_DRAIN_MS		100

static bool ehea_port_has_carrier(const struct ehea_port *port)
{
	if (test_bit(EHEA_PORT_PROP_CARRIER, &port->flags) &&
	    !test_bit(EHEA_PORT_EXT_UP, &port->flags))
		return false;
	return test_bit(EHEA_PORT_LINK_UP, &port->flags) &&
	       !READ_ONCE(port->adapter->no_mr) &&
	       test_bit(EHEA_PORT_READY, &port->flags);
}

/**
 * ehea_port_update_carrier - carrier as all of its conditions have it
 * @port: port
 *
 * Opening and the event that it causes come here at once: the last one to
 * look at the conditions must be the last one to act.
 *
 * Context: process.
 */
void ehea_port_update_carrier(struct ehea_port *port)
{
	spin_lock(&port->carrier_lock);
	if (ehea_port_has_carrier(port))
		netif_carrier_on(port->netdev);
	else
		netif_carrier_off(port->netdev);
	spin_unlock(&port->carrier_lock);
}

static void ehea_port_set_link(struct ehea_port *port, bool link, bool ext)
{
	lockdep_assert_held(&port->link_lock);
	assign_bit(EHEA_PORT_LINK_UP, &port->flags, link);
	assign_bit(EHEA_PORT_EXT_UP, &port->flags, ext);
	ehea_port_update_carrier(port);
}

/* Ask for state and speed. When that fails, nothing changes. */
static int ehea_port_ask_link(struct ehea_port *port)
{
	struct ehea_port_attr attr;
	int err;

	lockdep_assert_held(&port->link_lock);
	err = ehea_phyp_query_port(&port->adapter->hea, port->id, &attr);
	if (err)
		return err;
	port->speed = attr.speed;
	ehea_port_set_link(port, attr.oper_state, attr.ext_state);
	return 0;
}

static int ehea_port_query_link(struct ehea_port *port)
{
	int err;

	mutex_lock(&port->link_lock);
	err = ehea_port_ask_link(port);
	mutex_unlock(&port->link_lock);
	return err;
}

/**
 * ehea_port_link_event - firmware reports a port's state
 * @port: port
 * @link: the logical port is up
 * @ext: the external (physical) port is up
 *
 * Control block 0 tells the state by now, an event that of then.
 *
 * Context: process, sleeps; takes @port->link_lock.
 */
void ehea_port_link_event(struct ehea_port *port, bool link, bool ext)
{
	mutex_lock(&port->link_lock);
	if (!link || ehea_port_ask_link(port))
		ehea_port_set_link(port, link, ext);
	mutex_unlock(&port->link_lock);
}

/* The core's own lists, which may change as soon as the lock is dropped. */
static int ehea_port_sync_core_filters(struct ehea_port *port)
{
	struct ehea_mc_snapshot *snap;
	int err;

	netif_addr_lock_bh(port->netdev);
	snap = ehea_filter_snapshot(port, &port->netdev->mc);
	netif_addr_unlock_bh(port->netdev);
	if (!snap)
		return -ENOMEM;
	err = ehea_filter_sync(port, snap);
	kfree(snap);
	return err;
}

static void ehea_port_map_queues(struct ehea_port *port,
				 struct ehea_channels *set, bool map)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		struct napi_struct *napi = map ? &set->ch[i]->napi : NULL;

		netif_queue_set_napi(port->netdev, i, NETDEV_QUEUE_TYPE_RX,
				     napi);
		netif_queue_set_napi(port->netdev, i, NETDEV_QUEUE_TYPE_TX,
				     napi);
	}
}

/* Let the stack use a published set; @fresh: it has sent nothing yet. */
static void ehea_port_begin(struct ehea_port *port, struct ehea_channels *set,
			    bool fresh)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		if (fresh)
			netdev_tx_reset_queue(set->ch[i]->txq);
		ehea_tx_set_quiet(set->ch[i], false);
	}
	ehea_port_map_queues(port, set, true);
	netif_tx_wake_all_queues(port->netdev);
}

/* Nothing is sent any more, and no completion wakes a queue again. */
static void ehea_port_silence(struct ehea_port *port, struct ehea_channels *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		ehea_tx_set_quiet(set->ch[i], true);
	synchronize_net();
	netif_tx_disable(port->netdev);
}

static bool ehea_channel_is_drained(const struct ehea_channel *ch,
				    const struct ehea_view *mark)
{
	/* From such a queue nothing is to be expected. */
	if (READ_ONCE(ch->failed) || ch->timed_out)
		return true;
	return ehea_tx_turned(ch, mark) && !ehea_rx_pending(ch);
}

static bool ehea_port_is_drained(struct ehea_channels *set,
				 const struct ehea_view *marks)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		if (!ehea_channel_is_drained(set->ch[i], &marks[i]))
			return false;
	return true;
}

/* Let queues that get nothing new finish, and count, what they have. */
static void ehea_port_drain(struct ehea_channels *set)
{
	unsigned long end = jiffies + msecs_to_jiffies(EHEA_DRAIN_MS);
	struct ehea_view *marks;
	unsigned int i;

	marks = kcalloc(set->count, sizeof(*marks), GFP_KERNEL);
	if (!marks)
		return;
	for (i = 0; i < set->count; i++) {
		ehea_tx_finish(set->ch[i]);
		ehea_tx_mark(set->ch[i], &marks[i]);
	}
	while (!ehea_port_is_drained(set, marks) && time_before(jiffies, end))
		usleep_range(50, 100);
	kfree(marks);
}

/* While another set is replaced, its queues may still receive. */
static int ehea_port_publish(struct ehea_port *port, struct ehea_channels *set)
{
	struct ehea_channels *old = rtnl_dereference(port->channels);
	unsigned int rx = old ? max(set->count, old->count) : set->count;
	int err;

	err = netif_set_real_num_queues(port->netdev, set->count, rx);
	if (!err)
		rcu_assign_pointer(port->channels, set);
	return err;
}

static void ehea_port_unpublish(struct ehea_port *port)
{
	RCU_INIT_POINTER(port->channels, NULL);
	synchronize_net();
}

static struct ehea_channels *
ehea_port_build(struct ehea_port *port, const struct ehea_config *config)
{
	struct ehea_channels *set;
	int err;

	set = ehea_channels_create(port, config);
	if (IS_ERR(set))
		return set;
	err = ehea_channels_start(set);
	if (err) {
		ehea_channels_destroy(set);
		return ERR_PTR(err);
	}
	return set;
}

/* Tell firmware that the port receives, and what. */
static int ehea_port_enable(struct ehea_port *port)
{
	int err;

	err = ehea_filter_open(port);
	if (err)
		return err;
	err = ehea_filter_apply_rx_control(port, port->netdev->features);
	if (!err)
		err = ehea_port_query_link(port);
	if (err)
		ehea_filter_close(port);
	return err;
}

static void ehea_kick_work(struct work_struct *work)
{
	struct ehea_port *port = container_of(work, struct ehea_port,
					      kick_work.work);
	struct ehea_channels *set;

	rcu_read_lock();
	set = rcu_dereference(port->channels);
	if (set)
		ehea_channels_kick(set);
	rcu_read_unlock();
	queue_delayed_work(system_power_efficient_wq, &port->kick_work,
			   EHEA_KICK_PERIOD);
}

static int ehea_port_up(struct ehea_port *port)
{
	struct ehea_channels *set;
	int err;

	set = ehea_port_build(port, &port->config);
	if (IS_ERR(set))
		return PTR_ERR(set);
	err = ehea_port_publish(port, set);
	if (err)
		goto destroy;
	err = ehea_port_enable(port);
	if (err)
		goto unpublish;

	ehea_port_begin(port, set, true);
	/* Carrier would start a watchdog that an open that fails leaves. */
	set_bit(EHEA_PORT_READY, &port->flags);
	ehea_port_update_carrier(port);
	ehea_stats_start(port);
	queue_delayed_work(system_power_efficient_wq, &port->kick_work,
			   EHEA_KICK_PERIOD);
	return 0;

unpublish:
	ehea_port_unpublish(port);
destroy:
	ehea_channels_stop(set);
	ehea_channels_destroy(set);
	return err;
}

static void ehea_port_down(struct ehea_port *port)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);

	/* After a reset that failed there is nothing left. */
	if (!set)
		return;
	cancel_delayed_work_sync(&port->kick_work);
	clear_bit(EHEA_PORT_READY, &port->flags);
	ehea_port_update_carrier(port);
	ehea_port_silence(port, set);
	ehea_filter_close(port);
	ehea_port_drain(set);
	ehea_stats_stop(port);
	ehea_port_map_queues(port, set, false);
	ehea_port_unpublish(port);
	ehea_channels_stop(set);
	ehea_channels_destroy(set);
}

static int ehea_open(struct net_device *netdev)
{
	return ehea_port_up(netdev_priv(netdev));
}

static int ehea_stop(struct net_device *netdev)
{
	ehea_port_down(netdev_priv(netdev));
	return 0;
}

/* Report what led to a reset while it can still be seen. */
static void ehea_port_report(struct ehea_port *port)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	unsigned int i;

	for (i = 0; set && i < set->count; i++) {
		if (set->ch[i]->timed_out)
			ehea_health_tx_timeout(set->ch[i]);
		if (READ_ONCE(set->ch[i]->failed))
			ehea_health_qp_error(set->ch[i]);
	}
}

/* The port works without them, more or less: until they can be had. */
static void ehea_port_restore_filters(struct ehea_port *port)
{
	if (!ehea_port_sync_core_filters(port))
		return;
	netdev_warn_once(port->netdev, "receive filters are incomplete\n");
	queue_delayed_work(system_long_wq, &port->rx_mode_work,
			   EHEA_FILTER_RETRY);
}

static void ehea_port_reset(struct ehea_port *port)
{
	int err;

	ehea_port_report(port);
	ehea_port_down(port);
	err = ehea_port_up(port);
	atomic_inc(&port->resets);
	if (!err) {
		ehea_port_restore_filters(port);
		netif_info(port, drv, port->netdev, "port was reset\n");
		return;
	}
	netdev_err(port->netdev, "reset failed: %pe\n", ERR_PTR(err));
	ehea_port_schedule_reset(port, "last one failed");
}

/* A storm backs off, a single fault is mended at once. */
static unsigned long ehea_port_reset_delay(const struct ehea_port *port)
{
	unsigned long calm = READ_ONCE(port->last_reset) + EHEA_RESET_CALM;

	return time_before(jiffies, calm) ? READ_ONCE(port->reset_delay) : 0;
}

static void ehea_reset_work(struct work_struct *work)
{
	struct ehea_port *port = container_of(work, struct ehea_port,
					      reset_work.work);
	unsigned long delay = ehea_port_reset_delay(port);

	rtnl_lock();
	if (netif_running(port->netdev) &&
	    netif_device_present(port->netdev)) {
		WRITE_ONCE(port->reset_delay,
			   clamp(2 * delay, EHEA_RESET_DELAY_MIN,
				 EHEA_RESET_DELAY_MAX));
		WRITE_ONCE(port->last_reset, jiffies);
		ehea_port_reset(port);
	}
	rtnl_unlock();
}

/**
 * ehea_port_schedule_reset - close a port's queues and open them again
 * @port: port
 * @why: for the log
 *
 * Context: any.
 */
void ehea_port_schedule_reset(struct ehea_port *port, const char *why)
{
	if (test_bit(EHEA_PORT_GONE, &port->flags))
		return;
	if (queue_delayed_work(system_long_wq, &port->reset_work,
			       ehea_port_reset_delay(port)))
		netif_warn(port, timer, port->netdev,
			   "port will be reset: %s\n", why);
}

/* Point firmware at the QPs of the published set. */
static int ehea_port_redirect(struct ehea_port *port)
{
	bool promisc = port->promisc;
	int err;

	port->rx_control = 0;
	err = ehea_filter_apply_rx_control(port, port->netdev->features);
	if (err || !promisc)
		return err;
	port->promisc = false;
	err = ehea_filter_set_promisc(port, true);
	/* If that failed, firmware still has the QP that it had. */
	port->promisc = true;
	return err;
}

static int ehea_port_try_set(struct ehea_port *port, struct ehea_channels *set)
{
	int err;

	err = ehea_port_publish(port, set);
	return err ?: ehea_port_redirect(port);
}

/*
 * Exchange the channels of an open port, and keep the old if that fails. The
 * old ones have ended when the stack's queues start anew: BQL counts both.
 */
static int ehea_port_swap(struct ehea_port *port, struct ehea_channels *set)
{
	struct ehea_channels *old = rtnl_dereference(port->channels);
	struct ehea_channels *loser = old;
	int err;

	ehea_port_silence(port, old);
	ehea_port_drain(old);
	err = ehea_port_try_set(port, set);
	if (err) {
		loser = set;
		set = old;
		if (ehea_port_try_set(port, old))
			ehea_port_schedule_reset(port, "queues are lost");
	}
	synchronize_net();
	ehea_port_drain(loser);
	ehea_port_map_queues(port, old, false);
	ehea_channels_stop(loser);
	/* A smaller number is never refused. */
	netif_set_real_num_rx_queues(port->netdev, set->count);
	ehea_port_begin(port, set, set != old);
	ehea_channels_destroy(loser);
	return err;
}

/*
 * Firmware has no room for two sets at once: close and open. If the new set
 * cannot be had then, the old one comes back, by and by if need be.
 */
static int ehea_port_rebuild(struct ehea_port *port,
			     const struct ehea_config *config)
{
	struct ehea_config old = port->config;
	int err;

	ehea_port_down(port);
	port->config = *config;
	err = ehea_port_up(port);
	if (err) {
		port->config = old;
		if (ehea_port_up(port)) {
			ehea_port_schedule_reset(port, "queues are lost");
			return err;
		}
	}
	ehea_port_restore_filters(port);
	return err;
}

/**
 * ehea_port_reconfigure - change a port's queues
 * @port: port, open or not
 * @config: what is wanted, checked
 *
 * Context: process, sleeps; RTNL.
 * Return: 0, or a negative error number with the old queues in place.
 */
int ehea_port_reconfigure(struct ehea_port *port,
			  const struct ehea_config *config)
{
	struct ehea_channels *old = rtnl_dereference(port->channels);
	struct ehea_channels *set;
	int err;

	if (old) {
		ehea_channels_save_affinity(old);
		set = ehea_port_build(port, config);
		if (set == ERR_PTR(-ENOSPC))
			return ehea_port_rebuild(port, config);
		if (IS_ERR(set))
			return PTR_ERR(set);
		err = ehea_port_swap(port, set);
		if (err)
			return err;
	}
	port->config = *config;
	return 0;
}

static int ehea_change_mtu(struct net_device *netdev, int mtu)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_config config = port->config;
	int err;

	/* The buffers of RQ3 depend on it. */
	config.mtu = mtu;
	err = ehea_port_reconfigure(port, &config);
	if (!err)
		WRITE_ONCE(netdev->mtu, mtu);
	return err;
}

static int ehea_set_mac_address(struct net_device *netdev, void *addr)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct sockaddr *sa = addr;
	int err;

	if (!is_valid_ether_addr(sa->sa_data))
		return -EADDRNOTAVAIL;
	err = ehea_filter_set_mac(port, sa->sa_data);
	if (!err)
		eth_hw_addr_set(netdev, sa->sa_data);
	return err;
}

#ifdef EHEA_HAVE_RX_MODE_ASYNC
static int ehea_set_rx_mode_async(struct net_device *netdev,
				  struct netdev_hw_addr_list *uc,
				  struct netdev_hw_addr_list *mc)
{
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_mc_snapshot *snap;
	int err;

	snap = ehea_filter_snapshot(port, mc);
	if (!snap)
		return -ENOMEM;
	err = ehea_filter_sync(port, snap);
	kfree(snap);
	return err;
}
#else
/* Called with a spinlock held, while firmware may have us sleep. */
static void ehea_set_rx_mode(struct net_device *netdev)
{
	struct ehea_port *port = netdev_priv(netdev);

	mod_delayed_work(system_long_wq, &port->rx_mode_work, 0);
}
#endif

static void ehea_rx_mode_work(struct work_struct *work)
{
	struct ehea_port *port = container_of(work, struct ehea_port,
					      rx_mode_work.work);

	rtnl_lock();
	ehea_port_restore_filters(port);
	rtnl_unlock();
}

static int ehea_set_vlan(struct net_device *netdev, u16 vid, bool on)
{
	struct ehea_port *port = netdev_priv(netdev);
	int err = 0;

	assign_bit(vid, port->vlans, on);
	if (rtnl_dereference(port->channels))
		err = ehea_filter_vlans(port);
	if (err)
		assign_bit(vid, port->vlans, !on);
	return err;
}

static int ehea_vlan_rx_add_vid(struct net_device *netdev, __be16 proto,
				u16 vid)
{
	return ehea_set_vlan(netdev, vid, true);
}

static int ehea_vlan_rx_kill_vid(struct net_device *netdev, __be16 proto,
				 u16 vid)
{
	return ehea_set_vlan(netdev, vid, false);
}

static int ehea_set_features(struct net_device *netdev,
			     netdev_features_t features)
{
	return ehea_filter_apply_rx_control(netdev_priv(netdev), features);
}

static void ehea_tx_report(const struct ehea_channel *ch)
{
	const struct ehea_tx *tx = &ch->tx;

	netif_warn(ch->port, tx_err, ch->netdev,
		   "queue %u: transmit timeout, posted %u, rung %u, adapter's SQ head %#llx tail %#llx, CQE %s\n",
		   ch->index, tx->head, tx->rung,
		   in_be64(ch->qp.epa + EHEA_QP_SQ_HEAD),
		   in_be64(ch->qp.epa + EHEA_QP_SQ_TAIL),
		   ehea_tx_pending(ch) ? "waiting" : "none");
}

/* Called with the queue's lock held and interrupts as they were. */
static void ehea_tx_timeout(struct net_device *netdev, unsigned int txqueue)
{
	struct netdev_queue *txq = netdev_get_tx_queue(netdev, txqueue);
	struct ehea_port *port = netdev_priv(netdev);
	struct ehea_channels *set;
	struct ehea_channel *ch;

	rcu_read_lock();
	set = rcu_dereference(port->channels);
	if (!set || txqueue >= set->count)
		goto out;
	ch = set->ch[txqueue];
	/*
	 * Nothing is sent while queues are exchanged, or while there is no
	 * MR, and that has its own cure.
	 */
	if (READ_ONCE(ch->tx.quiet) || !rcu_access_pointer(ch->view)) {
		txq_trans_cond_update(txq);
		goto out;
	}
	ehea_tx_report(ch);
	if (ehea_tx_pending(ch)) {
		/* An interrupt was lost. */
		napi_schedule(&ch->napi);
		txq_trans_cond_update(txq);
		goto out;
	}
	ch->timed_out = true;
	ehea_port_schedule_reset(port, "transmit timeout");
out:
	rcu_read_unlock();
}

static const struct net_device_ops ehea_netdev_ops = {
	.ndo_open		= ehea_open,
	.ndo_stop		= ehea_stop,
	.ndo_start_xmit		= ehea_start_xmit,
	.ndo_features_check	= ehea_features_check,
	.ndo_get_stats64	= ehea_get_stats64,
	.ndo_change_mtu		= ehea_change_mtu,
	.ndo_set_mac_address	= ehea_set_mac_address,
	.ndo_validate_addr	= eth_validate_addr,
#ifdef EHEA_HAVE_RX_MODE_ASYNC
	.ndo_set_rx_mode_async	= ehea_set_rx_mode_async,
#else
	.ndo_set_rx_mode	= ehea_set_rx_mode,
#endif
	.ndo_vlan_rx_add_vid	= ehea_vlan_rx_add_vid,
	.ndo_vlan_rx_kill_vid	= ehea_vlan_rx_kill_vid,
	.ndo_set_features	= ehea_set_features,
	.ndo_tx_timeout		= ehea_tx_timeout,
};

/* Ask for jumbo frames; the management console may forbid them. */
static bool ehea_port_ask_jumbo(struct ehea_hea *hea, u16 id)
{
	struct ehea_port_link link;

	if (ehea_phyp_query_link(hea, id, &link))
		return false;
	if (link.jumbo)
		return true;
	return !ehea_phyp_set_link(hea, id, EHEA_CB4_JUMBO, 1);
}

static int ehea_port_check(struct ehea_hea *hea, u16 id,
			   const struct ehea_port_attr *attr)
{
	if (!attr->default_qps || attr->default_qps > EHEA_MAX_QPS) {
		dev_err(hea->dev, "port %u: %u default QPs cannot be\n", id,
			attr->default_qps);
		return -EPROTO;
	}
	if (!is_valid_ether_addr(attr->mac)) {
		dev_err(hea->dev, "port %u: %pM is not a MAC address\n", id,
			attr->mac);
		return -EPROTO;
	}
	return 0;
}

static void ehea_port_init_netdev(struct ehea_port *port)
{
	struct net_device *netdev = port->netdev;

	SET_NETDEV_DEV(netdev, &port->pdev->dev);
	netdev->netdev_ops = &ehea_netdev_ops;
	netdev->ethtool_ops = &ehea_ethtool_ops;
	netdev->stat_ops = &ehea_stat_ops;
	netdev->hw_features = NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_TSO |
			      NETIF_F_RXCSUM | NETIF_F_HW_VLAN_CTAG_TX |
			      NETIF_F_HW_VLAN_CTAG_RX |
			      NETIF_F_HW_VLAN_CTAG_FILTER;
	netdev->features = netdev->hw_features | NETIF_F_HIGHDMA;
	netdev->vlan_features = NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_TSO |
				NETIF_F_RXCSUM | NETIF_F_HIGHDMA;
	netif_set_tso_max_size(netdev, EHEA_TSO_BYTES_MAX);
	netif_set_tso_max_segs(netdev, EHEA_TSO_SEGS_MAX);
	netdev->min_mtu = ETH_MIN_MTU;
	netdev->max_mtu = port->jumbo ? EHEA_MAX_MTU : ETH_DATA_LEN;
	netdev->watchdog_timeo = 5 * HZ;
}

static void ehea_port_init(struct ehea_port *port,
			   const struct ehea_port_attr *attr)
{
	port->max_channels = attr->default_qps;
	port->speed = attr->speed;
	port->config.channels = min_t(u32, attr->default_qps,
				      netif_get_num_default_rss_queues());
	port->config.mtu = port->netdev->mtu;
	port->config.entries[EHEA_SQ] = EHEA_DEF_ENTRIES_SQ;
	port->config.entries[EHEA_RQ1] = EHEA_DEF_ENTRIES_RQ1;
	port->config.entries[EHEA_RQ2] = EHEA_DEF_ENTRIES_RQ2;
	port->config.entries[EHEA_RQ3] = EHEA_DEF_ENTRIES_RQ3;
	port->tx_frames = EHEA_TX_FRAMES_MAX;
	port->msg_enable = EHEA_MSG_DEFAULT;
	port->last_reset = jiffies - EHEA_RESET_CALM;
	mutex_init(&port->link_lock);
	spin_lock_init(&port->carrier_lock);
	INIT_LIST_HEAD(&port->mc_list);
	INIT_DELAYED_WORK(&port->rx_mode_work, ehea_rx_mode_work);
	INIT_DELAYED_WORK(&port->reset_work, ehea_reset_work);
	INIT_DELAYED_WORK(&port->kick_work, ehea_kick_work);
	ehea_stats_init(port);
}

/**
 * ehea_port_create - make a network device of a logical port
 * @adapter: its adapter, with an MR
 * @id: logical port number
 * @pdev: its device in sysfs
 *
 * Context: process, sleeps; takes RTNL.
 * Return: the port, or an error pointer with nothing allocated.
 */
struct ehea_port *ehea_port_create(struct ehea_adapter *adapter, u16 id,
				   struct platform_device *pdev)
{
	struct ehea_port_attr attr;
	struct net_device *netdev;
	struct ehea_port *port;
	int err;

	err = ehea_phyp_query_port(&adapter->hea, id, &attr);
	if (!err)
		err = ehea_port_check(&adapter->hea, id, &attr);
	if (err)
		return ERR_PTR(err);

	netdev = alloc_etherdev_mq(sizeof(*port), attr.default_qps);
	if (!netdev)
		return ERR_PTR(-ENOMEM);
	port = netdev_priv(netdev);
	port->netdev = netdev;
	port->adapter = adapter;
	port->pdev = pdev;
	port->id = id;
	port->jumbo = ehea_port_ask_jumbo(&adapter->hea, id);
	ehea_port_init(port, &attr);
	ehea_port_init_netdev(port);
	eth_hw_addr_set(netdev, attr.mac);
	netif_carrier_off(netdev);

	err = register_netdev(netdev);
	if (err) {
		free_netdev(netdev);
		return ERR_PTR(err);
	}
	netif_info(port, probe, netdev,
		   "logical port %u, %u default QPs%s\n", id, attr.default_qps,
		   port->jumbo ? ", jumbo frames" : "");
	return port;
}

/**
 * ehea_port_destroy - take a port's network device away
 * @port: made by ehea_port_create(), in nobody's table any more
 *
 * Context: process, sleeps; takes RTNL.
 */
void ehea_port_destroy(struct ehea_port *port)
{
	set_bit(EHEA_PORT_GONE, &port->flags);
	unregister_netdev(port->netdev);
	cancel_delayed_work_sync(&port->rx_mode_work);
	cancel_delayed_work_sync(&port->reset_work);
	ehea_filter_exit(port);
	free_netdev(port->netdev);
}
