# SPDX-License-Identifier: GPL-2.0-or-later
"""What must arrive arrives, and what must not does not.

A probe frame that is let through comes back from frameecho. A frame that must
not arrive is followed by one that must: when the second one's echo is there
and the first one's is not, it was filtered."""

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters
from ehealab.hea import delta

OTHER = "52:54:00:00:00:99"
GROUP = "01:00:5e:01:02:03"
GROUP2 = "01:00:5e:01:02:04"


class Probe:
    """Sends frames to any address and sees whether the guest got them."""

    def __init__(self, guest):
        self.guest = guest
        self.serial = 0
        self.name = None
        self.job = None

    def listen(self, name):
        """Start the echo in the guest."""
        self.name = name
        self.job = self.guest.job(f"frameecho {name}")
        self.job.wait_output("ready")

    def _send(self, dst):
        self.serial += 1
        body = self.serial.to_bytes(4, "big") + bytes(60)
        peer = self.guest.peer()
        peer.send(frames.ether(dst, peer.mac, frames.TYPE_REQUEST, body))
        return body

    def _seen(self, body):
        return lambda f: f.type == frames.TYPE_REPLY and \
            f.payload[:4] == body[:4]

    def arrives(self, dst, sure=None):
        """Whether a frame to dst arrives; one to sure certainly does."""
        first = self._send(dst)
        second = self._send(sure or scene.port_mac(self.guest))
        peer = self.guest.peer()
        peer.expect(self._seen(second), "echo of a frame to the port itself")
        return bool(peer.matching(self._seen(first)))


