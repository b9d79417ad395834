# SPDX-License-Identifier: GPL-2.0-or-later
"""Reboot, kexec and a crash leave the adapter with nothing to write to."""

import pytest

from ehealab import scene
from ehealab.guest import adapters, second_kernel

def _writes_nothing(guest):
    """Frames come in, and the adapter puts none of them anywhere."""
    def dropped():
        return sum(guest.hea.port(1)["drops"].values())
    assert not guest.hea.live()
    written, before = guest.hea.stats()["dma"]["write_bytes"], dropped()
    guest.hea.wait(lambda _: dropped() > before + 200, "frames to the port")
    assert guest.hea.stats()["dma"]["write_bytes"] == written


APPEND = "console=hvc0 panic=-1 rdinit=/usr/bin/labinit"


@pytest.mark.on("power7", "power9")
@pytest.mark.parametrize("how", ["reboot", "poweroff"])
def test_end_of_the_system_under_traffic_leaves_no_live_resource(lab, how):
    """QEMU stops where it would reset, so that the adapter can be looked at
    before that."""
    guest = lab.boot(adapters(ports=2), qemu_args=[
        "-action", "reboot=shutdown,shutdown=pause"])
    scene.ready(guest, 2)
    with scene.routed_traffic(guest, 500):
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > 100, "traffic")
        since = guest.qmp.mark()
        guest.job(f"{how} -f")
        guest.wait_end(since)
        assert not guest.hea.live()


@pytest.mark.on("power9", faults=("power7",))
def test_driver_works_again_after_a_reset_by_the_machine(lab):
    guest = lab.boot(adapters(ports=1), reboot=True)
    for _ in range(2):
        scene.ready(guest)
        scene.both_ways(guest)
        boots = guest.boots
        guest.qmp.command("system_reset")
        guest.wait_boot(boots)
        assert not guest.hea.live()
    scene.ready(guest)
    scene.both_ways(guest)


@pytest.mark.on("power7", "power9")
def test_reset_by_the_machine_under_traffic_ends_it_and_works_again(lab):
    guest = lab.boot(adapters(ports=2), reboot=True)
    scene.ready(guest, 2)
    boots = guest.boots
    with scene.routed_traffic(guest, 500):
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > 100, "traffic")
        guest.qmp.command("system_reset")
        guest.wait_boot(boots)
        _writes_nothing(guest)
    scene.ready(guest, 2)
    with scene.routed_traffic(guest, 500) as traffic:
        sent = guest.hea.port(2)["tx_frames"]
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > sent + 200,
                       "traffic again")
    assert scene.lost(traffic) == 0


@pytest.mark.on("power7", "power9")
def test_kexec_under_traffic_leaves_no_live_resource(lab):
    guest = lab.boot(adapters(ports=2), reboot=True, mem=2048,
                     files=second_kernel(lab.kernel))
    scene.ready(guest, 2)
    guest.sh("kexec -l /lab/second/vmlinux --initrd=/lab/second/initrd "
             f"--append='{APPEND}'")
    boots = guest.boots
    with scene.routed_traffic(guest, 500):
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > 100, "traffic")
        guest.job("kexec -e")
        guest.wait_boot(boots)
        _writes_nothing(guest)
    scene.ready(guest)
    scene.both_ways(guest)


@pytest.mark.on("power7", "power9")
def test_crash_under_traffic_leaves_no_live_resource(lab):
    guest = lab.boot(adapters(ports=2), reboot=True, mem=2048,
                     append="crashkernel=512M",
                     files=second_kernel(lab.kernel))
    scene.ready(guest, 2)
    guest.sh("kexec -p /lab/second/vmlinux --initrd=/lab/second/initrd "
             f"--append='{APPEND} maxcpus=1'")
    guest.allow += ["sysrq", "Kernel panic", r"NIP \[", "Call Trace", "Oops"]
    boots = guest.boots
    with scene.routed_traffic(guest, 500):
        guest.hea.wait(lambda h: h.port(2)["tx_frames"] > 100, "traffic")
        guest.job("echo c > /proc/sysrq-trigger")
        guest.wait_boot(boots)
        _writes_nothing(guest)
    scene.ready(guest)
    scene.both_ways(guest)
