/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for the RCU of the kernel's user-space tests: as in a kernel
 * without preemption, a read-side section costs nothing.
 */
#ifndef _BENCH_LINUX_RCUPDATE_H
#define _BENCH_LINUX_RCUPDATE_H

#include <linux/compiler.h>
#include <linux/types.h>

#define __rcu

struct rcu_head {
	void *next;
	void (*func)(struct rcu_head *head);
};

/* The READ_ONCE() of the user-space headers copies through the stack. */
#define rcu_dereference_raw(p)		(*(const volatile typeof(p) *)&(p))
#define rcu_dereference_check(p, cond)	rcu_dereference_raw(p)
#define rcu_dereference_protected(p, cond) (p)
#define rcu_dereference(p)		rcu_dereference_raw(p)
#define rcu_assign_pointer(p, v)	WRITE_ONCE(p, v)
#define RCU_INIT_POINTER(p, v)		WRITE_ONCE(p, v)

#define rcu_read_lock()			barrier()
#define rcu_read_unlock()		barrier()
#define call_rcu(head, func)		((func)(head))

#endif /* _BENCH_LINUX_RCUPDATE_H */