@pytest.fixture
def probe(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    out = Probe(guest)
    out.listen(name)
    return out


pairs = pytest.mark.on("power7", "power9")


@pairs
def test_frames_to_the_own_address_and_broadcasts_arrive(probe):
    assert probe.arrives(scene.port_mac(probe.guest))
    assert probe.arrives(frames.BROADCAST)


@pairs
def test_unicast_frames_to_another_address_do_not_arrive(probe):
    assert not probe.arrives(OTHER)


@pytest.mark.on("power9", "power9-7.2")
def test_multicast_frames_arrive_only_while_registered(probe):
    assert not probe.arrives(GROUP)
    probe.guest.sh(f"ip maddr add {GROUP} dev {probe.name}")
    probe.guest.poll(lambda: probe.arrives(GROUP), "the registered group")
    assert not probe.arrives(GROUP2)
    probe.guest.sh(f"ip maddr del {GROUP} dev {probe.name}")
    probe.guest.poll(lambda: not probe.arrives(GROUP), "its deregistration")


def test_all_multicast_lets_every_group_in_and_no_other_unicast(probe):
    probe.guest.sh(f"ip link set {probe.name} allmulticast on")
    probe.guest.poll(lambda: probe.arrives(GROUP), "any group")
    assert probe.arrives(GROUP2)
    assert not probe.arrives(OTHER)
    probe.guest.sh(f"ip link set {probe.name} allmulticast off")
    probe.guest.poll(lambda: not probe.arrives(GROUP), "the end of allmulti")


def test_all_multicast_ends_though_firmware_says_that_it_does_not(probe):
    """It does it, and reports an error; then it knows of no such filter."""
    guest = probe.guest
    guest.hea.tolerated = {"bcmc"}
    guest.allow.append("H_DEREG_BCMC: status")
    guest.sh(f"ip link set {probe.name} allmulticast on")
    guest.poll(lambda: probe.arrives(GROUP), "any group")
    guest.hea.fault("op=H_DEREG_BCMC,times=2,rc=H_HARDWARE,stage=after")
    guest.sh(f"ip link set {probe.name} allmulticast off")
    guest.poll(lambda: not probe.arrives(GROUP), "the end of allmulti")
    guest.sh(f"ip link set {probe.name} allmulticast on")
    guest.poll(lambda: probe.arrives(GROUP), "any group once more")
    assert scene.driver_stats(guest, probe.name)["resets"] == 0


def test_groups_that_firmware_refuses_are_asked_for_again(probe):
    """Neither the group nor, instead of it, all of them can be had."""
    guest = probe.guest
    guest.allow += ["receive filters are incomplete",
                    "all-multicast is not possible", "H_REG_BCMC: status"]
    guest.hea.fault("op=H_REG_BCMC,times=2,rc=H_HARDWARE")
    guest.sh(f"ip maddr add {GROUP} dev {probe.name}")
    guest.hea.wait(lambda h: not h.silent_faults(), "two refusals")
    assert not probe.arrives(GROUP)
    guest.poll(lambda: probe.arrives(GROUP), "the group in the end", 20, 0.5)
    assert not probe.arrives(GROUP2)
    assert scene.driver_stats(guest, probe.name)["resets"] == 0


def test_promiscuous_mode_lets_other_unicast_in_until_it_ends(probe):
    probe.guest.sh(f"ip link set {probe.name} promisc on")
    probe.guest.poll(lambda: probe.arrives(OTHER), "other unicast")
    probe.guest.sh(f"ip link set {probe.name} promisc off")
    probe.guest.poll(lambda: not probe.arrives(OTHER), "the end of promisc")
    assert probe.arrives(scene.port_mac(probe.guest))


def test_promiscuous_mode_survives_down_and_up(probe):
    probe.guest.sh(f"ip link set {probe.name} promisc on")
    probe.guest.poll(lambda: probe.arrives(OTHER), "other unicast")
    probe.guest.sh(f"ip link set {probe.name} down && "
                   f"ip link set {probe.name} up")
    scene.carrier(probe.guest, probe.name)
    probe.guest.poll(lambda: probe.arrives(OTHER), "other unicast after up")


def test_promiscuous_mode_survives_a_port_reset(probe):
    guest = probe.guest
    guest.sh(f"ip link set {probe.name} promisc on")
    guest.poll(lambda: probe.arrives(OTHER), "other unicast")
    before = guest.hea.calls("H_ALLOC_HEA_RESOURCE")
    scene.qp_error(guest)
    guest.hea.wait(lambda h: h.calls("H_ALLOC_HEA_RESOURCE") > before,
                   "a port reset")
    scene.carrier(guest, probe.name)
    guest.poll(lambda: probe.arrives(OTHER), "other unicast after a reset")


def test_multicast_registrations_survive_down_and_up(probe):
    probe.guest.sh(f"ip maddr add {GROUP} dev {probe.name}")
    probe.guest.sh(f"ip link set {probe.name} down && "
                   f"ip link set {probe.name} up")
    scene.carrier(probe.guest, probe.name)
    probe.guest.poll(lambda: probe.arrives(GROUP), "the group after up")
    assert not probe.arrives(GROUP2)


def test_all_registrations_end_when_the_port_closes(probe):
    probe.guest.sh(f"ip maddr add {GROUP} dev {probe.name}")
    probe.guest.poll(lambda: probe.arrives(GROUP), "the registered group")
    assert probe.guest.hea.resources()["bcmc"]
    probe.guest.sh(f"ip link set {probe.name} down")
    assert probe.guest.hea.resources()["bcmc"] == 0


def test_75_groups_cost_few_calls_each_and_all_arrive(probe):
    guest = probe.guest
    groups = [f"01:00:5e:02:00:{n:02x}" for n in range(75)]
    before = guest.hea.stats()["calls"]
    for group in groups:
        guest.sh(f"ip maddr add {group} dev {probe.name}")
    guest.poll(lambda: probe.arrives(groups[-1]), "the last group")
    for group in (groups[0], groups[37]):
        assert probe.arrives(group)
    assert not probe.arrives(GROUP)
    spent = delta(before, guest.hea.stats()["calls"])
    total = sum(c["total"] for n, c in spent.items() if "BCMC" in n)
    assert total <= 4 * len(groups), spent


def test_more_groups_than_firmware_holds_fall_back_to_all_multicast(lab):
    guest = lab.boot(adapters(ports=1, max_mc=8))
    probe = Probe(guest)
    probe.listen(scene.ready(guest)[0])
    groups = [f"01:00:5e:02:00:{n:02x}" for n in range(20)]
    for group in groups:
        guest.sh(f"ip maddr add {group} dev {probe.name}")
    guest.poll(lambda: all(probe.arrives(g) for g in groups),
               "every group despite the full filter")
    assert not probe.arrives(OTHER)
    for group in groups:
        guest.sh(f"ip maddr del {group} dev {probe.name}")
    guest.poll(lambda: not probe.arrives(groups[0]),
               "the return to filtering")
    assert probe.arrives(frames.BROADCAST)


def test_filters_fuller_than_firmware_promised_fall_back_and_recover(probe):
    """Its attributes told of 128 groups when the driver was loaded."""
    guest = probe.guest
    groups = [f"01:00:5e:02:00:{n:02x}" for n in range(12)]
    guest.hea.set("max-mc", 8)
    for group in groups:
        guest.sh(f"ip maddr add {group} dev {probe.name}")
    guest.poll(lambda: all(probe.arrives(g) for g in groups), "every group")
    assert guest.hea.calls("H_REG_BCMC", "H_MCG_FULL")
    assert probe.arrives(GROUP) and not probe.arrives(OTHER)
    for group in groups[2:]:
        guest.sh(f"ip maddr del {group} dev {probe.name}")
    guest.poll(lambda: not probe.arrives(GROUP), "the return to filtering")
    assert all(probe.arrives(g) for g in groups[:2])
    # and when not even all groups at once are possible
    guest.allow.append("receive filters are incomplete")
    guest.hea.fault("op=H_REG_BCMC,times=0,rc=H_MCG_FULL")
    guest.sh(f"ip maddr add {GROUP} dev {probe.name}")
    guest.hea.wait(lambda h: not h.silent_faults(), "a refusal")
    assert all(probe.arrives(g) for g in groups[:2])
    guest.hea.clear_faults()
    guest.sh(f"ip maddr add {GROUP2} dev {probe.name}")
    guest.poll(lambda: probe.arrives(GROUP) and probe.arrives(GROUP2),
               "both groups")


def test_forbidden_multicast_is_reported_once_and_harmless(lab):
    guest = lab.boot(adapters(ports=1, bcmc_allowed="off"))
    probe = Probe(guest)
    probe.listen(scene.ready(guest)[0])
    for n in range(5):
        guest.sh(f"ip maddr add 01:00:5e:02:00:{n:02x} dev {probe.name}")
    guest.sh(f"ip link set {probe.name} allmulticast on; "
             f"ip link set {probe.name} down; ip link set {probe.name} up")
    scene.carrier(guest, probe.name)
    scene.both_ways(guest)
    probe.job.stop()
    probe.listen(probe.name)
    assert guest.hea.calls("H_REG_BCMC", "H_AUTHORITY")
    assert probe.arrives(frames.BROADCAST)
    assert not probe.arrives(GROUP)
    guest.sync_console()
    lines = [x for x in guest.console_lines() if "not possible" in x]
    assert len(lines) == 1, lines


def test_forbidden_promiscuous_mode_is_reported_and_harmless(lab):
    guest = lab.boot(adapters(ports=1, promisc="off"))
    probe = Probe(guest)
    probe.listen(scene.ready(guest)[0])
    guest.sh(f"ip link set {probe.name} promisc on", check=False)
    assert probe.arrives(scene.port_mac(guest))
    assert not probe.arrives(OTHER)
    lines = [x for x in guest.console_lines() if "ehea" in x]
    assert len(lines) < 20, "one refusal, many messages"
