// SPDX-License-Identifier: GPL-2.0-or-later
/// No call that may sleep where a spinlock is held, under RCU, or with
/// bottom halves off.

virtual report

@atomic exists@
identifier lock =~ "^(spin_lock|spin_lock_bh|spin_lock_irq|spin_lock_irqsave|rcu_read_lock|rcu_read_lock_bh|local_bh_disable|netif_addr_lock_bh|__netif_tx_lock|__netif_tx_lock_bh|__netif_tx_trylock)$";
identifier unlock =~ "^(spin_unlock|spin_unlock_bh|spin_unlock_irq|spin_unlock_irqrestore|rcu_read_unlock|rcu_read_unlock_bh|local_bh_enable|netif_addr_unlock_bh|__netif_tx_unlock|__netif_tx_unlock_bh)$";
identifier bad =~ "^(mutex_lock|msleep|usleep_range|fsleep|schedule|cond_resched|might_sleep|synchronize_(net|rcu)|flush_[a-z_]*work|cancel_[a-z_]*work_sync|napi_(en|dis)able|rtnl_lock|ehea_phyp_(?!crash)[a-z0-9_]+|ehea_fw_free[a-z_]*|ehea_(eq|cq|qp)_(create|destroy|start|pause|resume)|ehea_s?mr_(register|free)|ehea_mem_(attach|start|stop|detach|show|query)|ehea_region_[a-z0-9_]+|ehea_port_(up|down|reset|reconfigure)|ehea_filter_(open|close|sync|set_[a-z0-9_]+|vlans|apply_[a-z0-9_]+)|ehea_stats_refresh|request_irq|free_irq|ibmebus_(request|free)_irq|irq_dispose_mapping)$";
position p, q;
@@
lock@q(...)
... when != unlock(...)
bad@p(...)

@script:python depends on report@
p << atomic.p;
lock << atomic.lock;
bad << atomic.bad;
@@
coccilib.report.print_report(p[0], "%s() may sleep, after %s()" % (bad, lock))

@gfp exists@
identifier lock =~ "^(spin_lock|spin_lock_bh|spin_lock_irq|spin_lock_irqsave|rcu_read_lock|rcu_read_lock_bh|local_bh_disable|netif_addr_lock_bh)$";
identifier unlock =~ "^(spin_unlock|spin_unlock_bh|spin_unlock_irq|spin_unlock_irqrestore|rcu_read_unlock|rcu_read_unlock_bh|local_bh_enable|netif_addr_unlock_bh)$";
identifier alloc;
position p;
@@
lock(...)
... when != unlock(...)
alloc@p(..., GFP_KERNEL, ...)

@script:python depends on report@
p << gfp.p;
lock << gfp.lock;
alloc << gfp.alloc;
@@
coccilib.report.print_report(p[0], "%s() with GFP_KERNEL after %s()"
                             % (alloc, lock))
