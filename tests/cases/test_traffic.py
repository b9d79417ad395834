# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames go through unchanged, of every size, over any number of queues."""

import random

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_ping_goes_both_ways_between_guest_and_host(lab):
    guest = lab.boot(adapters(ports=1))
    scene.ready(guest)
    scene.both_ways(guest, count=5)
    for size in (0, 100, 200, 1000, 1472):
        scene.ping(guest, scene.host_ip(), 2, size)


@pytest.mark.on("power7", "power9", "power9-7.2", faults=("power9-debug",))
def test_ping_goes_both_ways_between_two_ports_in_namespaces(lab):
    guest = lab.boot(adapters(ports=2, net="hub:0"))
    scene.load(guest)
    scene.namespaces(guest)
    scene.ping(guest, scene.ns_ip("b"), 5, ns="a")
    scene.ping(guest, scene.ns_ip("a"), 5, ns="b")


def test_ping6_goes_both_ways_between_two_ports_in_namespaces(lab):
    guest = lab.boot(adapters(ports=2, net="hub:0"))
    scene.load(guest)
    scene.namespaces(guest)
    for ns, address in (("a", "fd00::1"), ("b", "fd00::2")):
        name = guest.netdev(0 if ns == "a" else 1, ns=ns)
        guest.ns(ns, f"ip -6 addr add {address}/64 dev {name} nodad")
    for ns, other in (("a", "fd00::2"), ("b", "fd00::1")):
        guest.ns(ns, f"ping -6 -c 3 -W 5 {other}")


def _echo(guest, sizes, seed=1, batch=64):
    """Send a frame of each size, compare what comes back byte for byte."""
    rng = random.Random(seed)
    peer, mac = guest.peer(), scene.port_mac(guest)
    for at in range(0, len(sizes), batch):
        sent = {}
        for size in sizes[at:at + batch]:
            body = size.to_bytes(2, "big") + rng.randbytes(size - 16)
            sent[size] = body
        peer.clear()
        peer.send_many([frames.ether(mac, peer.mac, frames.TYPE_REQUEST, body,
                                     pad=False) for body in sent.values()])
        got = peer.expect(lambda f: f.type == frames.TYPE_REPLY,
                          f"echo of sizes {sizes[at]} and up", len(sent), 30)
        for size, frame in zip(sent, got):
            assert len(frame.data) == size
            assert frame.payload == sent[size], f"size {size} differs"
            assert frame.dst == peer.mac and frame.src == mac


