# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration: the driver passes traffic on an HEA, and memory comes
and goes meanwhile. Everything shown is the output of a command in the guest
or a counter of the virtual HEA; anything unexpected ends it with an error."""

import re
import time

from . import scene, verdict
from .errors import CaseError
from .guest import LMB, Guest, Spec, adapters, artifact

PORT = 5001
MIB = 64
LMBS = 2


def heading(text):
    """Start a part of the show."""
    print(f"\n== {text}", flush=True)


def show(guest, command, ns=None, timeout=60):
    """Run a command in the guest as a reader would, and show both."""
    print(f"{ns or 'guest'}# {command}", flush=True)
    out = guest.ns(ns, command, timeout) if ns else guest.sh(command, timeout)
    print(out, flush=True)
    return out


def region(guest, name):
    """Size of the memory region that new frames use, in MiB."""
    return int(re.search(r"mr_size_mib: (\d+)", guest.ns(
        "a", f"ethtool -S {name}")).group(1))


def memory(guest, name, when):
    """Show the guest's memory and what the HEA is told of it."""
    size = region(guest, name)
    hea = guest.hea.stats()["mr"]
    count = len([s for s in guest.blocks().values() if s == "online"])
    print(f"{when}:\n"
          f"  MemTotal {guest.mem_total()} MiB, "
          f"{count} blocks of {LMB} MiB online\n"
          f"  memory region {size} MiB; the HEA counts "
          f"{hea['registrations']} registered so far, {hea['frees']} freed",
          flush=True)
    return size


def load(guest):
    """Load the driver and put one port in each of two namespaces."""
    heading("load the driver")
    show(guest, "modprobe ehea && lsmod")
    scene.load(guest)
    names = [guest.netdev(0), guest.netdev(1)]
    show(guest, f"ethtool -i {names[0]}")
    scene.namespaces(guest)
    print(f"{names[0]} is now in namespace a as {scene.ns_ip('a')}, "
          f"{names[1]} in namespace b as {scene.ns_ip('b')}")
    return names


def traffic(guest):
    """Ping and transfer a file over TCP, with a checksum at both ends."""
    heading("ping from one port to the other")
    out = show(guest, f"ping -c 5 -i 0.2 {scene.ns_ip('b')}", "a")
    if "5 packets received, 0% packet loss" not in out:
        raise CaseError("ping lost packets")
    heading(f"TCP: {MIB} MiB from port to port")
    guest.sh(f"tcpfile make /tmp/file {MIB << 20}")
    receiver = guest.ns_job("b", f"sh -c 'tcpfile recv {PORT} | sha256sum'")
    receiver.wait_output("ready")
    began = time.monotonic()
    guest.ns("a", f"tcpfile send /tmp/file {scene.ns_ip('b')} {PORT} 0", 300)
    there = receiver.wait(300).splitlines()[-1].split()[0]
    seconds = time.monotonic() - began
    here = guest.sh("sha256sum /tmp/file").split()[0]
    print(f"sent      sha256 {here}\nreceived  sha256 {there}\n"
          f"{MIB} MiB in {seconds:.1f} s")
    if here != there:
        raise CaseError("the file arrived changed")
    guest.sh("rm /tmp/file")


def hotplug(guest, name):
    """Add memory and remove it while ping runs."""
    heading(f"add {LMBS} LMBs of memory and remove them, ping running")
    ping = guest.ns_job("a", f"ping -i 0.1 {scene.ns_ip('b')}")
    ping.wait_output("seq=3")
    before = memory(guest, name, "before")
    dimm = guest.mem_add(LMBS)
    guest.poll(lambda: region(guest, name) == before + LMBS * LMB,
               "the memory region has grown")
    memory(guest, name, f"after adding {LMBS} LMBs")
    guest.mem_del(dimm)
    if memory(guest, name, f"after removing {LMBS} LMBs") != before:
        raise CaseError("the memory region is not as it was")
    ping.kill(2)
    out = ping.wait(check=False)
    print("\n".join(out.splitlines()[-3:]))
    if not re.search(r"\b0% packet loss", out):
        raise CaseError("ping lost packets")


def counters(guest, names):
    """Show what the stack and the adapter counted."""
    heading("counters")
    for ns, name in zip("ab", names):
        show(guest, f"ip -s link show {name}", ns)
    for port in guest.hea.stats()["ports"]:
        print(f"HEA port {port['port']}: sent {port['tx_frames']} frames, "
              f"received {port['rx_frames']}")


def unload(guest):
    """Unload the driver; nothing may be left behind."""
    heading("unload")
    scene.leave_namespaces(guest)
    print(f"HEA resources in use: {guest.hea.resources()}")
    show(guest, "modprobe -r ehea && echo unloaded")
    print(f"HEA resources in use: {guest.hea.resources()}")
    print(f"rules violated: {guest.hea.violations()['total']}")
    bad = verdict.check(guest)
    if bad:
        raise CaseError("; ".join(bad[:8]))


def main(cpu, kernel):
    """Run the demonstration; returns the exit status."""
    spec = Spec(cpu=cpu, kernel=kernel, adapters=adapters(2, net="hub:0"),
                append="memhp_default_state=online_movable")
    for name in ("initramfs", "qemu", f"kernel-{kernel}", f"module-{kernel}"):
        artifact(name)
    began = time.monotonic()
    with Guest(spec, "demo") as guest:
        print(f"Linux {guest.sh('uname -r')}, {cpu}, "
              f"booted in {time.monotonic() - began:.1f} s")
        names = load(guest)
        traffic(guest)
        hotplug(guest, names[0])
        counters(guest, names)
        unload(guest)
    print("\ndemo: ok")
    return 0
