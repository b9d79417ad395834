# SPDX-License-Identifier: GPL-2.0-or-later
"""Set-ups that many cases share: driver loaded, ports up, traffic flowing."""

import contextlib
import hashlib
import re
import socket
import threading
from collections import Counter

from . import frames
from .errors import CaseError
from .guest import LMB
from .peer import Traffic, udp_flow
from .qmp import QmpError

NS_A, NS_B = "a", "b"


def load(guest):
    """Load the driver and wait for all its ports."""
    guest.sh("modprobe ehea")
    for a, adapter in enumerate(guest.spec.adapters):
        for p in range(len(adapter.ports)):
            guest.poll(lambda a=a, p=p: _has(guest, p, a),
                       f"a device for port {p} of adapter {a}")


def _has(guest, port, adapter):
    try:
        return guest.netdev(port, adapter)
    except CaseError:
        return None


def carrier(guest, name, ns=None, up=True, timeout=20):
    """Wait for a device's carrier to be on (or off)."""
    command = f"cat /sys/class/net/{name}/carrier"
    want = "1" if up else "0"
    guest.poll(lambda: (guest.ns(ns, command, check=False) if ns else
                        guest.sh(command, check=False)) == want,
               f"carrier of {name} {'on' if up else 'off'}", timeout)


def host_ip(port=0, adapter=0):
    """Address of the host on a port's wire."""
    return f"10.{adapter}.{port}.2"


def guest_ip(port=0, adapter=0):
    """Address of the guest on a port's wire."""
    return f"10.{adapter}.{port}.1"


def host_mac(port=0, adapter=0):
    """MAC address of the host on a port's wire."""
    return f"52:54:00:ee:{adapter:02x}:{port + 1:02x}"


def up(guest, port=0, adapter=0):
    """Give a port its address, bring it up, make the host its neighbour."""
    name = guest.netdev(port, adapter)
    guest.sh(f"ip addr replace {guest_ip(port, adapter)}/24 dev {name} && "
             f"ip link set {name} up")
    carrier(guest, name)
    peer = guest.peers.get(f"n{adapter}p{port}")
    if peer:
        peer.configure(host_mac(port, adapter), host_ip(port, adapter))
    return name


def ready(guest, ports=1):
    """Load the driver and bring ports of the first adapter up."""
    load(guest)
    return [up(guest, p) for p in range(ports)]


def port_mac(guest, port=0, adapter=0):
    """MAC address of a port."""
    return guest.spec.adapters[adapter].ports[port].mac


def ping(guest, address, count=3, size=56, ns=None, timeout=60):
    """Ping from the guest; every packet must be answered."""
    command = f"ping -c {count} -i 0.1 -W 5 -s {size} {address}"
    out = guest.ns(ns, command, timeout, check=False) if ns else \
        guest.sh(command, timeout, check=False)
    if not re.search(r"\b0% packet loss", out):
        raise CaseError(f"{command}: {out}")
    return out


def both_ways(guest, port=0, adapter=0, count=3):
    """Ping from guest to host and from host to guest."""
    ping(guest, host_ip(port, adapter), count)
    guest.peer(port, adapter).ping(port_mac(guest, port, adapter),
                                   guest_ip(port, adapter), count)


def namespaces(guest, ports=(0, 1), adapter=0):
    """Two ports of one hub, each in a network namespace of its own, up."""
    for ns, port in zip((NS_A, NS_B), ports):
        name = guest.netdev(port, adapter)
        address = ns_ip(ns)
        guest.sh(f"ip netns add {ns} && ip link set {name} netns {ns} && "
                 f"ip -n {ns} link set lo up && "
                 f"ip -n {ns} addr add {address}/24 dev {name} && "
                 f"ip -n {ns} link set {name} up")
    for ns, port in zip((NS_A, NS_B), ports):
        carrier(guest, guest.netdev(port, adapter, ns), ns)


def ns_ip(ns):
    """Address inside a namespace."""
    return {NS_A: "10.77.0.1", NS_B: "10.77.0.2"}[ns]


def leave_namespaces(guest):
    """Delete the namespaces; their devices come back."""
    guest.sh(f"ip netns del {NS_A}; ip netns del {NS_B}")


def forwarding(guest):
    """Make the guest a router between ports 0 and 1; the host's neighbours
    are known, so that no frame waits for ARP."""
    guest.sh("echo 1 > /proc/sys/net/ipv4/ip_forward")
    for port in (0, 1):
        guest.sh(f"ip neigh replace {host_ip(port)} lladdr {host_mac(port)} "
                 f"nud permanent dev {guest.netdev(port)}")


