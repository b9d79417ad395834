# SPDX-License-Identifier: GPL-2.0-or-later
"""Queues as the kernel, its operators and a container see them: whose NAPI and
interrupt they are, when they stop, and what wakes them."""

import re
import shlex
import signal
import time

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters, artifact
from ehealab.peer import MAGIC
from test_ethtool import _refused
from test_stats import _agree, _group, _qstats, _quiet


def _set_channels(guest, name, count):
    guest.sh(f"ethtool -L {name} combined {count}")


def _down_up(guest, name):
    guest.sh(f"ip link set {name} down && ip link set {name} up")
    scene.carrier(guest, name)


def _reset(guest, name):
    """Have a QP fail, and wait until the driver has mended that."""
    resets = scene.driver_stats(guest, name)["resets"]
    scene.qp_error(guest)
    guest.poll(lambda: scene.driver_stats(guest, name)["resets"] > resets,
               "a reset")
    scene.carrier(guest, name)


# Queue, NAPI, interrupt


def _interrupts(guest, name):
    """Number of each queue's interrupt, and how often each CPU had it."""
    out = {}
    for line in guest.read("/proc/interrupts").splitlines():
        words = line.split()
        found = re.fullmatch(rf"{name}-(\d+)", words[-1])
        if found:
            counts = re.match(r"\s*\d+:((\s+\d+)+)", line).group(1)
            out[int(found.group(1))] = (int(words[0][:-1]),
                                        [int(n) for n in counts.split()])
    return out


def _links(guest, name, ns=None):
    """What netlink says of queues and NAPIs: {scope: {name: value}}."""
    command = f"qstats {name} links"
    out = {}
    for line in (guest.ns(ns, command) if ns else
                 guest.sh(command)).splitlines():
        scope, key, value = line.split()
        out.setdefault(scope, {})[key] = int(value)
    return out


def _linked(guest, name, count):
    """Each queue has a NAPI, that an interrupt, and it the queue's name."""
    links, irqs = _links(guest, name), _interrupts(guest, name)
    assert set(irqs) == set(range(count))
    napis = [links[f"rx{n}"]["napi"] for n in range(count)]
    assert set(links) == {f"napi{n}" for n in napis} | {
        f"{d}{n}" for d in ("rx", "tx") for n in range(count)}
    assert len(set(napis)) == count
    for n, napi in enumerate(napis):
        assert links[f"tx{n}"]["napi"] == napi
        assert links[f"napi{napi}"]["irq"] == irqs[n][0], f"queue {n}"
    return irqs


def _flow_into(guest, name, queue, count, total=64):
    """Frames that the hash table leads to one queue, one after the other so
    that each may have an interrupt of its own."""
    weights = " ".join(str(int(n == queue)) for n in range(count))
    guest.sh(f"ethtool -X {name} weight {weights}")
    key = f"rx{queue}_packets"
    peer = guest.peer()
    frame = frames.ether(scene.port_mac(guest), peer.mac, frames.TYPE_REQUEST,
                         bytes(86))
    before = scene.driver_stats(guest, name)[key]
    peer.send_many([frame] * total)
    guest.poll(lambda: scene.driver_stats(guest, name)[key] >= before + total,
               f"{total} frames in queue {queue}")


@pytest.mark.on("power9", faults=("power7",))
def test_each_queue_names_its_napi_and_that_the_interrupt_of_its_name(lab):
    """irqbalance, and those who read netlink, have nothing else to go by; the
    numbers change with each set of queues."""
    guest = lab.boot(adapters(ports=1, default_qps=4))
    guest.allow.append("QP error")
    name = _quiet(guest)
    _set_channels(guest, name, 4)
    _linked(guest, name, 4)
    for queue in range(4):
        before = _interrupts(guest, name)
        _flow_into(guest, name, queue, 4)
        after = _interrupts(guest, name)
        rose = [n for n, (_, cpus) in after.items()
                if sum(cpus) > sum(before[n][1])]
        assert rose == [queue]
    guest.sh(f"ethtool -X {name} default")
    for count in (2, 4, 1, 3):
        _set_channels(guest, name, count)
        _linked(guest, name, count)
    for change in (f"ethtool -G {name} tx 255", f"ip link set {name} mtu 4000"):
        guest.sh(change)
        _linked(guest, name, 3)
    _down_up(guest, name)
    _linked(guest, name, 3)
    _reset(guest, name)
    _linked(guest, name, 3)
    guest.sh(f"ip link set {name} down")
    assert not _links(guest, name) and not _interrupts(guest, name)


