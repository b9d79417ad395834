// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): what a port receives: its MAC, broadcast,
 * multicast, promiscuous mode, VLAN ids.
 */
#include <linux/etherdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "ehea.h"

/* Nothing can be done about a filter that stays, so try twice. */
static int ehea_bcmc_del_one(struct ehea_port *port, u8 kind, const u8 *mac)
{
	struct ehea_hea *hea = &port->adapter->hea;
	int err;

	err = ehea_phyp_dereg_bcmc(hea, port->id, kind, mac, 0);
	if (err && err != -ETIMEDOUT)
		err = ehea_phyp_dereg_bcmc(hea, port->id, kind, mac, 0);
	return err;
}

/* What a removal that timed out has left is as good as new. */
static int ehea_bcmc_add_one(struct ehea_port *port, u8 kind, const u8 *mac)
{
	int err;

	err = ehea_phyp_reg_bcmc(&port->adapter->hea, port->id, kind, mac, 0);
	return err == -EEXIST ? 0 : err;
}

/*
 * Every address is registered twice, untagged and with any VLAN; the
 * adapter's VLAN filter is a matter of its own.
 */
static int ehea_bcmc_add(struct ehea_port *port, u8 kind, const u8 *mac)
{
	int err;

	err = ehea_bcmc_add_one(port, kind | EHEA_BCMC_UNTAGGED, mac);
	if (err)
		return err;
	err = ehea_bcmc_add_one(port, kind | EHEA_BCMC_ANY_VLAN, mac);
	if (err)
		ehea_bcmc_del_one(port, kind | EHEA_BCMC_UNTAGGED, mac);
	return err;
}

/* Return: 0, or an error; after -ETIMEDOUT it is worth another try. */
static int ehea_bcmc_del(struct ehea_port *port, u8 kind, const u8 *mac)
{
	int err, err2;

	err = ehea_bcmc_del_one(port, kind | EHEA_BCMC_UNTAGGED, mac);
	err2 = ehea_bcmc_del_one(port, kind | EHEA_BCMC_ANY_VLAN, mac);
	return err2 == -ETIMEDOUT ? err2 : err ?: err2;
}

static void ehea_filter_del_broadcast(struct ehea_port *port)
{
	if (port->bc_registered)
		port->bc_registered =
			ehea_bcmc_del(port, 0, port->bc_mac) == -ETIMEDOUT;
}

/* Broadcast is registered with the port's own MAC. */
static int ehea_filter_add_broadcast(struct ehea_port *port, const u8 *mac)
{
	int err;

	if (!ether_addr_equal(port->bc_mac, mac))
		ehea_filter_del_broadcast(port);
	err = ehea_bcmc_add(port, 0, mac);
	if (err)
		return err;
	ether_addr_copy(port->bc_mac, mac);
	port->bc_registered = true;
	return 0;
}

/**
 * ehea_filter_set_promisc - receive unicast frames that no filter matches
 * @port: port
 * @on: do
 *
 * Context: process, sleeps; RTNL.
 * Return: 0 or a negative error number; -EPERM when the management console
 *	   forbids it.
 */
int ehea_filter_set_promisc(struct ehea_port *port, bool on)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	u64 qp = on && set ? set->ch[0]->qp.res.handle : 0;
	int err;

	if (port->promisc == on)
		return 0;
	err = ehea_phyp_set_unicast_qp(&port->adapter->hea, port->id, qp);
	if (err) {
		netdev_warn_once(port->netdev,
				 "promiscuous mode is not possible: %pe\n",
				 ERR_PTR(err));
		return err;
	}
	port->promisc = on;
	return 0;
}

static int ehea_filter_set_allmulti(struct ehea_port *port, bool on)
{
	static const u8 any[ETH_ALEN];
	u8 kind = EHEA_BCMC_ALL | EHEA_BCMC_MULTICAST;
	int err;

	if (port->allmulti == on && !port->allmulti_lost)
		return 0;
	err = on ? ehea_bcmc_add(port, kind, any) :
		   ehea_bcmc_del(port, kind, any);
	/* A removal is worth another try only if firmware was too busy. */
	if (err && (on || err == -ETIMEDOUT)) {
		netdev_warn_once(port->netdev,
				 "all-multicast is not possible: %pe\n",
				 ERR_PTR(err));
		return err;
	}
	port->allmulti = on;
	port->allmulti_lost = false;
	return 0;
}

