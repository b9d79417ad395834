# SPDX-License-Identifier: GPL-2.0-or-later
"""MAC address, MTU, and the basics of ethtool."""

import re

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters
from test_filters import Probe

NEW = "52:54:00:ab:cd:ef"


@pytest.mark.on("power7", "power9")
def test_new_mac_address_is_used_and_the_old_one_is_not(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    probe = Probe(guest)
    probe.listen(name)
    old = scene.port_mac(guest)
    guest.sh(f"ip link set {name} address {NEW}")
    assert probe.arrives(NEW, sure=NEW)
    assert not probe.arrives(old, sure=NEW)
    assert probe.arrives(frames.BROADCAST, sure=NEW)
    peer = guest.peer()
    peer.clear()
    scene.ping(guest, scene.host_ip(), 1)
    assert {f.src for f in peer.matching(lambda f: True)} == {NEW}
    guest.sh(f"ip link set {name} address {old}")
    assert probe.arrives(old)
    assert not probe.arrives(NEW)


def test_mac_address_set_while_closed_holds_after_open(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ip link set {name} address {NEW}")
    guest.spec.adapters[0].ports[0].mac = NEW
    scene.up(guest)
    scene.both_ways(guest)
    guest.sh(f"ip link set {name} down; ip link set {name} up")
    scene.carrier(guest, name)
    scene.both_ways(guest)


def test_multicast_mac_address_is_refused(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    assert guest.status(f"ip link set {name} address 01:02:03:04:05:06")
    scene.both_ways(guest)


def test_mac_change_refused_by_firmware_keeps_the_old_one(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.hea.fault("op=H_MODIFY_HEA_PORT,cb=0,times=1,rc=H_AUTHORITY")
    assert guest.status(f"ip link set {name} address {NEW}")
    assert guest.read(f"/sys/class/net/{name}/address") == \
        scene.port_mac(guest)
    scene.both_ways(guest)


def test_rq3_has_its_smallest_ring_until_the_mtu_needs_it(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()

    def pages(mtu):
        guest.sh(f"ip link set {name} mtu {mtu}")
        before = guest.hea.calls("H_REGISTER_HEA_RPAGES")
        guest.sh(f"ip link set {name} up")
        scene.carrier(guest, name)
        guest.sh(f"ip link set {name} down")
        return guest.hea.calls("H_REGISTER_HEA_RPAGES") - before
    pages(1500)                         # the first open registers the MR, too
    # 512 WQEs of 128 bytes, or 128 of them, in pages of 4096
    assert pages(9000) == pages(1500) + 12


@pytest.mark.on("power7", "power9")
def test_mtu_of_9000_carries_jumbo_frames_both_ways(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    assert scene.max_mtu(guest, name) >= 9000
    for mtu in (9000, 1500, 9000):
        guest.sh(f"ip link set {name} mtu {mtu}")
        scene.carrier(guest, name)
        peer = guest.peer()
        peer.clear()
        scene.ping(guest, scene.host_ip(), 2, mtu - 28)
        sizes = {len(f.data) for f in peer.matching(lambda f: True)}
        assert max(sizes) == mtu + 14
        peer.ping(scene.port_mac(guest), scene.guest_ip(), 2, mtu - 28)


def test_mtu_set_while_closed_holds_after_open(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    guest.sh(f"ip link set {guest.netdev()} mtu 4000")
    scene.up(guest)
    scene.ping(guest, scene.host_ip(), 2, 3972)
    guest.peer().ping(scene.port_mac(guest), scene.guest_ip(), 2, 3972)


def test_mtu_beyond_the_limits_is_refused(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    largest = scene.max_mtu(guest, name)
    assert guest.status(f"ip link set {name} mtu {largest + 1}")
    assert guest.status(f"ip link set {name} mtu 60")
    assert guest.read(f"/sys/class/net/{name}/mtu") == "1500"
    scene.both_ways(guest)


def test_without_the_jumbo_permission_the_mtu_stays_at_1500(lab):
    guest = lab.boot(adapters(ports=1, jumbo="off"))
    name = scene.ready(guest)[0]
    assert scene.max_mtu(guest, name) == 1500
    assert guest.status(f"ip link set {name} mtu 9000")
    scene.both_ways(guest)


def test_a_failed_mtu_change_leaves_the_port_working(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=qp,times=1,rc=H_NO_MEM")
    if guest.status(f"ip link set {name} mtu 9000") == 0:
        # nothing had to be allocated
        guest.sh(f"ip link set {name} down")
        guest.status(f"ip link set {name} up")
    guest.sh(f"ip link set {name} down && ip link set {name} up")
    scene.carrier(guest, name)
    scene.both_ways(guest)


def test_ethtool_shows_driver_link_and_rings(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    info = guest.sh(f"ethtool -i {name}")
    assert re.search(r"^driver: ehea$", info, re.M)
    assert re.search(r"^bus-info: .*lhea", info, re.M)
    link = guest.sh(f"ethtool {name}")
    assert "Speed: 10000Mb/s" in link
    assert "Duplex: Full" in link
    assert "Link detected: yes" in link
    rings = guest.sh(f"ethtool -g {name}")
    assert re.search(r"RX Mini:\s+\d+", rings)
    assert scene.driver_stats(guest, name)
    assert guest.status(f"ethtool -l {name}") == 0
    guest.qmp.set_link("n0p0", False)
    scene.carrier(guest, name, up=False)
    assert "Link detected: no" in guest.sh(f"ethtool {name}")


def test_reading_settings_changes_nothing(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    before = guest.hea.stats()["calls"]
    guest.sh(f"for i in 1 2 3; do ethtool {name}; ethtool -i {name}; "
             f"ethtool -g {name}; ethtool -k {name}; done")
    after = guest.hea.stats()["calls"]
    for call in ("H_MODIFY_HEA_PORT", "H_MODIFY_HEA_QP", "H_REG_BCMC",
                 "H_ALLOC_HEA_RESOURCE"):
        assert before.get(call) == after.get(call), call


def test_port_has_its_own_address_again_after_an_unload(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"ip link set {name} address 52:54:00:00:00:99")
    guest.sh("modprobe -r ehea")
    scene.ready(guest)
    scene.both_ways(guest)