def _affinity(guest, irqs):
    """The CPUs that each queue's interrupt may go to, as the kernel says."""
    files = " ".join(f"/proc/irq/{irqs[n][0]}/smp_affinity_list"
                     for n in sorted(irqs))
    return guest.sh(f"cat {files}").split()


def _bind(guest, name, cpus):
    """Give each queue's interrupt its CPUs."""
    irqs = _interrupts(guest, name)
    for n, mask in enumerate(cpus):
        guest.sh(f"echo {mask} > /proc/irq/{irqs[n][0]}/smp_affinity_list")
    assert _affinity(guest, irqs) == cpus


def test_cpus_that_the_operator_gave_an_interrupt_stay_its_cpus(lab):
    """The interrupts are others after each of these changes; who bound them to
    CPUs meant those of the queues. Bound anew before each, for what an earlier
    change remembered is not what counts."""
    guest = lab.boot(adapters(ports=1, default_qps=4), smp=4)
    guest.allow.append("QP error")
    name = _quiet(guest)
    _set_channels(guest, name, 4)
    changes = {
        "rings": f"ethtool -G {name} tx 255",
        "MTU": f"ip link set {name} mtu 4000",
        "channels": f"ethtool -L {name} combined 3",
        "more channels": f"ethtool -L {name} combined 4",
        "self-test": f"ethtool -t {name} offline",
        "down and up": lambda: _down_up(guest, name),
        "QP error": lambda: _reset(guest, name),
    }
    cpus, lost = ["3", "2", "0-1", "0"], {}
    for what, change in changes.items():
        cpus = cpus[1:] + cpus[:1]
        bound = cpus[:len(_interrupts(guest, name))]
        _bind(guest, name, bound)
        if callable(change):
            change()
        else:
            guest.sh(change)
        kept = _affinity(guest, _interrupts(guest, name))[:len(bound)]
        if kept != bound[:len(kept)]:
            lost[what] = f"bound to {bound}, then {kept}"
    assert not lost
    # and the CPU that may is the one that does
    _bind(guest, name, ["3", "2", "1", "0"])
    _down_up(guest, name)
    before = _interrupts(guest, name)
    _flow_into(guest, name, 1, 4)
    after = _interrupts(guest, name)
    assert [cpu for cpu in range(4)
            if after[1][1][cpu] > before[1][1][cpu]] == [2]


# Who polls


