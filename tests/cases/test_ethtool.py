# SPDX-License-Identifier: GPL-2.0-or-later
"""Administration by ethtool, judged by the wire and by the virtual HEA."""

import re

import pytest

from ehealab import frames, scene
from ehealab.errors import CaseError
from ehealab.guest import adapters


def _field(text, name):
    """A number that ethtool shows; the last one, which is the current."""
    return int(re.findall(rf"^{name}:\s+(\d+)", text, re.M)[-1])


def _refused(guest, command, why):
    """The command fails and says why."""
    out = guest.sh(f"{command} 2>&1; echo status=$?")
    assert "status=0" not in out, out
    assert re.search(why, out), out


def _flows(guest, count=120, size=300):
    """Flows from the host to a port where nobody listens."""
    peer = guest.peer()
    return [frames.udp_frame(scene.port_mac(guest), peer.mac,
                             scene.guest_ip(), scene.host_ip(), 9, 1000 + n,
                             bytes(size)) for n in range(count)]


def _queues_that_receive(guest, name):
    """Receive queues that new flows reach; all flows must arrive."""
    def counts():
        found = scene.driver_stats(guest, name)
        return {k: v for k, v in found.items()
                if re.fullmatch(r"rx\d+_packets", k)}
    before, flows = counts(), _flows(guest)
    total = sum(before.values()) + len(flows)
    guest.peer().send_many(flows)
    guest.poll(lambda: sum(counts().values()) >= total, "all flows received")
    after = counts()
    return sorted(int(re.search(r"\d+", k).group())
                  for k in after if after[k] > before[k])


def test_info_names_driver_and_adapter(lab):
    guest = lab.boot(adapters(ports=2))
    names = scene.ready(guest, 2)
    infos = [guest.sh(f"ethtool -i {name}") for name in names]
    for info in infos:
        assert re.search(r"^driver: ehea$", info, re.M)
        assert re.search(r"^supports-statistics: yes$", info, re.M)
        assert re.search(r"^supports-register-dump: yes$", info, re.M)
    bus = [re.search(r"^bus-info: (.*)$", i, re.M).group(1) for i in infos]
    assert bus[0] != bus[1]
    for one in bus:
        adapter, port = one.split("/")
        guest.sh(f"test -d /sys/bus/ibmebus/devices/{adapter}/{port}")


# Rings


@pytest.mark.on("power9", faults=("power7",))
def test_rings_of_a_running_port_change_and_frames_still_pass(lab):
    guest = lab.boot(adapters(ports=1, default_qps=2, max_eqs=16))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -G {name} rx 300 rx-mini 2000 rx-jumbo 130 tx 500")
    rings = guest.sh(f"ethtool -g {name}")
    assert _field(rings, "RX") == 511
    assert _field(rings, "RX Mini") == 2047
    assert _field(rings, "RX Jumbo") == 255
    assert _field(rings, "TX") == 511
    scene.both_ways(guest)
    _queues_that_receive(guest, name)
    guest.sh(f"ip link set {name} down && ip link set {name} up")
    scene.carrier(guest, name)
    assert guest.sh(f"ethtool -g {name}") == rings
    scene.both_ways(guest)


def test_smallest_and_largest_rings_work(lab):
    guest = lab.boot(adapters(ports=1, max_eqs=16), mem=2048)
    name = scene.ready(guest)[0]
    for rings in ("rx 127 rx-mini 127 rx-jumbo 127 tx 127",
                  "rx 16383 rx-mini 32767 rx-jumbo 16383 tx 32767"):
        guest.sh(f"ethtool -G {name} {rings}")
        scene.both_ways(guest)
        assert len(_queues_that_receive(guest, name)) == 1


