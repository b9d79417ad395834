# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong can be seen: devlink health, debugfs, tracepoints."""

import re

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters

TRACING = "/sys/kernel/tracing"


def _devlink(guest):
    """The adapter's devlink handle."""
    out = guest.sh("devlink dev")
    return re.search(r"^(\S*lhea\S*)", out, re.M).group(1)


def _errors(guest, handle, reporter):
    """How many errors a reporter has seen, and its state."""
    out = guest.sh(f"devlink health show {handle} reporter {reporter}")
    state = re.search(r"state (\w+)", out).group(1)
    return int(re.search(r"error (\d+)", out).group(1)), state


def _dump(guest, handle, reporter):
    """The dump of a reporter, which is then forgotten."""
    out = guest.sh(f"devlink health dump show {handle} reporter {reporter}")
    guest.sh(f"devlink health dump clear {handle} reporter {reporter}")
    return out


def _resets(guest, name):
    return scene.driver_stats(guest, name)["resets"]


def test_devlink_knows_the_adapter_by_its_driver(lab):
    guest = lab.boot(adapters(ports=1, count=2))
    scene.load(guest)
    handles = re.findall(r"^(\S*lhea\S*)", guest.sh("devlink dev"), re.M)
    assert len(set(handles)) == 2
    for handle in handles:
        assert "driver ehea" in guest.sh(f"devlink dev info {handle}")
    guest.sh("modprobe -r ehea")
    assert "lhea" not in guest.sh("devlink dev")


@pytest.mark.on("power9", "power9-debug")
def test_qp_error_is_reported_with_its_cause_and_mended(lab):
    guest = lab.boot(adapters(ports=1, default_qps=2))
    guest.allow.append("QP error")
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -L {name} combined 2")
    handle = _devlink(guest)
    assert _errors(guest, handle, "qp") == (0, "healthy")
    guest.hea.action("qp-error port=1 index=1 aer=0x1234567800000000")
    guest.poll(lambda: _errors(guest, handle, "qp") == (1, "healthy"),
               "an error that was mended")
    dump = _dump(guest, handle, "qp")
    assert "what: QP error" in dump
    assert re.search(r"queue: 1\b", dump) and re.search(r"port: 1\b", dump)
    assert re.search(rf"aer: {0x1234567800000000}\b", dump), dump
    scene.carrier(guest, name)
    scene.both_ways(guest)
    assert _resets(guest, name) == 1


def test_transmit_timeout_is_reported_with_the_queue_and_mended(lab):
    guest = lab.boot(adapters(ports=1))
    guest.allow += ["NETDEV WATCHDOG", "transmit queue", "transmit timeout"]
    name = scene.ready(guest)[0]
    handle = _devlink(guest)
    guest.hea.action("hold port=1")
    job = guest.job(f"ping -c 40 -i 0.5 -s 1000 {scene.host_ip()}")
    guest.poll(lambda: _errors(guest, handle, "tx") == (1, "healthy"),
               "a timeout that was mended", 60)
    guest.hea.action("release port=1")
    job.kill()
    dump = _dump(guest, handle, "tx")
    assert "what: transmit timeout" in dump and "sq_head" in dump
    scene.carrier(guest, name)
    scene.both_ways(guest)


def test_malfunctions_are_reported_with_the_port_and_mended(lab):
    guest = lab.boot(adapters(ports=2))
    guest.allow.append("malfunction")
    names = scene.ready(guest, 2)
    handle = _devlink(guest)
    guest.hea.action("malfunction port=2")
    guest.poll(lambda: _errors(guest, handle, "adapter")[0] == 1, "a report")
    dump = _dump(guest, handle, "adapter")
    assert "port malfunction" in dump and re.search(r"port: 2\b", dump)
    guest.poll(lambda: _resets(guest, names[1]) == 1, "a reset of port 2")
    assert _resets(guest, names[0]) == 0
    guest.hea.action("malfunction")
    guest.poll(lambda: _errors(guest, handle, "adapter") == (2, "healthy"),
               "a report")
    assert "adapter malfunction" in _dump(guest, handle, "adapter")
    guest.poll(lambda: _resets(guest, names[0]) == 1 and
               _resets(guest, names[1]) == 2, "resets of both ports")
    for port, name in enumerate(names):
        scene.carrier(guest, name)
        scene.both_ways(guest, port)