@pytest.mark.on("power7", "power9", "power9-7.2", faults=("power9-debug",))
def test_every_frame_size_up_to_1514_arrives_byte_for_byte(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.job(f"frameecho {name}").wait_output("ready")
    _echo(guest, list(range(60, 1515)))


@pytest.mark.on("power7", "power9")
def test_every_frame_size_up_to_the_largest_arrives_byte_for_byte(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    largest = scene.max_mtu(guest, name)
    assert largest >= 9000
    guest.sh(f"ip link set {name} mtu {largest}")
    scene.carrier(guest, name)
    guest.job(f"frameecho {name}").wait_output("ready")
    _echo(guest, list(range(60, largest + 15)), batch=32)


def test_every_frame_size_arrives_without_the_help_of_immediate_data(lab):
    """Frames that the guest forwards come from receive buffers, so that both
    forms of the send descriptor list are used at all offsets."""
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    scene.forwarding(guest)
    rng = random.Random(2)
    for start in range(0, 1473, 64):
        sizes = range(start, min(start + 64, 1473))
        bodies = [rng.randbytes(size) for size in sizes]
        guest.peer(1).clear()
        guest.peer(0).send_many([frames.udp_frame(
            scene.port_mac(guest, 0), guest.peer(0).mac, scene.host_ip(1),
            scene.host_ip(0), 5000, 5000, body) for body in bodies])
        got = guest.peer(1).expect(
            lambda f: f.ip() and f.ip()[2] == 17, "forwarded", len(bodies), 30)
        assert [f.ip()[3][8:] for f in got] == bodies


def _transfer(guest, source, sink, size):
    """Send a random file from one namespace to the other; compare hashes."""
    server = guest.ns_job(sink, "sh -c 'tcpfile recv 5001 > /tmp/in'")
    server.wait_output("ready")
    guest.sh(f"head -c {size} /dev/urandom > /tmp/out", timeout=300)
    guest.ns(source, f"tcpfile send /tmp/out {scene.ns_ip(sink)} 5001 0",
             timeout=300)
    server.wait(60)
    sums = guest.sh("sha256sum < /tmp/out; sha256sum < /tmp/in",
                    timeout=300).split("\n")
    assert sums[0] == sums[1]
    guest.sh("rm /tmp/in /tmp/out")


@pytest.mark.on("power7", "power9-7.2", faults=("power9",))
def test_64_mib_over_tcp_arrive_with_equal_sha256_both_ways(lab):
    guest = lab.boot(adapters(ports=2, net="hub:0"))
    scene.load(guest)
    scene.namespaces(guest)
    for source, sink in (("a", "b"), ("b", "a")):
        _transfer(guest, source, sink, 64 << 20)


@pytest.mark.long
@pytest.mark.on("power9-debug")
def test_8_mib_over_tcp_arrive_with_equal_sha256_under_debug(lab):
    guest = lab.boot(adapters(ports=2, net="hub:0"))
    scene.load(guest)
    scene.namespaces(guest)
    _transfer(guest, "a", "b", 8 << 20)


def test_tcp_with_jumbo_frames_arrives_with_equal_sha256(lab):
    guest = lab.boot(adapters(ports=2, net="hub:0"))
    scene.load(guest)
    scene.namespaces(guest)
    for ns, port in (("a", 0), ("b", 1)):
        name = guest.netdev(port, ns=ns)
        guest.ns(ns, f"ip link set {name} mtu {scene.max_mtu(guest, name, ns)}")
        scene.carrier(guest, name, ns)
    _transfer(guest, "a", "b", 16 << 20)


def test_tcp_to_a_foreign_stack_arrives_with_equal_sha256(lab):
    """QEMU's own TCP/IP stack is the other end, so that a mistake that sender
    and receiver share cannot hide."""
    guest = lab.boot(adapters(ports=1, net="user"))
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ip addr add 10.0.2.15/24 dev {name}; ip link set {name} up")
    scene.carrier(guest, name)
    with scene.tcp_sink() as sink:
        guest.sh("head -c 16777216 /dev/urandom > /tmp/out; "
                 f"tcpfile send /tmp/out 10.0.2.2 {sink.port} 0", timeout=300)
        want = guest.sh("sha256sum < /tmp/out").split()[0]
        assert sink.result() == want


@pytest.mark.on("power7", "power9")
@pytest.mark.parametrize("qps", [1, 2, 4, 16])
def test_traffic_of_many_flows_uses_all_queues(lab, qps):
    guest = lab.boot(adapters(ports=1, default_qps=qps), smp=min(qps, 4))
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ethtool -L {name} combined {qps} || [ {qps} -le 4 ]")
    scene.up(guest)
    queues = f"ls -d /sys/class/net/{name}/queues/"
    assert len(guest.sh(f"{queues}rx-*").split()) == qps
    assert len(guest.sh(f"{queues}tx-*").split()) == qps
    echo = guest.job("udpseq echo 7")
    echo.wait_output("ready")
    scene.ping(guest, scene.host_ip(), 1)
    peer = guest.peer()
    many = [frames.udp_frame(scene.port_mac(guest), peer.mac, scene.guest_ip(),
                             scene.host_ip(), 7, 1000 + n,
                             n.to_bytes(2, "big") * (1 + n))
            for n in range(300)]
    peer.clear()
    peer.send_many(many)
    got = peer.expect(lambda f: f.ip() and f.ip()[2] == 17, "UDP echo", 300)
    ports = {int.from_bytes(f.ip()[3][2:4], "big") for f in got}
    assert ports == set(range(1000, 1300))
    used = scene.queues_used(guest, name)
    assert len(used) == qps, used


def test_statistics_of_stack_and_firmware_agree(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    scene.both_ways(guest, count=10)
    scene.ping(guest, scene.host_ip(), 5, 1400)
    guest.job(f"frameecho {name}").wait_output("ready")
    _echo(guest, list(range(60, 600)))

    def agree():
        ours, theirs = scene.stats(guest, name), guest.hea.port(1)
        return ours["rx_packets"] == theirs["rx_frames"] and \
            ours["tx_packets"] == theirs["tx_frames"] and \
            ours["rx_packets"] > 550 and ours["rx_errors"] == 0 and \
            ours["tx_errors"] == 0
    guest.poll(agree, "equal counters of stack and firmware", 10)


def test_a_flood_of_frames_loses_only_what_firmware_counts(lab):
    """More frames at once than the rings hold."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    scene.both_ways(guest)
    peer, sent = guest.peer(), 20000
    base = scene.stats(guest, name)["rx_packets"]
    frame = frames.udp_frame(scene.port_mac(guest), peer.mac, scene.guest_ip(),
                             scene.host_ip(), 9, 9, bytes(600))
    for _ in range(sent // 1000):
        peer.send_many([frame] * 1000)

    def all_seen():
        port = guest.hea.port(1)
        drops = sum(port["drops"].values())
        got = scene.stats(guest, name)["rx_packets"] - base
        return got + drops >= sent and got > 0
    guest.poll(all_seen, "every frame delivered or counted as dropped")
    scene.both_ways(guest)
