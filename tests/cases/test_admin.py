# SPDX-License-Identifier: GPL-2.0-or-later
"""Administration as it is done: devices on top of ports, judged by what the
host sees on the wires."""

import re
import struct

from ehealab import frames, scene
from ehealab.guest import adapters

LACP = "01:80:c2:00:00:02"
TYPE_SLOW = 0x8809
HOST, GUEST = "10.0.0.2", "10.0.0.1"
VLAN = 5


def _two_ports(lab, **props):
    """A guest with the driver loaded; both wires lead to the same host."""
    guest = lab.boot(adapters(ports=2, **props))
    scene.load(guest)
    for port in (0, 1):
        guest.peer(port).configure(scene.host_mac(), HOST)
    return guest, [guest.netdev(port) for port in (0, 1)]


def _bond(guest, names, options):
    """Both ports in a bond with an address."""
    guest.sh("modprobe bonding max_bonds=0 && "
             f"ip link add bond0 type bond {options}")
    for name in names:
        guest.sh(f"ip link set {name} master bond0")
    guest.sh(f"ip addr add {GUEST}/24 dev bond0 && ip link set bond0 up")
    scene.carrier(guest, "bond0")


def _active(guest, name):
    """Wait until a port is the bond's active one."""
    guest.poll(lambda: guest.read(
        "/sys/class/net/bond0/bonding/active_slave") == name,
        f"{name} as the active port")


def _pings_by(guest, port):
    """The guest's pings are answered, and use this wire only."""
    for peer in guest.peers.values():
        peer.clear()
    scene.ping(guest, HOST)
    for n in (0, 1):
        seen = guest.peer(n).matching(lambda f: f.ip() and f.ip()[2] == 1)
        assert bool(seen) == (n == port), f"wire {n}: {seen}"


def _tagged_arrives(guest, port, device):
    """A frame with a VLAN tag on a wire reaches a VLAN device."""
    before = scene.stats(guest, device)["rx_packets"]
    good = frames.udp_frame(scene.port_mac(guest), scene.host_mac(), GUEST,
                            HOST, 9, 9, bytes(100))
    guest.peer(port).send(good[:12] + struct.pack("!HH", frames.TYPE_VLAN,
                                                  VLAN) + good[12:])
    guest.poll(lambda: scene.stats(guest, device)["rx_packets"] > before,
               f"a tagged frame from wire {port}")


def test_bond_with_mii_monitoring_changes_ports_when_a_link_goes(lab):
    guest, names = _two_ports(lab)
    _bond(guest, names, f"mode active-backup miimon 100 primary {names[0]}")
    guest.sh(f"ip link add link bond0 name v type vlan id {VLAN} && "
             "ip link set v up")
    for up, port in ((None, 0), (False, 1), (True, 0)):
        if up is not None:
            guest.qmp.set_link("n0p0", up)
        _active(guest, names[port])
        _pings_by(guest, port)
        _tagged_arrives(guest, port, "v")


def test_bond_with_arp_monitoring_leaves_a_wire_that_is_dead(lab):
    guest, names = _two_ports(lab)
    _bond(guest, names, f"mode active-backup arp_interval 200 "
          f"arp_ip_target {HOST} primary {names[0]}")
    _active(guest, names[0])
    _pings_by(guest, 0)
    # the link stays, but nobody answers
    guest.peer(0).answer = False
    _active(guest, names[1])
    _pings_by(guest, 1)
    guest.peer(0).answer = True
    guest.peer(1).answer = False
    _active(guest, names[0])
    _pings_by(guest, 0)


def _lacp_answer(port, theirs):
    """An LACPDU of a partner that agrees with what it was told."""
    ours = struct.pack("!H6sHHHB3x", 65535, frames.mac_bytes(scene.host_mac()),
                       1, 255, port + 1, 0x3f)
    body = bytes([1, 1, 1, 20]) + ours + bytes([2, 20]) + theirs + \
        bytes([3, 16]) + bytes(14) + bytes(52)
    return frames.ether(LACP, scene.host_mac(port), TYPE_SLOW, body)


def _answer_lacp(guest, port):
    """Answer what the guest has sent since the last time."""
    peer = guest.peer(port)
    asked = peer.matching(lambda f: f.type == TYPE_SLOW)
    peer.clear()
    if asked:
        peer.send(_lacp_answer(port, asked[-1].payload[4:22]))


def test_802_3ad_bond_agrees_with_its_partner_over_lacp(lab):
    """LACPDUs come by a multicast address that the bond asks for."""
    guest, names = _two_ports(lab)
    _bond(guest, names, "mode 802.3ad miimon 100")

    def agreed():
        for port in (0, 1):
            _answer_lacp(guest, port)
        shown = guest.read("/proc/net/bonding/bond0")
        # 61 is ours, collecting and distributing; 63 is the partner's
        return "Number of ports: 2" in shown and \
            f"Partner Mac Address: {scene.host_mac()}" in shown and \
            shown.count("port state: 61") == 2
    guest.poll(agreed, "an aggregator of two ports", 60, 0.3)
    scene.ping(guest, HOST)
    guest.qmp.set_link("n0p0", False)
    guest.poll(lambda: re.search(r"Number of ports: 1\b", guest.read(
        "/proc/net/bonding/bond0")), "an aggregator of one port", 30)
    scene.ping(guest, HOST)


def _crosses(guest, frame, way):
    """A frame put on one wire comes out of the other, byte for byte."""
    src, dst = guest.peer(way), guest.peer(1 - way)
    src.send(frame)
    dst.expect(lambda f: f.data == frame, "the frame behind the bridge")


