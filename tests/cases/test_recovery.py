# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lost, late or refused is made good, and soon enough.

Times are those of the guest's log: a busy host delays what the host sees of
it, and not what the driver did."""

import re

import pytest

from ehealab import scene
from ehealab.guest import LMB, adapters

MOVABLE = "memhp_default_state=online_movable"
SOON = 1.5              # seconds: the driver looks twice a second
REFUSED = "op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=0,rc=H_NO_MEM"
LONG = 1000             # bytes: too many for a slot of RQ1
NOBODY = "10.0.0.99"
SLOW_SEND_NS = 800_000_000


def _times(guest, pattern, since=0):
    """When the log lines that match were written, in seconds."""
    return [float(t) for t in re.findall(
        rf"\[ *(\d+\.\d+)\][^\n]*{pattern}", guest.console_text()[since:])]


def _mark(guest):
    """A line in the guest's log; returns the position before it."""
    since = guest.console_mark()
    guest.sh("echo '<6>lab: now' > /dev/kmsg")
    guest.wait_console("lab: now", since=since)
    return since


def _took(guest, pattern, since):
    """Seconds from the mark to the first line that matches, once it came."""
    guest.wait_console(pattern, since=since)
    # a line is complete when there is one behind it
    guest.sync_console()
    return _times(guest, pattern, since)[0] - \
        _times(guest, "lab: now", since)[0]


def _answers(guest, size=56, timeout=40):
    guest.poll(lambda: not guest.status(
        f"ping -c 1 -W 1 -s {size} {scene.host_ip()}"), "traffic", timeout)


def _region(guest, name):
    """Page size of the memory region and registrations refused so far."""
    stats = scene.driver_stats(guest, name)
    return stats["mr_page_kib"], stats["mr_failures"]


# Events that nothing tells of

@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_events_whose_interrupt_or_arming_was_lost_are_found(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    for rule in ("op=H_RESET_EVENTS,times=1,rc=H_HARDWARE",
                 "irq=neq,times=1,drop"):
        for up in (False, True, False, True):
            guest.hea.fault(rule)
            since = _mark(guest)
            guest.qmp.set_link("n0p0", up)
            took = _took(guest, f"link is {'up' if up else 'down'}", since)
            assert took < SOON * guest.patience, rule
            scene.carrier(guest, name, up=up)
            guest.hea.wait(lambda h: not h.silent_faults(), rule)
            guest.hea.clear_faults()
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_qp_error_whose_interrupt_was_lost_is_found_by_a_port_that_only_hears(
        lab):
    """Nothing is sent that could time out."""
    guest = lab.boot(adapters(ports=1, default_qps=2))
    guest.allow.append("QP error")
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6; "
             f"ethtool -L {name} combined 2", check=False)
    scene.up(guest)
    guest.sh(f"ip neigh replace {scene.host_ip()} lladdr {scene.host_mac()} "
             f"nud permanent dev {name}")    # it is not probed either
    scene.both_ways(guest)
    for qp in (1, 0):
        guest.hea.fault("irq=aff,times=1,drop")
        since = _mark(guest)
        guest.peer().clear()
        sent = guest.hea.port(1)["tx_frames"]
        scene.qp_error(guest, qp)
        assert _took(guest, "QP error", since) < SOON * guest.patience
        assert guest.hea.port(1)["tx_frames"] == sent, \
            [f.data.hex() for f in guest.peer().matching(lambda f: True)]
        guest.wait_console("port was reset", since=since)
        scene.carrier(guest, name)
        guest.hea.clear_faults()
        heard = guest.hea.port(1)["rx_frames"]
        scene.blind_frames(guest, 0, 50)
        guest.hea.wait(lambda h, n=heard: h.port(1)["rx_frames"] >= n + 50,
                       "frames received")
    scene.both_ways(guest)


# A storm of errors

STORM = 6
STEADY = f"udpseq send {scene.host_ip()} 9 1 100 10 1000"


def _storm(guest, errors):
    """So many errors, one with each send; seconds from error to reset."""
    since = guest.console_mark()
    guest.hea.fault(f"at=dma,wr=tx,times={errors},drop")
    guest.sh(STEADY)
    guest.hea.clear_faults()
    guest.sync_console()
    begun = _times(guest, "QP error, event", since)
    done = _times(guest, "port was reset", since)
    assert len(begun) == len(done) == errors
    _answers(guest)
    return [reset - error for error, reset in zip(begun, done)]


def test_resets_of_a_storm_come_ever_later_and_one_after_a_calm_at_once(lab):
    """Time in this guest leaps from timer to timer while nothing happens, so
    that half a minute of calm costs nobody half a minute. Each frame that the
    adapter cannot read is one error."""
    guest = lab.boot(adapters(ports=1), smp=1,
                     qemu_args=["-icount", "shift=0,sleep=off"])
    guest.allow += ["QP error", "NETDEV WATCHDOG"]
    scene.ready(guest)
    scene.both_ways(guest)
    delays = _storm(guest, STORM)
    assert delays[0] < 0.1
    for n, delay in enumerate(delays[1:]):
        assert 0.1 * 2 ** n * 0.9 < delay < 0.1 * 2 ** n + 0.2, delays
    guest.sh("sleep 31")
    assert _storm(guest, 1)[0] < 0.1