@contextlib.contextmanager
def routed_traffic(guest, rate=2000, size=200, window=128):
    """Numbered frames both ways through the guest: host, port 0, port 1, host
    and back. Yields the Traffic; flow 0 enters at port 0, flow 1 at port 1.
    A guest that is slower than the rate gets fewer frames, unless window is
    0."""
    forwarding(guest)
    peers = [guest.peer(0), guest.peer(1)]
    flows = [udp_flow(peers[i], peers[1 - i], rate, port_mac(guest, i),
                      host_ip(1 - i), host_ip(i), size) for i in (0, 1)]
    for flow in flows:
        flow.window = window
    with Traffic(*flows) as traffic:
        yield traffic


def blind_frames(guest, port, count, size=400):
    """Frames to a port, whether or not it is there to take them."""
    peer = guest.peer(port)
    frame = frames.udp_frame(port_mac(guest, port), peer.mac, guest_ip(port),
                             host_ip(port), 9, 9, bytes(size))
    peer.send_many([frame] * count)


def lost(traffic, stretch=None):
    """Frames lost in all flows, over all or in one stretch."""
    total = 0
    for flow in traffic.stop()["flows"]:
        total += sum(s["lost"] for s in flow["stretches"]
                     if stretch in (None, s["name"]))
    return total


def dropped(guest):
    """Frames that the first adapter dropped, by cause."""
    drops = Counter()
    for port in guest.hea.stats()["ports"]:
        drops.update(port["drops"])
    return drops


def received(traffic):
    """Frames received by each flow."""
    return [flow["received"] for flow in traffic.stop()["flows"]]


def stats(guest, name, ns=None):
    """The device's 64-bit counters."""
    files = f"cd /sys/class/net/{name}/statistics && grep . *"
    out = guest.ns(ns, files) if ns else guest.sh(files)
    return {k: int(v) for k, v in (line.split(":")
                                   for line in out.splitlines())}


def driver_stats(guest, name, ns=None):
    """ethtool -S as a dictionary."""
    command = f"ethtool -S {name}"
    out = guest.ns(ns, command) if ns else guest.sh(command)
    return {k.strip(): int(v) for k, _, v in
            (line.rpartition(":") for line in out.splitlines()[1:])}


def settled(guest, port=0, adapter=0):
    """Wait until the adapter's memory region covers all memory online."""
    name = guest.netdev(port, adapter)

    def covers():
        online = [s for s in guest.blocks().values() if s == "online"]
        return driver_stats(guest, name)["mr_size_mib"] == LMB * len(online)
    guest.poll(covers, "a memory region of all memory that is online")


def max_mtu(guest, name, ns=None):
    """Largest MTU that a device says it takes."""
    command = f"ip -d link show {name}"
    out = guest.ns(ns, command) if ns else guest.sh(command)
    return int(re.search(r"maxmtu (\d+)", out).group(1))


def queues_used(guest, name):
    """Receive queues that took packets, from the driver's own counters."""
    counts = driver_stats(guest, name)
    return sorted(k for k, v in counts.items()
                  if v and re.fullmatch(r"rx\d+_packets", k))


def qp_error(guest, index=0, adapter=0):
    """Make one of the first port's QPs fail."""
    guest.heas[adapter].action(f"qp-error port=1 index={index}")


def qp_error_if_any(guest):
    """The same, unless the port is being reset and has none."""
    with contextlib.suppress(QmpError):
        qp_error(guest)


class TcpSink:
    """A listener on the host that hashes what one connection sends."""

    def __init__(self):
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.settimeout(120)
        self.port = self._sock.getsockname()[1]
        self._hash = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        total = hashlib.sha256()
        with contextlib.suppress(OSError):
            stream, _ = self._sock.accept()
            with stream:
                while data := stream.recv(1 << 16):
                    total.update(data)
            self._hash = total.hexdigest()

    def result(self, timeout=60):
        """The hash, once the connection is closed."""
        self._thread.join(timeout)
        return self._hash

    def close(self):
        """Stop listening."""
        self._sock.close()


@contextlib.contextmanager
def tcp_sink():
    """A TcpSink while it is needed."""
    sink = TcpSink()
    try:
        yield sink
    finally:
        sink.close()