@pytest.mark.on("power9", faults=("power9-debug",))
def test_diagnosis_and_recovery_can_be_asked_for(lab):
    guest = lab.boot(adapters(ports=2))
    guest.allow.append("QP error")
    names = scene.ready(guest, 2)
    handle = _devlink(guest)
    now = guest.sh(f"devlink health diagnose {handle} reporter qp")
    assert len(re.findall(r"state: 5\b", now)) == guest.hea.resources()["qp"]
    # devlink recovers what is in error only, and stays so until it is told
    guest.sh(f"devlink health set {handle} reporter qp auto_recover false")
    scene.qp_error(guest)
    guest.poll(lambda: _errors(guest, handle, "qp") == (1, "error"),
               "an error")
    guest.poll(lambda: [_resets(guest, n) for n in names] == [1, 0],
               "a reset by the driver")
    guest.sh(f"devlink health recover {handle} reporter qp")
    guest.poll(lambda: [_resets(guest, n) for n in names] == [2, 1],
               "resets of both ports")
    assert _errors(guest, handle, "qp") == (1, "healthy")
    for port, name in enumerate(names):
        scene.carrier(guest, name)
        scene.both_ways(guest, port)


def _debugfs(guest, name):
    """A file of the first adapter in debugfs."""
    return guest.sh("mountpoint -q /sys/kernel/debug || "
                    "mount -t debugfs debugfs /sys/kernel/debug; "
                    f"cat /sys/kernel/debug/ehea/*/{name}")


@pytest.mark.on("power9", faults=("power7",))
def test_debugfs_shows_map_and_calls(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -C {name} stats-block-usecs 0")
    memory = _debugfs(guest, "memory")
    assert "map of 64 sections" in memory
    assert re.search(r"MR of 1024 MiB in \d+ KiB pages, \d+ calls, 1 views",
                     memory), memory
    dimm = guest.mem_add()
    guest.poll(lambda: re.search(r"map of (80|6[5-9]|7\d) sections",
                                 _debugfs(guest, "memory")), "a larger map")
    guest.poll(lambda: "MR of 1280 MiB" in _debugfs(guest, "memory"),
               "a larger MR")
    guest.mem_del(dimm)
    guest.poll(lambda: "map of 64 sections" in _debugfs(guest, "memory"),
               "the old map")
    calls = dict(line.split() for line in
                 _debugfs(guest, "hcalls").splitlines())
    assert int(calls["calls"]) == guest.hea.stats()["calls_total"]
    assert calls["timeouts"] == "0"
    guest.hea.fault("op=H_QUERY_HEA_PORT,cb=0,times=3,rc=H_BUSY")
    guest.sh(f"ethtool {name}")
    later = dict(line.split() for line in
                 _debugfs(guest, "hcalls").splitlines())
    assert int(later["busy"]) == int(calls["busy"]) + 3
    guest.sh("modprobe -r ehea && test ! -e /sys/kernel/debug/ehea")


def test_tracepoints_tell_of_calls_and_memory_changes(lab):
    guest = lab.boot(adapters(ports=1))
    scene.ready(guest)
    guest.sh(f"mountpoint -q {TRACING} || mount -t tracefs t {TRACING}; "
             f"echo 1 > {TRACING}/events/ehea/enable")
    dimm = guest.mem_add()
    guest.poll(lambda: "ehea_mem_update_end" in guest.read(f"{TRACING}/trace"),
               "the end of the update")
    guest.peer().send_many([frames.ether(scene.port_mac(guest),
                                         guest.peer().mac,
                                         frames.TYPE_REQUEST, bytes(1000))] *
                           3000)
    guest.mem_del(dimm)
    guest.poll(lambda: "ehea_region_free" in guest.read(f"{TRACING}/trace"),
               "the end of an MR")
    trace = guest.read(f"{TRACING}/trace")
    order = re.findall(r"(ehea_mem_update_begin|ehea_region_create|"
                       r"ehea_view_publish|ehea_mem_update_end): ", trace)
    assert order[:4] == ["ehea_mem_update_begin", "ehea_region_create",
                         "ehea_view_publish", "ehea_mem_update_end"]
    assert re.search(r"ehea_mem_update_begin: \S+ added=0x10000000 "
                     r"removed=0x0", trace)
    assert re.search(r"ehea_mem_update_begin: \S+ added=0x0 "
                     r"removed=0x10000000", trace)
    assert re.search(r"ehea_hcall: H_REGISTER_HEA_RPAGES .*status=0", trace)
    assert re.search(r"ehea_region_create: .* err=0", trace)
