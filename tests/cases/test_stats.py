# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics: what driver, stack and virtual HEA count must agree."""

import re

import pytest

from ehealab import frames, scene
from ehealab.errors import CaseError
from ehealab.guest import adapters

SIZES = (60, 61, 100, 123, 124, 200, 400, 507, 508, 800, 1019, 1020, 1400, 1514)
BUCKETS = ((0, 64), (65, 127), (128, 255), (256, 511), (512, 1023),
           (1024, 9022))


def _raw(guest, size, dst=None, port=0):
    """A frame that no protocol takes."""
    return frames.ether(dst or scene.port_mac(guest, port),
                        guest.peer(port).mac, frames.TYPE_REQUEST,
                        bytes(size - 14), pad=False)


def _group(guest, name, group):
    """A standard group of statistics, as a dictionary."""
    out = guest.sh(f"ethtool -S {name} --groups {group}")
    return {k: int(v) for k, v in re.findall(r"^([\w-]+): (\d+)$", out, re.M)}


def _disagreement(guest, name, port=1, ns=None):
    """Frames and bytes of the stack less those of firmware, where not 0."""
    ours, theirs = scene.stats(guest, name, ns), guest.hea.port(port)
    pairs = {f"{d}_{ours_key}": f"{d}_{theirs_key}" for d in ("rx", "tx")
             for ours_key, theirs_key in (("packets", "frames"),
                                          ("bytes", "bytes"))}
    return {k: ours[k] - theirs[v] for k, v in pairs.items()
            if ours[k] != theirs[v]}


def _agree(guest, name, port=1, ns=None):
    """Wait until stack and firmware have counted the same."""
    last = {}

    def same():
        last["diff"] = _disagreement(guest, name, port, ns)
        return not last["diff"]
    try:
        guest.poll(same, f"equal counters of {name}", 10)
    except CaseError as err:
        raise CaseError(f"{name}, stack less firmware: {last['diff']}") from err


def _quiet(guest):
    """Load the driver, and bring a port up that sends nothing by itself: IPv6
    reports whenever it likes, so that two looks at counters differ."""
    guest.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")
    return scene.ready(guest)[0]


def _qstats(guest, name):
    """Statistics of queues: {scope: {name: value}}."""
    out = {}
    for line in guest.sh(f"qstats {name}").splitlines():
        scope, key, value = line.split()
        out.setdefault(scope, {})[key] = int(value)
    return out


# Standard statistics


@pytest.mark.on("power7", "power9")
def test_frames_and_bytes_survive_close_reset_and_queue_changes(lab):
    """Traffic goes on in all changes, so that each finds frames under way;
    but not in a QP error: what becomes of them then nobody knows."""
    guest = lab.boot(adapters(ports=1, default_qps=4))
    name = _quiet(guest)
    steps = (f"ip link set {name} down; ip link set {name} up",
             f"ethtool -L {name} combined 4", f"ethtool -G {name} tx 255",
             f"ethtool -t {name} offline", f"ethtool -L {name} combined 1")
    for step in steps * 2:
        before = scene.stats(guest, name)
        job = guest.job(f"ping -i 0.005 {scene.host_ip()}")
        job.wait_output("icmp_seq=9|seq=9")
        guest.sh(step)
        scene.carrier(guest, name)
        job.stop()
        _agree(guest, name)
        after = scene.stats(guest, name)
        assert all(after[k] >= before[k] for k in before), step
        assert after["rx_packets"] > before["rx_packets"] + 8
    resets = scene.driver_stats(guest, name)["resets"]
    guest.allow.append("QP error")
    scene.qp_error(guest)
    guest.poll(lambda: scene.driver_stats(guest, name)["resets"] > resets,
               "a reset")
    scene.carrier(guest, name)
    scene.both_ways(guest)
    _agree(guest, name)
    assert scene.stats(guest, name)["rx_packets"] > after["rx_packets"]


BURSTS, EACH = 20, 20


