# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading, opening, closing and unloading; what sysfs shows."""

import pytest

from ehealab import scene
from ehealab.guest import PAGE, Adapter, Port, adapters, mac
from ehealab.hea import delta


def _trickles(free):
    """Whether a page per round was lost in the last ones. The first fill
    caches."""
    return len(free) > 15 and \
        max(free[-15:-10]) - max(free[-5:]) >= 10 * PAGE / 1024


@pytest.mark.on("power7", "power9-7.2", faults=("power9", "power9-debug"))
def test_twenty_times_load_open_close_unload_leaves_nothing(lab):
    """Five times on the debug kernel, which is slow and finds leaks itself."""
    guest = lab.boot(adapters(ports=2))
    free = []
    rounds = 5 if lab.slow else 20
    # other memory comes and goes, too; a leak goes on
    while len(free) < rounds or _trickles(free) and len(free) < 3 * rounds:
        name = scene.ready(guest)[0]
        scene.ping(guest, scene.host_ip(), count=1)
        assert guest.hea.live()
        guest.sh(f"ip link set {name} down && modprobe -r ehea")
        assert not guest.hea.live()
        guest.sh("echo 3 > /proc/sys/vm/drop_caches")
        free.append(guest.mem_free())
    assert not _trickles(free), f"MiB free after each round: {free}"


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_open_and_close_twenty_times_leaves_what_it_found(lab):
    guest = lab.boot(adapters(ports=2))
    scene.load(guest)
    name = guest.netdev()
    before = guest.hea.resources()
    for _ in range(20):
        scene.up(guest)
        scene.ping(guest, scene.host_ip(), count=1)
        guest.sh(f"ip link set {name} down")
        assert guest.hea.resources() == before


def test_unload_while_ports_are_up_and_busy_leaves_nothing(lab):
    guest = lab.boot(adapters(ports=2))
    scene.ready(guest, 2)
    with scene.routed_traffic(guest, rate=500):
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > 100, "traffic")
        guest.sh("modprobe -r ehea")
        assert not guest.hea.live()


@pytest.mark.on("power7", "power9")
def test_module_loads_and_unloads_without_an_adapter(lab):
    guest = lab.boot()
    guest.sh("modprobe ehea && modprobe -r ehea && modprobe ehea")
    assert guest.read("/sys/bus/ibmebus/drivers/ehea/capabilities") == "7"


def test_old_module_parameters_do_not_prevent_loading(lab):
    guest = lab.boot(adapters(ports=1))
    guest.sh("modprobe ehea msg_level=3 rq1_entries=4095 rq2_entries=1023 "
             "rq3_entries=1023 sq_entries=1023 use_mcs=1 prop_carrier_state=0")
    scene.ready(guest)
    scene.both_ways(guest)


def test_sysfs_shows_what_drmgr_and_hwinfo_rely_on(lab):
    guest = lab.boot(adapters(ports=2))
    scene.load(guest)
    driver = "/sys/bus/ibmebus/drivers/ehea"
    assert guest.read(f"{driver}/capabilities") == "7"
    adapter = guest.sh(f"readlink -f {driver}/*lhea*")
    assert guest.read(f"{adapter}/modalias").endswith("CIBM,lhea")
    for port in (0, 1):
        path = f"{adapter}/port{port}"
        assert guest.read(f"{path}/log_port_id") == str(port + 1)
        assert guest.sh(f"grep -h MODALIAS {path}/uevent") == \
            "MODALIAS=of:NethernetTnetworkCIBM,lhea-ethernet"
        name = guest.netdev(port)
        assert guest.sh(f"readlink -f /sys/class/net/{name}/device") == path
    assert guest.sh(f"stat -c %a {adapter}/probe_port") == "200"
    assert guest.sh(f"stat -c %a {adapter}/remove_port") == "200"


@pytest.mark.on("power7", "power9")
def test_two_adapters_with_four_ports_pass_traffic_on_each(lab):
    guest = lab.boot(adapters(ports=2, count=2))
    scene.load(guest)
    for adapter in (0, 1):
        for port in (0, 1):
            scene.up(guest, port, adapter)
    for adapter in (0, 1):
        for port in (0, 1):
            scene.both_ways(guest, port, adapter)
            assert guest.heas[adapter].port(port + 1)["rx_frames"] >= 6


def test_sixteen_ports_of_one_adapter_come_up(lab):
    guest = lab.boot(adapters(ports=16))
    scene.load(guest)
    for port in range(16):
        scene.up(guest, port)
    for port in (0, 7, 15):
        scene.both_ways(guest, port)


def test_ports_have_firmware_mac_addresses_and_order(lab):
    guest = lab.boot(adapters(ports=4))
    scene.load(guest)
    assert [guest.netdev(p) for p in range(4)] == [f"eth{p}" for p in range(4)]
    for port in range(4):
        name = guest.netdev(port)
        assert guest.read(f"/sys/class/net/{name}/address") == mac(0, port)
        assert guest.read(f"/sys/class/net/{name}/addr_assign_type") == "0"


@pytest.mark.on("power7", "power9")
def test_register_pages_may_share_a_kernel_page_or_not(lab):
    guest = lab.boot(adapters(ports=1, epa_spacing=4096)
                     + [Adapter([Port(mac(1, 0))], {"epa_spacing": 65536})])
    scene.load(guest)
    for adapter in (0, 1):
        scene.up(guest, 0, adapter)
        scene.both_ways(guest, 0, adapter)


def test_an_idle_port_costs_no_hypervisor_calls(lab):
    guest = lab.boot(adapters(ports=1))
    scene.ready(guest)
    scene.both_ways(guest)
    before = guest.hea.stats()["calls"]
    # statistics may be refreshed now and then, nothing else
    guest.sh("sleep 3")
    spent = delta(before, guest.hea.stats()["calls"])
    assert set(spent) <= {"H_QUERY_HEA_PORT"}, spent
    assert spent.get("H_QUERY_HEA_PORT", {}).get("total", 0) <= 12
