# SPDX-License-Identifier: GPL-2.0-or-later
"""What a frame costs: instructions, register writes, calls, memory.

Both drivers run the same workloads in the same guest on the same virtual HEA,
in the same run. Each workload is repeated; the figure is the median, its
spread (largest - smallest) / median, and the ratio's spread is that of the
ratios of the repeats. What depends on what coincides is run several times for
each repeat, and their mean counts.
"""

import json
import re
from statistics import fmean, median

from ehealab import scene
from ehealab.errors import CaseError
from ehealab.guest import Guest, Spec, adapters
from ehealab.hea import delta

from . import plot
from .memory import DRIVERS, FAILED, NAMES, say
from .profile import FAR, FAR_IP, NEAR_IP, NO_IP, NO_MAC, Machine

FRAMES = 20000
RX_FRAMES = 5 * FRAMES
BURST = 32
STREAM_MIB = {False: 64, True: 128}     # without and with offload
GATHER_US = 1400
RUNS = {"tcp_tx_tso": 9, "tcp_tx_plain": 3, "tcp_rx_gro": 3, "tcp_rx_plain": 3,
        "rx64_gathered": 9, "scale_1q1c": 8, "scale_4q4c": 8,
        "static": 5}            # or 1
TRIPS = 500
LOOKS = 12                      # at the guest's free memory
PROFILE_LINES = 60              # and all functions of this driver
SIZES = (64, 192, 256, 1500, 9000)
WIRE = {64: 60, 192: 188, 256: 252, 1500: 1514, 9000: 9014}
QPS, VCPUS = (1, 4, 16), (1, 2, 4, 8)
LIMITS = {"tx64_burst": 0.5, "tx1500_frags": 0.7, "tcp_tso_byte": 0.8,
          "rx64": 0.6, "rx1500": 0.6, "rx9000": 0.6, "stack64_tx": 0.8,
          "stack64_rx": 0.8, "doorbells_burst32": 1 / 16, "rx_mmio": 0.5,
          "pinned_bytes": 0.5, "open_calls": 1.0}
SCALE_LEAST = 3.2
UNITS = {"tcp_tso_byte": "instructions per byte, driver",
         "stack64_tx": "instructions per frame, all",
         "stack64_rx": "instructions per frame, all",
         "doorbells_burst32": "doorbell writes per frame",
         "rx_mmio": "doorbell and re-arm writes per frame",
         "pinned_bytes": "bytes per open port",
         "open_calls": "hypervisor calls",
         "scale_4q": "times the frames per guest second of one"}
REARM = ("rq1a", "rq2a", "rq3a", "ep", "n1")


def trimmed_mean(values):
    """Their mean without the lowest and the highest three eighths: now and then
    a TCP stream takes another course than the others, at half the cost."""
    cut = len(values) * 3 // 8
    return fmean(sorted(values)[cut:len(values) - cut])


def usual(runs, mean):
    """The run that is nearest to the mean: its profile is kept."""
    return min(runs,
               key=lambda run: abs(run[0]["driver"] - mean["driver"]))


def per(window, count):
    """The figures of a window, per frame or byte."""
    count = count or 1
    return {"driver": window.driver / count, "all": window.total / count,
            "sqa": window.mmio("sqa") / count,
            "rq": window.mmio("rq1a", "rq2a", "rq3a") / count,
            "rearm": window.mmio("ep", "n1") / count,
            "feca": window.mmio("feca") / count,
            "irqs": window.stats.get("irqs", 0) / count,
            "calls": window.stats.get("calls_total", 0) / count,
            "count": count}


