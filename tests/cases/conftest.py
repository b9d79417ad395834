# SPDX-License-Identifier: GPL-2.0-or-later
"""How cases run: which CPUs and kernels, one guest each, verdict at the end.

A case asks for the fixture "lab" and boots what it needs:

    @pytest.mark.on("power7", "power9", "power9-debug")
    def test_something_holds(lab):
        guest = lab.boot(adapters(ports=2))

The mark lists CPU and kernel pairs; without it the case runs on power9 with
the plain kernel. Pairs in faults=(...) take long, and run with --faults only;
so do cases, or parameters of cases, with the mark "long".
"serial" marks cases whose timing another guest would spoil.
"""

import collections
import contextlib
import fcntl
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from ehealab import verdict                         # noqa: E402
from ehealab.guest import Guest, Spec               # noqa: E402
from ehealab.kernel import VARIANTS as KERNELS      # noqa: E402

OUT = HERE.parents[1] / "out" / "check"
RUN_DIR = "EHEA_LAB_RUN"
DEFAULT = ("power9",)


def pytest_addoption(parser):
    group = parser.getgroup("lab")
    group.addoption("--cpu", choices=("power7", "power8", "power9"),
                    help="run every case on this CPU only")
    group.addoption("--kernel", choices=KERNELS,
                    help="run every case with this kernel only")
    group.addoption("--faults", action="store_true",
                    help="the long forms of the cases that inject faults")
    group.addoption("--seed", type=int, default=1,
                    help="of all that is random in them (default 1)")
    group.addoption("--keep-logs", action="store_true",
                    help="keep the logs of cases that passed, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "on(*pairs, faults=()): CPU[-kernel]")
    config.addinivalue_line("markers", "long: runs with --faults only")
    config.addinivalue_line("markers", "serial: runs with no other guest")
    config.addinivalue_line("markers", "parts: its parameters are no repeats")
    if not hasattr(config, "workerinput") and RUN_DIR not in os.environ:
        os.environ[RUN_DIR] = tempfile.mkdtemp(prefix="ehea-run-")
    config.case_results = {}


def _pairs(metafunc):
    mark = metafunc.definition.get_closest_marker("on")
    wanted = mark.args if mark else DEFAULT
    if mark and metafunc.config.getoption("--faults"):
        wanted += mark.kwargs.get("faults", ())
    pairs = [tuple(p.split("-", 1)) if "-" in p else (p, "plain")
             for p in wanted]
    cpu = metafunc.config.getoption("--cpu")
    kernel = metafunc.config.getoption("--kernel")
    if cpu:
        pairs = [(cpu, k) for _, k in pairs]
    if kernel:
        pairs = [(c, kernel) for c, _ in pairs]
    return list(dict.fromkeys(pairs))


def pytest_generate_tests(metafunc):
    if "platform" in metafunc.fixturenames:
        pairs = _pairs(metafunc)
        names = [c if k == "plain" else f"{c}-{k}" for c, k in pairs]
        metafunc.parametrize("platform", pairs, ids=names)


def _repeats(items):
    """Of the parameters of a case, all but the plain kernel get the first."""
    seen = set()
    for item in items:
        if _kernel(item) != "plain" and not item.get_closest_marker("parts"):
            if item.function in seen:
                yield item
            seen.add(item.function)


def _kernel(item):
    call = getattr(item, "callspec", None)
    return call.params.get("platform", ("", "plain"))[1] if call else "plain"


def _in_order(items):
    """Slow ones are spread over the first that each worker gets, so that
    nobody waits for them in the end; who wants the machine alone comes last."""
    slow = [item for item in items if _kernel(item) == "debug"]
    rest = [item for item in items if _kernel(item) != "debug"]
    rest.sort(key=lambda item: item.get_closest_marker("serial") is not None)
    for n, item in enumerate(slow):
        rest.insert(5 * n, item)
    return rest


def _left_out(config, items):
    if not config.getoption("--kernel"):
        yield from _repeats(items)
    if not config.getoption("--faults"):
        yield from (i for i in items if i.get_closest_marker("long"))


def pytest_collection_modifyitems(config, items):
    left_out = list(dict.fromkeys(_left_out(config, items)))
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    items[:] = _in_order(items)


# Results


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    setattr(item, f"report_{outcome.get_result().when}", outcome.get_result())


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    RESULTS.add(report)


class Results:
    """One result per case: failed if any phase of it did."""

    def __init__(self):
        self.passed, self.failed, self.condemned = set(), set(), set()
        self.before = int(os.environ.get("EHEA_LAB_BEFORE", 0))
        self.tallies = collections.Counter()
        self.tallied = set()

    def add(self, report):
        """Count one phase of one case."""
        if report.when == "teardown":
            for name, count in report.user_properties:
                self.tallies[name] += count
                self.tallied.add(report.nodeid)
        if report.failed:
            self.failed.add(report.nodeid)
            if report.when == "teardown":
                self.condemned.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def summary(self, seed):
        """What was injected, and how many of those cases failed."""
        if self.tallied:
            yield f"faults, seed {seed}: " + ", ".join(
                f"{count} {name}" for name, count in
                sorted(self.tallies.items())) + \
                f"; {len(self.tallied & self.failed)} failures"

    def line(self):
        """The last line of a run."""
        return f"{len(self.passed - self.failed) + self.before} passed, " \
               f"{len(self.failed)} failed"

    def save(self, path):
        """For who runs failed cases again; the verdict is final."""
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"passed": len(self.passed - self.failed),
                       "failed": sorted(self.failed),
                       "condemned": sorted(self.condemned)}, out)


