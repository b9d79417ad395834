# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the cases with pytest, after everything they need has been built."""

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from . import build
from .cache import CHECKOUT
from .kernel import VARIANTS
from .run import LabError

CASES = CHECKOUT / "tests" / "cases"


# More failed cases than these are no accident.
FEW = 5


def _pytest(options, cases=(CASES,), capture=False, **env):
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **env)
    args = [sys.executable, "-m", "pytest", *map(str, cases), "-p",
            "no:cacheprovider", "--rootdir", str(CHECKOUT / "tests"),
            "--no-header", "--tb=short", *options]
    if capture:
        return subprocess.run(args, env=env, text=True, check=False,
                              stdout=subprocess.PIPE).stdout
    return subprocess.call(args, env=env)


def _kernels(options):
    """The kernels that the selected cases boot, by their names."""
    listing = _pytest([*options, "--collect-only", "-q"], capture=True)
    found = set()
    others = "|".join(map(re.escape, VARIANTS))
    for line in listing.splitlines():
        pair = re.search(rf"\[(?:.*-)?power\d(-(?:{others}))?\b", line)
        if pair:
            found.add((pair.group(1) or "-plain").lstrip("-"))
    return sorted(found)


def main(pattern=None, cpu=None, kernel=None, jobs=2, extra=()):
    """Run the cases that match; returns the exit status."""
    options = list(extra)
    for name, value in (("-k", pattern), ("--cpu", cpu), ("--kernel", kernel)):
        if value:
            options += [name, value]
    try:
        if missing("pytest"):
            raise LabError("pytest is missing: apt-get install python3-pytest "
                           "python3-pytest-xdist")
        for name in ("qemu", "initramfs"):
            build.artifact(name)
        for name in _kernels(options):
            build.artifact(f"kernel-{name}")
            build.artifact(f"module-{name}")
    except LabError as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1
    if jobs > 1 and not missing("xdist"):
        return _pair(["-v", *options], jobs)
    return _pytest(["-v", *options])


def _pair(options, jobs):
    """Run cases side by side. A few that failed, and left a guest that the
    verdict found clean, run once more, alone: then nothing disturbs them."""
    with tempfile.NamedTemporaryFile(prefix="ehea-results-") as results:
        status = _pytest([*options, "-n", str(jobs)],
                         EHEA_LAB_RESULTS=results.name)
        text = Path(results.name).read_text(encoding="utf-8")
    found = json.loads(text) if text else {}
    failed = found.get("failed", [])
    if status != 1 or not failed or len(failed) > FEW or found["condemned"]:
        return status
    print("lab: failed side by side, now once more, alone:", *failed,
          sep="\n  ", flush=True)
    return _pytest(options, [CASES.parent / name for name in failed],
                   EHEA_LAB_BEFORE=str(found["passed"]))


def missing(module):
    """Whether a Python module cannot be had."""
    return find_spec(module) is None
