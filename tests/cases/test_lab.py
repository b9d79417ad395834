# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: nothing half made is used, and nothing bad is passed over."""

import errno
import multiprocessing
import sys

import pytest

from ehealab import cache, scene, verdict
from ehealab.cache import Recipe
from ehealab.guest import adapters
from ehealab.run import LabError

FORK = multiprocessing.get_context("fork")
PATIENCE = 60


# The cache

@pytest.fixture(name="root")
def _root(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "ROOT", tmp_path)
    return tmp_path


def _finished(root):
    """What others may take for an artifact."""
    return [p.name for p in (root / "artifacts").glob("*")] \
        if (root / "artifacts").exists() else []


def _write(_job, _work, out):
    (out / "file").write_text("whole", encoding="utf-8")


@pytest.mark.parametrize("error", [ValueError, LabError, KeyboardInterrupt])
def test_build_that_fails_leaves_no_artifact_and_may_be_repeated(root, error):
    def fail(_job, work, out):
        (out / "file").write_text("half", encoding="utf-8")
        (work / "object").write_text("done", encoding="utf-8")
        raise error("no")

    with pytest.raises(error, match="no"):
        cache.get(Recipe("thing", fail, lambda: ["base"]))
    assert not _finished(root)

    def resume(job, work, out):
        assert (work / "object").exists(), "begun anew"
        assert not list(out.iterdir())
        _write(job, work, out)

    made = cache.get(Recipe("thing", resume, lambda: ["base"]))
    assert (made / "file").read_text(encoding="utf-8") == "whole"
    assert _finished(root) == [made.name]


def test_finished_artifact_is_not_built_again_and_a_changed_one_is(root):
    built, inputs = [], ["a"]

    def build(job, work, out):
        built.append(list(inputs))
        _write(job, work, out)

    recipe = Recipe("thing", build, lambda: ["base"], lambda: inputs)
    first = cache.get(recipe)
    assert cache.get(recipe) == first
    inputs.append("b")
    assert cache.get(recipe) != first
    assert built == [["a"], ["a", "b"]]
    assert len(_finished(root)) == 2


def test_inputs_that_change_under_a_build_make_it_start_anew(root):
    inputs, built = ["a"], []

    def build(job, work, out):
        built.append(inputs[0])
        inputs[0] = "b"
        _write(job, work, out)

    recipe = Recipe("thing", build, lambda: ["base"], lambda: inputs)
    made = cache.get(recipe)
    assert built == ["a", "b"]
    assert _finished(root) == [made.name]


def test_full_disk_is_named_however_it_shows(root, monkeypatch):
    def full(_job, _work, _out):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LabError, match="the disk of .* is full: make room"):
        cache.get(Recipe("thing", full, lambda: ["base"]))

    def compiler_failed(_job, _work, _out):
        raise LabError("thing: cc failed, see the log")

    recipe = Recipe("thing", compiler_failed, lambda: ["base"], space=0)
    with pytest.raises(LabError, match="cc failed"):
        cache.get(recipe)
    monkeypatch.setattr(cache, "free_space", lambda: 1 << 20)
    with pytest.raises(LabError, match="the disk of .* is full: make room"):
        cache.get(recipe)
    # known in advance: not even begun
    with pytest.raises(LabError, match="needs 1024 MiB .* 1 MiB are free"):
        cache.get(Recipe("thing", compiler_failed, lambda: ["base"]))
    assert not _finished(root)


class _Ear:
    """Standard error that tells when somebody waits for a lock."""

    def __init__(self, heard):
        self.heard = heard

    def write(self, text):
        """Listen, and pass on."""
        sys.__stderr__.write(text)
        if "waiting for it" in text:
            self.heard.set()

    def flush(self):
        """Pass on."""
        sys.__stderr__.flush()

    def isatty(self):
        """It is none."""
        return False


def test_two_runs_at_once_build_once_and_both_get_it(root):
    building, waiting = FORK.Event(), FORK.Event()
    builds = root / "builds"

    def build(job, work, out):
        with open(builds, "a", encoding="utf-8") as log:
            log.write("built\n")
        building.set()
        assert waiting.wait(PATIENCE), "nobody waits"
        _write(job, work, out)

    def run():
        sys.stderr = _Ear(waiting)
        made = cache.get(Recipe("thing", build, lambda: ["base"]))
        sys.exit(0 if (made / "file").exists() else 1)

    runs = [FORK.Process(target=run) for _ in range(2)]
    runs[0].start()
    assert building.wait(PATIENCE)
    runs[1].start()
    for process in runs:
        process.join(PATIENCE)
    assert [process.exitcode for process in runs] == [0, 0]
    assert builds.read_text(encoding="utf-8") == "built\n"
    assert len(_finished(root)) == 1


# The verdict