def test_rings_beyond_the_limits_are_refused(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    before = guest.sh(f"ethtool -g {name}")
    _refused(guest, f"ethtool -G {name} tx 40000", "maximum")
    assert guest.sh(f"ethtool -g {name}") == before
    scene.both_ways(guest)


@pytest.mark.parametrize("status, why", [
    ("H_NO_MEM*2", "no room"), ("H_RESOURCE*2", "no room"),
    ("H_HARDWARE*1", "present ones stay")])
def test_rings_that_firmware_refuses_leave_the_old_ones(lab, status, why):
    """Firmware without room is asked once more, with the old rings gone."""
    guest = lab.boot(adapters(ports=1, max_eqs=16))
    guest.allow.append("H_ALLOC_HEA_RESOURCE")
    name = scene.ready(guest)[0]
    before = guest.sh(f"ethtool -g {name}")
    code, times = status.split("*")
    guest.hea.fault(f"op=H_ALLOC_HEA_RESOURCE,rtype=qp,times={times},rc={code}")
    _refused(guest, f"ethtool -G {name} tx 511", why)
    assert guest.sh(f"ethtool -g {name}") == before
    scene.carrier(guest, name)
    scene.both_ways(guest)
    guest.sh(f"ethtool -G {name} tx 511")
    scene.both_ways(guest)


# Channels and the hash table


@pytest.mark.on("power9", faults=("power7",))
def test_channels_of_a_running_port_change_and_all_are_used(lab):
    guest = lab.boot(adapters(ports=1, default_qps=4), smp=2)
    name = scene.ready(guest)[0]
    for count in (4, 1, 3, 2):
        guest.sh(f"ethtool -L {name} combined {count}")
        assert _field(guest.sh(f"ethtool -l {name}"), "Combined") == count
        assert guest.hea.resources()["qp"] == count
        scene.both_ways(guest)
        assert _queues_that_receive(guest, name) == list(range(count))
    _refused(guest, f"ethtool -L {name} combined 5", "maximum|Invalid")
    _refused(guest, f"ethtool -L {name} combined 0", ".")
    scene.both_ways(guest)


def test_channels_that_firmware_refuses_leave_the_old_ones(lab):
    guest = lab.boot(adapters(ports=1, default_qps=4))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -L {name} combined 2")
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=qp,after=1,times=1,"
                    "rc=H_HARDWARE")
    guest.allow.append("H_ALLOC_HEA_RESOURCE")
    _refused(guest, f"ethtool -L {name} combined 4", ".")
    assert _field(guest.sh(f"ethtool -l {name}"), "Combined") == 2
    assert guest.hea.resources()["qp"] == 2
    scene.both_ways(guest)


@pytest.mark.on("power9", faults=("power7",))
def test_hash_table_decides_which_queues_receive(lab):
    guest = lab.boot(adapters(ports=1, default_qps=4))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -L {name} combined 4")
    assert _queues_that_receive(guest, name) == [0, 1, 2, 3]
    for weights, queues in (("0 1 0 0", [1]), ("1 0 0 1", [0, 3]),
                            ("0 0 1 1", [2, 3])):
        guest.sh(f"ethtool -X {name} weight {weights}")
        assert _queues_that_receive(guest, name) == queues
    shown = guest.sh(f"ethtool -x {name}")
    assert re.search(r"^\s+0:\s+2\s+2\s+3\s+3", shown, re.M), shown
    # it outlives the queues
    guest.sh(f"ip link set {name} down && ip link set {name} up")
    scene.carrier(guest, name)
    assert _queues_that_receive(guest, name) == [2, 3]
    guest.sh(f"ethtool -G {name} tx 255")
    assert _queues_that_receive(guest, name) == [2, 3]
    # queues that the table names cannot go
    _refused(guest, f"ethtool -L {name} combined 2", ".")
    guest.sh(f"ethtool -X {name} default")
    assert _queues_that_receive(guest, name) == [0, 1, 2, 3]
    guest.sh(f"ethtool -L {name} combined 2")
    assert _queues_that_receive(guest, name) == [0, 1]


def test_hash_table_that_firmware_refuses_stays(lab):
    guest = lab.boot(adapters(ports=1, default_qps=2))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -L {name} combined 2")
    before = guest.sh(f"ethtool -x {name}")
    guest.hea.fault("op=H_MODIFY_HEA_PORT,cb=0,times=0,rc=H_HARDWARE")
    guest.allow.append("H_MODIFY_HEA_PORT")
    _refused(guest, f"ethtool -X {name} weight 0 1", ".")
    guest.hea.clear_faults()
    assert guest.sh(f"ethtool -x {name}") == before
    assert _queues_that_receive(guest, name) == [0, 1]


# Link