def _mix(guest, name):
    """Frames of every sort into port 0, no faster than they are taken; TCP
    with TSO, jumbo frames and VLAN tags between ports 1 and 2."""
    mac, peer = scene.port_mac(guest), guest.peer()
    good = frames.udp_frame(mac, peer.mac, scene.guest_ip(), scene.host_ip(),
                            9, 9, bytes(500))
    bad = good[:60] + b"\xff" + good[61:]
    tagged = good[:12] + bytes.fromhex("81000005") + good[12:]
    unknown = good[:12] + bytes.fromhex("81000006") + good[12:]
    other = _raw(guest, 300, "52:54:00:99:99:99")
    group = _raw(guest, 300, "01:00:5e:7f:7f:7f")
    large = _raw(guest, 9014)
    for _ in range(BURSTS):
        want = scene.stats(guest, name)["rx_packets"] + 4 * EACH
        peer.send_many([good, bad, tagged, unknown, other, group, large] *
                       EACH)
        guest.poll(lambda n=want: scene.stats(guest, name)["rx_packets"] >= n,
                   "the frames that are for this port")
    server = guest.ns_job("b", "sh -c 'tcpfile recv 5001 > /dev/null'")
    server.wait_output("ready")
    guest.sh("head -c 10000000 /dev/urandom > /tmp/out")
    guest.ns("a", "tcpfile send /tmp/out 10.78.0.2 5001 0", timeout=300)
    server.wait(60)


def _udp_csum_errors(guest):
    """UDP packets that the stack found damaged."""
    names, values = re.findall(r"^Udp: (.*)$", guest.read("/proc/net/snmp"),
                               re.M)
    return int(dict(zip(names.split(), values.split()))["InCsumErrors"])


def _vlan_namespaces(guest):
    """Ports 1 and 2 with jumbo frames and a VLAN on top."""
    scene.namespaces(guest, (1, 2))
    for ns, port, host in (("a", 1, 1), ("b", 2, 2)):
        name = guest.netdev(port, ns=ns)
        guest.ns(ns, f"ip link set {name} mtu 9000 && "
                     f"ip link add link {name} v type vlan id 7 && "
                     f"ip addr add 10.78.0.{host}/24 dev v && ip link set v up")
        scene.carrier(guest, name, ns)


def test_driver_stack_and_firmware_agree_after_a_mixed_load(lab):
    guest = lab.boot(adapters(ports=3, net=["peer", "hub:0", "hub:0"]))
    scene.load(guest)
    name = scene.up(guest)
    guest.sh(f"ip link set {name} mtu 9000 && "
             f"ip link add link {name} name v5 type vlan id 5 && "
             "ip link set v5 up")
    scene.carrier(guest, name)
    _vlan_namespaces(guest)
    damaged = _udp_csum_errors(guest)
    _mix(guest, name)
    for dev, port, ns in ((name, 1, None), (guest.netdev(1, ns="a"), 2, "a"),
                          (guest.netdev(2, ns="b"), 3, "b")):
        _agree(guest, dev, port, ns)
    count = BURSTS * EACH
    drops = {k: v for k, v in guest.hea.port(1)["drops"].items() if v}
    assert drops == {"mac-filter": count, "multicast-filter": count,
                     "vlan-filter": count}
    own, ours = scene.driver_stats(guest, name), scene.stats(guest, name)
    # for other addresses, and for other VLANs
    assert own["hw_rx_unicast_filtered"] == 2 * count
    # no protocol takes the jumbo frames
    assert ours["rx_dropped"] == count
    assert ours["rx_errors"] == ours["tx_dropped"] == ours["tx_errors"] == 0
    assert own["rx0_csum_errors"] == count
    assert _udp_csum_errors(guest) - damaged == count
    assert scene.stats(guest, "v5")["rx_packets"] == count
    sent = guest.ns("a", "ethtool -S " + guest.netdev(1, ns="a"))
    assert re.search(r"tx0_gso_packets: [1-9]", sent)
    assert guest.hea.port(2)["tx_bytes"] > 10000000


