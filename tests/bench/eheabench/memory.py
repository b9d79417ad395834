# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory comes and goes while frames flow: what is lost, and for how long.

Sender and judge are one program outside the guest: numbered frames at a
constant rate enter at one port, the guest routes them, they come out at the
other, in both directions at once. Firmware is slow: each call takes 20 us of
the guest's time. Every run of the old driver has a run of this one beside it,
on the same virtual HEA.

A lost frame counts as lost in receiving when the adapter or the driver counted
it as dropped on its way in, else as lost in sending.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from ehealab import scene, verdict
from ehealab.errors import CaseError
from ehealab.guest import LMB, Guest, Spec, adapters
from ehealab.qmp import QmpError
from ehealab.run import LabError

from . import plot

DRIVERS = {"ours": "module", "intree": "intree"}
ARMINGS = ("strict", "lenient")
NAMES = {"ours": "this driver", "intree": "in-tree driver"}
BOOT = "memhp_default_state=online_movable disable_radix=0"
RATE = 2000
DELAY_US = 20
PATIENCE = 300      # seconds; a busy host may take long for one of 500 cycles
SHOWN = ("add", "add done", "remove", "remove done")    # in the plot
# the in-tree driver passes no frames after the first
ROUNDS = {"ours": 3, "intree": 1}
INJECT = "/sys/kernel/debug/notifier-error-inject/memory/actions"
DETAIL = "bench-memory-detail.json"
BUSMAP = Path(__file__).resolve().parents[1] / "busmap" / "run"
FAILED = (CaseError, QmpError, OSError)