class Workloads:
    """The workloads of one guest. Each returns (figures, window)."""

    def __init__(self, machine):
        self.m = machine

    def send(self, size, burst, frags=0):
        """The generator sends from the port; nobody takes the frames."""
        options = {"pkt_size": WIRE[size], "count": FRAMES, "delay": 0,
                   "clone_skb": FRAMES, "burst": burst, "dst_mac": NO_MAC,
                   "dst": NO_IP}
        if frags:
            options["frags"] = frags
        self.m.generator(False, **options)
        window = self.m.generate(False)
        return per(window, window.port("tx_frames")), window

    def _receive(self, size, mac, address=NO_IP):
        self.m.generator(True, pkt_size=WIRE[size], count=RX_FRAMES, delay=0,
                         dst_mac=mac, dst=address, udp_dst_min=5009,
                         udp_dst_max=5009)
        return self.m.generate(True)

    def receive(self, size):
        """The far end's generator sends; the stack drops the frames early."""
        window = self._receive(size, self.m.mac)
        return per(window, window.port("rx_frames")), window

    def receive_gathered(self, size):
        """The same, but what the far end sends comes in batches, at times that
        do not depend on what the guest does."""
        with self.m.gathered(GATHER_US):
            return self.receive(size)

    def stack_send(self, size):
        """A program sends datagrams."""
        command = f"udploop send {NO_IP} 5009 %d {WIRE[size] - 42}"
        empty = self.m.window(command % 0)
        window = self.m.window(command % FRAMES)
        window.subtract(empty)
        return per(window, window.port("tx_frames")), window

    def stack_receive(self, size):
        """A program receives datagrams; what the far end costs is measured
        with the same frames to another address and subtracted."""
        empty = self._receive(size, NO_MAC)
        job = self.m.guest.job(f"udploop recv 5009 {RX_FRAMES + 1}")
        job.wait_output("ready")
        window = self._receive(size, self.m.mac, NEAR_IP)
        got = int(re.search(r"received (\d+)", job.wait(300)).group(1))
        if got < RX_FRAMES * 0.99:
            raise CaseError(f"only {got} of {RX_FRAMES} datagrams arrived")
        window.subtract(empty)
        return per(window, window.port("rx_frames")), window

    def stream(self, receive, offload):
        """A TCP stream to or from the far end, with or without TSO or GRO."""
        kind = "gro" if receive else "tso"
        self.m.guest.sh(f"ethtool -K {self.m.name} {kind} "
                        f"{'on' if offload else 'off'}")
        mib = STREAM_MIB[offload]
        command = f"nuttcp {'-r' if receive else '-t'} -n{mib}m {FAR_IP}"
        window = self.m.window(command)
        self.m.guest.sh(f"ethtool -K {self.m.name} {kind} on")
        return per(window, mib << 20), window

    def round_trip(self):
        """A datagram of 32 bytes to the far end and back."""
        window = self.m.window(f"udploop rr {FAR_IP} 7 {TRIPS} 32")
        return per(window, TRIPS), window


def workloads(mtu):
    """Name and function of each workload that a guest of an MTU runs."""
    out = {}
    if mtu > 1500:
        return {"rx9000": lambda w: w.receive(9000),
                "tx9000_burst": lambda w: w.send(9000, BURST),
                "tx9000_single": lambda w: w.send(9000, 1)}
    for size in SIZES[:-1]:
        out[f"tx{size}_burst"] = lambda w, s=size: w.send(s, BURST)
        out[f"tx{size}_single"] = lambda w, s=size: w.send(s, 1)
        out[f"rx{size}"] = lambda w, s=size: w.receive(s)
    out["rx64_gathered"] = lambda w: w.receive_gathered(64)
    out["tx1500_frags"] = lambda w: w.send(1500, BURST, 3)
    out["stack64_tx"] = lambda w: w.stack_send(64)
    out["stack64_rx"] = lambda w: w.stack_receive(64)
    out["tcp_tx_tso"] = lambda w: w.stream(False, True)
    out["tcp_tx_plain"] = lambda w: w.stream(False, False)
    out["tcp_rx_gro"] = lambda w: w.stream(True, True)
    out["tcp_rx_plain"] = lambda w: w.stream(True, False)
    out["udp_rr"] = lambda w: w.round_trip()
    return out


