// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host Ethernet Adapter (HEA): how an adapter reaches memory and what its
 * hypervisor calls amount to, in debugfs. Without debugfs nothing is there,
 * and nobody minds.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "ehea.h"

static struct dentry *ehea_debugfs_root;

static int memory_show(struct seq_file *m, void *unused)
{
	ehea_mem_show(m->private, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(memory);

static int hcalls_show(struct seq_file *m, void *unused)
{
	struct ehea_adapter *adapter = m->private;
	struct ehea_hea *hea = &adapter->hea;

	seq_printf(m, "calls %lld\n", atomic64_read(&hea->calls));
	seq_printf(m, "busy %lld\n", atomic64_read(&hea->busy));
	seq_printf(m, "timeouts %lld\n", atomic64_read(&hea->timeouts));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(hcalls);

/**
 * ehea_debugfs_add - show an adapter in debugfs
 * @adapter: known to ehea_mem
 *
 * Context: process, sleeps.
 */
void ehea_debugfs_add(struct ehea_adapter *adapter)
{
	adapter->debugfs = debugfs_create_dir(dev_name(&adapter->pdev->dev),
					      ehea_debugfs_root);
	debugfs_create_file("memory", 0400, adapter->debugfs, adapter,
			    &memory_fops);
	debugfs_create_file("hcalls", 0400, adapter->debugfs, adapter,
			    &hcalls_fops);
}

/**
 * ehea_debugfs_remove - take an adapter out of debugfs
 * @adapter: ehea_mem still knows it
 *
 * Context: process, sleeps until nobody reads.
 */
void ehea_debugfs_remove(struct ehea_adapter *adapter)
{
	debugfs_remove_recursive(adapter->debugfs);
	adapter->debugfs = NULL;
}

/**
 * ehea_debugfs_init - make the driver's folder
 *
 * Context: process, sleeps.
 */
void ehea_debugfs_init(void)
{
	ehea_debugfs_root = debugfs_create_dir(EHEA_DRV_NAME, NULL);
}

/**
 * ehea_debugfs_exit - remove the driver's folder
 *
 * Context: process, sleeps.
 */
void ehea_debugfs_exit(void)
{
	debugfs_remove_recursive(ehea_debugfs_root);
}
