# SPDX-License-Identifier: GPL-2.0-or-later
"""All artifacts by name."""

from . import cache, kernel, modules, qemu, sources, userland
from .run import LabError

RECIPES = {**sources.RECIPES, **kernel.RECIPES, **modules.RECIPES,
           **qemu.RECIPES, **userland.RECIPES}


def artifact(name):
    """Return the directory of an artifact, building it when it is missing."""
    if name not in RECIPES:
        raise LabError(f"no artifact {name}; there are: "
                       + " ".join(sorted(RECIPES)))
    return cache.get(RECIPES[name])
