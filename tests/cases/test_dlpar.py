# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports and adapters come and go through sysfs, as drmgr does it."""

import pytest

from ehealab import scene
from ehealab.guest import adapters

DRIVER = "/sys/bus/ibmebus/drivers/ehea"


def _device(guest, adapter=0):
    """sysfs directory of an adapter."""
    found = sorted(guest.sh(f"readlink -f {DRIVER}/*lhea*").split())
    return found[adapter]


def _port(guest, action, number):
    """Write a logical port number, without a newline."""
    return guest.status(f"printf %s {number} > {_device(guest)}/{action}_port")


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_port_removed_and_added_under_traffic_leaves_the_other_alone(lab):
    guest = lab.boot(adapters(ports=3))
    scene.ready(guest, 3)
    with scene.routed_traffic(guest, 300) as traffic:
        for _ in range(5):
            assert _port(guest, "remove", 3) == 0
            assert guest.status(f"test -e {_device(guest)}/port2")
            assert _port(guest, "probe", 3) == 0
            scene.up(guest, 2)
            scene.ping(guest, scene.host_ip(2), 1)
    assert scene.lost(traffic) == 0


@pytest.mark.on("power7", "power9")
def test_busy_port_may_be_removed_and_added(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    with scene.routed_traffic(guest, 500):
        for _ in range(3):
            tx = guest.hea.port(2)["tx_frames"]
            guest.hea.wait(lambda h, n=tx: h.port(2)["tx_frames"] > n + 50,
                           "traffic")
            before = guest.hea.resources()
            assert _port(guest, "remove", 2) == 0
            assert guest.hea.resources()["qp"] < before["qp"]
            assert _port(guest, "probe", 2) == 0
            scene.up(guest, 1)
            scene.forwarding(guest)
    scene.both_ways(guest, 1)


def test_port_numbers_that_are_wrong_are_refused(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest)
    for action, number in (("probe", 1), ("probe", 99), ("remove", 99),
                           ("probe", "x"), ("remove", "' '"), ("remove", "-1"),
                           ("remove", 4294967297), ("probe", 65537)):
        assert _port(guest, action, number), (action, number)
    assert _port(guest, "remove", 2) == 0
    assert _port(guest, "remove", 2)
    scene.both_ways(guest)


def test_removed_port_number_may_be_probed_again_by_name_port(lab):
    """Each port keeps the device name that its number had."""
    guest = lab.boot(adapters(ports=2))
    scene.load(guest)
    path = _device(guest)
    assert _port(guest, "remove", 1) == 0
    assert guest.status(f"test -e {path}/port0")
    assert _port(guest, "probe", 1) == 0
    assert guest.read(f"{path}/port0/log_port_id") == "1"
    scene.up(guest)
    scene.both_ways(guest)


def test_open_sysfs_file_outlives_its_port(lab):
    guest = lab.boot(adapters(ports=2))
    scene.load(guest)
    path = _device(guest)
    reader = guest.job(f"exec 3<{path}/port1/log_port_id; echo open; "
                       "read x; cat <&3; exec 3<&-")
    reader.wait_output("open")
    assert _port(guest, "remove", 2) == 0
    reader.feed(b"\n")
    reader.wait(check=False)


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_unbind_and_bind_under_traffic(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    device = _device(guest).rsplit("/", 1)[1]
    with scene.routed_traffic(guest, 500):
        for _ in range(3):
            guest.write(f"{DRIVER}/unbind", device)
            assert not guest.hea.live()
            guest.write(f"{DRIVER}/bind", device)
            for port in (0, 1):
                scene.up(guest, port)
            scene.forwarding(guest)
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power7",))
def test_adapter_removed_and_probed_through_the_bus(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    node = guest.sh("find /proc/device-tree/ -maxdepth 1 -name 'lhea*'"
                    ).replace("/proc/device-tree/", "/")
    for _ in range(3):
        guest.sh(f"printf %s {node} > /sys/bus/ibmebus/remove")
        assert not guest.hea.live()
        assert guest.status(f"ls {DRIVER}/*lhea*")
        guest.sh(f"printf %s {node} > /sys/bus/ibmebus/probe")
        scene.up(guest)
        scene.both_ways(guest)


def test_ports_and_memory_change_at_once(lab):
    guest = lab.boot(adapters(ports=2),
                     append="memhp_default_state=online_movable")
    scene.ready(guest, 2)
    path = _device(guest)
    job = guest.job("for i in $(seq 10); do "
                    f"printf 2 > {path}/remove_port; "
                    f"printf 2 > {path}/probe_port; done")
    while job.status is None:
        guest.mem_del(guest.mem_add(1))
    job.wait()
    scene.up(guest, 1)
    scene.both_ways(guest, 0)
    scene.both_ways(guest, 1)


def test_removing_a_port_in_another_namespace_works(lab):
    guest = lab.boot(adapters(ports=2))
    scene.load(guest)
    guest.sh(f"ip netns add far; ip link set {guest.netdev(1)} netns far")
    assert _port(guest, "remove", 2) == 0
    guest.sh("ip netns del far")
    assert _port(guest, "probe", 2) == 0
    scene.up(guest, 1)
    scene.both_ways(guest, 1)


INJECT = "/sys/kernel/debug/notifier-error-inject/netdev/actions"
EPERM = -1


def _refuse(guest, event, error):
    """Somebody in the kernel refuses what devices of the network do."""
    guest.write(f"{INJECT}/{event}/error", str(error))


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_what_the_kernel_refuses_a_port_leaves_nothing_and_others_alone(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    path = _device(guest)
    guest.sh("mountpoint -q /sys/kernel/debug || "
             "mount -t debugfs debugfs /sys/kernel/debug; "
             "modprobe netdev-notifier-error-inject")
    assert _port(guest, "remove", 2) == 0
    before = guest.hea.resources()
    for event in ("NETDEV_POST_INIT", "NETDEV_REGISTER"):
        _refuse(guest, event, EPERM)
        for _ in range(2):
            assert _port(guest, "probe", 2)
            assert guest.status(f"test -e {path}/port1")
            assert guest.hea.resources() == before
        scene.both_ways(guest, count=1)
        _refuse(guest, event, 0)
    assert _port(guest, "probe", 2) == 0
    name = guest.netdev(1)

    _refuse(guest, "NETDEV_PRE_UP", EPERM)
    assert guest.status(f"ip link set {name} up")
    assert guest.hea.resources() == before
    _refuse(guest, "NETDEV_PRE_UP", 0)
    # its groups would come one by one
    guest.sh(f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    scene.up(guest, 1)
    both = guest.hea.resources()
    for event in ("NETDEV_PRECHANGEMTU", "NETDEV_CHANGEMTU"):
        _refuse(guest, event, EPERM)
        assert guest.status(f"ip link set {name} mtu 4000")
        _refuse(guest, event, 0)
        assert guest.read(f"/sys/class/net/{name}/mtu") == "1500"
        assert guest.hea.resources() == both
        scene.both_ways(guest, 1)
    scene.both_ways(guest, 0)

    # no port at all, and the module loads and goes
    guest.sh("modprobe -r ehea")
    _refuse(guest, "NETDEV_REGISTER", EPERM)
    guest.sh("modprobe ehea")
    guest.wait_console("no usable port")
    guest.sh("modprobe -r ehea")
    assert not guest.hea.live()
    _refuse(guest, "NETDEV_REGISTER", 0)