RESULTS = Results()


def pytest_report_teststatus(report):
    if report.when == "call" and report.passed:
        return "passed", ".", f"PASSED ({report.duration:.1f} s)"
    return None


def pytest_sessionfinish(session, exitstatus):
    if not hasattr(session.config, "workerinput") and exitstatus == 0 and \
       not RESULTS.passed and not session.config.option.collectonly:
        session.exitstatus = 5


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput") and \
       not config.option.collectonly:
        sys.stdout.flush()
        print(*RESULTS.summary(config.getoption("--seed")), RESULTS.line(),
              sep="\n", flush=True)
        if "EHEA_LAB_RESULTS" in os.environ:
            RESULTS.save(os.environ["EHEA_LAB_RESULTS"])


# Taking turns


@contextlib.contextmanager
def _turn(serial):
    """Cases share the machine; a serial one has it alone.

    Everyone passes the gate first, so that a waiting serial case is next."""
    run = Path(os.environ[RUN_DIR])
    with open(run / "gate", "wb") as gate, open(run / "machine", "wb") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if serial else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


class Lab:
    """Boots the guests of one case, and judges them at its end."""

    def __init__(self, cpu, kernel, item):
        self.cpu, self.kernel = cpu, kernel
        self.name = _case_name(item.nodeid)
        self.guests = []
        self.long = item.config.getoption("--faults")
        self.slow = kernel in ("debug", "kcsan")
        self.full = self.long and not self.slow
        self.seed = item.config.getoption("--seed")
        self._tally = item.user_properties
        self._case = item.originalname

    def random(self):
        """A source of random numbers, and a line that tells its seed."""
        print(f"make check K={self._case} SEED={self.seed}"
              + " FAULTS=1" * self.long)
        return random.Random(self.seed)

    def amount(self, sample, full):
        """How much to do of what may be done many times: a sample; with
        --faults all of it, on the slow kernels four samples."""
        if self.full:
            return full
        return min(full, 4 * sample) if self.long else sample

    def tally(self, name, count=1):
        """Count what was injected, for the summary of the run."""
        self._tally.append((name, count))

    def boot(self, adapters=None, **fields):
        """Boot a guest; fields are those of Spec."""
        fields = {"cpu": self.cpu, "kernel": self.kernel, **fields}
        guest = Guest(Spec(adapters=adapters or [], **fields), self.name)
        self.guests.append(guest)
        return guest.start()

    def judge(self):
        """The verdict on all guests, as lines."""
        out = []
        for guest in self.guests:
            try:
                out += verdict.check(guest)
            # The machine may be in any state.
            except Exception as err:    # pylint: disable=broad-except
                out.append(f"no verdict: {err}")
        return out

    def end(self, failed, keep):
        """Close the guests; keep the logs of failed ones."""
        for n, guest in enumerate(self.guests):
            guest.close()
            if failed or keep:
                guest.save_logs(OUT / self.name / (str(n) if n else ""))
            else:
                guest.discard_logs()


def _case_name(nodeid):
    return re.sub(r"[^\w.-]+", "_", nodeid.split("/")[-1]).strip("_")


@pytest.fixture
def lab(request, platform):
    """The lab of one case."""
    item = request.node
    case = Lab(*platform, item)
    with _turn(item.get_closest_marker("serial") is not None):
        began = time.monotonic()
        yield case
        body_failed = not getattr(item, "report_call", None) or \
            item.report_call.failed
        bad = case.judge()
        case.end(body_failed or bad,
                 request.config.getoption("--keep-logs"))
    if bad:
        text = f"verdict after {time.monotonic() - began:.1f} s, logs in " \
               f"out/check/{case.name}:\n  " + "\n  ".join(bad[:40])
        pytest.fail(text, pytrace=False)
