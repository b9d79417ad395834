# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the cases with pytest, after everything they need has been built."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec

from . import build
from .cache import CHECKOUT
from .kernel import VARIANTS
from .run import LabError

CASES = CHECKOUT / "tests" / "cases"


def _pytest(options, capture=False):
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    args = [sys.executable, "-m", "pytest", str(CASES), "-p",
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
        options += ["-n", str(jobs)]
    return _pytest(["-v", *options])


def missing(module):
    """Whether a Python module cannot be had."""
    return find_spec(module) is None
