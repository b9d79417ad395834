# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver as a series of patches, in the order in which one reads it: the
contract, the lowest layer first, what ties it all together last."""

HERE = "drivers/net/ethernet/ibm/ehea"
DOCS = "Documentation/networking/device_drivers/ethernet"

# (subject, what it says, files by pattern); later patterns find what is left
SERIES = (
    ("net: ehea: remove the old driver", """
It is orphaned, and defects in how it follows memory hotplug lose traffic and
corrupt memory. A driver written anew takes its place in the patches that
follow.
""", ("REMOVE",)),
    ("Documentation: networking: describe the HEA's interface", """
There is no public manual of IBM's Host Ethernet Adapter. Write down what is
known of hypervisor calls, queues and memory regions, and how sure it is.
""", (f"{DOCS}/ibm/ehea/index.rst", f"{DOCS}/ibm/ehea/hea-interface.rst",
      f"{DOCS}/index.rst")),
    ("net: ehea: add the busmap", """
A memory region of the adapter has no holes, real memory has. The busmap
numbers 16 MiB sections of memory in a table of three levels that never
changes once it is complete. It knows nothing of the kernel's memory model.
""", ("ehea_busmap.[ch]", "Makefile")),
    ("net: ehea: add formats and types", """
What the adapter reads and writes in memory, what firmware takes and gives,
and what an adapter, a port, a channel (a queue pair with its interrupt and
NAPI) and a view of memory are. Every lock says what it protects.
""", ("ehea_hw.h", "ehea_cb.h", "ehea_phyp.h", "ehea_qmr.h", "ehea.h",
      "ehea_compat.h", "ehea_frame.h")),
    ("net: ehea: add hypervisor calls", """
One typed function for each hypervisor call. What firmware answers is checked
here, and "later" is taken for an answer only so long. A list of all live
resources is kept for the crash handler.
""", ("ehea_cb.c", "ehea_phyp.c", "ehea_trace.h")),
    ("net: ehea: add queues and memory regions", """
Event, completion and work queues, their pages and doorbells; memory regions
and their keys.
""", ("ehea_qmr.c",)),
    ("net: ehea: follow memory hotplug", """
Memory that an adapter's region covers cannot leave the partition, and a
region cannot be edited. Register a new one while traffic goes on, publish it
by RCU together with its map, and free the old one once no posted request
names its keys.

The work that a memory notifier waits for takes no RTNL.
""", ("ehea_mem.c", "ehea_region.c", f"{DOCS}/ibm/ehea/memory-hotplug.rst")),
    ("net: ehea: add the send path", """
Small frames are copied into their requests and freed at once; others are
described piece by piece. A frame in memory that the region does not cover is
copied.
""", ("ehea_tx.c",)),
    ("net: ehea: add the receive path", """
All completions of a queue pair come in one ring, small frames right behind
them. Larger ones lie in pieces of pages from a page pool.
""", ("ehea_rx.c",)),
    ("net: ehea: add channels", """
A queue pair with its completion queues, interrupt and NAPI.
""", ("ehea_channel.c",)),
    ("net: ehea: add network device operations", """
Open, close, reset, MTU, receive filters, and statistics.
""", ("ehea_netdev.c", "ehea_filter.c", "ehea_stats.c")),
    ("net: ehea: add administration", """
ethtool, devlink health reporters and debugfs.
""", ("ehea_ethtool*.[ch]", "ehea_devlink.c", "ehea_debugfs.c")),
    ("net: ehea: add the module", """
Probe and remove adapters and ports, notification events, reboot and crash.
From here on the driver can be configured.
""", ("ehea_main.c", "Kconfig", "drivers/net/ethernet/ibm/Kconfig",
      "drivers/net/ethernet/ibm/Makefile", "MAINTAINERS")),
    ("net: ehea: add unit tests", """
KUnit suites of what needs no adapter: the busmap, formats, call arguments,
and what is decided about frames and completions.
""", ("tests/kunit/*",)),
    ("Documentation: networking: describe the eHEA driver", """
What users and administrators have to know, and the files in sysfs.
""", (f"{DOCS}/ibm/ehea/ehea.rst", "Documentation/ABI/testing/*")),
)
