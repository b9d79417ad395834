# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory comes and goes many times in one guest."""

import os
import sys
from pathlib import Path

import pytest

from ehealab import scene
from ehealab.guest import LMB, adapters

# pylint: disable=wrong-import-position
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
# pylint: disable-next=wrong-import-position
from eheabench.memory import Cycles             # noqa: E402

CYCLES, SLOW_CYCLES = 30, 10


@pytest.mark.on("power7", faults=("power9-debug",))
def test_many_cycles_lose_nothing_on_adds_and_leak_nothing(lab):
    """What "make bench MEMORY=1" does 500 times. The verdict at the case's
    end adds kmemleak and what is left in firmware after the unload."""
    count = int(os.environ.get("EHEA_CYCLES",
                               SLOW_CYCLES if lab.slow else CYCLES))
    guest = lab.boot(adapters(ports=2),
                     append="memhp_default_state=online_movable")
    scene.ready(guest, 2)
    result = Cycles(guest, count).run()
    lab.tally("memory cycles", count)
    assert result["lost_on_add"] == 0, result
    assert set(result["drops"]) <= {"qp-disabled"}, result
    assert result["lost_on_remove"] == sum(result["drops"].values()), result
    assert result["resources_leaked"] == {}, result
    assert result["free_mib_lost"] < LMB // 4, result
