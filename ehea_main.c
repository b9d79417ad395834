// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): the module, adapters and their ports: probe
 * and remove, sysfs, notification events, reboot and crash.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string_choices.h>

#include <asm/ibmebus.h>
#include <asm/kexec.h>

#include "ehea.h"

#define EHEA_NEQ_ENTRIES	511

/* Events handled before others get the CPU, should firmware send no end. */
#define EHEA_NEQ_BATCH		512

/* A lost interrupt, or a call that failed, delays events this much at most. */
#define EHEA_NEQ_PERIOD		msecs_to_jiffies(500)

/* Firmware that does not let the NEQ interrupt is asked ever less often. */
#define EHEA_NEQ_PAUSE_MAX	msecs_to_jiffies(30000)

/* More multicast addresses than this are one all-multicast filter. */
#define EHEA_MAX_MC		1024

/* Ports are named alike below all adapters, and their bus wants them unique. */
static DEFINE_IDA(ehea_port_ida);

/* For the crash handler, which takes no lock. */
static LIST_HEAD(ehea_adapters);
static DEFINE_SPINLOCK(ehea_adapters_lock);	/* protects ehea_adapters */

static ssize_t log_port_id_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct ehea_port *port = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", port->id);
}
static DEVICE_ATTR_RO(log_port_id);

static struct attribute *ehea_port_attrs[] = {
	&dev_attr_log_port_id.attr,
	NULL
};

static const struct attribute_group ehea_port_group = {
	.attrs = ehea_port_attrs,
};

static bool ehea_node_is_port(const struct device_node *np, u32 *id)
{
	return of_node_is_type(np, "network") &&
	       of_device_is_compatible(np, "IBM,lhea-ethernet") &&
	       !of_property_read_u32(np, "ibm,hea-port-no", id);
}

static struct platform_device *
ehea_port_alloc_device(struct ehea_adapter *adapter, struct device_node *np)
{
	struct platform_device *pdev;
	char name[16];
	int nr;

	nr = ida_alloc(&ehea_port_ida, GFP_KERNEL);
	if (nr < 0)
		return ERR_PTR(nr);
	snprintf(name, sizeof(name), "port%d", nr);
	pdev = of_device_alloc(np, name, &adapter->pdev->dev);
	if (!pdev) {
		ida_free(&ehea_port_ida, nr);
		return ERR_PTR(-ENOMEM);
	}
	pdev->id = nr;
	pdev->name = dev_name(&pdev->dev);
	/* hwinfo and udev know ports by the modalias that this bus gives. */
	pdev->dev.bus = &ibmebus_bus_type;
	return pdev;
}

static void ehea_port_put_device(struct platform_device *pdev)
{
	ida_free(&ehea_port_ida, pdev->id);
	put_device(&pdev->dev);
}

static int ehea_port_expose(struct ehea_port *port)
{
	struct device *dev = &port->pdev->dev;
	int err;

	dev_set_drvdata(dev, port);
	err = sysfs_create_group(&dev->kobj, &ehea_port_group);
	if (err)
		return err;
	err = xa_insert(&port->adapter->ports, port->id, port, GFP_KERNEL);
	if (err)
		sysfs_remove_group(&dev->kobj, &ehea_port_group);
	return err;
}

static int ehea_add_port(struct ehea_adapter *adapter, struct device_node *np,
			 u32 id)
{
	struct platform_device *pdev;
	struct ehea_port *port;
	int err;

	lockdep_assert_held(&adapter->port_lock);
	if (id > U16_MAX)
		return -EINVAL;
	if (xa_load(&adapter->ports, id))
		return -EEXIST;
	pdev = ehea_port_alloc_device(adapter, np);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	err = device_add(&pdev->dev);
	if (err)
		goto put_device;
	port = ehea_port_create(adapter, id, pdev);
	if (IS_ERR(port)) {
		err = PTR_ERR(port);
		goto del_device;
	}
	err = ehea_port_expose(port);
	if (err)
		goto destroy_port;
	return 0;

destroy_port:
	ehea_port_destroy(port);
del_device:
	device_del(&pdev->dev);
put_device:
	ehea_port_put_device(pdev);
	return err;
}

static void ehea_remove_port(struct ehea_port *port)
{
	struct platform_device *pdev = port->pdev;

	lockdep_assert_held(&port->adapter->port_lock);
	xa_erase(&port->adapter->ports, port->id);
	sysfs_remove_group(&pdev->dev.kobj, &ehea_port_group);
	ehea_port_destroy(port);
	device_del(&pdev->dev);
	ehea_port_put_device(pdev);
}