def test_bridge_passes_frames_of_others_both_ways(lab):
    guest, names = _two_ports(lab)
    guest.sh("ip link add br0 type bridge && ip link set br0 up")
    for name in names:
        guest.sh(f"ip link set {name} master br0 && ip link set {name} up")
    scene.carrier(guest, "br0")
    stations = ("52:54:00:77:00:01", "52:54:00:77:00:02")
    for way in (0, 1):
        src, dst = stations[way], stations[1 - way]
        for size in (46, 1500):
            for to in (dst, frames.BROADCAST, "01:00:5e:11:22:33"):
                plain = frames.ether(to, src, frames.TYPE_REQUEST,
                                     bytes([way]) * size)
                _crosses(guest, plain, way)
                _crosses(guest, plain[:12] + bytes.fromhex("81000009")
                         + plain[12:], way)
    guest.sh("ip link del br0")
    dropped = guest.hea.port(1)["drops"].get("mac-filter", 0)
    guest.peer(0).send(frames.ether(stations[1], stations[0],
                                    frames.TYPE_REQUEST, bytes(46)))
    guest.hea.wait(lambda h: h.port(1)["drops"].get("mac-filter", 0) >
                   dropped, "a frame that is filtered again")


def test_macvlan_has_an_address_of_its_own_on_the_wire(lab):
    guest = lab.boot(adapters(ports=1))
    name, mac = scene.ready(guest)[0], "52:54:00:66:00:01"
    peer = guest.peer()
    peer.configure(scene.host_mac(), HOST, "10.9.0.2")
    guest.sh(f"ip link add link {name} name mv0 address {mac} type macvlan "
             "mode bridge && "
             "ip addr add 10.9.0.1/24 dev mv0 && ip link set mv0 up")
    peer.clear()
    scene.ping(guest, "10.9.0.2")
    seen = peer.matching(lambda f: f.ip() and f.ip()[1] == "10.9.0.2")
    assert {f.src for f in seen} == {mac}
    scene.both_ways(guest)
    guest.sh("ip link del mv0")
    peer.send(frames.ether(mac, peer.mac, frames.TYPE_REQUEST, bytes(46)))
    guest.hea.wait(lambda h: h.port(1)["drops"].get("mac-filter"),
                   "a frame that is filtered again")
    scene.both_ways(guest)


def test_netconsole_sends_every_kernel_message(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    peer = guest.peer()
    guest.sh("modprobe netconsole netconsole="
             f"6665@{GUEST}/{name},6666@{HOST}/{scene.host_mac()}")
    peer.clear()
    guest.sh("for n in $(seq 100); do echo \"<1>netconsole line $n.\" > "
             "/dev/kmsg; done")
    got = peer.expect(lambda f: f.ip() and f.ip()[2] == 17 and
                      b"netconsole line" in f.data, "100 messages", 100, 30)
    lines = {int(re.search(rb"line (\d+)\.", f.data).group(1)) for f in got}
    assert lines == set(range(1, 101))
    # goes with the device below it
    guest.sh("modprobe -r ehea")
    guest.sh("modprobe -r netconsole")


def test_traffic_control_shapes_and_filters_without_loss(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"tc qdisc replace dev {name} root fq && "
             f"tc qdisc add dev {name} ingress && "
             f"tc filter add dev {name} ingress protocol ip flower "
             "ip_proto udp dst_port 9 action drop")
    scene.both_ways(guest)
    datagram = frames.udp_frame(scene.port_mac(guest), guest.peer().mac,
                                GUEST, HOST, 9, 9, bytes(100))
    guest.peer().send_many([datagram] * 50)

    def dropped():
        shown = guest.sh(f"tc -s filter show dev {name} ingress")
        return re.search(r"\(dropped 50,", shown)
    guest.poll(dropped, "50 frames dropped by the filter")
    guest.sh(f"tc qdisc del dev {name} ingress; tc qdisc del dev {name} root")
    scene.both_ways(guest)


def test_drmgr_adds_and_removes_memory_under_traffic(lab):
    """QEMU tells the kernel of every change by events, which leave nothing to
    do for drmgr; without them the operator decides. QEMU keeps the DIMM then,
    the partition does without it."""
    guest = lab.boot(adapters(ports=2), machine="modern-hotplug-events=off")
    name = scene.ready(guest, 2)[0]
    with scene.routed_traffic(guest, 300):
        blocks = guest.dimm_blocks(guest.mem_plug())
        assert not guest.online(blocks)
        guest.sh("drmgr -c mem -a -q 1")
        assert guest.online(blocks)
        scene.settled(guest)
        assert scene.driver_stats(guest, name)["mr_size_mib"] == 1280
        guest.sh("drmgr -c mem -r -q 1")
        assert not set(blocks) & set(guest.blocks())
        scene.settled(guest)
        assert scene.driver_stats(guest, name)["mr_size_mib"] == 1024
    for port in (0, 1):
        scene.both_ways(guest, port)


def test_drmgr_changes_no_memory_without_the_capability(lab):
    """drmgr asks the file that the driver has for it."""
    guest = lab.boot(adapters(ports=1), machine="modern-hotplug-events=off")
    scene.ready(guest)
    blocks = guest.dimm_blocks(guest.mem_plug())
    file = "/sys/bus/ibmebus/drivers/ehea/capabilities"
    guest.sh(f"echo 1 > /tmp/less && mount --bind /tmp/less {file}")
    assert guest.status("drmgr -c mem -a -q 1")
    assert not guest.online(blocks)
    guest.sh(f"umount {file} && drmgr -c mem -a -q 1")
    assert guest.online(blocks)
    scene.both_ways(guest)
