# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose instructions are counted by function (tests/bench/profile.c).

-icount makes the guest's time a count of instructions, and the adapter sends
at a time of the guest's clock, so that figures do not depend on the host: an
idle guest's clock jumps to the next timer (sleep=off). The HEA's port hangs on
a hub inside QEMU together with a virtio network card, which is in a network
namespace of its own and plays the other end: its instructions are in other
modules, or subtracted. What its ring has no room for overtakes what waits
inside QEMU, so the ring is large. TCP knows nothing of streams before, and does
not guess from delays: it would send in one of two ways, as chance has it.
"""

import bisect
import collections
import contextlib

from ehealab import scene
from ehealab.guest import Guest, Spec, adapters, artifact
from ehealab.hea import delta

KERNEL = 0xc000000000000000
FAR = "far"                          # namespace of the other end
FAR_MAC = "52:54:00:ea:ff:01"
NO_MAC = "52:54:00:ea:ff:fe"         # nobody's
NEAR_IP, FAR_IP, NO_IP = "10.77.0.1", "10.77.0.2", "10.77.0.9"
CONTROL = "/proc/net/pktgen"
TX_DELAY_NS = 2000                   # between a doorbell and its frames


class Symbols:
    """Functions of the guest's kernel and of its modules, by address."""

    def __init__(self, guest):
        path = artifact(f"kernel-{guest.spec.kernel}") / "build" / "System.map"
        lines = path.read_text(encoding="ascii").splitlines()
        lines += guest.sh("grep ' [tT] .*\\[' /proc/kallsyms",
                          timeout=300).splitlines()
        found = {}
        for line in lines:
            part = line.split()
            if len(part) > 2 and part[1] in "tTwW" and \
               int(part[0], 16) >= KERNEL:
                found[int(part[0], 16)] = (
                    part[2].lstrip("."),
                    part[3].strip("[]") if len(part) > 3 else "vmlinux")
        self._addresses = sorted(found)
        self._names = [found[a] for a in self._addresses]

    def find(self, address):
        """(function, module) of an address."""
        at = bisect.bisect_right(self._addresses, address) - 1
        return self._names[at] if at >= 0 else ("?", "?")


class Window:
    """What ran between two marks."""

    def __init__(self, path, symbols, stats, output):
        self.functions = collections.Counter()
        self.modules = collections.Counter()
        self.vcpus = []
        self.total = 0
        self.stats = stats
        self.output = output
        for line in path.read_text(encoding="ascii").splitlines():
            part = line.split()
            if part[0] == "vcpu":
                self.vcpus.append(int(part[2]))
                continue
            count = int(part[1])
            self.total += count
            name, module = ("user space", "user space") \
                if part[0] == "user" else symbols.find(int(part[0], 16))
            self.functions[(module, name)] += count
            self.modules[module] += count

    def subtract(self, other):
        """Leave out what another window took."""
        self.functions.subtract(other.functions)
        self.modules.subtract(other.modules)
        self.total -= other.total

    @property
    def driver(self):
        """Instructions in the driver's module."""
        return self.modules["ehea"]

    def port(self, key):
        """A counter of the HEA's port in this window."""
        ports = self.stats.get("ports") or [{}]
        return ports[0].get(key, 0)

    def mmio(self, *names):
        """Register accesses in this window."""
        return sum(self.stats.get("mmio", {}).get(n, 0) for n in names)