/* A port that cannot be had does not keep the others from working. */
static void ehea_add_ports(struct ehea_adapter *adapter)
{
	struct device *dev = &adapter->pdev->dev;
	struct device_node *np;
	unsigned int count = 0;
	u32 id;
	int err;

	mutex_lock(&adapter->port_lock);
	for_each_child_of_node(dev->of_node, np) {
		if (!ehea_node_is_port(np, &id))
			continue;
		err = ehea_add_port(adapter, np, id);
		if (err)
			dev_err(dev, "port %u cannot be used: %pe\n", id,
				ERR_PTR(err));
		else
			count++;
	}
	mutex_unlock(&adapter->port_lock);
	if (!count)
		dev_warn(dev, "no usable port\n");
}

static void ehea_remove_ports(struct ehea_adapter *adapter)
{
	struct ehea_port *port;
	unsigned long id;

	mutex_lock(&adapter->port_lock);
	xa_for_each(&adapter->ports, id, port)
		ehea_remove_port(port);
	mutex_unlock(&adapter->port_lock);
}

static struct device_node *ehea_find_port_node(struct ehea_adapter *adapter,
					       u32 wanted)
{
	struct device_node *np;
	u32 id;

	for_each_child_of_node(adapter->pdev->dev.of_node, np)
		if (ehea_node_is_port(np, &id) && id == wanted)
			return np;
	return NULL;
}

static int ehea_probe_port(struct ehea_adapter *adapter, u16 id)
{
	struct device_node *np = ehea_find_port_node(adapter, id);
	int err;

	if (!np) {
		dev_err(&adapter->pdev->dev,
			"no device-tree node of port %u\n", id);
		return -ENODEV;
	}
	mutex_lock(&adapter->port_lock);
	err = ehea_add_port(adapter, np, id);
	mutex_unlock(&adapter->port_lock);
	of_node_put(np);
	return err;
}

static int ehea_unprobe_port(struct ehea_adapter *adapter, u16 id)
{
	struct ehea_port *port;

	mutex_lock(&adapter->port_lock);
	port = xa_load(&adapter->ports, id);
	if (port)
		ehea_remove_port(port);
	mutex_unlock(&adapter->port_lock);
	return port ? 0 : -ENODEV;
}

/* drmgr writes the decimal port number, without a newline. */
static ssize_t ehea_port_store(struct device *dev, const char *buf,
			       size_t count,
			       int (*act)(struct ehea_adapter *adapter, u16 id))
{
	struct ehea_adapter *adapter;
	u16 id;
	int err;

	err = kstrtou16(buf, 10, &id);
	if (err)
		return err;
	/* Whoever removes the adapter holds the lock, and waits for this. */
	if (!device_trylock(dev))
		return restart_syscall();
	/* After a shutdown there is none. */
	adapter = dev_get_drvdata(dev);
	err = adapter ? act(adapter, id) : -ENODEV;
	device_unlock(dev);
	return err ?: count;
}

static ssize_t probe_port_store(struct device *dev,
				struct device_attribute *attr, const char *buf,
				size_t count)
{
	return ehea_port_store(dev, buf, count, ehea_probe_port);
}
static DEVICE_ATTR_WO(probe_port);

static ssize_t remove_port_store(struct device *dev,
				 struct device_attribute *attr,
				 const char *buf, size_t count)
{
	return ehea_port_store(dev, buf, count, ehea_unprobe_port);
}
static DEVICE_ATTR_WO(remove_port);

static struct attribute *ehea_adapter_attrs[] = {
	&dev_attr_probe_port.attr,
	&dev_attr_remove_port.attr,
	NULL
};
ATTRIBUTE_GROUPS(ehea_adapter);

static ssize_t capabilities_show(struct device_driver *drv, char *buf)
{
	return sysfs_emit(buf, "%d\n", EHEA_CAPABILITIES);
}
static DRIVER_ATTR_RO(capabilities);

static struct attribute *ehea_driver_attrs[] = {
	&driver_attr_capabilities.attr,
	NULL
};
ATTRIBUTE_GROUPS(ehea_driver);

static void ehea_port_event(struct ehea_port *port, u64 neqe)
{
	bool was_up = netif_carrier_ok(port->netdev);

	ehea_port_link_event(port, neqe & EHEA_NEQE_PORT_UP,
			     neqe & EHEA_NEQE_EXT_UP);
	if (netif_carrier_ok(port->netdev) != was_up)
		netif_info(port, link, port->netdev, "link is %s\n",
			   str_down_up(was_up));
}

static void ehea_adapter_malfunction(struct ehea_adapter *adapter)
{
	struct ehea_port *port;
	unsigned long id;

	dev_err_ratelimited(&adapter->pdev->dev, "adapter malfunction\n");
	ehea_health_malfunction(adapter, NULL);
	xa_for_each(&adapter->ports, id, port)
		ehea_port_schedule_reset(port, "adapter malfunction");
}

