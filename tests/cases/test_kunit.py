# SPDX-License-Identifier: GPL-2.0-or-later
"""Unit tests of the driver's pure parts, run by KUnit in the guest."""

import re

import pytest


def _count(ktap):
    """(passed, failed) test cases in KTAP output."""
    results = re.findall(r"^\s*(?:\[[^]]*\]\s*)?\s+(ok|not ok) \d+", ktap, re.M)
    return results.count("ok"), results.count("not ok")


@pytest.mark.on("power7", "power9", faults=("power9-debug",))
def test_kunit_suites_pass_in_the_guest(lab):
    guest = lab.boot()
    guest.sh("modprobe kunit enable=1 && modprobe ehea_kunit", timeout=300)
    guest.sync_console()
    results = guest.sh("cat /sys/kernel/debug/kunit/ehea*/results")
    passed, failed = _count(results)
    assert failed == 0, results
    assert passed >= 10, results
