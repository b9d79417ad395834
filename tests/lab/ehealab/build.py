# SPDX-License-Identifier: GPL-2.0-or-later
"""All artifacts by name."""

import os
from pathlib import Path

from . import cache, kernel, modules, qemu, sources, userland
from .run import LabError

RECIPES = {**sources.RECIPES, **kernel.RECIPES, **modules.RECIPES,
           **qemu.RECIPES, **userland.RECIPES}


def artifact(name):
    """Return the directory of an artifact, building it when it is missing.

    EHEA_QEMU in the environment names another QEMU, a directory with bin/
    and pc-bios/.
    """
    if name == "qemu" and os.environ.get("EHEA_QEMU"):
        return Path(os.environ["EHEA_QEMU"])
    if name not in RECIPES:
        raise LabError(f"no artifact {name}; there are: "
                       + " ".join(sorted(RECIPES)))
    return cache.get(RECIPES[name])