static void ehea_port_malfunction(struct ehea_port *port)
{
	ehea_health_malfunction(port->adapter, port);
	ehea_port_schedule_reset(port, "port malfunction");
}

static void ehea_handle_neqe(struct ehea_adapter *adapter, u64 neqe)
{
	u16 id = FIELD_GET(EHEA_NEQE_PORT, neqe);
	u8 code = FIELD_GET(EHEA_NEQE_CODE, neqe);
	struct ehea_port *port;

	if (code == EHEA_NEQE_ADAPTER_MALF) {
		ehea_adapter_malfunction(adapter);
		return;
	}
	port = xa_load(&adapter->ports, id);
	if (port && code == EHEA_NEQE_PORT_STATE)
		ehea_port_event(port, neqe);
	else if (port && code == EHEA_NEQE_PORT_MALF)
		ehea_port_malfunction(port);
	else
		dev_warn_ratelimited(&adapter->pdev->dev,
				     "unknown event %#018llx\n", neqe);
}

/* Firmware interrupts at once if entries came in between. */
static void ehea_rearm_neq(struct ehea_adapter *adapter)
{
	int err;

	if (!READ_ONCE(adapter->neq_spent) ||
	    time_before(jiffies, adapter->neq_retry))
		return;
	err = ehea_phyp_reset_events(&adapter->hea, adapter->neq.res.handle,
				     EHEA_EVENT_ALL);
	WRITE_ONCE(adapter->neq_spent, err != 0);
	if (err)
		adapter->neq_pause = clamp(2 * adapter->neq_pause,
					   EHEA_NEQ_PERIOD, EHEA_NEQ_PAUSE_MAX);
	else
		adapter->neq_pause = 0;
	adapter->neq_retry = jiffies + adapter->neq_pause;
}

static void ehea_neq_work(struct work_struct *work)
{
	struct ehea_adapter *adapter = container_of(work, struct ehea_adapter,
						    neq_work.work);
	unsigned int budget = EHEA_NEQ_BATCH;
	u64 neqe;

	mutex_lock(&adapter->port_lock);
	while (budget-- && (neqe = ehea_eq_next(&adapter->neq))) {
		adapter->neq_spent = true;
		ehea_handle_neqe(adapter, neqe);
	}
	mutex_unlock(&adapter->port_lock);

	ehea_rearm_neq(adapter);
	queue_delayed_work(system_power_efficient_wq, &adapter->neq_work,
			   neqe ? 0 : EHEA_NEQ_PERIOD);
}

/* Hypervisor calls may sleep, so all is done in process context. */
static irqreturn_t ehea_neq_irq(int irq, void *arg)
{
	struct ehea_adapter *adapter = arg;

	WRITE_ONCE(adapter->neq_spent, true);
	mod_delayed_work(system_power_efficient_wq, &adapter->neq_work, 0);
	return IRQ_HANDLED;
}

static int ehea_start_neq(struct ehea_adapter *adapter)
{
	int err;

	err = ehea_eq_create(&adapter->hea, &adapter->neq, EHEA_EQ_NOTIFY,
			     EHEA_NEQ_ENTRIES);
	if (err)
		return err;
	err = ehea_request_irq(&adapter->neq, ehea_neq_irq, "ehea-neq",
			       adapter);
	if (err) {
		ehea_eq_destroy(&adapter->neq);
		return err;
	}
	adapter->neq_retry = jiffies;
	/* Events may have come before the interrupt was ours. */
	WRITE_ONCE(adapter->neq_spent, true);
	queue_delayed_work(system_power_efficient_wq, &adapter->neq_work, 0);
	return 0;
}

static void ehea_stop_neq(struct ehea_adapter *adapter)
{
	ibmebus_free_irq(adapter->neq.ist, adapter);
	cancel_delayed_work_sync(&adapter->neq_work);
	ehea_eq_destroy(&adapter->neq);
}

static int ehea_query_adapter(struct ehea_adapter *adapter)
{
	int err;

	err = ehea_phyp_query_hea(&adapter->hea, &adapter->attr);
	if (err)
		return err;
	adapter->attr.max_mc = min_t(u64, adapter->attr.max_mc, EHEA_MAX_MC);
	return 0;
}

static struct ehea_adapter *ehea_adapter_alloc(struct platform_device *pdev)
{
	struct ehea_adapter *adapter;
	u64 handle;