class Speed:
    """All measurements of both drivers."""

    def __init__(self, opts, out):
        self.opts, self.out = opts, out
        self.runs = {d: {} for d in DRIVERS}        # workload: [figures]
        self.failed = {d: {} for d in DRIVERS}
        self.scale = {d: {} for d in DRIVERS}
        self.static = {}
        (out / "profile").mkdir(exist_ok=True)

    def wanted(self, name):
        """Whether the user asked for it."""
        return re.search(self.opts.pattern, name)

    def _frames(self, driver, mtu):
        todo = {n: f for n, f in workloads(mtu).items() if self.wanted(n)}
        if not todo:
            return
        with Machine(DRIVERS[driver], mtu=mtu) as machine:
            far = machine.guest.ns_job(FAR, "udpseq echo 7")
            far.wait_output("ready")
            machine.guest.ns(FAR, "nuttcp -S")
            load = Workloads(machine)
            for name, func in todo.items():
                self._repeat(driver, name, func, load)

    def _repeat(self, driver, name, func, load):
        say(f"{name}, {NAMES[driver]}")
        try:
            func(load)          # once to warm up
            for _ in range(self.opts.repeats):
                runs = [func(load) for _ in range(RUNS.get(name, 1))]
                mean = {key: trimmed_mean([f[key] for f, _ in runs])
                        for key in runs[0][0]}
                self.runs[driver].setdefault(name, []).append(mean)
                figures, window = usual(runs, mean)
        except FAILED as err:
            self.failed[driver][name] = str(err).splitlines()[0]
            say(f"{name}, {NAMES[driver]}: {self.failed[driver][name]}")
            return
        self._profile(driver, name, figures, window)

    def _profile(self, driver, name, figures, window):
        """Which functions cost. Of the old driver only its sum."""
        unit, count = ("frame", figures["count"])
        if name.startswith("tcp"):
            unit, count = "KiB", figures["count"] / 1024
        lines = [f"{name}, {NAMES[driver]}: instructions per {unit}",
                 f"{window.driver / count:12.2f}  all of the driver",
                 f"{window.total / count:12.2f}  all", ""]
        shown = 0
        for (module, function), n in window.functions.most_common():
            if module == "ehea" and driver != "ours":
                continue
            if module != "ehea" and shown == PROFILE_LINES:
                continue
            shown += module != "ehea"
            lines.append(f"{n / count:12.2f}  {function}"
                         + (f" [{module}]" if module != "vmlinux" else ""))
        (self.out / "profile" / f"{name}-{driver}.txt").write_text(
            "\n".join(lines) + "\n", encoding="utf-8")

    def _throughput(self, driver, name, qps, vcpus):
        """Frames per guest second if each vCPU ran on its own: per billion
        instructions of the busiest vCPU."""
        def queue(n):
            return n % qps

        def once():
            window = machine.generate(False)
            return window.port("tx_frames") * 1e9 / max(window.vcpus)
        with Machine(DRIVERS[driver], qps=qps, smp=max(2, vcpus)) as machine:
            self._spread_queues(machine, qps, vcpus)
            machine.generator(
                False, vcpus, pkt_size=60, count=5 * FRAMES, delay=0,
                clone_skb=FRAMES, burst=BURST, dst_mac=NO_MAC, dst=NO_IP,
                queue_map_min=queue, queue_map_max=queue)
            once()
            return [trimmed_mean([once() for _ in range(RUNS.get(name, 1))])
                    for _ in range(self.opts.repeats)]

    @staticmethod
    def _spread_queues(machine, qps, vcpus):
        """As many queues as there are QPs, of which this driver takes some
        only when asked, and their interrupts where their frames come from."""
        name = machine.name
        queues = f"/sys/class/net/{name}/queues/tx-*"
        machine.guest.sh(
            f"set -- {queues}; [ $# = {qps} ] || "
            f"ethtool -L {name} combined {qps}; set -- {queues}; "
            f"[ $# = {qps} ] && "
            f"grep -E ' {name}-(queue)?[0-9]+$' /proc/interrupts | "
            "{ n=0; while IFS=' :' read -r irq rest; do "
            f"printf %x $((1 << (n % {vcpus}))) > /proc/irq/$irq/smp_affinity"
            f"; n=$((n + 1)); done; [ $n = {qps} ]; }}")
        scene.carrier(machine.guest, name)

    def scaling(self, driver):
        """Throughput by QPs and vCPUs."""
        for qps in QPS:
            for vcpus in VCPUS:
                name = f"scale_{qps}q{vcpus}c"
                if not self.wanted(name):
                    continue
                say(f"{name}, {NAMES[driver]}")
                try:
                    self.scale[driver][name] = self._throughput(driver, name,
                                                                qps, vcpus)
                except FAILED as err:
                    self.failed[driver][name] = str(err).splitlines()[0]
                    say(self.failed[driver][name])

    def take(self):
        """Everything."""
        for driver, module in DRIVERS.items():
            for mtu in (1500, 9000):
                self._frames(driver, mtu)
            self.scaling(driver)
            if self.wanted("static"):
                say(f"calls and memory, {NAMES[driver]}")
                self.static[driver] = static(module, self.opts.repeats)