def test_speed_is_set_in_firmware_and_autonegotiation_restores_it(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -s {name} speed 1000 duplex full autoneg off")
    guest.poll(lambda: "Speed: 1000Mb/s" in guest.sh(f"ethtool {name}"),
               "speed of 1 Gbit/s")
    shown = guest.sh(f"ethtool {name}")
    assert "Duplex: Full" in shown
    assert "Auto-negotiation: off" in shown
    assert guest.status(f"ethtool -r {name}")
    guest.sh(f"ethtool -s {name} speed 100 duplex half autoneg off")
    shown = guest.sh(f"ethtool {name}")
    assert "Speed: 100Mb/s" in shown and "Duplex: Half" in shown
    _refused(guest, f"ethtool -s {name} speed 1000 duplex half", "Invalid")
    guest.sh(f"ethtool -s {name} autoneg on")
    shown = guest.sh(f"ethtool {name}")
    assert "Speed: 10000Mb/s" in shown and "Auto-negotiation: on" in shown
    guest.sh(f"ethtool -r {name}")
    scene.carrier(guest, name)
    scene.both_ways(guest)


def test_speed_that_the_console_forbids_is_refused_as_such(lab):
    guest = lab.boot(adapters(ports=1, speed_allowed="off"))
    name = scene.ready(guest)[0]
    _refused(guest, f"ethtool -s {name} speed 1000 duplex full autoneg off",
             "not permitted")
    shown = guest.sh(f"ethtool {name}")
    assert "Speed: 10000Mb/s" in shown and "Auto-negotiation: on" in shown


def test_link_state_tells_logical_from_physical_port(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    assert "Link detected: yes" in guest.sh(f"ethtool {name}")
    guest.hea.action("logical port=1 up=0")
    scene.carrier(guest, name, up=False)
    assert re.search(r"Link detected: no \(Logical mismatch\)",
                     guest.sh(f"ethtool {name}"))
    guest.hea.action("phy port=1 up=0")
    guest.poll(lambda: re.search(r"Link detected: no \(No cable\)",
                                 guest.sh(f"ethtool {name}")),
               "cause: no cable")
    guest.hea.action("phy port=1 up=1")
    guest.hea.action("logical port=1 up=1")
    scene.carrier(guest, name)
    assert "Link detected: yes" in guest.sh(f"ethtool {name}")


def test_carrier_follows_the_physical_port_only_if_asked_to(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    flags = f"ethtool --show-priv-flags {name}"
    assert re.search(r"prop-carrier-state\s*: off", guest.sh(flags))
    mark = guest.hea.calls("H_QUERY_HEA_PORT")
    guest.hea.action("phy port=1 up=0")
    # the event has been read when the state has been asked for
    guest.hea.wait(lambda h: h.calls("H_QUERY_HEA_PORT") > mark + 1,
                   "the driver looks at the port")
    assert guest.read(f"/sys/class/net/{name}/carrier") == "1"
    guest.sh(f"ethtool --set-priv-flags {name} prop-carrier-state on")
    assert re.search(r"prop-carrier-state\s*: on", guest.sh(flags))
    scene.carrier(guest, name, up=False)
    guest.hea.action("phy port=1 up=1")
    scene.carrier(guest, name)
    guest.hea.action("phy port=1 up=0")
    scene.carrier(guest, name, up=False)
    guest.sh(f"ethtool --set-priv-flags {name} prop-carrier-state off")
    scene.carrier(guest, name)
    guest.hea.action("phy port=1 up=1")
    scene.both_ways(guest)


def test_pause_is_what_firmware_confirms(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    show = f"ethtool -a {name}"
    assert re.search(r"^RX:\s+off$", guest.sh(show), re.M)
    guest.sh(f"ethtool -A {name} rx on tx on")
    assert re.search(r"^RX:\s+on$", guest.sh(show), re.M)
    assert re.search(r"^TX:\s+on$", guest.sh(show), re.M)
    _refused(guest, f"ethtool -A {name} rx off", "not supported")
    guest.hea.fault("op=H_MODIFY_HEA_PORT,cb=4,times=1,rc=H_AUTHORITY")
    _refused(guest, f"ethtool -A {name} rx off tx off", "not permitted")
    assert re.search(r"^RX:\s+on$", guest.sh(show), re.M)
    # firmware that says yes and does nothing
    guest.hea.fault("op=H_QUERY_HEA_PORT,cb=4,times=0,corrupt=cb4.pause:1")
    _refused(guest, f"ethtool -A {name} rx off tx off", "not supported")
    guest.hea.clear_faults()
    guest.sh(f"ethtool -A {name} rx on tx on")
    guest.sh(f"ethtool -A {name} rx off tx off")
    assert re.search(r"^RX:\s+off$", guest.sh(show), re.M)


# The rest


def _cb2_calls(guest, seconds):
    """Queries of the port within so many seconds of guest time."""
    before = guest.hea.calls("H_QUERY_HEA_PORT")
    guest.sh(f"sleep {seconds}")
    return guest.hea.calls("H_QUERY_HEA_PORT") - before


def test_statistics_are_read_as_often_as_asked_for(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    shown = guest.sh(f"ethtool -c {name}")
    assert _field(shown, "stats-block-usecs") == 1000000
    guest.sh(f"ethtool -C {name} stats-block-usecs 100000")
    assert _cb2_calls(guest, 3) >= 15
    guest.sh(f"ethtool -C {name} stats-block-usecs 0")
    guest.sh("sleep 1")
    assert _cb2_calls(guest, 2) == 0
    guest.sh(f"ethtool -C {name} stats-block-usecs 500000")
    assert 2 <= _cb2_calls(guest, 3) <= 8
    _refused(guest, f"ethtool -C {name} stats-block-usecs 10", "at least")
    guest.sh(f"ip link set {name} down")
    assert _cb2_calls(guest, 2) == 0


def test_frames_without_a_completion_are_as_many_as_asked_for(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    assert _field(guest.sh(f"ethtool -c {name}"), "tx-frames") == 256
    for limit in (1, 8, 256):
        guest.sh(f"ethtool -C {name} tx-frames {limit}")
        assert _field(guest.sh(f"ethtool -c {name}"), "tx-frames") == limit
        scene.both_ways(guest)
        guest.peer().send_many(_flows(guest, 500, 20))
        scene.ping(guest, scene.host_ip(), 20)
    for limit in (0, 257):
        _refused(guest, f"ethtool -C {name} tx-frames {limit}", "1 to 256")
    _refused(guest, f"ethtool -C {name} rx-usecs 10", "unsupported")


def test_self_test_passes_and_finds_what_is_wrong(lab):
    guest = lab.boot(adapters(ports=1, default_qps=2, max_eqs=16))
    name = scene.ready(guest)[0]
    for mode in ("online", "offline"):
        out = guest.sh(f"ethtool -t {name} {mode}")
        assert "PASS" in out
        assert out.count("\t 0") >= 4, out
        scene.both_ways(guest)
    guest.hea.fault("op=H_QUERY_HEA_QP,times=1,corrupt=qp.control:0")
    out = guest.sh(f"ethtool -t {name} online 2>&1; true")
    assert "FAIL" in out and re.search(r"QPs.*\t 1$", out, re.M), out
    guest.hea.fault("op=H_QUERY_HEA,times=1,rc=H_HARDWARE")
    guest.allow.append("H_QUERY_HEA: status")
    out = guest.sh(f"ethtool -t {name} online 2>&1; true")
    assert re.search(r"Adapter.*\t 1$", out, re.M), out
    assert "PASS" in guest.sh(f"ethtool -t {name} online")


def _registers(guest, name):
    """Words of the register dump."""
    text = guest.sh(f"ethtool -d {name} raw on | hexdump -v -e '8/1 \"%02x\" "
                    "\"\\n\"'")
    return [int(line, 16) for line in text.split()]


def test_register_dump_shows_the_queue_pairs(lab):
    guest = lab.boot(adapters(ports=1, default_qps=3))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -L {name} combined 2")
    words = _registers(guest, name)
    per_qp = len(words) // 3
    assert len(words) == 3 * per_qp
    number, enabled, state = words[0], words[1], words[2]
    assert number and enabled == 1 and state == 5
    assert words[per_qp] not in (0, number)
    assert not any(words[2 * per_qp:])
    scene.ping(guest, scene.host_ip(), 20)
    later = _registers(guest, name)
    # a flow may take either queue
    assert later[0] == number and any(
        later[at + 7:at + 9] != words[at + 7:at + 9] for at in (0, per_qp))
    guest.sh(f"ip link set {name} down")
    assert not any(_registers(guest, name))


def test_message_level_silences_the_link_messages(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]

    def flap():
        mark = guest.console_mark()
        for up in (0, 1):
            guest.hea.action(f"logical port=1 up={up}")
            scene.carrier(guest, name, up=bool(up))
        guest.sync_console()
        return guest.console_text()[mark:]
    guest.sh("echo 8 > /proc/sys/kernel/printk")
    assert "link is down" in flap()
    guest.sh(f"ethtool -s {name} msglvl link off")
    assert "link is" not in flap()
    guest.sh(f"ethtool -s {name} msglvl link on")
    assert "link is up" in flap()


def test_time_stamps_are_taken_in_software(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    out = guest.sh(f"ethtool -T {name}")
    assert "software-transmit" in out and "software-receive" in out


def test_a_port_that_is_closed_answers_every_question(lab):
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    for option in ("-i", "-g", "-l", "-c", "-a", "-k", "-x", "-S", "-d", "-T",
                   "--show-priv-flags", "-t", ""):
        if guest.status(f"ethtool {option} {name} > /dev/null"):
            raise CaseError(f"ethtool {option} of a closed port")
    guest.sh(f"ethtool -G {name} rx 255 && ethtool -L {name} combined 1")
    scene.up(guest)
    assert _field(guest.sh(f"ethtool -g {name}"), "RX") == 255
    scene.both_ways(guest)
