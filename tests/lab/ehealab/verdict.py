# SPDX-License-Identifier: GPL-2.0-or-later
"""What every case must leave behind: nothing.

The words are those of a powerpc kernel, which has no RIP.
"""

import re

from . import coverage
from .qmp import QmpError

NEEDLES = re.compile("|".join((
    r"Oops:", r"\bBUG:", r"\bkernel BUG at", r"WARNING:", r"INFO: task",
    r"INFO: trying to register non-static key", r"INFO: rcu",
    r"possible circular locking", r"possible recursive locking",
    r"inconsistent lock state", r"suspicious RCU usage",
    r"INFO: possible irq lock inversion", r"bad unlock balance",
    r"held lock freed", r"still has locks held", r"Invalid wait context",
    r"KASAN:", r"KFENCE:", r"KCSAN:", r"UBSAN:", r"kmemleak: \d+ new",
    r"Call Trace:", r"NIP \[", r"Kernel panic", r"Unable to handle kernel",
    r"scheduling while atomic", r"sleeping function called",
    r"ODEBUG:", r"DEBUG_OBJECTS", r"list_(add|del) corruption",
    r"refcount_t:", r"ref_tracker:.*has \d", r"unregister_netdevice: waiting",
    r"blocked for more than", r"soft lockup", r"hard LOCKUP", r"rcu_.*stall",
    r"DMA-API:", r"Budget exhausted after napi rescheduled",
    r"NETDEV WATCHDOG", r"unreferenced object", r"page allocation failure",
    r"\bBadness at", r"Machine check",
)))

HARMLESS = re.compile("|".join((
    r"WARNING: nvram corruption detected",
    # the debug kernel names its own unsafe options at boot
    r"NOTICE NOTICE", r"WARNING: .*unsafe.*console",
)))


TRACE = re.compile(r"Call Trace:|NIP \[")


def findings(lines, allow=()):
    """The suspicious lines of a console log; allow holds patterns of
    lines that a case provoked itself. To a warning its trace belongs."""
    allowed = [re.compile(a) for a in allow]
    out, inside = [], False
    for line in lines:
        expected = any(a.search(line) for a in allowed)
        inside = "end trace" not in line and \
            (inside or expected and "WARNING:" in line)
        if NEEDLES.search(line) and not HARMLESS.search(line) and \
           not expected and not (inside and TRACE.search(line)):
            out.append(line)
    return out


def _kmemleak(guest):
    """Scan for leaks. Objects count only when they are older than 5 s."""
    guest.sh("test -w /sys/kernel/debug/kmemleak || exit 0; sleep 5.1; "
             "echo scan > /sys/kernel/debug/kmemleak; "
             "echo scan > /sys/kernel/debug/kmemleak", timeout=120)
    report = guest.sh("cat /sys/kernel/debug/kmemleak 2>/dev/null; true")
    return [] if not report.strip() else \
        ["kmemleak: " + line for line in report.splitlines()[:40]]


def _firmware(guest, unloaded):
    """Violations, resources left, and fault rules that never fired."""
    out = []
    for hea in guest.heas:
        bad = hea.violations()
        if set(bad["by_kind"]) - hea.tolerated:
            out.append(f"{hea.id}: {bad['total']} violations "
                       f"{bad['by_kind']}: {bad['log'][:8]}")
        if unloaded and hea.live():
            out.append(f"{hea.id}: still alive after unload: {hea.live()}")
        if hea.expect_fired and hea.silent_faults():
            out.append(f"{hea.id}: never fired: {hea.silent_faults()}")
    return out


def check(guest):
    """Unload the driver, look everywhere, return what is wrong (lines)."""
    out = []
    alive = guest.alive()
    if not alive and not guest.may_die:
        out.append(f"the guest died: {guest.death}")
    if alive:
        loaded = guest.sh("grep -qw ^ehea /proc/modules && echo yes; true",
                          timeout=60)
        if loaded:
            guest.sh("modprobe -r ehea", timeout=120)
        if guest.spec.kernel == "debug":
            out += _kmemleak(guest)
        if guest.spec.kernel == "gcov":
            coverage.save(guest, guest.name)
        guest.sync_console()
    if guest.qmp and not guest.qmp.closed:
        try:
            out += _firmware(guest, alive)
        except QmpError as err:
            out.append(f"the virtual HEA cannot be asked: {err}")
    return findings(guest.console_lines(), guest.allow) + out
