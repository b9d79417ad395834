# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypervisor calls: traced, checked, given up in time, made good later."""

import re
import time

import pytest

from ehealab import scene
from ehealab.guest import adapters

TRACING = "/sys/kernel/tracing"
LATER = "H_LONG_BUSY_ORDER_100_SEC"

# (resource, what its allocation answers): each cannot be right
NONSENSE = (
    ("eq", "r7:0xffffffff"),            # more entries than its pages hold
    ("eq", "r8:0"),                     # no pages
    ("eq", "r9:0"),                     # no interrupt
    ("cq", "r8:0x100000"),              # 4 GiB of pages
    ("cq", "r9:0"),                     # no register page
    ("cq", "r9:+8"),                    # register page that is not aligned
    ("qp", "r5:0xffffffff"),            # a number of 32 bits
    ("qp", "r6:0"),                     # no entries
    ("qp", "r6:0xffffffffffffffff"),    # too many entries
    ("qp", "r7:0x0707070700000000"),    # large WQEs
    ("qp", "r8:0"),                     # no pages
    ("qp", "r9:0xffffffffffffffff"),    # too many pages
    ("qp", "r10:0x123"),                # register page nowhere
)


def test_every_call_is_traced(lab):
    """One trace line for each call that firmware counted."""
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    guest.sh(f"mountpoint -q {TRACING} || mount -t tracefs t {TRACING}; "
             f"echo 1 > {TRACING}/events/ehea/ehea_hcall/enable")
    before = guest.hea.stats()["calls_total"]
    name = scene.up(guest)
    guest.sh(f"ip link set {name} down; "
             f"echo 0 > {TRACING}/events/ehea/ehea_hcall/enable")
    made = guest.hea.stats()["calls_total"] - before
    lines = [line for line in guest.sh(f"cat {TRACING}/trace").splitlines()
             if " ehea_hcall: " in line]
    assert len(lines) == made
    assert any("H_ALLOC_HEA_RESOURCE" in line and "status=0" in line
               for line in lines)
    assert any("H_REGISTER_HEA_RPAGES" in line and "status=15" in line
               for line in lines)


@pytest.mark.on("power9", faults=("power9-debug",))
def test_answer_that_cannot_be_right_fails_the_open_and_nothing_else(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    before = guest.hea.resources()
    for kind, corrupt in NONSENSE:
        guest.hea.fault(f"op=H_ALLOC_HEA_RESOURCE,rtype={kind},times=1,"
                        f"corrupt={corrupt}")
        assert guest.status(f"ip link set {name} up"), (kind, corrupt)
        assert guest.hea.resources() == before, (kind, corrupt)
        guest.hea.clear_faults()
    scene.up(guest)
    scene.both_ways(guest)


def test_interrupt_that_is_in_use_is_not_taken_for_another(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    number = int(re.search(r"XIVE-IRQ +(\d+)", guest.sh(
        "grep ehea-neq /proc/interrupts")).group(1))
    for after in (0, 1):
        guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=eq,times=1,"
                        f"after={after},corrupt=r9:{number:#x}")
        assert guest.status(f"ip link set {name} up")
        guest.hea.clear_faults()
    scene.up(guest)
    for up in (False, True):
        guest.qmp.set_link("n0p0", up)
        scene.carrier(guest, name, up=up)
    scene.both_ways(guest)
    assert "ehea-neq" in guest.read("/proc/interrupts")


@pytest.mark.on("power9", faults=("power9-debug",))
@pytest.mark.parametrize("kind", [
    "qp", *(pytest.param(k, marks=pytest.mark.long) for k in ("cq", "eq"))])
def test_what_firmware_keeps_for_now_is_freed_when_it_relents(lab, kind):
    guest = lab.boot(adapters(ports=1))
    scene.ready(guest)
    guest.hea.fault(f"op=H_FREE_RESOURCE,rtype={kind},times=0,rc={LATER}")
    guest.sh(f"ip link set {guest.netdev()} down", timeout=60)
    assert guest.hea.resources()[kind]
    guest.hea.clear_faults()
    guest.sh("modprobe -r ehea", timeout=60)
    assert not guest.hea.live()


@pytest.mark.on("power9", faults=("power9-debug",))
def test_region_that_firmware_keeps_is_freed_with_the_next_change(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    before = guest.hea.resources()["mr"]
    guest.hea.fault("op=H_FREE_RESOURCE,rtype=mr,times=2,rc=H_HARDWARE")
    # buffers of the old region are replaced as they are used up
    with scene.routed_traffic(guest, rate=1000):
        guest.mem_add()
        guest.hea.wait(lambda h: h.faults()[0]["hits"] == 2, "refusals", 60)
        guest.hea.clear_faults()
        assert guest.hea.resources()["mr"] == before + 1
        guest.mem_add()
        guest.hea.wait(lambda h: h.resources()["mr"] == before, "all free", 60)


def test_what_firmware_keeps_for_now_is_freed_at_the_next_open(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    before = guest.hea.resources()
    guest.hea.fault("op=H_FREE_RESOURCE,rtype=qp,times=2,rc=H_HARDWARE")
    guest.sh(f"ip link set {name} down")
    guest.hea.clear_faults()
    scene.up(guest)
    assert guest.hea.resources() == before
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power9-debug",))
def test_wedged_firmware_lets_the_driver_close_and_unload(lab):
    """Every call is answered with "later", for ever."""
    guest = lab.boot(adapters(ports=2, default_qps=4))
    scene.ready(guest, 2)
    guest.hea.fault(f"op=any,times=0,rc={LATER}")
    start = time.monotonic()
    for port in range(2):
        guest.sh(f"ip link set {guest.netdev(port)} down", timeout=120)
    guest.sh("modprobe -r ehea", timeout=120)
    assert time.monotonic() - start < 120
    # firmware kept all of it, and the driver is no more
    guest.may_die = True
    guest.kill_qemu()