class Machine:
    """A guest with one HEA port and the other end of its wire."""

    def __init__(self, module, qps=1, smp=1, mtu=1500):
        spec = Spec(module=module, smp=smp, mem=2048, maxmem=4096,
                    qemu="qemu-profiler", append="disable_radix=0",
                    adapters=adapters(ports=1, net="hub:0", default_qps=qps,
                                      tx_delay_ns=TX_DELAY_NS))
        self.guest = Guest(spec)
        self.vcpus = smp
        self.mtu = mtu
        self.name = self.far = None
        self.symbols = None
        self._windows = 0
        spec.qemu_args = [
            "-icount", "shift=0,sleep=off",
            "-netdev", "hubport,id=far,hubid=0", "-device",
            f"virtio-net-pci,netdev=far,mac={FAR_MAC},tx=timer,romfile=,"
            "rx_queue_size=1024,host_mtu=9000", "-plugin",
            f"{artifact('qemu-profiler') / 'profile.so'},dir={self.guest.dir},"
            f"vcpus={'on' if smp > 1 else 'off'}"]

    def __enter__(self):
        guest = self.guest.start(300)
        guest.sh("modprobe -a virtio_net pktgen; cd /proc/sys/net/ipv4; "
                 "echo 1 > tcp_no_metrics_save; "
                 "echo reno > tcp_congestion_control")
        scene.load(guest)
        self.name = guest.netdev(0)
        self.far = guest.sh("grep -l "
                            f"{FAR_MAC} /sys/class/net/*/address").split("/")[4]
        guest.sh(f"ip netns add {FAR}; ip link set {self.far} netns {FAR}; "
                 f"ip -n {FAR} addr add {FAR_IP}/24 dev {self.far}; "
                 f"ip -n {FAR} link set {self.far} mtu {self.mtu} up; "
                 f"ip addr add {NEAR_IP}/24 dev {self.name}; "
                 f"ip link set {self.name} mtu {self.mtu} up; "
                 f"ip neigh replace {NO_IP} lladdr {NO_MAC} nud permanent "
                 f"dev {self.name}; "
                 f"ip neigh replace {FAR_IP} lladdr {FAR_MAC} nud permanent "
                 f"dev {self.name}; "
                 f"ip -n {FAR} neigh replace {NEAR_IP} lladdr "
                 f"{guest.spec.adapters[0].ports[0].mac} nud permanent "
                 f"dev {self.far}")
        scene.carrier(guest, self.name)
        scene.ping(guest, FAR_IP, 1)
        self.symbols = Symbols(guest)
        return self

    def __exit__(self, *args):
        self.guest.close()
        self.guest.discard_logs()

    def window(self, command, timeout=600):
        """Run a command in the guest and count what it takes."""
        before = self.guest.hea.stats()
        output = self.guest.sh(f"window {command}", timeout)
        after = self.guest.hea.stats()
        path = self.guest.dir / f"window-{self._windows}"
        self._windows += 1
        out = Window(path, self.symbols, delta(before, after), output)
        path.unlink()
        return out

    # The kernel's packet generator

    def generator(self, far, threads=1, **options):
        """Make it send from this end or the far one."""
        dev = self.far if far else self.name
        lines = [f"for t in {CONTROL}/kpktgend_*; do "
                 "echo rem_device_all > $t; done"]
        for n in range(threads):
            entry = dev if threads == 1 else f"{dev}@{n}"
            lines.append(f"echo add_device {entry} > {CONTROL}/kpktgend_{n}")
            for key, value in options.items():
                if callable(value):
                    value = value(n)
                lines.append(f"echo {key} {value} > {CONTROL}/{entry}")
        self._at(far, " && ".join(lines[1:]), lines[0])

    def _at(self, far, command, first):
        ns = f"ip netns exec {FAR} " if far else ""
        script = f"{first}\n{command}"
        self.guest.sh(f"cat > /tmp/script <<'EOF'\n{script}\nEOF\n"
                      f"{ns}sh -e /tmp/script")

    def generate(self, far):
        """Let it run in a window, and the wire fall silent after it."""
        ns = f"ip netns exec {FAR} " if far else ""
        return self.window(f"{ns}sh -c 'echo start > {CONTROL}/pgctrl; "
                           "sleep 0.01'")

    @contextlib.contextmanager
    def gathered(self, interval):
        """What the far end sends waits until so many microseconds are over."""
        self.guest.qmp.command("object-add", **{
            "qom-type": "filter-buffer", "id": "gather", "netdev": "far",
            "queue": "rx", "interval": interval})
        try:
            yield
        finally:
            self.guest.qmp.command("object-del", id="gather")

    @property
    def mac(self):
        """The port's address."""
        return self.guest.spec.adapters[0].ports[0].mac
