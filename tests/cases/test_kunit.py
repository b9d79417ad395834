# SPDX-License-Identifier: GPL-2.0-or-later
"""Unit tests: of the busmap and other pure parts, in the guest and here; of
the virtual HEA, without a guest."""

import re
import subprocess

import pytest

from ehealab.cache import CHECKOUT


def _count(ktap):
    """(passed, failed) test cases in KTAP output."""
    results = re.findall(r"^\s*(?:\[[^]]*\]\s*)?\s+(ok|not ok) \d+", ktap, re.M)
    return results.count("ok"), results.count("not ok")


@pytest.mark.on("power7", "power9", "power9-debug")
def test_kunit_suites_pass_in_the_guest(lab):
    guest = lab.boot()
    guest.sh("modprobe kunit && modprobe ehea_kunit", timeout=300)
    guest.sync_console()
    results = guest.sh("cat /sys/kernel/debug/kunit/ehea*/results")
    passed, failed = _count(results)
    assert failed == 0, results
    assert passed >= 10, results


def test_busmap_suites_pass_in_user_space():
    done = subprocess.run(["make", "-C", CHECKOUT / "tests" / "native",
                           "check"], text=True, timeout=900, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-4000:]
    passed, failed = _count("\n" + done.stdout)
    assert failed == 0 and passed >= 5, done.stdout[-4000:]
