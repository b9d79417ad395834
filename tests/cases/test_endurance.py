# SPDX-License-Identifier: GPL-2.0-or-later
"""Many memory changes in one guest under two-way traffic."""

import os

import pytest

from ehealab import scene
from ehealab.guest import adapters

CYCLES = int(os.environ.get("EHEA_CYCLES", "500"))
RATE = 500


@pytest.mark.on("power9")
def test_500_cycles_of_memory_lose_no_frame_on_adds_and_leak_nothing(lab):
    """One in ten by a DIMM plugged and unplugged, the rest by the state file
    of one block; frames sent while memory is added are accounted apart."""
    guest = lab.boot(adapters(ports=2),
                     append="memhp_default_state=online_movable")
    scene.ready(guest, 2)
    block = guest.dimm_blocks(guest.mem_add(1))[0]
    resources = guest.hea.resources()
    free = []
    with scene.routed_traffic(guest, RATE) as traffic:
        for cycle in range(CYCLES):
            traffic.stretch("remove")
            if cycle % 10:
                guest.block_state(block, "offline")
                traffic.stretch("add")
                guest.block_state(block, "online")
            else:
                traffic.stretch("add")
                dimm = guest.mem_add(1)
                traffic.stretch("remove")
                guest.mem_del(dimm)
                free.append(guest.mem_free())
    assert scene.lost(traffic, "add") == 0
    drops = sum(sum(p["drops"].values()) for p in guest.hea.stats()["ports"])
    assert scene.lost(traffic) == drops
    assert guest.hea.violations()["total"] == 0
    # replaced MRs may live until their last receive buffer has been used
    mine = guest.hea.resources()
    assert mine.pop("mr") <= 4 and mine.pop("smr") <= 4 * 4
    assert mine == {k: v for k, v in resources.items()
                    if k not in ("mr", "smr")}
    assert guest.online([block])
    assert free[1] - free[-1] < 8, f"MiB free over time: {free}"
