# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver compiles without a warning whatever the kernel's configuration:
a small set by default, all with EHEA_CONFIGS=all in the environment."""

import importlib.util
import os
import subprocess
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "static" / "configs"


def _load():
    loader = SourceFileLoader("configs", str(SCRIPT))
    spec = importlib.util.spec_from_loader("configs", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


configs = _load()
EVERYTHING = os.environ.get("EHEA_CONFIGS") == "all"
NAMES = configs.CONFIGS if EVERYTHING else configs.SMALL
SEEDS = configs.ALL_SEEDS if EVERYTHING else configs.SMALL_SEEDS


def _build(*args):
    form = [] if EVERYTHING else ["--quick"]
    done = subprocess.run([SCRIPT, "-j1", *form, *args], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=1800)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_driver_compiles_without_a_warning(name):
    _build(name)


@pytest.mark.parametrize("seed", SEEDS)
def test_driver_compiles_in_a_random_configuration(seed):
    _build("--seed", str(seed))
