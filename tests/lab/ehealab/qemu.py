# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU with the virtual HEA.

The model lives in tests/hea and is laid over a copy of QEMU's source:

  spapr_hea.h             include/hw/ppc/
  spapr_hea*.c, *_int.h   hw/net/
  *-test.c                tests/qtest/
  qemu-*-hooks.patch      applied with -p1: the one for this version of QEMU

A file of the tree is only written when its content changes, so that ninja
rebuilds what depends on it and nothing else.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import cache, sources
from .apt import STABLE, PrivateApt, require
from .run import LabError, jobs

HEA = cache.CHECKOUT / "tests" / "hea"
PLUGIN = cache.CHECKOUT / "tests" / "bench" / "profile.c"
TARGET = "qemu-system-ppc64"
TOOLS = ("gcc", "libc6-dev", "ninja-build", "meson", "libglib2.0-dev",
         "libpixman-1-dev", "libslirp-dev", "libfdt-dev", "libcap-ng-dev",
         "libattr1-dev", "flex", "bison", "pkg-config", "patch", "make")
CONFIGURE = ("--target-list=ppc64-softmmu", "--without-default-features",
             "--enable-tcg", "--enable-fdt=system", "--enable-slirp",
             "--enable-virtfs", "--enable-attr", "--enable-cap-ng",
             "--disable-werror", "--disable-docs", "--disable-tools",
             "--disable-guest-agent")


def firmware(job, work, out):
    """Unpack the guest firmware, which QEMU's source package leaves out."""
    root, number = PrivateApt().binary(job, "qemu-system-data", STABLE, work)
    (out / "pc-bios").mkdir()
    for name in ("slof.bin", "vof.bin"):
        shutil.copy(next(root.glob(f"usr/share/**/{name}")), out / "pc-bios")
    shutil.rmtree(root)
    (out / "VERSION").write_text(number, encoding="utf-8")


FIRMWARE = cache.Recipe("qemu-firmware", firmware, lambda: ["1", STABLE])


def release(text):
    """Return the numbers of a version, for comparison."""
    return [int(n) for n in re.findall(r"\d+", text)]


def hooks(tree):
    """Return the patch for a version of QEMU: the newest not newer than it."""
    number = (tree / "VERSION").read_text(encoding="utf-8").strip()
    found = [p for p in HEA.glob("qemu-*-hooks.patch")
             if release(p.name) <= release(number)]
    if not found:
        raise LabError(f"the virtual HEA has no hooks for QEMU {number}")
    return max(found, key=lambda p: release(p.name))


def model_files(tree):
    """Return the files that make up the model, in a fixed order."""
    return sorted([*HEA.glob("*.[ch]"), hooks(tree)])


def place(path):
    """Return where a file of the model belongs in QEMU's tree."""
    if path.name.endswith("-test.c"):
        return Path("tests/qtest") / path.name
    if path.name == "spapr_hea.h":
        return Path("include/hw/ppc") / path.name
    return Path("hw/net") / path.name


