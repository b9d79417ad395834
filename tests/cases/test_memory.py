# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory comes and goes while frames flow.

Loss is judged from outside: the host sends numbered frames through the guest,
in at one port and out at the other, both ways."""

import re

import pytest

from ehealab import scene
from ehealab.errors import CaseError
from ehealab.guest import LMB, adapters

MOVABLE = "memhp_default_state=online_movable"
DRIVER = "/sys/bus/ibmebus/drivers/ehea"
DEBUGFS = "/sys/kernel/debug/ehea"
PAGE_16G = 16 << 30
INJECT = "/sys/kernel/debug/notifier-error-inject/memory/actions"
both = pytest.mark.on("power7", "power9")
# frames per second, each way
RATE, SLOW_RATE = 1000, 500
BATCH = 256     # buffers posted at a time


def _registrations(guest, adapter=0):
    return guest.heas[adapter].stats()["mr"]["registrations"]


def _boot(lab, ports=2, append=MOVABLE, net="peer", count=1, **fields):
    props = fields.pop("props", {})
    guest = lab.boot(adapters(ports=ports, net=net, count=count, **props),
                     append=append, **fields)
    scene.load(guest)
    return guest


def _forwarded(guest, count):
    """Wait until so many frames more have come through the guest."""
    want = guest.hea.port(2)["tx_frames"] + count
    guest.hea.wait(lambda h: h.port(2)["tx_frames"] > want, "frames")


def _routed(lab, rate, change, props=None, size=200, **fields):
    """Run a change under traffic; returns the guest and the number of lost
    frames: those that the adapter counted at a paused queue, and no other."""
    rate = min(rate, SLOW_RATE) if lab.slow else rate
    guest = _boot(lab, props=props or {}, **fields)
    for port in (0, 1):
        scene.up(guest, port)
    before = scene.dropped(guest)
    with scene.routed_traffic(guest, rate, size) as traffic:
        _forwarded(guest, rate // 4)
        traffic.stretch("change")
        change(guest)
        traffic.stretch("after")
        _forwarded(guest, rate // 4)
    drops = scene.dropped(guest) - before
    assert scene.lost(traffic) == drops["qp-disabled"], drops
    assert set(drops) <= {"qp-disabled"}, drops
    return guest, scene.lost(traffic)


@pytest.mark.on("power7", "power9", "power9-7.2", faults=("power9-debug",))
@pytest.mark.parametrize("lmbs", [1, 8])
def test_add_under_traffic_loses_no_frame(lab, lmbs):
    def change(guest):
        guest.mem_add(lmbs)
        scene.settled(guest)

    _, lost = _routed(lab, RATE, change)
    assert lost == 0


def test_burst_of_blocks_is_one_registration(lab):
    """Time in this guest is a count of instructions, so that a busy host puts
    no time between the blocks."""
    guest = _boot(lab, ports=1, smp=1, qemu_args=["-icount", "shift=0"])
    scene.up(guest)
    before = _registrations(guest)
    guest.mem_add(8)
    scene.settled(guest)
    assert _registrations(guest) == before + 1


@pytest.mark.on("power7", "power9", "power9-debug", "power9-7.2")
@pytest.mark.parametrize("lmbs", [1, 8])
def test_removal_under_traffic_loses_only_what_a_paused_queue_drops(lab, lmbs):
    def change(guest):
        dimm = guest.mem_add(lmbs)
        scene.settled(guest)
        before = _registrations(guest)
        guest.mem_del(dimm)
        # the notifier's order: one LMB after the other
        assert _registrations(guest) - before <= lmbs

    _routed(lab, RATE, change)


@both
def test_dimms_added_and_removed_in_any_order_under_traffic(lab):
    def change(guest):
        dimms = [guest.mem_add(1) for _ in range(4)]
        for n in (1, 3, 0, 2):
            guest.mem_del(dimms[n])
        dimms = [guest.mem_add(1), guest.mem_add(2)]
        guest.mem_del(dimms[0])

    _routed(lab, 500, change)


def test_add_with_slow_firmware_loses_no_frame(lab):
    _, lost = _routed(lab, 500, lambda g: g.mem_add(8),
                      props={"hcall_delay_us": 20})
    assert lost == 0


@pytest.mark.parametrize("sizes", ["0x80000000", "0xc0000000", "0xe0000000"])
def test_every_mr_page_size_that_firmware_may_offer_works(lab, sizes):
    def change(guest):
        guest.mem_del(guest.mem_add(2))

    guest, _ = _routed(lab, 500, change, props={"mr_page_sizes": sizes})
    pages = guest.hea.stats()["mr"]["pages"]
    smallest_offered = {"0x80000000": "4K", "0xc0000000": "64K",
                        "0xe0000000": "1M"}[sizes]
    assert pages[smallest_offered], pages


def test_16_mib_pages_take_one_page_call_per_8_gib(lab):
    guest = _boot(lab, ports=1)
    scene.up(guest)
    before = guest.hea.stats()["mr"]
    guest.mem_add(4)
    scene.settled(guest)
    after = guest.hea.stats()["mr"]
    new = after["registrations"] - before["registrations"]
    assert after["page_calls"] - before["page_calls"] <= 2 * new
    assert after["pages"]["16M"] > before["pages"]["16M"]


def _inject(guest, action, error, priority):
    if guest.status("test -d " + INJECT):
        guest.sh(f"modprobe memory-notifier-error-inject priority={priority}")
    guest.write(f"{INJECT}/{action}/error", str(error))


# Above the driver's priority the driver sees a CANCEL without its GOING,
# below it the GOING comes first.
priorities = pytest.mark.parametrize("priority", [10, -10],
                                     ids=["above", "below"])


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
@priorities
def test_cancelled_online_registers_nothing_and_changes_nothing(lab, priority):
    counts = []

    def change(guest):
        block = guest.dimm_blocks(guest.mem_add(2))[1]
        scene.settled(guest)
        guest.block_state(block, "offline")
        _inject(guest, "MEM_GOING_ONLINE", -12, priority)
        counts.append(_registrations(guest))
        for _ in range(3):
            with pytest.raises(CaseError):
                guest.block_state(block, "online")
        _inject(guest, "MEM_GOING_ONLINE", 0, priority)
        counts.append(_registrations(guest))
        guest.block_state(block, "online")
        scene.settled(guest)

    guest, _ = _routed(lab, 200, change)
    assert counts[1] == counts[0]
    assert _registrations(guest) == counts[1] + 1


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
@priorities
def test_refused_offline_registers_nothing_and_changes_nothing(lab, priority):
    counts = []

    def change(guest):
        block = guest.dimm_blocks(guest.mem_add(2))[1]
        scene.settled(guest)
        _inject(guest, "MEM_GOING_OFFLINE", -16, priority)
        counts.append(_registrations(guest))
        for _ in range(3):
            with pytest.raises(CaseError):
                guest.block_state(block, "offline")
        counts.append(_registrations(guest))
        _inject(guest, "MEM_GOING_OFFLINE", 0, priority)
        guest.block_state(block, "offline")

    guest, _ = _routed(lab, 200, change)
    assert counts[1] == counts[0]
    assert _registrations(guest) == counts[1] + 1


def test_removal_refused_then_repeated_gives_the_dimm_back(lab):
    guest = _boot(lab, ports=1)
    scene.up(guest)
    dimm = guest.mem_add(2)
    _inject(guest, "MEM_GOING_OFFLINE", -16, 10)
    since = guest.mem_unplug(dimm)
    guest.wait_console("Memory indexed-count-remove failed|"
                       "Memory hot-remove failed", 30)
    _inject(guest, "MEM_GOING_OFFLINE", 0, 10)
    scene.both_ways(guest)
    for block in guest.dimm_blocks(dimm):
        guest.sh(f"echo 'memory remove index 0x8{block:07x}' > "
                 "/sys/kernel/dlpar", check=False)
    guest.wait_unplugged(dimm, since)
    scene.both_ways(guest)


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_blocks_of_page_cache_being_sent_come_and_go_unharmed(lab):
    """The file lies in hot-added memory on a node of its own and goes out by
    sendfile() while that memory is removed and its pages move elsewhere; the
    receiver checks every word."""
    guest = _boot(lab, net="hub:0", node1=True)
    scene.namespaces(guest)
    size = 4 if lab.slow else 64
    check = guest.ns_job("b", "tcpfile check 5002")
    check.wait_output("ready")
    for _ in range(3):
        dimms = [guest.mem_add(1, node=1), guest.mem_add(1, node=1)]
        guest.sh("mkdir -p /hot && "
                 "mount -t tmpfs -o mpol=bind:1,size=240m hot /hot")
        guest.sh(f"tcpfile make /hot/file {size << 20}")
        assert _shmem_of_node1(guest) >= size - 1
        send = guest.ns_job("a", "tcpfile send /hot/file "
                            f"{scene.ns_ip('b')} 5002 600")
        for dimm in dimms:
            sent = guest.hea.port(1)["tx_frames"]
            guest.hea.wait(lambda h, n=sent: h.port(1)["tx_frames"] > n + 500,
                           "the file on the wire", 60)
            guest.mem_del(dimm, timeout=120)
        assert _shmem_of_node1(guest) == 0
        sent = guest.hea.port(1)["tx_frames"]
        guest.hea.wait(lambda h, n=sent: h.port(1)["tx_frames"] > n + 500,
                       "the file on the wire", 60)
        send.stop(120)
        guest.sh("umount /hot")
    words = check.stop(60).split()
    report = dict(zip(words[1::2], map(int, words[2::2])))
    assert report["bad"] == 0, report
    assert report["bytes"] > size << 20


def _shmem_of_node1(guest):
    """Page cache of tmpfs on the second node, in MiB, with what the CPUs
    have counted and not yet told."""
    out = guest.sh("cat /proc/sys/vm/stat_refresh; "
                   "grep Shmem: /sys/devices/system/node/node1/meminfo "
                   "2>/dev/null; true")
    return int(out.split()[-2]) >> 10 if out else 0


@both
def test_blocks_offline_and_online_20_times_under_traffic(lab):
    def change(guest):
        blocks = guest.dimm_blocks(guest.mem_add(2))
        for _ in range(20):
            guest.block_state(blocks[1], "offline")
            guest.block_state(blocks[1], "online")

    _routed(lab, 500, change)


@both
def test_block_offline_at_load_may_come_online_and_go_again(lab):
    guest = lab.boot(adapters(ports=1), append=MOVABLE)
    dimm = guest.mem_add(2)
    block = guest.dimm_blocks(dimm)[0]
    guest.block_state(block, "offline")
    scene.ready(guest)
    scene.both_ways(guest)
    for _ in range(3):
        guest.block_state(block, "online")
        scene.both_ways(guest)
        guest.block_state(block, "offline")
        scene.both_ways(guest)
    guest.block_state(block, "online")
    guest.mem_del(dimm)
    scene.both_ways(guest)


def test_memory_changed_before_the_first_port_opens_is_covered(lab):
    guest = _boot(lab, ports=1)
    dimm = guest.mem_add(2)
    scene.up(guest)
    scene.both_ways(guest)
    guest.mem_del(dimm)
    scene.both_ways(guest)


def test_memory_changed_before_an_adapter_is_probed_is_covered(lab):
    guest = _boot(lab, ports=1)
    device = guest.sh(f"cd {DRIVER} && ls -d lhea@* *.lhea 2>/dev/null; true")
    dimm = guest.mem_add(1)
    guest.write(f"{DRIVER}/unbind", device)
    guest.mem_del(dimm)
    dimm = guest.mem_add(2)
    guest.write(f"{DRIVER}/bind", device)
    scene.up(guest)
    scene.settled(guest)
    scene.both_ways(guest)
    guest.mem_del(dimm)
    scene.both_ways(guest)


def test_memory_changed_while_ports_are_closed_is_covered(lab):
    guest = _boot(lab, ports=1)
    name = scene.up(guest)
    guest.sh(f"ip link set {name} down")
    dimm = guest.mem_add(1)
    other = guest.mem_add(1)
    guest.mem_del(dimm)
    scene.up(guest)
    scene.both_ways(guest)
    guest.mem_del(other)
    scene.both_ways(guest)


@both
def test_same_lmb_added_and_removed_back_to_back(lab):
    def change(guest):
        for _ in range(5):
            guest.mem_del(guest.mem_add(1))

    _routed(lab, 500, change)


def test_two_adapters_follow_a_change_with_one_registration_each(lab):
    guest = _boot(lab, ports=1, count=2)
    for adapter in (0, 1):
        scene.up(guest, 0, adapter)
    before = [_registrations(guest, a) for a in (0, 1)]
    dimm = guest.mem_add(1)
    for adapter in (0, 1):
        scene.settled(guest, 0, adapter)
        assert _registrations(guest, adapter) == before[adapter] + 1
        scene.both_ways(guest, 0, adapter)
    guest.mem_del(dimm)
    for adapter in (0, 1):
        assert guest.heas[adapter].resources()["mr"] == 1
        scene.both_ways(guest, 0, adapter)


@pytest.mark.on("power9-debug")
def test_memmap_on_memory_blocks_come_and_go(lab):
    """Where a block's struct pages lie in itself, the range that is announced
    begins late, but its first section counts as well."""
    guest = _boot(lab, ports=1,
                  append=MOVABLE + " memory_hotplug.memmap_on_memory=force")
    name = scene.up(guest)

    def region():
        return scene.driver_stats(guest, name)["mr_size_mib"]
    total, size = guest.mem_total(), region()
    dimm = guest.mem_add(2)
    added = guest.mem_total() - total
    assert 0 < added < 2 * LMB, "no struct pages inside"
    guest.poll(lambda: region() >= size + added, "a region of what was added")
    scene.both_ways(guest)
    guest.mem_del(dimm)
    scene.settled(guest)
    scene.both_ways(guest)


def test_huge_pages_of_the_hypervisor_stay_out_of_the_region(lab):
    """The device tree says that a page of 16 GiB lies at 16 GiB."""
    guest = _boot(lab, ports=1, maxmem=36864)
    name = scene.up(guest)
    address = r"\000\000\000\004\000\000\000\000"
    guest.sh("printf 'add_node /memory@400000000 name 7 memory\\000 "
             "device_type 7 memory\\000 "
             f"reg 16 {address}{address} ibm,expected#pages 4 "
             "\\000\\000\\000\\000' > /proc/powerpc/ofdt")
    before = _registrations(guest)
    huge = guest.mem_plug(1, addr=PAGE_16G)
    guest.poll(lambda: guest.online(guest.dimm_blocks(huge)), "the huge page")
    dimm = guest.mem_add(1)
    guest.poll(lambda: _registrations(guest) > before, "a new region")
    assert scene.driver_stats(guest, name)["mr_size_mib"] == 1024 + LMB
    assert f"{PAGE_16G:#x}" not in guest.sh(f"cat {DEBUGFS}/*/memory")
    guest.mem_del(huge)
    guest.mem_del(dimm)
    scene.both_ways(guest)


def _send_and_count(guest, path):
    """Send a file from one namespace to the other; frames copied so far."""
    guest.ns("a", f"tcpfile send {path} {scene.ns_ip('b')} 5002 0")
    name = guest.netdev(0, ns="a")
    out = guest.ns("a", f"ethtool -S {name}")
    return sum(map(int, re.findall(r"tx\d+_mr_miss: (\d+)", out)))


@both
def test_frames_in_memory_not_yet_covered_are_copied(lab):
    """Firmware refuses every new region, so that memory in use stays out."""
    guest = _boot(lab, net="hub:0", node1=True)
    scene.namespaces(guest)
    check = guest.ns_job("b", "tcpfile check 5002")
    check.wait_output("ready")
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=0,rc=H_HARDWARE")
    guest.mem_add(1, node=1)
    guest.sh("mkdir -p /hot && mount -t tmpfs -o mpol=bind:1,size=64m hot /hot"
             f" && tcpfile make /hot/file {8 << 20}")
    missed = _send_and_count(guest, "/hot/file")
    assert missed > 0
    before = _registrations(guest)
    guest.hea.clear_faults()
    guest.poll(lambda: _registrations(guest) > before, "a new region")
    guest.wait_console(rf"memory \+{LMB} ")
    assert _send_and_count(guest, "/hot/file") == missed
    words = check.stop(60).split()
    report = dict(zip(words[1::2], map(int, words[2::2])))
    assert report["bad"] == 0 and report["bytes"] == 16 << 20, report
    guest.sh("umount /hot")


@pytest.mark.on("power7", "power9", "power9-debug")
def test_ports_open_close_and_reset_while_memory_changes(lab):
    guest = _boot(lab)
    names = [scene.up(guest, p) for p in (0, 1)]
    # A QP that fails while it is started fails the open, once.
    jobs = [guest.job(f"for i in $(seq 12); do ip link set {n} down; "
                      f"ip link set {n} up || ip link set {n} up; done")
            for n in names]
    while any(job.status is None for job in jobs):
        dimm = guest.mem_add(2)
        scene.qp_error_if_any(guest)
        guest.mem_del(dimm)
    for job in jobs:
        job.wait()
    for port in (0, 1):
        scene.up(guest, port)
        scene.both_ways(guest, port)


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_module_may_be_unloaded_and_loaded_while_memory_changes(lab):
    guest = _boot(lab, ports=1)
    job = guest.job("for i in $(seq 8); do modprobe -r ehea; modprobe ehea; "
                    "done")
    while job.status is None:
        guest.mem_del(guest.mem_add(1))
    job.wait()
    scene.up(guest)
    scene.both_ways(guest)


def test_hung_send_queue_does_not_hold_up_a_removal(lab):
    guest = _boot(lab, ports=1)
    scene.up(guest)
    dimm = guest.mem_add(1)
    scene.settled(guest)
    guest.allow += ["NETDEV WATCHDOG", "(?i)transmit queue", "timed out"]
    guest.hea.action("hold port=1")
    guest.status(f"ping -c 1 -W 1 -s 1000 {scene.host_ip()}")
    guest.mem_del(dimm)
    guest.wait_console("send queue hangs")
    guest.hea.action("release port=1")
    guest.poll(lambda: not guest.status(
        f"ping -c 1 -W 1 {scene.host_ip()}"), "traffic again", 60)
    scene.both_ways(guest)


def test_open_port_pins_no_removable_memory(lab):
    """After a removal no MR may cover the LMB: firmware refuses it else, and
    counts that."""
    guest = _boot(lab, ports=1)
    scene.up(guest)
    for _ in range(3):
        guest.mem_del(guest.mem_add(2))
        assert guest.hea.violations()["total"] == 0
        scene.both_ways(guest)


@pytest.mark.parametrize("status", ["H_RESOURCE", "H_NO_MEM",
                                    "H_NOT_ENOUGH_RESOURCES"])
def test_firmware_that_holds_one_mr_only_costs_no_queued_frame(lab, status):
    """A second MR is refused as long as the first one lives."""
    guest = _boot(lab, props={"max_mrs": 1})
    for port in (0, 1):
        scene.up(guest, port)
    dimm = guest.mem_add(1)
    scene.both_ways(guest)
    scene.both_ways(guest, 1)
    guest.mem_del(dimm)
    scene.both_ways(guest)
    assert guest.hea.resources()["mr"] == 1
    if status != "H_RESOURCE":
        guest.hea.fault(f"op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=1,rc={status}")
        dimm = guest.mem_add(1)
        scene.settled(guest)
        guest.mem_del(dimm)
        scene.both_ways(guest)


def test_firmware_that_refuses_every_mr_for_a_while_is_outlived(lab):
    guest = _boot(lab, ports=1, props={"max_mrs": 1})
    name = scene.up(guest)
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=0,rc=H_RESOURCE")
    guest.mem_add(1)
    guest.hea.wait(lambda h: h.faults()[0]["hits"] >= 3, "three tries", 60)
    guest.hea.clear_faults()
    scene.carrier(guest, name, timeout=90)
    guest.poll(lambda: not guest.status(
        f"ping -c 1 -W 1 {scene.host_ip()}"), "traffic again", 60)
    scene.both_ways(guest)


def test_add_that_firmware_has_no_room_for_leaves_ports_as_they_were(lab):
    """The larger MR is refused, with and without the old one beside it."""
    guest = _boot(lab, ports=1, props={"max_mrs": 1})
    name = scene.up(guest)
    guest.allow.append("no room for all memory")
    size = scene.driver_stats(guest, name)["mr_size_mib"]
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=mr,after=1,times=1,"
                    "rc=H_NO_MEM")
    dimm = guest.mem_add(1)
    guest.wait_console("no room for all memory")
    tries = guest.hea.calls("H_ALLOC_HEA_RESOURCE")
    guest.hea.wait(lambda h: h.calls("H_ALLOC_HEA_RESOURCE") >= tries + 2,
                   "further tries")
    stats = scene.driver_stats(guest, name)
    assert (stats["mr_quiesced"], stats["mr_size_mib"]) == (1, size)
    scene.both_ways(guest)
    # after a change all is tried once more
    guest.mem_del(dimm)
    guest.mem_add(1)
    guest.poll(lambda: scene.driver_stats(guest, name)["mr_size_mib"]
               == size + LMB, "a larger memory region")
    scene.both_ways(guest)


def test_long_busy_firmware_delays_a_change_but_loses_no_frame(lab):
    def change(guest):
        guest.hea.fault("op=H_REGISTER_HEA_RPAGES,rtype=mr,times=5,"
                        "rc=H_LONG_BUSY_ORDER_10_MSEC")
        guest.hea.fault("op=H_REGISTER_SMR,times=3,"
                        "rc=H_LONG_BUSY_ORDER_1_MSEC")
        guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=2,"
                        "rc=H_LONG_BUSY_ORDER_1_MSEC")
        guest.mem_add(1)
        guest.hea.wait(lambda h: not h.silent_faults(), "busy answers")

    _, lost = _routed(lab, 500, change)
    assert lost == 0


@pytest.mark.parametrize("size", [80, 1000])
def test_adds_one_after_the_other_pause_no_queue(lab, size):
    """Each is a registration of its own. Frames of 80 bytes use up none of the
    buffers in RQ2, which name the first region for as long as they live."""
    def change(guest):
        pauses = guest.hea.stats()["qp_pauses"]["count"]
        before = _registrations(guest)
        for count in range(1, 13):
            guest.mem_add(1)
            scene.settled(guest)
            assert _registrations(guest) >= before + count
            if size == 80:
                assert guest.hea.resources()["mr"] <= 3
        assert guest.hea.stats()["qp_pauses"]["count"] == pauses

    _, lost = _routed(lab, RATE, change, size=size)
    assert lost == 0


def test_buffers_of_a_long_ring_hold_eight_regions_at_most(lab):
    """Each add finds buffers in it that were posted before the one before."""
    def change(guest):
        for port in (0, 1):
            guest.sh(f"ethtool -G {guest.netdev(port)} rx 16383")
        pauses = guest.hea.stats()["qp_pauses"]["count"]
        counts = []
        for _ in range(9):
            guest.mem_add(1)
            scene.settled(guest)
            counts.append(guest.hea.resources()["mr"])
            _forwarded(guest, BATCH)
        assert max(counts) == counts[6] == 8, counts
        assert guest.hea.stats()["qp_pauses"]["count"] > pauses

    _routed(lab, RATE, change, size=1000)


def test_memory_comes_in_single_lmb_requests_under_traffic(lab):
    """Eight requests of one LMB each, as fast as the guest takes them."""
    def change(guest):
        dimms = [guest.mem_plug(1) for _ in range(8)]
        want = [b for d in dimms for b in guest.dimm_blocks(d)]
        guest.poll(lambda: guest.online(want), "8 LMBs online", 90)

    guest, lost = _routed(lab, 1000, change)
    assert lost == 0
    # old ones may live until their last receive buffer has been used, but
    # firmware has few
    assert guest.hea.resources()["mr"] <= 4
