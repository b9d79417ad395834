# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration: the driver passes traffic on an HEA, and memory comes
and goes meanwhile. Everything shown is the output of a command in the guest
or a counter of the virtual HEA; anything unexpected ends it with an error."""

import re
import time

from . import scene, verdict
from .errors import CaseError
from .guest import LMB, Guest, Spec, adapters

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


def memory(guest, when):
    """Show the guest's memory and what the HEA has mapped of it."""
    mapped = guest.hea.stats()["mr"]["live_bytes"] >> 20
    total = guest.mem_total()
    count = len([s for s in guest.blocks().values() if s == "online"])
    print(f"{when + ':':26} MemTotal {total} MiB, {count} blocks of {LMB} MiB "
          f"online, memory region {mapped} MiB", flush=True)
    return mapped


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
    guest.poll(lambda: guest.ns("b", f"ss -ltn | grep -c :{PORT}",
                                check=False) != "0", "a listening receiver")
    began = time.monotonic()
    guest.ns("a", f"tcpfile send /tmp/file {scene.ns_ip('b')} {PORT} 0", 300)
    there = receiver.wait(300).split()[0]
    seconds = time.monotonic() - began
    here = guest.sh("sha256sum /tmp/file").split()[0]
    print(f"sent      sha256 {here}\nreceived  sha256 {there}\n"
          f"{MIB} MiB in {seconds:.1f} s")
    if here != there:
        raise CaseError("the file arrived changed")
    guest.sh("rm /tmp/file")


def hotplug(guest):
    """Add memory and remove it while ping runs."""
    heading(f"add {LMBS} LMBs of memory and remove them, ping running")
    ping = guest.ns_job("a", f"ping -i 0.1 {scene.ns_ip('b')}")
    ping.wait_output("seq=3")
    before = memory(guest, "before")
    dimm = guest.mem_add(LMBS)
    guest.hea.wait(lambda hea: hea.stats()["mr"]["live_bytes"] >> 20
                   == before + LMBS * LMB, "the memory region has grown")
    memory(guest, f"after adding {LMBS} LMBs")
    guest.mem_del(dimm)
    after = memory(guest, f"after removing {LMBS} LMBs")
    if after != before:
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
    began = time.monotonic()
    with Guest(spec, "demo") as guest:
        print(f"Linux {guest.sh('uname -r')}, {cpu}, "
              f"booted in {time.monotonic() - began:.1f} s")
        names = load(guest)
        traffic(guest)
        hotplug(guest)
        counters(guest, names)
        unload(guest)
    print("\ndemo: ok")
    return 0