BAD = (
    "Oops: Kernel access of bad area, sig: 11 [#1]",
    "BUG: Kernel NULL pointer dereference on read at 0x00000008",
    "kernel BUG at mm/slub.c:442!",
    "WARNING: CPU: 1 PID: 77 at net/core/dev.c:6812 .napi_enable+0x54/0x80",
    "WARNING: possible circular locking dependency detected",
    "WARNING: suspicious RCU usage",
    "WARNING: inconsistent lock state",
    "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
    "INFO: trying to register non-static key.",
    "INFO: rcu_sched detected stalls on CPUs/tasks:",
    "BUG: KASAN: slab-use-after-free in .ehea_poll+0x1c4/0x9e0 [ehea]",
    "BUG: KFENCE: out-of-bounds write in .ehea_rx_fill+0x40/0x80",
    "BUG: KCSAN: data-race in .ehea_poll / .ehea_start_xmit",
    "UBSAN: array-index-out-of-bounds in ehea_rx.c:380:11",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "unreferenced object 0xc00000001e4c8000 (size 4096):",
    "NIP [c0080000003c1a5c] .ehea_poll+0x1c4/0x9e0 [ehea]",
    "Call Trace:",
    "Unable to handle kernel paging request for data at address 0x6b6b6b6b",
    "Kernel panic - not syncing: Fatal exception in interrupt",
    "Machine check in kernel mode.",
    "Badness at kernel/softirq.c:362",
    "BUG: scheduling while atomic: ip/93/0x00000201",
    "BUG: sleeping function called from invalid context at hvcall.c:1",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:0]",
    "watchdog: CPU 1 self-detected hard LOCKUP @ .ehea_poll+0x10/0x9e0",
    "ODEBUG: free active (active state 0) object type: timer_list",
    "list_del corruption. prev->next should be c0000000012345, was 0",
    "refcount_t: underflow; use-after-free.",
    "unregister_netdevice: waiting for eth0 to become free. Usage count = 2",
    "modprobe: page allocation failure: order:4, mode:0x40cc0",
    "NETDEV WATCHDOG: eth0 (ehea): transmit queue 0 timed out 5123 ms",
    "DMA-API: device driver frees DMA memory it has not allocated",
)
HARMLESS = (
    "ehea: loading out-of-tree module taints kernel.",
    "ibmebus port0 eth0: logical port 1, 1 default QPs, jumbo frames",
    "ibmebus port0 eth0: port will be reset: QP error",
    "ehea 23c00400.lhea: memory +256 -0 MiB: MR of 1280 MiB in 16384 KiB "
    "pages, 3 calls, 211 us",
    "WARNING: nvram corruption detected: 0-length partition",
    "**   NOTICE NOTICE NOTICE NOTICE NOTICE NOTICE NOTICE    **",
    "kmemleak: Automatic memory scanning thread started",
    "debug: unmapping init memory",
    "rcu: Hierarchical RCU implementation.",
    "random: crng init done",
    "",
)


@pytest.mark.parametrize("stamp", ["", "[   12.345678] ",
                                   "[   12.345678][ T77] "])
def test_everything_bad_in_a_console_is_found_and_nothing_else(stamp):
    for line in BAD:
        assert verdict.findings([*HARMLESS, stamp + line, *HARMLESS]) == \
            [stamp + line], line
    assert not verdict.findings([stamp + line for line in HARMLESS])


WARNING = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 1 at fs/proc/generic.c:717 .remove_proc_entry+0x1",
    "NIP [c000000000543210] .remove_proc_entry+0x1a8/0x1f0",
    "Call Trace:",
    "---[ end trace 0000000000000000 ]---",
)


def test_warning_that_a_case_provokes_takes_its_trace_and_no_other_along():
    allow = [r"WARNING: .*remove_proc_entry"]
    assert not verdict.findings(WARNING, allow)
    assert len(verdict.findings(WARNING)) == 3
    other = "WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 .napi_enable+0x1"
    assert verdict.findings([*WARNING, other, "Call Trace:"], allow) == \
        [other, "Call Trace:"]
    # inside the trace of one that is allowed nothing else is
    oops = "Oops: Kernel access of bad area, sig: 11 [#1]"
    assert verdict.findings([*WARNING[:3], oops], allow) == [oops]


def test_guest_that_misbehaves_is_condemned_for_each_misdeed(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sync_console()
    assert not verdict.findings(guest.console_lines())
    guest.sh("echo '<4>WARNING: x' > /dev/kmsg")
    # freed, and freed once more
    guest.hea.fault("op=H_FREE_RESOURCE,rtype=qp,times=1,rc=H_HARDWARE,"
                    "stage=after")
    guest.sh(f"ip link set {name} down")
    # never freed
    guest.hea.fault("op=H_FREE_RESOURCE,rtype=mr,times=0,rc=H_HARDWARE")
    guest.hea.fault("op=H_QUERY_HEA,times=1,rc=H_HARDWARE")
    said = "\n".join(verdict.check(guest))
    for misdeed in ("WARNING: x", "dead-handle", "still alive after unload",
                    "never fired"):
        assert misdeed in said, said
    assert len(said.split("\n")) == 4, said
    guest.kill_qemu()
    guest.wait(lambda: guest.death, "the guest's end", 10)
    assert "the guest died" in "\n".join(verdict.check(guest))
    lab.guests.remove(guest)
    guest.close()
    guest.discard_logs()