# Calls and memory


def free_bytes(guest, page):
    """Free memory, the per-CPU lists of free pages included. Whatever else
    runs in the guest meanwhile takes some: one program, the same each time."""
    text = guest.sh("cat /proc/sys/vm/stat_refresh /proc/zoneinfo")
    return page * sum(int(n) for n in re.findall(
        r"(?:pages free|\bcount:)\s+(\d+)", text))


def slab_bytes(guest):
    """Memory of the kernel's small objects."""
    return int(re.search(r"Slab:\s+(\d+)", guest.read("/proc/meminfo"))
               .group(1)) << 10


def most(look):
    """The most free and the least small memory of some looks: what else runs
    in the guest takes some now and then."""
    looks = [look() for _ in range(LOOKS)]
    return max(free for free, _ in looks), min(slab for _, slab in looks)


def memory_of(guest, name, page):
    """What an open takes, by kind, and gives back at the close."""
    def look():
        return free_bytes(guest, page), slab_bytes(guest)
    guest.sh("sync; echo 3 > /proc/sys/vm/drop_caches")
    free, slab = most(look)
    calls = guest.hea.calls("H_REGISTER_HEA_RPAGES")
    mr_calls = guest.hea.stats()["mr"]["page_calls"]
    guest.sh(f"ip link set {name} up")
    scene.carrier(guest, name)
    after_free, after_slab = most(look)
    queue = guest.hea.calls("H_REGISTER_HEA_RPAGES") - calls - \
        (guest.hea.stats()["mr"]["page_calls"] - mr_calls)
    guest.sh(f"ip link set {name} down")
    total, small, queue = free - after_free, after_slab - slab, queue * 4096
    return {"total": total, "slab": small, "queue_pages": queue,
            "buffers": total - small - queue}


def mean_memory_of(guest, name, page):
    """The mean of some opens: what the kernel keeps for itself varies."""
    runs = [memory_of(guest, name, page) for _ in range(RUNS["static"])]
    return {key: trimmed_mean([m[key] for m in runs]) for key in runs[0]}


CHANGES = {"open": "ip link set {0} up",
           "mtu": "ip link set {0} mtu 9000",
           "ring": "ethtool -G {0} rx 511",
           "mac": "ip link set {0} address 52:54:00:ea:77:01",
           "close": "ip link set {0} down"}


def calls_of(guest, name):
    """Hypervisor calls of each change, by opcode."""
    out = {}
    for change, command in CHANGES.items():
        before = guest.hea.stats()
        try:
            guest.sh(command.format(name), 120)
            if change != "close":
                scene.carrier(guest, name)
        except CaseError as err:
            out[change] = {"total": None,
                           "reason": str(err).splitlines()[-1]}
            continue
        diff = delta(before, guest.hea.stats())
        out[change] = {"total": diff.get("calls_total", 0),
                       **{op: n["total"] for op, n in
                          diff.get("calls", {}).items()}}
    return out