/* What firmware was given of one multicast address. */
struct ehea_mc_addr {
	struct list_head node;
	u8 addr[ETH_ALEN];
	bool keep;
	bool lost;	/* its removal timed out: registered or not */
};

static struct ehea_mc_addr *ehea_filter_find_mc(struct ehea_port *port,
						const u8 *addr)
{
	struct ehea_mc_addr *mc;

	list_for_each_entry(mc, &port->mc_list, node)
		if (ether_addr_equal(mc->addr, addr))
			return mc;
	return NULL;
}

static int ehea_filter_add_mc(struct ehea_port *port, const u8 *addr)
{
	struct ehea_mc_addr *mc = ehea_filter_find_mc(port, addr);
	int err;

	if (mc) {
		err = mc->lost ? ehea_bcmc_add(port, EHEA_BCMC_MULTICAST, addr)
			       : 0;
		mc->lost = err;
		return err;
	}
	mc = kzalloc(sizeof(*mc), GFP_KERNEL);
	if (!mc)
		return -ENOMEM;
	err = ehea_bcmc_add(port, EHEA_BCMC_MULTICAST, addr);
	if (err) {
		kfree(mc);
		return err;
	}
	ether_addr_copy(mc->addr, addr);
	mc->keep = true;
	/* The crash handler takes no lock. */
	list_add_tail_rcu(&mc->node, &port->mc_list);
	return 0;
}

static void ehea_filter_drop_mc(struct ehea_port *port, bool all)
{
	struct ehea_mc_addr *mc, *next;

	list_for_each_entry_safe(mc, next, &port->mc_list, node) {
		if (mc->keep && !all)
			continue;
		mc->lost = ehea_bcmc_del(port, EHEA_BCMC_MULTICAST,
					 mc->addr) == -ETIMEDOUT;
		if (mc->lost)
			continue;
		list_del_rcu(&mc->node);
		kfree(mc);
	}
}

