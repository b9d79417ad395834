# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver as a module for each guest kernel, and the old one beside it."""

import shutil

from . import cache, kernel
from .apt import require
from .run import jobs

SUBDIRS = ("tests/kunit",)
KBUILD_NAMES = ("Makefile", "Kbuild", "Kconfig")
OLD = "drivers/net/ethernet/ibm/ehea/ehea.ko"


def driver_files():
    """Return what kbuild reads of this checkout, relative to its root."""
    found = []
    for directory in (cache.CHECKOUT, *(cache.CHECKOUT / sub
                                        for sub in SUBDIRS)):
        if directory.is_dir():
            found += [p for p in directory.iterdir()
                      if p.suffix in (".c", ".h") or p.name in KBUILD_NAMES]
    return sorted(p.relative_to(cache.CHECKOUT) for p in found)


def copy_changed(source, target):
    """Copy a file unless it is there already, so that make sees no change."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def mirror(tree, files):
    """Make the tree's sources those of the checkout."""
    for name in files:
        copy_changed(cache.CHECKOUT / name, tree / name)
    for path in [p for p in tree.rglob("*.[ch]") if ".mod." not in p.name]:
        if path.relative_to(tree) not in files:
            path.unlink()


def install(job, built, work, out):
    """Have modprobe prefer modules to the kernel's own: out/root/ has them
    and a new index, to be laid over the kernel's modules in the guest."""
    release = (built / "RELEASE").read_text(encoding="utf-8")
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree((built / "root").resolve(), root)
    have = set(root.rglob("*.ko"))
    modules = root / "lib" / "modules" / release
    (modules / "updates").mkdir()
    for path in out.glob("*.ko"):
        shutil.copy(path, modules / "updates")
    job.run("indexing", ["/sbin/depmod", "-b", root, release])
    for path in have:
        path.unlink()
    shutil.move(root, out / "root")


def recipe(variant):
    """Return the recipe of the driver's module: ehea.ko, ehea_kunit.ko, and
    root/ for the guest."""
    def base():
        return [cache.get(kernel.RECIPES[f"kernel-{variant}"]).name]

    def inputs():
        return ["2", *(part for name in driver_files()
                       for part in (str(name), cache.CHECKOUT / name))]

    def build(job, work, out):
        require(*kernel.TOOLS)
        built = cache.get(kernel.RECIPES[f"kernel-{variant}"])
        kdir = built / "build"
        tree = work / "tree"
        mirror(tree, driver_files())
        gcov = ["GCOV_PROFILE=y"] if variant == "gcov" else []
        job.run("compiling", ["make", "-C", kdir.resolve(), f"M={tree}",
                              f"-j{jobs()}", *kernel.CROSS, "CONFIG_EHEA=m",
                              "CONFIG_EHEA_KUNIT_TEST=m", *gcov, "modules"])
        for path in sorted([*tree.rglob("*.ko"), *tree.rglob("*.gcno")]):
            shutil.copy(path, out)
        install(job, built, work, out)

    return cache.Recipe(f"module-{variant}", build, base, inputs,
                        space=1 << 28, keep=4)


def old_recipe(variant):
    """Return the recipe of the kernel's own driver, a client to compare with.

    Its build happens in a copy of the kernel's build tree, because building
    one module rewrites files that other builds read.
    """
    def base():
        return [cache.get(kernel.RECIPES[f"kernel-{variant}"]).name]

    def build(job, work, out):
        require(*kernel.TOOLS)
        built = cache.get(kernel.RECIPES[f"kernel-{variant}"])
        kdir = built / "build"
        objects = work / "build"
        shutil.rmtree(objects, ignore_errors=True)
        job.run("copying the build tree", ["cp", "-a", "--reflink=auto",
                                           kdir.resolve(), objects])
        job.run("compiling", ["make", "-C", objects, f"-j{jobs()}",
                              *kernel.CROSS, "CONFIG_EHEA=m", OLD])
        shutil.copy(objects / OLD, out)
        install(job, built, work, out)
        shutil.rmtree(objects)

    return cache.Recipe(f"intree-{variant}", build, base, lambda: ["2"],
                        space=1 << 30)


RECIPES = {r.name: r for v in kernel.VARIANTS
           for r in (recipe(v), old_recipe(v))}