def _two_ends(lab, **props):
    """Ports 0 and 1 in namespaces a and b, an echo in b, and no frame that
    nobody asked for."""
    guest = lab.boot(adapters(ports=2, net="hub:0", **props))
    guest.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    scene.load(guest)
    names = [guest.netdev(port) for port in (0, 1)]
    scene.namespaces(guest)
    for ns in "ab":
        guest.ns(ns, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    guest.ns_job("b", "udpseq echo 7").wait_output("ready")
    return guest, names


def _round_trips(guest, count=300):
    """Datagrams from a to b and back: none may be lost."""
    for size in (60, 1000):
        guest.ns("a", f"udploop rr {scene.ns_ip('b')} 7 {count} {size}")


def _threads(guest, name):
    """Process numbers of the threads of a device's NAPIs in namespace a."""
    links = _links(guest, name, "a")
    out = []
    for napi in sorted(k for k in links if k.startswith("napi")):
        pid = links[napi]["pid"]
        assert guest.read(f"/proc/{pid}/comm") == f"napi/{name}-{napi[4:]}"
        out.append(pid)
    return out


def _switches(guest, pids):
    """How often threads have gone to sleep so far."""
    out = guest.sh("grep -h ^voluntary_ctxt " + " ".join(
        f"/proc/{pid}/status" for pid in pids))
    return sum(int(line.split()[1]) for line in out.splitlines())


def test_threaded_napi_polls_in_threads_until_it_is_told_not_to(lab):
    guest, names = _two_ends(lab, default_qps=2, max_eqs=16)
    name = names[0]
    switch = f"> /sys/class/net/{name}/threaded"
    napis = f"grep -lx 'napi/{name}-.*' /proc/[0-9]*/comm | wc -l"
    assert guest.sh(napis) == "0"
    guest.ns("a", f"echo 1 {switch}")
    for count in (1, 2):
        # those of the new channels have threads, too
        guest.ns("a", f"ethtool -L {name} combined {count}")
        pids = _threads(guest, name)
        assert len(pids) == count and guest.sh(napis) == str(count)
        before = _switches(guest, pids)
        _round_trips(guest)
        assert _switches(guest, pids) > before + 300
    guest.ns("a", f"echo 0 {switch}")
    before = _switches(guest, pids)
    _round_trips(guest)
    assert _switches(guest, pids) <= before + len(pids)
    for ns, port in (("a", 0), ("b", 1)):
        _agree(guest, names[port], port + 1, ns)


def _busy_polled(guest):
    """Frames that sockets in namespace a fetched themselves."""
    names, values = re.findall(r"^TcpExt: (.*)$",
                               guest.ns("a", "cat /proc/net/netstat"), re.M)
    return int(dict(zip(names.split(),
                        values.split()))["BusyPollRxPackets"])


def test_sockets_that_poll_busily_get_all_frames_and_all_are_counted(lab):
    guest, names = _two_ends(lab)
    _round_trips(guest)
    assert _busy_polled(guest) == 0
    guest.sh("sysctl -qw net.core.busy_read=20000 "
             "net.core.busy_poll=20000")
    _round_trips(guest)
    fetched = _busy_polled(guest)
    assert fetched > 30
    # what is posted anew while somebody polls is found as well
    for change in (f"ethtool -G {names[0]} rx 255",
                   f"ip link set {names[0]} mtu 1400"):
        guest.ns("a", change)
        scene.carrier(guest, names[0], "a")
        _round_trips(guest, 100)
    assert _busy_polled(guest) > fetched
    guest.sh("sysctl -qw net.core.busy_read=0 net.core.busy_poll=0")
    _round_trips(guest, 100)
    for ns, port in (("a", 0), ("b", 1)):
        _agree(guest, names[port], port + 1, ns)


# Stop and wake


def _limits(name):
    """Where the kernel keeps the byte limits of the first send queue."""
    return f"/sys/class/net/{name}/queues/tx-0/byte_queue_limits"


def _set_limit(guest, name, limit):
    """Have the limit be this. The kernel looks at it with a completion."""
    path = _limits(name)
    guest.sh(f"echo {limit} > {path}/limit_max; "
             f"echo {limit} > {path}/limit_min; "
             f"rawsend {name} {'00' * 60}")
    guest.poll(lambda: guest.read(f"{path}/limit") == str(limit),
               f"a limit of {limit} bytes")
    guest.poll(lambda: _in_flight(guest, name) == 0, "nothing in flight")


def _in_flight(guest, name):
    """Bytes that the first send queue has not completed."""
    return int(guest.read(f"{_limits(name)}/inflight"))


def _numbered(guest, rate, seconds, size):
    """Numbered datagrams of so many bytes on the wire, until it is told how
    many they were; the host is known, so that none waits for ARP."""
    return guest.job(f"udpseq send {scene.host_ip()} 9 {MAGIC} {rate} "
                     f"{seconds} {size - 42}")


def _numbers(guest, count):
    """The numbers of the datagrams that came over the wire, in their order."""
    mark = MAGIC.to_bytes(4, "big")
    got = guest.peer().expect(lambda f: f.data[42:46] == mark,
                              f"{count} numbered frames", count, 20)
    return [int.from_bytes(f.data[50:58], "big") for f in got]


def _sender(lab, **props):
    """A port with one queue that sends nothing by itself, and its host."""
    guest = lab.boot(adapters(ports=1, **props))
    name = _quiet(guest)
    guest.sh(f"ip neigh replace {scene.host_ip()} lladdr {guest.peer().mac} "
             f"nud permanent dev {name}")
    return guest, name


def _sent(job):
    """How many datagrams were sent."""
    found = re.search(r"sent (\d+) failed 0 ", job.wait())
    assert found, job.output
    return int(found.group(1))


def test_bytes_in_flight_stay_below_their_limit_and_end_with_the_frames(lab):
    """A port that is held sends nothing and completes nothing. What is in
    flight is told while frames wait for more, and is none once they are gone:
    small frames, of which few are signalled, are no exception."""
    guest, name = _sender(lab)
    for size, limit in ((100, 2000), (1000, 5000), (100, 500)):
        _set_limit(guest, name, limit)
        guest.hea.action("hold port=1")
        guest.peer().clear()
        job = _numbered(guest, 400, 0.2, size)
        guest.poll(lambda n=limit: _in_flight(guest, name) > n,
                   "as many bytes in flight as may be")
        total = _sent(job)
        assert total * size > 2 * limit
        # the frame that goes beyond the limit is the last
        assert limit < _in_flight(guest, name) <= limit + size
        assert not guest.peer().matching(lambda f: True)
        guest.hea.action("release port=1")
        assert _numbers(guest, total) == list(range(total))
        guest.poll(lambda: _in_flight(guest, name) == 0, "nothing in flight")


def _first_queue(guest, name):
    """Statistics of the first send queue."""
    return _qstats(guest, name)["tx0"]


def _fill_ring(guest, name, size):
    """Hold the port until its ring is full, then let it go; returns for how
    long that was, and what was counted."""
    before, began = _first_queue(guest, name), time.monotonic()
    guest.hea.action("hold port=1")
    guest.peer().clear()
    job = _numbered(guest, 1000, 0.4, size)
    guest.poll(lambda: _first_queue(guest, name)["tx_stop"] >
               before["tx_stop"], "a queue that stopped")
    # WQEs that send nothing see to the completion of small frames
    flying = _in_flight(guest, name) // size
    assert flying == 127 or size == 100 and 64 < flying < 127
    assert not guest.peer().matching(lambda f: True)
    held = time.monotonic() - began
    guest.hea.action("release port=1")
    total = _sent(job)
    assert total > 127
    assert _numbers(guest, total) == list(range(total))
    guest.poll(lambda: _first_queue(guest, name)["tx_packets"] ==
               before["tx_packets"] + total, "all frames completed")
    guest.poll(lambda: _first_queue(guest, name)["tx_wake"] >
               before["tx_wake"], "a queue that was woken")
    after = _first_queue(guest, name)
    return held, {k: after[k] - before[k] for k in after}


def test_full_ring_stops_the_queue_and_every_frame_waits_its_turn(lab):
    guest, name = _sender(lab)
    guest.sh(f"ethtool -G {name} tx 127")
    _set_limit(guest, name, 10000000)
    for size in (100, 1000):
        held, counts = _fill_ring(guest, name, size)
        assert counts["tx_wake"] <= counts["tx_stop"]
        assert _in_flight(guest, name) == 0
        if held < 4.5:
            assert guest.read(f"/sys/class/net/{name}/queues/tx-0/"
                              "tx_timeout") == "0"
    assert scene.stats(guest, name)["tx_dropped"] == 0
    own = scene.driver_stats(guest, name)
    assert own["tx0_dropped"] == own["resets"] == 0


def _frame_per_queue(guest, name, count):
    """Frames of many flows, until each send queue has sent one; all must be
    on the wire."""
    peer = guest.peer()

    def counts():
        own = scene.driver_stats(guest, name)
        return [own[f"tx{n}_packets"] for n in range(count)]
    before = counts()
    peer.clear()
    flows = [frames.udp_frame(peer.mac, scene.port_mac(guest), scene.host_ip(),
                              scene.guest_ip(), 9, 1000 + n, b"") for n in
             range(16 * count)]
    guest.sh(f"rawsend {name} " + " ".join(f.hex() for f in flows))
    got = peer.expect(lambda f: f.ip() and f.ip()[2] == 17, "all flows",
                      len(flows))
    assert {f.data for f in got} == set(flows)
    guest.poll(lambda: all(a > b for a, b in zip(counts(), before)),
               f"frames from each of {count} queues")


def test_link_down_and_up_wakes_sixteen_queues(lab):
    guest = lab.boot(adapters(ports=1, default_qps=16), mem=2048)
    name = _quiet(guest)
    _set_channels(guest, name, 16)
    for _ in range(2):
        guest.qmp.set_link("n0p0", False)
        scene.carrier(guest, name, up=False)
        guest.qmp.set_link("n0p0", True)
        scene.carrier(guest, name)
        scene.both_ways(guest, count=1)
        _frame_per_queue(guest, name, 16)


# Again and again


def _moving(guest, after, bound=4):
    """Traffic leaves both ports again by itself, and soon."""
    before = [guest.hea.port(p)["tx_frames"] for p in (1, 2)]
    guest.hea.wait(lambda h: all(h.port(p)["tx_frames"] > before[p - 1] + 50
                                 for p in (1, 2)),
                   f"traffic both ways after {after}", bound)


def test_traffic_goes_on_after_twelve_downs_and_twelve_qp_errors(lab):
    """2,000 frames per second come in whether or not the guest takes them.
    Each port has its errors in turn, for the sixth of one waits longer than
    the first."""
    guest = lab.boot(adapters(ports=2))
    guest.allow.append("QP error")
    guest.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")
    names = scene.ready(guest, 2)
    with scene.routed_traffic(guest, rate=1000, window=0):
        _moving(guest, "the beginning")
        for n in range(12):
            port = n % 2
            guest.sh(f"ip link set {names[port]} down && "
                     f"ip link set {names[port]} up && "
                     f"ip neigh replace {scene.host_ip(port)} lladdr "
                     f"{scene.host_mac(port)} nud permanent "
                     f"dev {names[port]}")
            _moving(guest, f"down {n}")
        for n in range(12):
            port = n % 2
            guest.hea.action(f"qp-error port={port + 1} index=0")
            guest.poll(lambda p=port, n=n: scene.driver_stats(
                guest, names[p])["resets"] == n // 2 + 1, f"reset {n}", 4)
            _moving(guest, f"QP error {n}")
    for port, name in enumerate(names):
        scene.both_ways(guest, port)
        assert scene.driver_stats(guest, name)["resets"] == 6


# Completions


def _completions(guest):
    """Send completions that the adapter wrote since the rule was made that
    looks at them, and never fires."""
    return guest.hea.faults()[0]["seen"]


def test_completions_are_as_many_as_tx_frames_asks_for(lab):
    """Judged by the adapter: a frame that nothing follows is signalled after
    20 ms, so that there are some more than one for so many frames."""
    guest, name = _sender(lab)
    _set_limit(guest, name, 10000000)
    guest.hea.fault("wr=tx,after=1000000000,drop")
    guest.hea.expect_fired = False
    spent = {}
    for limit in (1, 8, 128, 1):
        guest.sh(f"ethtool -C {name} tx-frames {limit}")
        before = _completions(guest), guest.hea.port(1)["tx_frames"]
        guest.sh(f"udploop send {scene.host_ip()} 9 1000 50")
        guest.hea.wait(lambda h, n=before: h.port(1)["tx_frames"] ==
                       n[1] + 1000, "1000 frames")
        guest.poll(lambda: _in_flight(guest, name) == 0, "nothing in flight")
        spent[limit] = _completions(guest) - before[0]
    assert spent[1] == 1000
    assert 125 <= spent[8] < 250
    assert 8 <= spent[128] < 100
    for setting in ("rx-usecs 10", "tx-usecs 10", "rx-frames 4",
                    "adaptive-rx on", "adaptive-tx on", "tx-usecs-irq 1"):
        _refused(guest, f"ethtool -C {name} {setting}", "unsupported")
    guest.hea.set("fault-clear", "all")


REPORT = (r"{name}: queue 0: transmit timeout, posted (\d+), rung (\d+), "
          r"adapter's SQ head (\w+) tail (\w+), CQE (\w+)")


def test_transmit_timeout_tells_what_was_lost_and_resets_the_port(lab):
    """A doorbell that is lost leaves the adapter behind the driver, a lost
    completion the driver behind the adapter: the console says which."""
    guest = lab.boot(adapters(ports=2))
    guest.allow += ["NETDEV WATCHDOG", "transmit queue", "transmit timeout"]
    guest.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")
    names = scene.ready(guest, 2)
    for port in (0, 1):
        scene.both_ways(guest, port)
        # the next frame is the last one until its completion
        guest.poll(lambda n=names[port]: _in_flight(guest, n) == 0,
                   "nothing in flight")
    sent = guest.hea.port(1)["tx_frames"]
    found = []
    for port, rule in enumerate(("reg=sqa,port=1", "wr=tx,port=2")):
        guest.hea.fault(f"{rule},times=0,drop")
        guest.sh(f"udploop send {scene.host_ip(port)} 9 40 1000")
        found.append(guest.wait_console(REPORT.format(name=names[port])))
        # before the queue is back, and sends what had to wait
        now = guest.hea.port(1)["tx_frames"]
        guest.hea.clear_faults()
        assert port or now == sent
    for port, match in enumerate(found):
        posted, rung, head, tail = (int(n, 0) for n in match.groups()[:4])
        assert match.group(5) == "none" and posted == rung
        # nothing waits for the adapter, so far as it knows
        assert head == tail
        assert posted > head if port == 0 else posted == head, match.group()
    for port, name in enumerate(names):
        guest.wait_console(f"{name}: port will be reset: transmit timeout")
        guest.wait_console(f"{name}: port was reset")
        scene.carrier(guest, name)
        scene.both_ways(guest, port)
        assert scene.driver_stats(guest, name)["resets"] == 1


# Loading, counters, containers


def test_module_in_updates_is_preferred_to_the_one_of_the_kernel(lab):
    """As after "make install" beside a kernel that has the old driver."""
    old = artifact(f"intree-{lab.kernel}") / "ehea.ko"
    release = (artifact(f"kernel-{lab.kernel}") / "RELEASE").read_text()
    place = f"/lib/modules/{release}"
    intree = f"{place}/kernel/drivers/net/ethernet/ibm/ehea/ehea.ko"
    guest = lab.boot(adapters(ports=1), files={intree: old})
    ours = f"{place}/updates/ehea.ko"
    assert [guest.sh(f"modinfo -F intree {p}") for p in (ours, intree)] == \
        ["", "Y"]
    guest.sh("depmod -a")
    assert guest.sh("modinfo -n ehea") == ours
    scene.ready(guest)
    assert guest.read("/sys/module/ehea/taint") == "O"      # out of tree
    scene.both_ways(guest)
    # the other one is there, and would be taken
    guest.sh(f"modprobe -r ehea && mv {ours} /tmp && depmod -a")
    assert guest.sh("modinfo -n ehea") == intree
    guest.sh(f"mv /tmp/ehea.ko {ours} && depmod -a")


UNKNOWN, PAUSES_IN, PAUSES_OUT = (1 << 40) + 3, (1 << 33) + 5, 70000


def test_pause_and_control_frames_are_those_that_the_adapter_counts(lab):
    """Words 17, 18 and 37 of control block 6; the virtual HEA sends no pause
    frames and so has none by itself."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]

    def counts():
        pause = re.findall(r"([rt]x)_pause_frames: (\d+)",
                           guest.sh(f"ethtool -I -a {name}"))
        ctrl = _group(guest, name, "eth-ctrl")
        return {k: int(n) for k, n in pause}, ctrl
    names = [f"eth-ctrl-{n}" for n in (
        "MACControlFramesTransmitted", "MACControlFramesReceived",
        "UnsupportedOpcodesReceived")]
    none = {"tx": 0, "rx": 0}, dict.fromkeys(names, 0)
    assert counts() == none
    guest.hea.fault("op=H_QUERY_HEA_PORT,cb=6,times=0,"
                    f"corrupt=+{8 * 17}.8:{UNKNOWN},+{8 * 18}.8:{PAUSES_IN},"
                    f"+{8 * 37}.8:{PAUSES_OUT}")
    assert counts() == ({"tx": PAUSES_OUT, "rx": PAUSES_IN}, dict(
        zip(names, (PAUSES_OUT, PAUSES_IN + UNKNOWN, UNKNOWN))))
    guest.hea.clear_faults()
    assert counts() == none


CHANGES = ("ip link set {0} mtu 1400", "ethtool -G {0} tx 255",
           "ethtool -L {0} combined 2", "ethtool -X {0} weight 0 1",
           "ethtool -C {0} tx-frames 8", "ethtool -K {0} rx off tso off",
           "ethtool -s {0} msglvl 1", "ethtool -r {0}",
           "ethtool -A {0} rx on tx on",
           "ethtool --set-priv-flags {0} prop-carrier-state on",
           "ip link set {0} promisc on")
# These are there for the driver's sake, the others are asked outside, too.
ALL_CHANGES = CHANGES + ("ethtool -t {0} offline", "ethtool -d {0} raw on",
                         "ip link set {0} address 52:54:00:00:00:99")
NONSENSE = 400


class Container:
    """A network namespace that a user namespace owns, with a port in it."""

    def __init__(self, guest, port):
        self.guest, self.port = guest, port
        self.name = guest.netdev(port)
        self._job = guest.job("unshare -U -r -n sh -c 'echo pid $$; "
                              "exec sleep 9999'")
        self.pid = self._job.wait_output(r"pid (\d+)").group(1)
        guest.sh(f"ip link set {self.name} netns {self.pid}")

    def sh(self, command, network="-n"):
        """A command of its root, in its network or that outside."""
        return self.guest.sh(f"nsenter -t {self.pid} -U {network} sh -c "
                             + shlex.quote(command), timeout=120)

    def up(self):
        """Down, up, and the host gets answers."""
        address = scene.guest_ip(self.port)
        self.sh(f"ip link set {self.name} down; "
                f"ip addr replace {address}/24 dev {self.name}; "
                f"ip link set {self.name} up")
        self.guest.poll(lambda: "LOWER_UP" in self.sh(
            f"ip link show {self.name}"), "carrier")
        mac = re.search(r"ether (\S+)",
                        self.sh(f"ip link show {self.name}")).group(1)
        self.guest.peer(self.port).configure(scene.host_mac(self.port),
                                             scene.host_ip(self.port))
        self.guest.peer(self.port).ping(mac, address, 3)

    def end(self):
        """Its last process ends; the port comes back."""
        self._job.stop()
        path = f"/sys/class/net/{self.name}"
        self.guest.poll(lambda: not self.guest.status(f"test -e {path}"),
                        "the port")


@pytest.mark.on("power9-debug")
def test_root_of_a_container_has_its_port_and_no_other(lab):
    """The kernel lets such a root do to the port what root may, so nothing
    that it says to the driver may do harm, be it commands or nonsense."""
    if lab.kernel != "debug":
        pytest.skip("no user namespaces in this kernel")
    guest = lab.boot(adapters(ports=2, default_qps=2))
    seed = lab.random().getrandbits(32)
    scene.load(guest)
    name = scene.up(guest)
    inside = Container(guest, 1)
    shown = guest.sh(f"ethtool -g {name}; ethtool -l {name}")
    pings = guest.job(f"ping -i 0.2 {scene.host_ip()}")
    inside.up()
    inside.sh(" && ".join(ALL_CHANGES).format(inside.name) + " > /dev/null")
    tried = inside.sh("".join(f"{change} 2>&1; echo status=$?; "
                              for change in CHANGES).format(name), "")
    assert tried.count("not permitted") == len(CHANGES), tried
    assert "status=0" not in tried, tried
    inside.up()
    counts = re.search(r"taken (\d+) refused (\d+)", inside.sh(
        f"etherfuzz {inside.name} {seed} {NONSENSE}"))
    lab.tally("ioctls full of nonsense", NONSENSE)
    assert all(int(n) > NONSENSE // 20 for n in counts.groups()), counts
    inside.up()
    assert guest.sh(f"ethtool -g {name}; ethtool -l {name}") == shown
    pings.kill(signal.SIGINT)
    sent, answered = map(int, re.search(
        r"(\d+) packets transmitted, (\d+) packets received",
        pings.wait()).groups())
    # the last one may have been on its way
    assert sent - answered <= 1, pings.output
    # the port outlives its container, with the address that it got there
    inside.end()
    guest.sh(f"ip link set {inside.name} address {scene.port_mac(guest, 1)}")
    scene.up(guest, 1)
    scene.both_ways(guest, 1, count=1)