/* Register what is new in @snap, deregister what is no longer in it. */
static int ehea_filter_sync_mc(struct ehea_port *port,
			       const struct ehea_mc_snapshot *snap)
{
	struct ehea_mc_addr *mc;
	unsigned int i;
	int err;

	list_for_each_entry(mc, &port->mc_list, node)
		mc->keep = false;
	for (i = 0; i < snap->count; i++) {
		mc = ehea_filter_find_mc(port, snap->addr[i]);
		if (mc)
			mc->keep = true;
	}
	ehea_filter_drop_mc(port, false);

	for (i = 0; i < snap->count; i++) {
		err = ehea_filter_add_mc(port, snap->addr[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ehea_filter_snapshot - copy multicast addresses to where one may sleep
 * @port: port
 * @mc: the list; the caller keeps it from changing
 *
 * Context: any.
 * Return: the copy, to be freed with kfree(), or NULL (out of memory).
 */
struct ehea_mc_snapshot *ehea_filter_snapshot(struct ehea_port *port,
					      struct netdev_hw_addr_list *mc)
{
	unsigned int room = netdev_hw_addr_list_count(mc);
	struct ehea_mc_snapshot *snap;
	struct netdev_hw_addr *ha;

	/* One of firmware's entries is taken. */
	if (room >= port->adapter->attr.max_mc)
		room = 0;
	snap = kzalloc(struct_size(snap, addr, room), GFP_ATOMIC);
	if (!snap)
		return NULL;
	snap->overflow = !room && netdev_hw_addr_list_count(mc);
	netdev_hw_addr_list_for_each(ha, mc)
		if (snap->count < room)
			ether_addr_copy(snap->addr[snap->count++], ha->addr);
	return snap;
}

/**
 * ehea_filter_vlans - tell the adapter which VLAN ids to receive
 * @port: port
 *
 * Context: process, sleeps; RTNL.
 * Return: 0 or a negative error number.
 */
int ehea_filter_vlans(struct ehea_port *port)
{
	return ehea_phyp_set_vlan_filter(&port->adapter->hea, port->id,
					 port->vlans);
}

static u64 ehea_filter_rx_control(const struct ehea_port *port,
				  netdev_features_t features)
{
	u64 rxc = EHEA_RXC_VALID | EHEA_RXC_IP_CSUM | EHEA_RXC_L4_CSUM;

	if (port->jumbo)
		rxc |= EHEA_RXC_JUMBO;
	if (features & NETIF_F_HW_VLAN_CTAG_RX)
		rxc |= EHEA_RXC_VLAN_EXTRACT;
	/* Promiscuous means every VLAN, too. */
	if (features & NETIF_F_HW_VLAN_CTAG_FILTER &&
	    !(port->netdev->flags & IFF_PROMISC))
		rxc |= FIELD_PREP(EHEA_RXC_VLAN_FILTER, EHEA_RXC_VLAN_BY_CB1);
	return rxc;
}

/**
 * ehea_filter_apply_rx_control - have firmware follow the port's settings
 * @port: port; nothing is done unless it is open
 * @features: of its network device
 *
 * Context: process, sleeps; RTNL.
 * Return: 0 or a negative error number.
 */
int ehea_filter_apply_rx_control(struct ehea_port *port,
				 netdev_features_t features)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	u64 rxc = ehea_filter_rx_control(port, features);
	u32 qpns[EHEA_MAX_QPS];
	int err;

	if (!set || rxc == port->rx_control)
		return 0;
	ehea_channels_qpns(set, qpns, port->max_channels);
	err = ehea_phyp_set_port_rx(&port->adapter->hea, port->id, rxc, qpns,
				    port->max_channels);
	if (!err)
		port->rx_control = rxc;
	return err;
}

/**
 * ehea_filter_sync - have firmware follow the receive filters
 * @port: port; nothing is done unless it is open
 * @snap: multicast addresses
 *
 * Context: process, sleeps; RTNL.
 * Return: 0, or a negative error number: try again later.
 */
int ehea_filter_sync(struct ehea_port *port,
		     const struct ehea_mc_snapshot *snap)
{
	unsigned int flags = port->netdev->flags;
	bool all = flags & (IFF_ALLMULTI | IFF_PROMISC);
	int err;

	if (!rtnl_dereference(port->channels))
		return 0;
	err = ehea_filter_set_promisc(port, flags & IFF_PROMISC);
	/* What the console forbids does not become possible by waiting. */
	if (err && err != -EPERM)
		return err;
	err = ehea_filter_apply_rx_control(port, port->netdev->features);
	if (err)
		return err;

	/* What does not fit is received with all the rest. */
	if (!all && !snap->overflow && !ehea_filter_sync_mc(port, snap))
		return ehea_filter_set_allmulti(port, false);
	err = ehea_filter_set_allmulti(port, true);
	if (!err)
		ehea_filter_drop_mc(port, true);
	return err == -EPERM ? 0 : err;
}

/**
 * ehea_filter_open - register what every open port receives
 * @port: port that is being opened
 *
 * Context: process, sleeps; RTNL.
 * Return: 0 or a negative error number.
 */
int ehea_filter_open(struct ehea_port *port)
{
	int err;

	err = ehea_filter_vlans(port);
	if (err)
		return err;
	return ehea_filter_add_broadcast(port, port->netdev->dev_addr);
}

/* Without "valid" the port receives nothing. */
static void ehea_filter_stop(struct ehea_port *port)
{
	struct ehea_channels *set = rtnl_dereference(port->channels);
	u32 qpns[EHEA_MAX_QPS];

	if (!port->rx_control)
		return;
	ehea_channels_qpns(set, qpns, port->max_channels);
	ehea_phyp_set_port_rx(&port->adapter->hea, port->id, 0, qpns,
			      port->max_channels);
}

/**
 * ehea_filter_close - deregister everything
 * @port: port that is being closed
 *
 * What firmware is too busy for is tried again: when the port is open again,
 * or goes.
 *
 * Context: process, sleeps; RTNL.
 */
void ehea_filter_close(struct ehea_port *port)
{
	ehea_filter_drop_mc(port, true);
	ehea_filter_stop(port);
	port->allmulti_lost = ehea_filter_set_allmulti(port, false);
	ehea_filter_set_promisc(port, false);
	ehea_filter_del_broadcast(port);
	port->allmulti = false;
	port->promisc = false;
	port->rx_control = 0;
}

/**
 * ehea_filter_exit - forget about filters, give the port its own address back
 * @port: port that goes, closed
 *
 * Firmware would tell the next driver the address that this one has set.
 *
 * Context: process, sleeps; nobody else uses the port.
 */
void ehea_filter_exit(struct ehea_port *port)
{
	const struct net_device *netdev = port->netdev;
	struct ehea_mc_addr *mc, *next;

	if (!ether_addr_equal(netdev->dev_addr, netdev->perm_addr))
		ehea_phyp_set_port_mac(&port->adapter->hea, port->id,
				       netdev->perm_addr);

	ehea_filter_drop_mc(port, true);
	ehea_filter_set_allmulti(port, false);
	ehea_filter_del_broadcast(port);
	list_for_each_entry_safe(mc, next, &port->mc_list, node) {
		list_del_rcu(&mc->node);
		kfree(mc);
	}
}

/* Firmware that fails, or refuses, may have taken another none the less. */
static void ehea_filter_keep_mac(struct ehea_port *port, const u8 *mac)
{
	int err;

	err = ehea_phyp_set_port_mac(&port->adapter->hea, port->id, mac);
	if (err && err != -EPERM)
		netdev_err(port->netdev, "address in firmware is not known\n");
}

/**
 * ehea_filter_set_mac - change a port's address
 * @port: port, open or not
 * @mac: new address, valid
 *
 * Context: process, sleeps; RTNL.
 * Return: 0, or a negative error number with the old address in place.
 */
int ehea_filter_set_mac(struct ehea_port *port, const u8 *mac)
{
	struct ehea_hea *hea = &port->adapter->hea;
	u8 old[ETH_ALEN];
	int err;

	ether_addr_copy(old, port->netdev->dev_addr);
	err = ehea_phyp_set_port_mac(hea, port->id, mac);
	if (err)
		ehea_filter_keep_mac(port, old);
	if (err || !rtnl_dereference(port->channels))
		return err;

	ehea_filter_del_broadcast(port);
	err = ehea_filter_add_broadcast(port, mac);
	if (!err)
		return 0;
	if (ehea_phyp_set_port_mac(hea, port->id, old) ||
	    ehea_filter_add_broadcast(port, old))
		ehea_port_schedule_reset(port, "address is lost");
	return err;
}

static void ehea_bcmc_crash(struct ehea_port *port, u8 kind, const u8 *mac,
			    unsigned int *naps)
{
	struct ehea_hea *hea = &port->adapter->hea;

	ehea_phyp_crash_dereg_bcmc(hea, port->id, kind | EHEA_BCMC_UNTAGGED,
				   mac, naps);
	ehea_phyp_crash_dereg_bcmc(hea, port->id, kind | EHEA_BCMC_ANY_VLAN,
				   mac, naps);
}

/**
 * ehea_filter_crash - deregister everything before another kernel takes over
 * @port: port
 * @naps: as of ehea_fw_crash()
 *
 * Context: crash handler: no other CPU runs, and no lock is taken.
 */
void ehea_filter_crash(struct ehea_port *port, unsigned int *naps)
{
	static const u8 any[ETH_ALEN];
	struct ehea_mc_addr *mc;

	if (port->bc_registered)
		ehea_bcmc_crash(port, 0, port->bc_mac, naps);
	if (port->allmulti)
		ehea_bcmc_crash(port, EHEA_BCMC_ALL | EHEA_BCMC_MULTICAST, any,
				naps);
	list_for_each_entry_lockless(mc, &port->mc_list, node)
		ehea_bcmc_crash(port, EHEA_BCMC_MULTICAST, mc->addr, naps);
}
