# SPDX-License-Identifier: GPL-2.0-or-later
"""Source trees as artifacts: once fetched, they stay until `lab clean`."""

import os
import shutil

from . import cache
from .apt import NEXT, STABLE, PrivateApt, newer_apt, require

# Debian source packages of the stable release.
PACKAGES = ("qemu", "busybox", "iproute2", "ethtool", "kmod", "nuttcp",
            "kexec-tools", "numactl", "libpcap", "tcpdump")

# Of these the upstream tarball is enough, and of a later release.
TARBALLS = ("powerpc-utils", "librtas")

# Kernels come as binary packages that hold a tarball.
KERNELS = {"6.12": f"{STABLE}-backports", "7.2": "sid"}


def version(tree):
    """Return the version of a fetched source."""
    return (tree / "VERSION").read_text(encoding="utf-8")


def fetch(apt, what):
    """Return how a Debian source package is had from an APT."""
    def build(job, work, out):
        tree, number = apt().source(job, what, work)
        shutil.move(tree, out / "tree")
        (out / "VERSION").write_text(number, encoding="utf-8")

    return build


def package(name):
    """Return the recipe of a Debian source package; tree/ holds it."""
    return cache.Recipe(f"src-{name}", fetch(PrivateApt, f"{name}/{STABLE}"),
                        lambda: ["2", name, STABLE], space=1 << 30)


def newer(name, number):
    """Return the recipe of a newer version than that of the release."""
    return cache.Recipe(f"src-{name}-newer",
                        fetch(newer_apt, f"{name}={number}"),
                        lambda: ["1", name, number], space=1 << 30)


def tarball(name):
    """Return the recipe of an upstream tarball; tree/ holds it."""
    def build(job, work, out):
        path, number = PrivateApt().tarball(job, name, NEXT, work)
        (out / "tree").mkdir()
        job.run("unpacking", ["tar", "-xf", path, "--strip-components=1",
                              "-C", out / "tree"])
        path.unlink()
        (out / "VERSION").write_text(number, encoding="utf-8")

    return cache.Recipe(f"src-{name}", build, lambda: ["1", name, NEXT],
                        space=1 << 30)


def kernel(release):
    """Return the recipe of a kernel source; tree/ holds it."""
    name = f"linux-source-{release}"

    def build(job, work, out):
        require("xz-utils")
        root, number = PrivateApt().binary(job, name, KERNELS[release], work)
        archive = root / "usr" / "src" / f"{name}.tar.xz"
        (out / "tree").mkdir()
        job.run("unpacking", ["tar", "-xf", archive, "--strip-components=1",
                              "-C", out / "tree"],
                env=dict(os.environ, XZ_OPT="-T0"))
        shutil.rmtree(root)
        (out / "VERSION").write_text(number, encoding="utf-8")

    return cache.Recipe(f"src-linux-{release}", build,
                        lambda: ["1", name, KERNELS[release]], space=3 << 30)


RECIPES = {r.name: r for r in [*map(package, PACKAGES),
                               *map(tarball, TARBALLS),
                               *map(kernel, KERNELS)]}


def get(name):
    """Return (tree, version) of a source, fetching it when it is missing."""
    where = cache.get(RECIPES[f"src-{name}"])
    return where / "tree", version(where)