def static(module, repeats):
    """Figures of opens and closes."""
    try:
        with Guest(Spec(module=module, adapters=adapters(ports=1, net="user"),
                        append="disable_radix=0", smp=1, mem=2048,
                        maxmem=4096)) as guest:
            scene.load(guest)
            name = guest.netdev(0)
            page = int(re.search(r"KernelPageSize:\s+(\d+)",
                                 guest.read("/proc/self/smaps"))[1]) << 10
            memory_of(guest, name, page)    # the first open also maps memory
            memory = [mean_memory_of(guest, name, page)
                      for _ in range(repeats)]
            return {"memory": memory, "calls": calls_of(guest, name)}
    except FAILED as err:
        return {"failed": str(err).splitlines()[0]}


# Figures


def spread(values):
    """(largest - smallest) / median."""
    middle = median(values)
    return round((max(values) - min(values)) / middle, 4) if middle else 0


def row(values, limit=None, unit=None):
    """A row of the result from the repeats of both drivers."""
    out = {"ours": None, "intree": None, "ratio": None, "spread": None}
    for driver, got in values.items():
        if got:
            out[driver] = round(median(got), 4)
            out[f"{driver}_spread"] = spread(got)
    if values.get("ours") and values.get("intree") and \
       all(values["intree"]):
        ratios = [a / b for a, b in zip(values["ours"], values["intree"])]
        out["ratio"], out["spread"] = round(median(ratios), 4), spread(ratios)
    if limit is not None:
        out["limit"] = round(limit, 4)
    if unit:
        out["unit"] = unit
    return out


class Result:
    """The rows of the result."""

    def __init__(self, speed):
        self.speed = speed
        self.rows = {}

    def _runs(self, name, key, func=None):
        func = func or (lambda f: f[key])
        return {d: [func(f) for f in self.speed.runs[d].get(name, [])]
                for d in DRIVERS}

    def _row(self, key, values, reason=None):
        out = row(values, LIMITS.get(key), UNITS.get(
            key, "instructions per frame, driver"))
        for driver in DRIVERS:
            if out[driver] is None:
                out[f"{driver}_reason"] = \
                    self.speed.failed[driver].get(reason or key, "not run")
        self.rows[key] = out

    def make(self):
        """The rows that the limits name, then all others."""
        for key in ("tx64_burst", "tx1500_frags"):
            self._row(key, self._runs(key, "driver"))
        self._row("tcp_tso_byte", self._runs("tcp_tx_tso", "driver"),
                  "tcp_tx_tso")
        for key in ("rx64", "rx1500", "rx9000"):
            self._row(key, self._runs(key, "driver"))
        for key in ("stack64_tx", "stack64_rx"):
            self._row(key, self._runs(key, "all"))
        self._row("doorbells_burst32", self._runs("tx64_burst", "sqa"),
                  "tx64_burst")
        self._row("rx_mmio", self._runs(
            "rx64_gathered", None, lambda f: f["rq"] + f["rearm"]),
            "rx64_gathered")
        self._static()
        self._scale()
        self._others()
        return self.rows

    def _static(self):
        found = self.speed.static
        good = {d: s for d, s in found.items() if "failed" not in s}
        self._row("pinned_bytes", {d: [m["total"] for m in s["memory"]]
                                   for d, s in good.items()})
        self._row("open_calls", {d: [s["calls"]["open"]["total"]]
                                 for d, s in good.items()})

    def _scale(self):
        values = {}
        for driver in DRIVERS:
            one = self.speed.scale[driver].get("scale_1q1c")
            four = self.speed.scale[driver].get("scale_4q4c")
            if one and four:
                values[driver] = [b / a for a, b in zip(one, four)]
        self._row("scale_4q", values, "scale_4q4c")
        self.rows["scale_4q"]["at_least"] = SCALE_LEAST

    def _others(self):
        for name in {**workloads(1500), **workloads(9000)}:
            for key in ("driver", "all", "sqa", "rq", "rearm", "irqs",
                        "calls"):
                values = {d: [f[key] for f in self.speed.runs[d].get(name, [])
                              if key in f] for d in DRIVERS}
                if any(values.values()):
                    self.rows[f"{name}.{key}"] = row(values)
        for name in self.speed.scale["ours"]:
            self.rows[f"{name}.frames_per_s"] = row(
                {d: self.speed.scale[d].get(name) for d in DRIVERS})