def say(text):
    """Tell the user how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def boot(driver, props=None, **fields):
    """A guest with two ports whose wires end at the host."""
    props = {"hcall_delay_us": DELAY_US, **(props or {})}
    fields = {"append": BOOT, "mem": 1024, "maxmem": 24576, **fields}
    return Guest(Spec(adapters=adapters(ports=2, **props),
                      module=DRIVERS[driver], **fields))


def registrations(guest):
    """MRs registered so far."""
    return guest.hea.stats()["mr"]["registrations"]


def dropped(guest):
    """Frames that were counted as dropped on their way in."""
    count = 0
    for port in guest.hea.stats()["ports"]:
        count += sum(n for why, n in port["drops"].items()
                     if not why.startswith("tx-"))
    for port in (0, 1):
        stats = scene.stats(guest, guest.netdev(port))
        count += stats["rx_dropped"] + stats["rx_errors"]
    return count


def plug(guest, lmbs):
    """Plug a DIMM and wait until the MR, the only one before, covers it.
    Nothing is asked of the guest, whose answer would delay the frames."""
    def live():
        return guest.hea.stats()["mr"]["live_bytes"]
    want = live() + (lmbs * LMB << 20)
    ident = guest.mem_plug(lmbs)
    guest.poll(lambda: live() >= want, "an MR of all memory", PATIENCE)
    return ident


def flowing(guest, frames):
    """Wait until so many more frames came out, or until none does."""
    def count():
        return sum(p["tx_frames"] for p in guest.hea.stats()["ports"])
    last, quiet = count(), time.monotonic()
    target = last + frames
    while last < target and time.monotonic() - quiet < 2:
        now = count()
        if now > last:
            last, quiet = now, time.monotonic()
        time.sleep(0.005)
    return last >= target


class Watch:
    """The stretches of one run: what the adapter counted at each border."""

    def __init__(self, guest, traffic, seconds):
        self.guest, self.traffic, self.seconds = guest, traffic, seconds
        self.borders, self.marks, self._zero = [], [], None

    def _snapshot(self):
        return {"dropped": dropped(self.guest),
                "stats": self.guest.hea.stats()}

    def stretch(self, name, work=None):
        """A stretch of equal length, with something done in it."""
        self.borders.append((name, self._snapshot()))
        self.traffic.stretch(name)
        began = time.monotonic()
        self._zero = self._zero or (name, began)
        if work:
            self.marks.append((name, began))
            work()
            self.marks.append((name + " done", time.monotonic()))
        time.sleep(max(0, began + self.seconds - time.monotonic()))

    def end(self):
        """The last border."""
        self.borders.append(("end", self._snapshot()))
        self.traffic.stretch("end")

    def result(self):
        """Figures of each stretch."""
        flows = self.traffic.stop()["flows"]
        first = self.traffic.of(self._zero[0])["begin_ms"] / 1000
        out = {"bin_ms": self.traffic.result["bin_ms"],
               "bins": [f["bins"] for f in flows],
               "send_late_ms": max(f["send_late_ms"] for f in flows),
               "marks": [(t - self._zero[1] + first, name)
                         for name, t in self.marks]}
        for (name, before), (_, after) in zip(self.borders, self.borders[1:]):
            out.setdefault(name.split()[0], []).append(
                self._stretch(name, before, after))
        return out

    def _stretch(self, name, before, after):
        parts = [self.traffic.of(name, n) for n in (0, 1)]
        total = sum(p["lost"] for p in parts)
        lost_rx = min(total, after["dropped"] - before["dropped"])
        mr = {k: after["stats"]["mr"][k] - before["stats"]["mr"][k]
              for k in ("registrations", "page_calls")}
        silent = any(p["lost"] == p["sent"] for p in parts)
        return {"sent": sum(p["sent"] for p in parts), "lost": total,
                "lost_rx": lost_rx, "lost_tx": total - lost_rx,
                "gap_ms": None if silent else max(p["gap_ms"] for p in parts),
                "calls": after["stats"]["calls_total"]
                - before["stats"]["calls_total"], **mr}


def hotplug(driver, arming, seconds, rounds):
    """A calm stretch, one in which 8 LMBs come, one in which one goes; then
    more of the first two, for their longest gaps vary."""
    guest = boot(driver, {"arming": arming}, mem=8192)
    with guest:
        scene.ready(guest, 2)
        before = registrations(guest)
        dimm, more = guest.mem_add(1), []
        guest.poll(lambda: registrations(guest) > before, "a new MR")
        with scene.routed_traffic(guest, RATE, window=0) as traffic:
            flowing(guest, RATE)
            watch = Watch(guest, traffic, seconds)
            watch.stretch("base")
            watch.stretch("add", lambda: more.append(plug(guest, 8)))
            watch.stretch("remove", lambda: guest.mem_del(dimm))
            for n in range(1, rounds):
                watch.stretch(f"clean {n}", lambda: guest.mem_del(more.pop()))
                watch.stretch(f"base {n}")
                watch.stretch(f"add {n}", lambda: more.append(plug(guest, 8)))
            watch.end()
            flowing(guest, RATE // 10)
        result = watch.result()
        result["violations"] = guest.hea.violations()["total"]
        end = int(traffic.of("remove")["end_ms"] / result["bin_ms"])
        result["bins"] = [bins[:end] for bins in result["bins"]]
        result["marks"] = [m for m in result["marks"] if m[1] in SHOWN]
    return result


def pause(driver, gib):
    """How long a queue pair stands still when an LMB goes, in guest time."""
    guest = boot(driver, mem=gib << 10, smp=1,
                 qemu_args=["-icount", "shift=0"])
    with guest:
        scene.ready(guest, 2)
        before = registrations(guest)
        dimm = guest.mem_add(1)
        guest.poll(lambda: registrations(guest) > before, "a new MR")
        with scene.routed_traffic(guest, RATE // 20, window=0):
            flowing(guest, RATE // 20)
            before = guest.hea.stats()
            guest.mem_del(dimm, 300)
            after = guest.hea.stats()
    return {"gap_ms": after["qp_pauses"]["longest_ns"] / 1e6,
            "pauses": after["qp_pauses"]["count"]
            - before["qp_pauses"]["count"],
            "registrations": after["mr"]["registrations"]
            - before["mr"]["registrations"],
            "page_calls": after["mr"]["page_calls"]
            - before["mr"]["page_calls"],
            "calls": after["calls_total"] - before["calls_total"]}


def small_pages(driver):
    """Page calls of one registration when firmware has 4 KiB pages only."""
    with boot(driver, {"mr_page_sizes": "0x80000000", "hcall_delay_us": 0},
              mem=8192) as guest:
        scene.ready(guest, 1)
        before = guest.hea.stats()["mr"]
        guest.mem_add(1)
        guest.poll(lambda: registrations(guest) > before["registrations"],
                   "a new MR")
        time.sleep(1)
        after = guest.hea.stats()["mr"]
    return (after["page_calls"] - before["page_calls"]) / \
        (after["registrations"] - before["registrations"])


def cancelled(driver):
    """MRs registered because of onlines and offlines that did not happen."""
    with boot(driver) as guest:
        scene.ready(guest, 1)
        before = registrations(guest)
        block = guest.dimm_blocks(guest.mem_add(2))[1]
        guest.poll(lambda: registrations(guest) > before, "a new MR")
        guest.sh("modprobe memory-notifier-error-inject priority=-10")
        before = registrations(guest)
        _refuse(guest, block, "MEM_GOING_OFFLINE", "offline")
        count = registrations(guest) - before
        guest.block_state(block, "offline")
        before = registrations(guest)
        _refuse(guest, block, "MEM_GOING_ONLINE", "online")
        return count + registrations(guest) - before


def _refuse(guest, block, action, state):
    guest.write(f"{INJECT}/{action}/error", "-12")
    for _ in range(3):
        if guest.status(f"echo {state} > "
                        f"/sys/devices/system/memory/memory{block}/state") == 0:
            raise CaseError(f"{action} was not refused")
    time.sleep(1)       # a registration may come late
    guest.write(f"{INJECT}/{action}/error", "0")


class Cycles:
    """Memory comes and goes many times in one guest, under traffic.

    One cycle in ten plugs and unplugs a DIMM, the others set a block online
    and offline. The guest's two ports are up."""

    RATE = 200

    def __init__(self, guest, count):
        self.guest, self.count = guest, count
        self.dimms = max(1, count // 10)
        self.traffic = self.free = None
        self.taken = 0

    def _taken(self):
        """Frames that the adapter has delivered or dropped."""
        return sum(p["rx_frames"] + sum(p["drops"].values())
                   for p in self.guest.hea.stats()["ports"])

    def _step(self, name, work):
        """A change, and all frames that were sent before its end."""
        self.traffic.stretch(name)
        work()
        sent = self.traffic.stretch("between") + self.taken
        self.guest.poll(lambda: self._taken() >= sent,
                        f"the frames sent in {name}", PATIENCE, 0.01)

    def _by_dimm(self, n):
        dimm = []
        self._step(f"add {n}", lambda: self._covered(
            lambda: dimm.append(self.guest.mem_add(1, timeout=PATIENCE))))
        self._step(f"remove {n}",
                   lambda: self.guest.mem_del(dimm[0], PATIENCE))

    def _by_state(self, n, block):
        def state(name):
            self.guest.block_state(block, name, timeout=PATIENCE)
        self._step(f"add {n}", lambda: self._covered(lambda: state("online")))
        self._step(f"remove {n}", lambda: state("offline"))

    def _covered(self, work):
        before = registrations(self.guest)
        work()
        self.guest.poll(lambda: registrations(self.guest) > before,
                        "a new MR", PATIENCE, interval=0.01)

    def _all(self):
        guest, began = self.guest, time.monotonic()
        block = guest.dimm_blocks(guest.mem_add(1))[0]
        guest.block_state(block, "offline")
        for n in range(self.count):
            if n < self.dimms:
                self._by_dimm(n)
            else:
                self._by_state(n, block)
            if n == self.dimms + 9 or n == min(9, self.count - 1):
                self.free = guest.mem_free()
            if time.monotonic() - began > 30:
                began = time.monotonic()
                say(f"cycle {n} of {self.count}")
        self.traffic.stretch("end")

    def run(self):
        """All cycles and what they left behind."""
        guest = self.guest
        live = guest.hea.resources()
        drops, self.taken = scene.dropped(guest), self._taken()
        with scene.routed_traffic(guest, self.RATE) as self.traffic:
            flowing(guest, self.RATE)
            self._all()
        result = self._losses()
        result["drops"] = dict(scene.dropped(guest) - drops)
        result["free_mib_lost"] = self.free - guest.mem_free()
        # IPv6 joins groups whenever it likes, memory has no part in it
        result["resources_leaked"] = {
            k: v - live[k] for k, v in guest.hea.resources().items()
            if v != live[k] and k != "bcmc"}
        result["violations"] = guest.hea.violations()["total"]
        return result

    def _losses(self):
        lost = {"add": 0, "remove": 0}
        for flow in self.traffic.stop()["flows"]:
            for part in flow["stretches"]:
                kind = part["name"].split()[0]
                if kind != "add":
                    kind = "remove"     # or between a change and the next
                lost[kind] += part["lost"]
        return {"count": self.count, "by_device": self.dimms,
                "lost_on_add": lost["add"], "lost_on_remove": lost["remove"]}


def cycles(kernel, count):
    """Many cycles in a guest, and its verdict after the unload."""
    with boot("ours", kernel=kernel) as guest:
        scene.ready(guest, 2)
        result = Cycles(guest, count).run()
        result["verdict"] = verdict.check(guest)
    result["findings"] = len(result["verdict"])
    return result


def attempt(what, func, *args):
    """A figure, or the reason why there is none."""
    say(what)
    try:
        return func(*args)
    except FAILED as err:
        lines = str(err).strip().splitlines()
        say(f"{what}: {lines[0] if lines else err!r}")
        return {"failed": lines[0] if lines else repr(err)}


def busmap(out):
    """Figures of the table that translates addresses."""
    done = subprocess.run([str(BUSMAP), "--out", str(out)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    path = out / "bench-busmap.json"
    if not path.exists():
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return json.loads(path.read_text(encoding="utf-8"))["figures"]


def _pick(runs, part, key, how):
    values = [s[key] for r in runs if "failed" not in r for s in r[part]
              if s[key] is not None]
    return how(values) if values else None


def _gap_ratio(runs):
    """Longest gaps of the stretches with an add against those without."""
    gaps = {part: _pick(runs, part, "gap_ms", median)
            for part in ("base", "add")}
    lost_all = any(s["lost"] > s["sent"] / 2 for r in runs
                   if "failed" not in r for s in r["add"])
    if lost_all or None in gaps.values():
        return None
    return round(gaps["add"] / gaps["base"], 3)


def _why(runs):
    """The reason why a figure of these runs is missing."""
    failed = [r["failed"] for r in runs if "failed" in r]
    return failed[0] if failed else "no frame came through any more"


def _from_runs(runs, func):
    """A row with both drivers, strict arming first, lenient beside it."""
    row = {}
    for arming in reversed(ARMINGS):
        part = {d: func(runs[d][arming]) for d in DRIVERS}
        for driver in DRIVERS:
            if part[driver] is None:
                part[f"{driver}_reason"] = _why(runs[driver][arming])
        row = {**part, "lenient": row} if arming == "strict" else part
    return row


def _both(values, key=None):
    """A row of two figures, each with its reason when it is missing."""
    row = {}
    for driver, value in values.items():
        failed = isinstance(value, dict) and value.get("failed")
        row[driver] = None if failed else value if key is None else value[key]
        if failed:
            row[f"{driver}_reason"] = failed
    return row


NO_MAP = "the old driver's table is not reachable from outside of it"
NO_CYCLES = "not run: it stops passing frames at the first change"
# the second with the kernel that finds leaks, and fewer: it is slow
CYCLES = {"cycles": ("count", "by_device", "lost_on_add", "lost_on_remove",
                     "violations", "findings", "free_mib_lost"),
          "cycles_debug": ("count", "lost_on_add", "violations", "findings")}


def figures(data):
    """The figures by their names."""
    runs = data["hotplug"]
    out = {}
    for key in ("lost_rx", "lost_tx", "registrations", "page_calls"):
        out[f"add8.{key}"] = _from_runs(
            runs, lambda r, k=key: _pick(r, "add", k, max))
    out["add8.gap_ratio"] = _from_runs(runs, _gap_ratio)
    for key in ("lost_tx", "lost_rx"):
        out[f"remove1.{key}"] = _from_runs(
            runs, lambda r, k=key: _pick(r, "remove", k, max))
    for gib, values in data["pause"].items():
        out[f"remove1.gap_ms_{gib}g"] = _both(values, "gap_ms")
    for key in ("registrations", "page_calls", "calls"):
        out[f"remove1.{key}"] = _both(data["pause"][next(iter(
            data["pause"]))], key)
    out["calls.page_calls_4k"] = _both(data["small_pages"])
    for key in ("map.dense64_bytes", "map.sparse_bytes",
                "map.lookup_ratio_flat_max"):
        figure = data["busmap"].get(key)
        out[key] = {"ours": figure, "intree": None, "intree_reason": NO_MAP}
        if figure is None:
            out[key]["ours_reason"] = data["busmap"].get("failed", "missing")
    for name, keys in CYCLES.items():
        for key in keys:
            out[f"{name}.{key}"] = {**_both({"ours": data[name]}, key),
                                    "intree": None,
                                    "intree_reason": NO_CYCLES}
    out["cancel.registrations"] = _both(data["cancel"])
    return out


def _hotplug(opts):
    runs = {d: {a: [] for a in ARMINGS} for d in DRIVERS}
    for turn in range(opts.repeats):
        for arming in ARMINGS:
            for driver in DRIVERS:
                runs[driver][arming].append(attempt(
                    f"add and remove, {arming} arming, {NAMES[driver]}, "
                    f"run {turn + 1}", hotplug, driver, arming, opts.seconds,
                    ROUNDS[driver]))
    return runs


def _each(what, func):
    """A measurement of both drivers."""
    return {d: attempt(f"{what}, {NAMES[d]}", func, d) for d in DRIVERS}


def measure(opts, out):
    """Take the measurements whose names match, keep the others."""
    parts = {
        "hotplug": lambda: _hotplug(opts),
        "pause": lambda: {str(gib): _each(
            f"pause of a removal, {gib} GiB", lambda d, g=gib: pause(d, g))
            for gib in opts.sizes},
        "small_pages": lambda: _each("4 KiB pages only", small_pages),
        "cancel": lambda: _each("cancelled changes", cancelled),
        "cycles": lambda: attempt(f"{opts.cycles} cycles", cycles, "plain",
                                  opts.cycles),
        "cycles_debug": lambda: attempt(
            f"{opts.cycles // 20} cycles, debug kernel", cycles, "debug",
            opts.cycles // 20),
        "busmap": lambda: attempt("the map's lookups", busmap, out),
    }
    data = _earlier(out)
    wanted = [name for name in parts if re.search(opts.pattern, name)]
    missing = [n for n in parts if n not in data and n not in wanted]
    if missing:
        raise LabError(f"never measured: {', '.join(missing)}")
    for name in wanted:
        data[name] = parts[name]()
        _save(data, out)
    return data


def _earlier(out):
    """What an earlier run measured."""
    path = out / DETAIL
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _save(data, out):
    """Keep the measurements, of which the figures are made."""
    (out / DETAIL).write_text(json.dumps(data) + "\n", encoding="utf-8")


def _sides(row):
    lenient = row.get("lenient", {})
    return [row.get("ours"), row.get("intree"), lenient.get("ours"),
            lenient.get("intree")]


HEAD = ["", "this driver", "in-tree", "this driver, lenient",
        "in-tree, lenient"]


def rows(result):
    """The figures as rows of a table."""
    return [[key, *_sides(row)] for key, row in result.items()]


def _timelines(data):
    out = []
    for arming in ARMINGS:
        out.append(f"<h2>Frames per 10 ms, {arming} event arming</h2>")
        for driver in DRIVERS:
            good = [r for r in data["hotplug"][driver][arming]
                    if "failed" not in r]
            if not good:
                out.append(f"<p>{NAMES[driver]}: "
                           f"{_why(data['hotplug'][driver][arming])}</p>")
                continue
            run = good[0]
            out.append(plot.timeline(
                f"{NAMES[driver]}", [("port 0 to port 1", run["bins"][0]),
                                     ("port 1 to port 0", run["bins"][1])],
                [(t, n) for t, n in run["marks"]], run["bin_ms"] / 1000,
                "frames per 10 ms", 3 * RATE * run["bin_ms"] / 1000))
    return out


def _reasons(result):
    out = []
    for key, row in result.items():
        for where, part in (("", row), (", lenient", row.get("lenient", {}))):
            out += [f"{key}{where}, {NAMES[k[:-7]]}: {v}"
                    for k, v in part.items() if k.endswith("_reason")]
    return out


def report(data, result):
    """The page."""
    parts = [f"<p>{line}</p>" for line in (
        f"Numbered frames of 200 bytes, {RATE} per second in each direction, "
        "sent and judged outside the guest; the guest (8 GiB, two vCPUs) "
        "routes them from one port to the other. Each firmware call takes "
        f"{DELAY_US} us. 8 LMBs (2 GiB) are added, then one LMB is removed.",
        "Losses are the most of all runs. The gap ratio is that of the medians "
        "of the longest gaps, of stretches with an add and without. "
        "Pauses (gap_ms) are of guest time, under -icount.")]
    parts += [plot.table(HEAD, rows(result)), *_timelines(data)]
    sizes = list(data["pause"])
    parts.append(plot.bars(
        "Longest pause of a queue pair when one LMB is removed, by memory",
        [(f"{gib} GiB", [result[f"remove1.gap_ms_{gib}g"][d]
                         for d in DRIVERS]) for gib in sizes],
        [NAMES[d] for d in DRIVERS], "ms of guest time"))
    reasons = _reasons(result)
    if reasons:
        parts += ["<h2>Figures not taken</h2><ul>",
                  *(f"<li>{r}</li>" for r in reasons), "</ul>"]
    return plot.page("Memory hotplug under traffic", parts)


def _cell(value):
    return re.sub(r"\.0$", "", plot.number(value, 4))


def main(opts, out):
    """Measure, write out/bench-memory.json and .html, print the table."""
    data = measure(opts, out)
    result = figures(data)
    (out / "bench-memory.json").write_text(json.dumps(
        result, indent=1) + "\n", encoding="utf-8")
    (out / "bench-memory.html").write_text(report(data, result),
                                           encoding="utf-8")
    print(plot.text_table(HEAD, [[r[0], *map(_cell, r[1:])]
                                 for r in rows(result)]))
    print("\n".join(_reasons(result)))
    return 0