def test_frames_that_find_no_buffer_are_missed_frames(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    base = guest.hea.port(1)["rx_frames"]
    for _ in range(20):
        guest.peer().send_many([_raw(guest, 600)] * 1000)

    def total():
        port = guest.hea.port(1)
        return port["rx_frames"] - base + sum(port["drops"].values()) >= 20000
    guest.hea.wait(lambda _: total(), "all frames seen")
    guest.poll(lambda: scene.stats(guest, name)["rx_missed_errors"] ==
               sum(guest.hea.port(1)["drops"].values()),
               "missed frames as firmware counts them", 10)
    _agree(guest, name)


def test_damaged_and_too_long_frames_are_errors_by_cause(lab):
    guest = lab.boot(adapters(ports=1, jumbo="off"))
    name = scene.ready(guest)[0]
    guest.hea.fault("at=cqe,wr=rx2,times=5,corrupt=status:0x1000")
    guest.peer().send_many([_raw(guest, 600)] * 10)
    guest.peer().send_many([_raw(guest, 1600)] * 7)

    def counted():
        ours = scene.stats(guest, name)
        return ours["rx_crc_errors"] == 5 and ours["rx_length_errors"] == 7 \
            and ours["rx_errors"] == 12
    guest.poll(counted, "5 damaged frames, 7 too long ones")
    scene.both_ways(guest)


def test_multicast_is_what_firmware_counts(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    before = scene.stats(guest, name)["multicast"]
    guest.peer().send_many([_raw(guest, 100, "01:00:5e:00:00:01")] * 13)
    guest.poll(lambda: scene.stats(guest, name)["multicast"] == before + 13,
               "13 multicast frames")


# Groups of the physical port


def test_standard_groups_count_what_is_on_the_wire(lab):
    guest = lab.boot(adapters(ports=1, jumbo="off"))
    # of its own accord the guest sends nothing
    guest.sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
    name = scene.ready(guest)[0]
    guest.job(f"frameecho {name}").wait_output("ready")
    mac0, rmon0 = (_group(guest, name, g) for g in ("eth-mac", "rmon"))
    peer = guest.peer()
    peer.clear()
    count = dict(peer.counts)
    peer.send_many([_raw(guest, size) for size in SIZES] * 5)
    peer.expect(lambda f: f.type == frames.TYPE_REPLY, "echo",
                5 * len(SIZES), 30)
    peer.send_many([_raw(guest, 200, frames.BROADCAST)] * 3 +
                   [_raw(guest, 200, "01:00:5e:00:00:01")] * 4 +
                   [_raw(guest, 1600)] * 2)
    peer.expect(lambda f: f.type == frames.TYPE_REPLY, "echo",
                5 * len(SIZES) + 7, 30)
    guest.hea.wait(lambda h: h.port(1)["drops"].get("too-long") == 2,
                   "two frames that are too long")
    mac1, rmon1 = (_group(guest, name, g) for g in ("eth-mac", "rmon"))
    sent = {k: peer.counts[k] - count[k] for k in count}
    mac = {k: mac1[k] - mac0[k] for k in mac1}
    assert mac["eth-mac-FramesReceivedOK"] == sent["tx"] - 2
    assert mac["eth-mac-FramesTransmittedOK"] == sent["rx"]
    assert mac["eth-mac-OctetsReceivedOK"] == \
        sent["tx_bytes"] - 3200 + 4 * (sent["tx"] - 2)
    assert mac["eth-mac-OctetsTransmittedOK"] == \
        sent["rx_bytes"] + 4 * sent["rx"]
    assert mac["eth-mac-BroadcastFramesReceivedOK"] == 3
    assert mac["eth-mac-MulticastFramesReceivedOK"] == 4
    assert mac["eth-mac-FrameTooLongErrors"] == 2
    rmon = {k: rmon1[k] - rmon0[k] for k in rmon1}
    assert rmon["rmon-etherStatsOversizePkts"] == 2
    for low, high in BUCKETS:
        want = 5 * sum(low <= size + 4 <= high for size in SIZES)
        key = f"rmon-etherStatsPkts{f'{low}to' if low else ''}{high}Octets"
        assert rmon[f"rx-{key}"] == want + 7 * (low == 128), key
        assert rmon[f"tx-{key}"] == want + 7 * (low == 128), key


def test_groups_that_firmware_keeps_to_itself_are_not_reported(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    assert _group(guest, name, "eth-ctrl")
    assert "rx_pause_frames" in guest.sh(f"ethtool -I -a {name}")
    guest.hea.fault("op=H_QUERY_HEA_PORT,cb=6,times=0,rc=H_AUTHORITY")
    for group in ("eth-mac", "eth-ctrl", "rmon"):
        assert not _group(guest, name, group), group
    assert "rx_pause_frames" not in guest.sh(f"ethtool -I -a {name}")
    scene.both_ways(guest)


def test_counters_refused_by_firmware_leave_the_log_alone(lab):
    guest = lab.boot(adapters(ports=1))
    guest.hea.fault("op=H_QUERY_HEA_PORT,cb=2,times=0,rc=H_AUTHORITY")
    mark = guest.console_mark()
    name = scene.ready(guest)[0]
    scene.both_ways(guest)
    guest.sh(f"ethtool -S {name}; sleep 2.5; ethtool -S {name}")
    guest.sync_console()
    assert "H_QUERY_HEA_PORT" not in guest.console_text()[mark:]
    assert scene.driver_stats(guest, name)["hw_rx_unicast"] == 0
    guest.hea.clear_faults()
    guest.sh(f"ip link set {name} down; ip link set {name} up")
    scene.carrier(guest, name)
    assert scene.driver_stats(guest, name)["hw_rx_unicast"] > 0


# Queues and the driver's own


@pytest.mark.on("power9", faults=("power7",))
def test_queue_statistics_add_up_to_those_of_the_device(lab):
    guest = lab.boot(adapters(ports=1, default_qps=4))
    name = _quiet(guest)
    guest.sh(f"ethtool -L {name} combined 4")
    guest.job("udpseq echo 7").wait_output("ready")
    peer = guest.peer()
    for _ in range(3):
        peer.clear()
        peer.send_many([frames.udp_frame(
            scene.port_mac(guest), peer.mac, scene.guest_ip(),
            scene.host_ip(), 7, 1000 + n, bytes(n)) for n in range(200)])
        peer.expect(lambda f: f.ip() and f.ip()[2] == 17, "UDP echo", 200, 30)
    _agree(guest, name)
    found, whole = _qstats(guest, name), scene.stats(guest, name)
    assert set(found) == {"device"} | {f"{d}{n}" for d in ("rx", "tx")
                                       for n in range(4)}
    for key in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"):
        parts = [v[key] for k, v in found.items()
                 if k != "device" and k.startswith(key[:2])]
        assert sum(parts) == found["device"][key] == whole[key], key
    assert all(found[f"rx{n}"]["rx_packets"] for n in range(4))
    good = sum(found[f"rx{n}"]["rx_csum_unnecessary"] for n in range(4))
    assert good >= 600
    # queues that are gone still count for the device
    guest.sh(f"ethtool -L {name} combined 1")
    later = _qstats(guest, name)
    assert set(later) == {"device", "rx0", "tx0"}
    assert later["device"]["rx_packets"] >= found["device"]["rx_packets"]
    assert later["device"]["tx_bytes"] >= found["device"]["tx_bytes"]


def test_driver_counters_are_named_by_queue_and_match_firmware(lab):
    guest = lab.boot(adapters(ports=1, default_qps=2))
    name = _quiet(guest)
    scene.both_ways(guest, count=10)
    _agree(guest, name)
    own, theirs = scene.driver_stats(guest, name), guest.hea.port(1)
    for direction, frame_key in (("rx", "rx_frames"), ("tx", "tx_frames")):
        assert sum(own[f"{direction}{n}_packets"] for n in (0, 1)) == \
            theirs[frame_key]
    assert own["hw_tx_octets"] == theirs["tx_bytes"] + 4 * theirs["tx_frames"]
    assert own["hw_rx_unicast"] + own["hw_rx_broadcast"] + \
        own["hw_rx_multicast"] == theirs["rx_frames"]
    assert own["mr_registrations"] == guest.hea.stats()["mr"]["registrations"]
    assert own["mr_regions"] == guest.hea.resources()["mr"] == 1
    assert own["mr_size_mib"] == 1024
    assert own["rx0_mr_miss"] == own["tx0_mr_miss"] == 0
