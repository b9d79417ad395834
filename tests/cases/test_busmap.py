# SPDX-License-Identifier: GPL-2.0-or-later
"""The busmap, in user space: the same suite that KUnit runs in a guest."""

import os
import re
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SUITE = TESTS / "kunit" / "ehea_busmap_test.c"


@pytest.fixture(scope="module", name="native")
def build_native(tmp_path_factory):
    """Build the suites with sanitizers; returns the folder of programs."""
    out = tmp_path_factory.mktemp("native")
    done = subprocess.run(["make", "-s", "-C", str(TESTS / "native"),
                           f"OUT={out}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return out


def run(*args):
    """Run a program to its end; returns status and output."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=300)
    return done.returncode, done.stdout


def test_busmap_suite_passes_in_user_space(native):
    """Every case of the suite runs, and passes under the sanitizers."""
    status, output = run(native / "kunit")
    passed = re.findall(r"^    ok \d+ (\w+)$", output, re.M)
    listed = re.findall(r"KUNIT_CASE(?:_PARAM)?\((\w+)", SUITE.read_text())
    assert status == 0, output
    assert set(listed) <= set(passed), output


def test_busmap_agrees_with_its_model_on_random_changes(native):
    """Some seconds of random changes, from a seed that the output names."""
    seconds = os.environ.get("EHEA_FUZZ_SECONDS", "5")
    status, output = run(native / "fuzz_busmap", "--seconds", seconds)
    assert status == 0, output