	if (of_property_read_u64(pdev->dev.of_node, "ibm,hea-handle",
				 &handle)) {
		dev_err(&pdev->dev, "no adapter handle in the device tree\n");
		return ERR_PTR(-EINVAL);
	}
	adapter = kzalloc(sizeof(*adapter), GFP_KERNEL);
	if (!adapter)
		return ERR_PTR(-ENOMEM);
	adapter->pdev = pdev;
	mutex_init(&adapter->port_lock);
	xa_init(&adapter->ports);
	INIT_DELAYED_WORK(&adapter->neq_work, ehea_neq_work);
	ehea_hea_init(&adapter->hea, &pdev->dev, handle);
	return adapter;
}

static void ehea_track_adapter(struct ehea_adapter *adapter, bool track)
{
	spin_lock(&ehea_adapters_lock);
	if (track)
		list_add_rcu(&adapter->crash_node, &ehea_adapters);
	else
		list_del_rcu(&adapter->crash_node);
	spin_unlock(&ehea_adapters_lock);
}

static int ehea_probe(struct platform_device *pdev)
{
	struct ehea_adapter *adapter;
	int err;

	adapter = ehea_adapter_alloc(pdev);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	ehea_track_adapter(adapter, true);
	err = ehea_query_adapter(adapter);
	if (err)
		goto free_adapter;
	err = ehea_mem_add_adapter(adapter);
	if (err)
		goto free_adapter;
	err = ehea_health_init(adapter);
	if (err)
		goto remove_mr;
	err = ehea_start_neq(adapter);
	if (err)
		goto exit_health;

	ehea_debugfs_add(adapter);
	platform_set_drvdata(pdev, adapter);
	ehea_add_ports(adapter);
	return 0;

exit_health:
	ehea_health_exit(adapter);
remove_mr:
	ehea_mem_remove_adapter(adapter);
free_adapter:
	ehea_hea_exit(&adapter->hea);
	ehea_track_adapter(adapter, false);
	kfree(adapter);
	return dev_err_probe(&pdev->dev, err, "adapter cannot be used\n");
}

static void ehea_remove(struct platform_device *pdev)
{
	struct ehea_adapter *adapter = platform_get_drvdata(pdev);

	/* Shut down already. */
	if (!adapter)
		return;
	platform_set_drvdata(pdev, NULL);
	ehea_remove_ports(adapter);
	ehea_stop_neq(adapter);
	ehea_health_exit(adapter);
	ehea_debugfs_remove(adapter);
	ehea_mem_remove_adapter(adapter);
	ehea_hea_exit(&adapter->hea);
	ehea_track_adapter(adapter, false);
	xa_destroy(&adapter->ports);
	kfree(adapter);
}

static const struct of_device_id ehea_match[] = {
	{ .name = "lhea", .compatible = "IBM,lhea" },
	{}
};
MODULE_DEVICE_TABLE(of, ehea_match);

static struct platform_driver ehea_driver = {
	.driver = {
		.name		= EHEA_DRV_NAME,
		.of_match_table	= ehea_match,
		.groups		= ehea_driver_groups,
		.dev_groups	= ehea_adapter_groups,
	},
	.probe		= ehea_probe,
	.remove		= ehea_remove,
	/* Another kernel may come: the adapter must not write any more. */
	.shutdown	= ehea_remove,
};

/* No other CPU runs, locks may be held for ever: only free what there is. */
static void ehea_crash(void)
{
	unsigned int naps = EHEA_CRASH_NAPS;
	struct ehea_adapter *adapter;
	struct ehea_port *port;
	unsigned long id;

	list_for_each_entry_lockless(adapter, &ehea_adapters, crash_node) {
		ehea_fw_crash(&adapter->hea, &naps);
		xa_for_each(&adapter->ports, id, port)
			ehea_filter_crash(port, &naps);
	}
}

static int __init ehea_init(void)
{
	int err;

	err = ehea_mem_init();
	if (err)
		return err;
	if (crash_shutdown_register(ehea_crash)) {
		err = -ENOSPC;
		goto exit_mem;
	}
	ehea_debugfs_init();
	err = ibmebus_register_driver(&ehea_driver);
	if (err)
		goto exit_debugfs;
	return 0;

exit_debugfs:
	ehea_debugfs_exit();
	crash_shutdown_unregister(ehea_crash);
exit_mem:
	ehea_mem_exit();
	return err;
}
module_init(ehea_init);

static void __exit ehea_exit(void)
{
	ibmebus_unregister_driver(&ehea_driver);
	ehea_debugfs_exit();
	crash_shutdown_unregister(ehea_crash);
	ehea_mem_exit();
	ida_destroy(&ehea_port_ida);
}
module_exit(ehea_exit);

MODULE_DESCRIPTION("IBM Host Ethernet Adapter (HEA) driver");
MODULE_LICENSE("GPL");
