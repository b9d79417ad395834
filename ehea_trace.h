/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): tracepoints.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ehea

#if !defined(EHEA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EHEA_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

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

#endif /* EHEA_TRACE_H */

/* This part must be outside protection */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ehea_trace
#include <trace/define_trace.h>