def test_link_is_followed_while_firmware_lets_no_event_interrupt(lab):
    """It is asked to ever less often, and events are looked for meanwhile."""
    guest = lab.boot(adapters(ports=1), smp=1,
                     qemu_args=["-icount", "shift=0,sleep=off"])
    name = scene.ready(guest)[0]
    guest.hea.fault("op=H_RESET_EVENTS,times=0,rc=H_HARDWARE")
    since = _mark(guest)
    for up in (False, True):
        guest.qmp.set_link("n0p0", up)
        scene.carrier(guest, name, up=up)
    guest.sh("sleep 120")
    guest.sync_console()
    asked = _times(guest, "H_RESET_EVENTS: status", since)
    pauses = [b - a for a, b in zip(asked, asked[1:])]
    assert len(pauses) >= 7, asked
    for n, pause in enumerate(pauses):
        least = min(0.5 * 2 ** n, 30)
        assert least * 0.9 < pause < least + 1.2, pauses
    guest.hea.clear_faults()
    guest.sh("sleep 32")
    assert guest.hea.calls("H_RESET_EVENTS") > len(asked)
    for up in (False, True):
        guest.qmp.set_link("n0p0", up)
        scene.carrier(guest, name, up=up)
    scene.both_ways(guest, count=1)


# Late, lost and doubled, under traffic

# (rule, may frames be lost)
UNTIMELY = (
    ("irq=queue,times=20,delay-us=20000", False),
    ("wr=rx2,times=20,delay-us=2000", False),
    ("wr=tx,times=20,delay-us=2000", False),
    ("reg=n1,times=2,drop", False),
    ("reg=ep,times=2,drop", False),
    ("irq=queue,times=3,drop", False),
    ("irq=queue,times=50,dup=3", False),
    ("wr=rx2,times=5,dup=1", False),
    ("wr=tx,times=1,dup=1", True),
    ("wr=tx,times=1,drop", False),
)


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_what_comes_late_twice_or_never_delivers_nothing_twice(lab):
    """Numbered frames pass through the guest, so that it is seen from outside
    what became of each."""
    guest = lab.boot(adapters(ports=2))
    guest.allow += ["NETDEV WATCHDOG"]
    scene.ready(guest, 2)
    # a guest that never comes to rest only polls, and takes no interrupts
    rate = 400 / guest.patience
    with scene.routed_traffic(guest, rate, size=600) as traffic:
        for n, (rule, _) in enumerate(UNTIMELY):
            traffic.stretch(f"rule {n}")
            guest.hea.fault(rule)
            guest.hea.wait(lambda h: h.faults()[0]["expired"],
                           f"all of {rule}", 60)
            guest.hea.clear_faults()
            sent = [guest.hea.port(p)["tx_frames"] for p in (1, 2)]
            guest.hea.wait(lambda h, old=sent: all(
                h.port(p)["tx_frames"] > old[p - 1] + 200 for p in (1, 2)),
                f"traffic both ways after {rule}", 60)
    for n, (rule, may_lose) in enumerate(UNTIMELY):
        lost = scene.lost(traffic, f"rule {n}")
        assert may_lose or not lost, (rule, lost)
    for flow in traffic.stop()["flows"]:
        assert flow["duplicates"] == 0
    resets = [scene.driver_stats(guest, guest.netdev(p))["resets"]
              for p in (0, 1)]
    assert sum(resets) <= sum(lossy for _, lossy in UNTIMELY), resets


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
@pytest.mark.parametrize("way", ["tx", "rx1"])
def test_address_that_the_adapter_cannot_reach_is_recovered_from(lab, way):
    guest = lab.boot(adapters(ports=1))
    guest.allow.append("QP error")
    name = scene.ready(guest)[0]
    scene.both_ways(guest)
    faults = guest.hea.stats()["dma"]["faults"]
    since = _mark(guest)
    guest.hea.fault(f"at=dma,wr={way},times=1,drop")
    guest.status(f"ping -c 1 -W 1 -s 1000 {scene.host_ip()}")
    assert _took(guest, "port was reset", since) < SOON * guest.patience
    assert guest.hea.stats()["dma"]["faults"] == faults + 1
    scene.carrier(guest, name)
    scene.both_ways(guest)
    assert scene.driver_stats(guest, name)["resets"] == 1


# Memory regions that firmware refuses