HEAD = ["", "this driver", "in-tree", "ratio", "spread", "limit"]


def missed(value):
    """Whether a row is beyond its limit."""
    ratio, limit = value.get("ratio"), value.get("limit")
    if "at_least" in value:
        return value["ours"] is not None and value["ours"] < value["at_least"]
    return limit is not None and ratio is not None and ratio > limit


def table_rows(rows, keys):
    """Rows for a table."""
    out = []
    for key in keys:
        value = rows[key]
        limit = f">= {value['at_least']}" if "at_least" in value \
            else value.get("limit")
        out.append([f"{key} ({value['unit']})" if value.get("unit") else key,
                    value["ours"], value["intree"], value["ratio"],
                    value["spread"], limit, {"class": "miss"}
                    if missed(value) else {"class": ""}])
    return out


def _chart(title, rows, names, key, y_label):
    groups = [(n, [rows[f"{n}.{key}"][d] for d in DRIVERS])
              for n in names if f"{n}.{key}" in rows]
    return plot.bars(title, groups, [NAMES[d] for d in DRIVERS], y_label) \
        if groups else ""


def report(speed, rows, main_keys):
    """The page."""
    parts = ["<p>One instruction is one nanosecond of guest time. 'driver' "
             "counts the instructions in the driver's module, 'all' those of "
             "the whole guest. Profiles by function: out/profile/.</p>",
             plot.table(HEAD, table_rows(rows, main_keys))]
    for kind, text in (("tx", "sending"), ("rx", "receiving")):
        names = [n for n in {**workloads(1500), **workloads(9000)}
                 if n.startswith(kind)]
        parts.append(_chart(f"Driver's instructions per frame, {text}", rows,
                            names, "driver", "instructions"))
    tcp = [n for n in workloads(1500) if n.startswith("tcp")]
    parts.append(_chart("TCP stream: driver's instructions per byte", rows,
                        tcp, "driver", "instructions"))
    parts.append(_chart("TCP stream: all instructions per byte", rows, tcp,
                        "all", "instructions"))
    for driver in DRIVERS:
        groups = [(f"{q} QPs", [
            (median(speed.scale[driver][f"scale_{q}q{c}c"]) / 1e3
             if speed.scale[driver].get(f"scale_{q}q{c}c") else None)
            for c in VCPUS]) for q in QPS]
        parts.append(plot.bars(
            f"{NAMES[driver]}: frames per guest second by QPs and vCPUs",
            groups, [f"{c} vCPUs" for c in VCPUS], "thousands"))
    parts.append("<h2>All figures</h2>")
    parts.append(plot.table(HEAD, table_rows(
        rows, [k for k in rows if k not in main_keys])))
    parts.append("<h2>Calls and memory</h2><pre>" +
                 json.dumps(speed.static, indent=1) + "</pre>")
    return plot.page("Speed", parts)


def kept(rows, path):
    """Rows that this run did not measure, as an earlier run left them."""
    if not path.exists():
        return rows
    old = json.loads(path.read_text(encoding="utf-8"))
    old.pop("detail", None)
    new = {k: v for k, v in rows.items()
           if v["ours"] is not None or v["intree"] is not None}
    return {**rows, **old, **new}


def main(opts, out):
    """Measure, write out/bench.json and .html, print the table."""
    speed = Speed(opts, out)
    speed.take()
    rows = Result(speed).make()
    if opts.pattern:
        rows = kept(rows, out / "bench.json")
    main_keys = [k for k in rows if "." not in k]
    detail = {"static": speed.static, "failed": speed.failed,
              "scale": speed.scale}
    (out / "bench.json").write_text(json.dumps(
        {**rows, "detail": detail}, indent=1) + "\n", encoding="utf-8")
    (out / "bench.html").write_text(report(speed, rows, main_keys),
                                    encoding="utf-8")
    print(plot.text_table(HEAD, [r[:-1] for r in table_rows(rows,
                                                            main_keys)]))
    for driver in DRIVERS:
        for name, reason in speed.failed[driver].items():
            print(f"{name}, {NAMES[driver]}: {reason}")
    return 0