def checkpatch(tree):
    """Return what QEMU's checkpatch says of the model.

    Some of its rules look at where a file is, so the files go there."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ehea-style-") as top:
        for path in model_files(tree):
            target = Path(top) / "qemu" / place(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            if path.suffix != ".patch":
                found += subprocess.run(
                    [tree / "scripts" / "checkpatch.pl", "--no-tree",
                     "--terse", "--no-summary", "-f", target], check=False,
                    text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT).stdout.splitlines()
        return [line.replace(f"{top}/qemu/", "") for line in found
                if ": " in line and "MAINTAINERS" not in line]


def touched(patch):
    """List the files of QEMU that a patch changes."""
    return [line.split()[1].split("/", 1)[1] for line in
            patch.read_text(encoding="utf-8").splitlines()
            if line.startswith("--- a/")]


def overlay(job, pristine, work):
    """Compute in work/over what the model changes in the tree."""
    over = work / "over"
    shutil.rmtree(over, ignore_errors=True)
    over.mkdir()
    patch = hooks(pristine)
    for name in touched(patch):
        (over / name).parent.mkdir(parents=True, exist_ok=True)
        if (pristine / name).exists():
            shutil.copyfile(pristine / name, over / name)
    job.run(f"applying {patch.name}", [
        "patch", "-p1", "-s", "-t", "--no-backup-if-mismatch", "-d", over,
        "-i", patch])
    for path in model_files(pristine):
        if path != patch:
            target = over / place(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return over


def sync(pristine, over, tree):
    """Bring the overlay into the tree, and undo what an older one left."""
    record = tree / ".overlay"
    old = set(record.read_text(encoding="utf-8").split()) \
        if record.exists() else set()
    new = {str(p.relative_to(over)) for p in over.rglob("*") if p.is_file()}
    record.write_text("\n".join(sorted(old | new)), encoding="utf-8")
    for name in sorted(old | new):
        source = over / name if name in new else pristine / name
        target = tree / name
        if not source.exists():
            target.unlink(missing_ok=True)
        elif not target.exists() or \
                target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            # The tree shares its files with the pristine one: replace.
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
    record.write_text("\n".join(sorted(new)), encoding="utf-8")


def build_qemu(job, work, out, configure=CONFIGURE, pristine=None, env=None):
    """Build bin/qemu-system-ppc64, pc-bios/ and the model's own tests."""
    require(*TOOLS)
    pristine = pristine or sources.get("qemu")[0]
    tree, objects = work / "tree", work / "build"
    if not (work / "copied").exists():
        shutil.rmtree(tree, ignore_errors=True)
        job.run("copying the source", ["cp", "-al", pristine, tree])
        (work / "copied").touch()
    sync(pristine, overlay(job, pristine, work), tree)
    if not (objects / "build.ninja").exists():
        shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir()
        job.run("configuring", [tree / "configure", *configure], cwd=objects,
                env=env)
    tests = [f"tests/qtest/{p.stem}" for p in model_files(pristine)
             if p.name.endswith("-test.c")]
    job.run("compiling", ["ninja", f"-j{jobs()}", TARGET, *tests],
            cwd=objects, env=env)
    (out / "bin").mkdir()
    for binary in [TARGET, *tests]:
        job.run("stripping", ["strip", "-o", out / "bin" / Path(binary).name,
                              objects / binary])
    shutil.copytree(cache.get(FIRMWARE) / "pc-bios", out / "pc-bios")
    (out / "build").symlink_to(objects)
    if not (out / "bin" / TARGET).exists():
        raise LabError("qemu: nothing was built")


def inputs():
    """Return what the release's QEMU is made from besides its source."""
    return ["1", *model_files(sources.get("qemu")[0])]


QEMU = cache.Recipe("qemu", build_qemu,
                    lambda: [sources.get("qemu")[1], *CONFIGURE], inputs,
                    space=2 << 30, keep=4)

PLUGINS = (*CONFIGURE, "--enable-plugins")


def build_profiler(job, work, out):
    """Build a QEMU that counts the guest's instructions by function: the
    same one, able to load the plugin tests/bench/profile.c."""
    build_qemu(job, work, out, PLUGINS)
    header = work / "tree" / "include" / "qemu" / "qemu-plugin.h"
    job.run("compiling the plugin", [
        "gcc", "-O2", "-Wall", "-shared", "-fPIC", f"-I{header.parent}",
        *job.output("asking for glib", ["pkg-config", "--cflags", "glib-2.0"]
                    ).split(), "-o", out / "profile.so", PLUGIN])


# For the benchmark only: plugins cost every translated block a little.
PROFILER = cache.Recipe("qemu-profiler", build_profiler,
                        lambda: [sources.get("qemu")[1], *PLUGINS],
                        lambda: [PLUGIN, *inputs()], space=2 << 30, keep=2)


def meson(job, work, out):
    """Unpack a meson that is new enough for newer versions of QEMU."""
    root, number = PrivateApt().binary(job, "meson", f"{STABLE}-backports",
                                       work)
    shutil.move(root, out / "root")
    (out / "VERSION").write_text(number, encoding="utf-8")


# Debian's source of newer versions lacks firmware that would be installed.
NEWER = (*CONFIGURE, "--disable-install-blobs")

MESON = cache.Recipe("qemu-meson", meson, lambda: ["1", STABLE])


def newer(source):
    """Return the recipe of the same from a newer source, an artifact."""
    tree = source / "tree"

    def build(job, work, out):
        require("python3-venv", "python3-distlib")
        path = cache.get(MESON) / "root/usr/lib/python3/dist-packages"
        build_qemu(job, work, out, NEWER, tree,
                   env=dict(os.environ, PYTHONPATH=str(path)))

    return cache.Recipe("qemu-newer", build, lambda: [source.name, *NEWER],
                        lambda: ["1", *model_files(tree)], space=2 << 30)

RECIPES = {r.name: r for r in (FIRMWARE, QEMU, PROFILER)}