def test_page_size_that_firmware_refuses_is_not_asked_for_again(lab):
    """Once its status says that the argument is bad; any other refusal is one
    of that moment."""
    guest = lab.boot(adapters(ports=1), append=MOVABLE)
    name = scene.ready(guest)[0]
    assert _region(guest, name) == (16 << 10, 0)

    def add():
        before = guest.hea.stats()["mr"]["pages"]
        dimm = guest.mem_add(1)
        scene.settled(guest)
        scene.both_ways(guest)
        after = guest.hea.stats()["mr"]["pages"]
        return dimm, {size for size in after if after[size] > before[size]}

    guest.hea.fault("op=H_REGISTER_HEA_RPAGES,rtype=mr,times=1,rc=H_HARDWARE")
    first, sizes = add()
    assert "1M" in sizes and _region(guest, name)[0] == 1 << 10
    guest.hea.clear_faults()
    assert add()[1] == {"16M"}

    guest.hea.fault("op=H_REGISTER_HEA_RPAGES,rtype=mr,times=1,rc=H_PARAMETER")
    assert "1M" in add()[1]
    assert _region(guest, name)[0] == 1 << 10
    guest.hea.clear_faults()
    assert add()[1] == {"1M"}
    guest.mem_del(first)
    assert _region(guest, name)[0] == 1 << 10
    scene.both_ways(guest)
    # firmware is asked anew by a driver that is
    guest.sh("modprobe -r ehea")
    scene.ready(guest)
    assert _region(guest, name)[0] == 16 << 10


def _refuse(guest, times):
    """Memory comes, and firmware gives no region for it, so many times."""
    guest.hea.fault(REFUSED)
    dimm = guest.mem_add(1)
    guest.hea.wait(lambda h: h.faults()[0]["hits"] >= times, "refusals",
                   20 + 8 * times)
    return dimm


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_everything_ends_while_firmware_refuses_a_region(lab):
    """Closing, opening, another change of memory, an error, an unload: each
    returns, nothing is left, and the next driver works."""
    guest = lab.boot(adapters(ports=2), append=MOVABLE)
    guest.allow.append("QP error")
    names = scene.ready(guest, 2)
    dimm = _refuse(guest, 3)
    scene.carrier(guest, names[0], up=False)
    guest.sh(f"ip link set {names[0]} down")
    assert guest.status(f"ip link set {names[0]} up")
    guest.sh(f"ip link set {names[1]} mtu 4000", check=False)
    scene.qp_error_if_any(guest)
    guest.mem_del(dimm)
    guest.mem_add(1)
    assert not guest.hea.resources()["mr"]
    guest.sh("modprobe -r ehea")
    assert not guest.hea.live()
    assert guest.status("modprobe ehea && ip link set eth0 up")
    guest.sh("modprobe -r ehea")
    guest.hea.clear_faults()
    scene.ready(guest, 2)
    scene.both_ways(guest)
    scene.both_ways(guest, 1)


def test_buffers_that_ran_out_without_a_region_are_posted_when_it_is_back(lab):
    """A slow send queue holds up the end of the old region, and frames go on
    to come. All are long and none is answered: short ones, sent or received,
    would have the rings looked at; so would those by which IPv6 greets a link
    that comes up."""
    def flooded():
        scene.blind_frames(guest, 0, 200, LONG)
        return "0" in guest.read(f"/sys/class/net/{name}/carrier")

    guest = lab.boot(adapters(ports=1),
                     append=f"{MOVABLE} ipv6.disable_ipv6=1")
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -G {name} rx 127")
    scene.both_ways(guest)
    guest.hea.set("tx-delay-ns", SLOW_SEND_NS)
    guest.hea.fault(REFUSED)
    guest.sh(f"ip neigh add {NOBODY} lladdr 52:54:00:00:00:99 dev {name}")
    sent = guest.hea.port(1)["tx_frames"]
    pings = guest.job(f"ping -q -s {LONG} -i 0.1 {NOBODY}")
    guest.hea.wait(lambda h: h.port(1)["tx_frames"] > sent + 2, "pings")
    guest.mem_plug(1)
    guest.poll(flooded, "a port that is down", 30)
    pings.kill()
    assert scene.dropped(guest)["rq2-empty"]
    guest.hea.set("tx-delay-ns", 0)
    guest.hea.clear_faults()
    scene.carrier(guest, name, timeout=30)
    got = guest.hea.port(1)["rx_frames"]
    scene.blind_frames(guest, 0, 1, LONG)
    guest.hea.wait(lambda h: h.port(1)["rx_frames"] > got, "a long frame")
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_long_refusal_of_a_region_is_outlived_by_open_and_closed_ports(lab):
    """Nobody does anything but firmware, which relents."""
    guest = lab.boot(adapters(ports=2), append=MOVABLE)
    names = scene.ready(guest, 2)
    guest.sh(f"ip link set {names[1]} down")
    since = _mark(guest)
    dimm = _refuse(guest, 10 if lab.long else 4)
    scene.carrier(guest, names[0], up=False)
    scene.blind_frames(guest, 0, 300)
    guest.hea.clear_faults()
    scene.carrier(guest, names[0], timeout=30)
    guest.wait_console("firmware has relented", since=since)
    scene.settled(guest)
    _answers(guest)
    scene.both_ways(guest)
    scene.up(guest, 1)
    scene.both_ways(guest, 1)
    guest.mem_del(dimm)
    assert scene.driver_stats(guest, names[0])["mr_size_mib"] == 4 * LMB
    scene.both_ways(guest)
    tried = len(_times(guest, "firmware refuses a memory region", since))
    assert tried == 1, "one refusal, many messages"
