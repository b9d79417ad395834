/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): tracepoints.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ehea

#if !defined(EHEA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EHEA_TRACE_H

#include <linux/device.h>
#include <linux/netdevice.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

#include "ehea.h"
#include "ehea_cb.h"

/**
 * ehea_hcall - a hypervisor call has returned
 * @name: of the call
 * @opcode: R3 on entry
 * @in: R4 to R12 on entry; R4 is the adapter handle
 * @out: R4 to R12 on return, zero if it failed
 * @status: R3 on return
 * @ns: nanoseconds that it took
 */
TRACE_EVENT(ehea_hcall,
	    TP_PROTO(const char *name, unsigned long opcode, const u64 *in,
		     const u64 *out, long status, u64 ns),

	    TP_ARGS(name, opcode, in, out, status, ns),

	    TP_STRUCT__entry(__string(name, name)
			     __field(unsigned long, opcode)
			     __array(u64, in, EHEA_REGS)
			     __array(u64, out, EHEA_REGS)
			     __field(long, status)
			     __field(u64, ns)
	    ),

	    TP_fast_assign(__assign_str(name);
			   __entry->opcode = opcode;
			   memcpy(__entry->in, in, sizeof(__entry->in));
			   memcpy(__entry->out, out, sizeof(__entry->out));
			   __entry->status = status;
			   __entry->ns = ns;
	    ),

	    TP_printk("%s hea=%#llx r5=%#llx r6=%#llx r7=%#llx r8=%#llx status=%ld out=%#llx,%#llx,%#llx,%#llx ns=%llu",
		      __get_str(name), __entry->in[0], __entry->in[1],
		      __entry->in[2], __entry->in[3], __entry->in[4],
		      __entry->status, __entry->out[0], __entry->out[1],
		      __entry->out[2], __entry->out[3], __entry->ns)
);

/**
 * ehea_region_create - a memory region was registered, or refused
 * @dev: adapter
 * @len: bytes
 * @page_shift: size of its pages, the last that was tried
 * @calls: page registration calls that it took
 * @err: 0 or a negative error number
 */
TRACE_EVENT(ehea_region_create,
	    TP_PROTO(const struct device *dev, u64 len, unsigned int page_shift,
		     unsigned int calls, int err),

	    TP_ARGS(dev, len, page_shift, calls, err),

	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u64, len)
			     __field(unsigned int, page_shift)
			     __field(unsigned int, calls)
			     __field(int, err)
	    ),

	    TP_fast_assign(__assign_str(dev);
			   __entry->len = len;
			   __entry->page_shift = page_shift;
			   __entry->calls = calls;
			   __entry->err = err;
	    ),

	    TP_printk("%s len=%#llx page_shift=%u calls=%u err=%d",
		      __get_str(dev), __entry->len, __entry->page_shift,
		      __entry->calls, __entry->err)
);

/**
 * ehea_region_free - a memory region is about to be freed
 * @dev: adapter
 * @len: bytes
 */
TRACE_EVENT(ehea_region_free,
	    TP_PROTO(const struct device *dev, u64 len),

	    TP_ARGS(dev, len),

	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u64, len)
	    ),

	    TP_fast_assign(__assign_str(dev);
			   __entry->len = len;
	    ),

	    TP_printk("%s len=%#llx", __get_str(dev), __entry->len)
);

/**
 * ehea_view_publish - a channel writes new WQEs under other keys from now on
 * @netdev: port
 * @queue: number of the channel
 * @view: where the keys are, NULL if there is no memory region
 */
TRACE_EVENT(ehea_view_publish,
	    TP_PROTO(const struct net_device *netdev, unsigned int queue,
		     const struct ehea_view *view),

	    TP_ARGS(netdev, queue, view),

	    TP_STRUCT__entry(__string(name, netdev->name)
			     __field(unsigned int, queue)
			     __field(u32, send_lkey)
			     __field(u32, recv_lkey)
	    ),

	    TP_fast_assign(__assign_str(name);
			   __entry->queue = queue;
			   __entry->send_lkey = view ? view->send_smr.lkey : 0;
			   __entry->recv_lkey = view ? view->recv_smr.lkey : 0;
	    ),

	    TP_printk("%s queue=%u send_lkey=%#x recv_lkey=%#x",
		      __get_str(name), __entry->queue, __entry->send_lkey,
		      __entry->recv_lkey)
);

/**
 * ehea_mem_update_begin - an adapter's memory region will follow memory
 * @dev: adapter
 * @added: bytes that came
 * @removed: bytes that went
 */
TRACE_EVENT(ehea_mem_update_begin,
	    TP_PROTO(const struct device *dev, u64 added, u64 removed),

	    TP_ARGS(dev, added, removed),

	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u64, added)
			     __field(u64, removed)
	    ),

	    TP_fast_assign(__assign_str(dev);
			   __entry->added = added;
			   __entry->removed = removed;
	    ),

	    TP_printk("%s added=%#llx removed=%#llx", __get_str(dev),
		      __entry->added, __entry->removed)
);

/**
 * ehea_mem_update_end - an adapter's memory region has followed, or not
 * @dev: adapter
 * @us: microseconds that it took
 * @err: 0, or a negative error number: it will be tried again
 */
TRACE_EVENT(ehea_mem_update_end,
	    TP_PROTO(const struct device *dev, u64 us, int err),

	    TP_ARGS(dev, us, err),

	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u64, us)
			     __field(int, err)
	    ),

	    TP_fast_assign(__assign_str(dev);
			   __entry->us = us;
			   __entry->err = err;
	    ),

	    TP_printk("%s us=%llu err=%d", __get_str(dev), __entry->us,
		      __entry->err)
);

#endif /* EHEA_TRACE_H */

/* This part must be outside protection */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ehea_trace
#include <trace/define_trace.h>
