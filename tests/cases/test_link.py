# SPDX-License-Identifier: GPL-2.0-or-later
"""Link down and up, and transmission after it."""

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters


def _all_queues_send(guest, name, queues):
    """Flows enough to use every send queue; all must reach the host."""
    peer = guest.peer()
    guest.sh(f"ip neigh replace {scene.host_ip()} lladdr {peer.mac} dev {name}")
    peer.clear()
    guest.sh("for p in $(seq 2000 2063); do "
             f"echo $p | nc -u -w1 {scene.host_ip()} $p & done; wait",
             timeout=120)
    got = peer.expect(lambda f: f.ip() and f.ip()[2] == 17, "64 flows", 64)
    ports = {int.from_bytes(f.ip()[3][2:4], "big") for f in got}
    assert ports == set(range(2000, 2064)), f"with {queues} queues"


@pytest.mark.on("power9", faults=("power7",))
@pytest.mark.parametrize("qps", [1, 4])
def test_link_down_and_up_resumes_all_queues(lab, qps):
    guest = lab.boot(adapters(ports=1, default_qps=qps), smp=qps)
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ethtool -L {name} combined {qps} || [ {qps} = 1 ]")
    scene.up(guest)
    assert guest.sh(f"ls -d /sys/class/net/{name}/queues/tx-* | wc -l") == \
        str(qps)
    scene.both_ways(guest)
    for _ in range(3):
        guest.qmp.set_link("n0p0", False)
        scene.carrier(guest, name, up=False)
        guest.qmp.set_link("n0p0", True)
        scene.carrier(guest, name)
        scene.both_ways(guest, count=1)
        _all_queues_send(guest, name, qps)


def test_link_that_is_down_at_load_comes_up_later(lab):
    guest = lab.boot(adapters(ports=1))
    guest.qmp.set_link("n0p0", False)
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ip addr add {scene.guest_ip()}/24 dev {name}; "
             f"ip link set {name} up")
    scene.carrier(guest, name, up=False)
    guest.qmp.set_link("n0p0", True)
    scene.up(guest)
    scene.both_ways(guest)


def test_after_50_flaps_the_carrier_is_that_of_the_last(lab):
    guest = lab.boot(adapters(ports=2))
    names = scene.ready(guest, 2)
    for n in range(50):
        guest.qmp.set_link("n0p0", n % 2 == 1)
        guest.qmp.set_link("n0p1", n % 2 == 0)
    scene.carrier(guest, names[0])
    scene.carrier(guest, names[1], up=False)
    scene.both_ways(guest)
    guest.qmp.set_link("n0p1", True)
    scene.carrier(guest, names[1])
    scene.both_ways(guest, 1)


def test_flaps_while_the_port_opens_and_closes_leave_it_usable(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    job = guest.job(f"for i in $(seq 15); do ip link set {name} down; "
                    f"ip link set {name} up; done")
    n = 0
    while job.status is None:
        guest.qmp.set_link("n0p0", n % 2 == 1)
        n += 1
    job.wait()
    guest.qmp.set_link("n0p0", True)
    scene.up(guest)
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power7",))
def test_carrier_follows_events_while_firmware_does_not_tell_the_state(lab):
    """What the event says has to do."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    for status in ("H_HARDWARE", "H_AUTHORITY", "H_PARAMETER"):
        guest.hea.fault(f"op=H_QUERY_HEA_PORT,cb=0,times=0,rc={status}")
        guest.qmp.set_link("n0p0", False)
        scene.carrier(guest, name, up=False)
        guest.qmp.set_link("n0p0", True)
        scene.carrier(guest, name)
        guest.hea.clear_faults()
        scene.both_ways(guest, count=1)


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_flaps_while_the_driver_is_unloaded_and_loaded_harm_nothing(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    guest.hea.action("flap port=1 n=100000 us=300")
    guest.hea.action("flap port=2 n=100000 us=500")
    events = guest.hea.calls("H_RESET_EVENTS")
    for _ in range(6):
        guest.sh("modprobe -r ehea")
        assert not guest.hea.live()
        guest.sh("modprobe ehea; ip link set eth0 up; ip link set eth1 up")
        guest.hea.wait(lambda h, n=events: h.calls("H_RESET_EVENTS") > n,
                       "events")
        events = guest.hea.calls("H_RESET_EVENTS")
    guest.sh("modprobe -r ehea")


def test_one_port_down_does_not_disturb_the_other(lab):
    guest = lab.boot(adapters(ports=2))
    names = scene.ready(guest, 2)
    guest.qmp.set_link("n0p0", False)
    scene.carrier(guest, names[0], up=False)
    scene.both_ways(guest, 1)


def test_no_frame_arrives_while_the_port_is_closed(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    scene.both_ways(guest)
    guest.sh(f"ip link set {name} down")
    before = guest.hea.port(1)["rx_frames"]
    peer = guest.peer()
    peer.send_many([frames.ether(scene.port_mac(guest), peer.mac,
                                 frames.TYPE_REQUEST, bytes(46))] * 100)
    guest.hea.wait(lambda h: sum(h.port(1)["drops"].values()) >= 100,
                   "100 dropped frames")
    assert guest.hea.port(1)["rx_frames"] == before
    scene.up(guest)
    scene.both_ways(guest)
