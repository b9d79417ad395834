# SPDX-License-Identifier: GPL-2.0-or-later
"""Fidelity of the virtual HEA: the old driver of the same kernel tree, the one
program known to run on the hardware, works on it unchanged."""

import pytest

from ehealab import scene
from ehealab.guest import adapters
from test_traffic import _transfer

pairs = pytest.mark.on("power7", "power9")


def _boot(lab, **fields):
    guest = lab.boot(adapters(ports=2, net="hub:0"), module="intree", **fields)
    # a defect of that driver, not of the adapter: it polls again inline
    guest.allow.append("Budget exhausted after napi rescheduled")
    scene.load(guest)
    return guest


@pairs
def test_old_driver_pings_and_transfers_with_tso_on_two_ports(lab):
    guest = _boot(lab)
    scene.namespaces(guest)
    name = guest.netdev(0, ns="a")
    assert "tcp-segmentation-offload: on" in \
        guest.ns("a", f"ethtool -k {name}")
    scene.ping(guest, scene.ns_ip("b"), ns="a")
    scene.ping(guest, scene.ns_ip("a"), ns="b")
    _transfer(guest, "a", "b", 8 << 20)
    _transfer(guest, "b", "a", 8 << 20)


@pairs
def test_old_driver_passes_vlan_tagged_traffic(lab):
    guest = _boot(lab)
    scene.namespaces(guest)
    for ns, port, address in (("a", 0, "10.78.0.1"), ("b", 1, "10.78.0.2")):
        name = guest.netdev(port, ns=ns)
        guest.ns(ns, f"ip link add link {name} name tag5 type vlan id 5 && "
                 f"ip addr add {address}/24 dev tag5 && ip link set tag5 up")
    scene.ping(guest, "10.78.0.2", ns="a")
    scene.ping(guest, "10.78.0.1", ns="b")


@pairs
def test_old_driver_sets_and_reads_all_that_it_can(lab):
    guest = _boot(lab)
    name = scene.up(guest)
    for command in ("ethtool -S {0}", "ethtool {0}", "ip -s link show {0}",
                    "ip link set {0} promisc on",
                    "ip link set {0} promisc off",
                    "ip link set {0} allmulticast on",
                    "ip link set {0} allmulticast off",
                    "ip maddr add 01:00:5e:01:02:03 dev {0}",
                    "ip maddr del 01:00:5e:01:02:03 dev {0}",
                    "ip link set {0} address 52:54:00:11:22:33",
                    "ip link set {0} mtu 9000", "ip link set {0} down",
                    "ip link set {0} up"):
        guest.sh(command.format(name))
    scene.carrier(guest, name)
    guest.hea.action("qp-error port=1 index=0")
    guest.poll(lambda: guest.hea.stats()["calls"].get("H_ERROR_DATA"),
               "a look at the error")
    scene.carrier(guest, name)


def test_old_driver_passes_jumbo_frames(lab):
    guest = _boot(lab)
    scene.namespaces(guest)
    for ns, port in (("a", 0), ("b", 1)):
        name = guest.netdev(port, ns=ns)
        guest.ns(ns, f"ip link set {name} mtu 9000")
        scene.carrier(guest, name, ns)
    scene.ping(guest, scene.ns_ip("b"), size=8900, ns="a")
    _transfer(guest, "a", "b", 8 << 20)


def test_old_driver_survives_a_memory_add_on_idle_ports(lab):
    guest = _boot(lab)
    scene.namespaces(guest)
    scene.ping(guest, scene.ns_ip("b"), ns="a")
    before = guest.hea.stats()["mr"]["registrations"]
    guest.mem_add(1)
    guest.poll(lambda: guest.hea.stats()["mr"]["registrations"] > before,
               "a new MR")
    scene.ping(guest, scene.ns_ip("b"), ns="a")
    scene.ping(guest, scene.ns_ip("a"), ns="b")
