# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest kernels."""

import re
import shutil

from . import cache, cpio, sources
from .apt import require
from .run import LabError, jobs

CONFIGS = cache.CHECKOUT / "tests" / "lab" / "kernel"
CROSS = ("ARCH=powerpc", "CROSS_COMPILE=powerpc64-linux-gnu-")
TOOLS = ("make", "gcc", "libc6-dev", "gcc-powerpc64-linux-gnu", "bc",
         "bison", "flex", "libssl-dev", "libelf-dev", "kmod", "cpio", "rsync")

# name: kernel release, config fragments, compiler lines expected
VARIANTS = {
    "plain": ("6.12", ("guest",), 1400),
    "debug": ("6.12", ("guest", "debug"), 1650),
    "7.2": ("7.2", ("guest",), 1450),
    "gcov": ("6.12", ("guest", "gcov"), 1400),
    "kcsan": ("6.12", ("guest", "kcsan"), 1400),
}

OPTION = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)


def options(text):
    """Return the options set in a config as a dictionary."""
    return dict(OPTION.findall(text))


def fragments(variant):
    """Return the paths of the fragments of a variant."""
    return [CONFIGS / f"{name}.config" for name in VARIANTS[variant][1]]


def configure(job, tree, build, wanted):
    """Make .config from allnoconfig, and see that every option was taken."""
    build.mkdir(exist_ok=True)
    seed = build.parent / "wanted.config"
    seed.write_text(wanted, encoding="utf-8")
    job.run("configuring", ["make", "-C", tree, f"O={build}", *CROSS,
                            f"KCONFIG_ALLCONFIG={seed}", "allnoconfig"])
    have = options((build / ".config").read_text(encoding="utf-8"))
    lost = [name for name, value in options(wanted).items()
            if have.get(name, "n") != value]
    if lost:
        raise LabError(f"{job.name}: the kernel's configuration refuses "
                       + ", ".join(lost))


def recipe(variant):
    """Return the recipe of a kernel.

    vmlinux         to boot
    build/          the build tree, KDIR for modules
    root/           its modules under /lib/modules
    modules.cpio    the same, for the initrd
    RELEASE         what uname -r says
    """
    number, _, steps = VARIANTS[variant]

    def base():
        return [sources.get(f"linux-{number}")[1], *fragments(variant)]

    def build(job, work, out):
        require(*TOOLS)
        tree, _ = sources.get(f"linux-{number}")
        objects = work / "build"
        wanted = "".join(path.read_text(encoding="utf-8")
                         for path in fragments(variant))
        configure(job, tree, objects, wanted)
        count = job.run("compiling", [
            "make", "-C", objects, f"-j{jobs()}", *CROSS,
            "KBUILD_BUILD_TIMESTAMP=@0", "vmlinux", "modules"], steps=steps)
        job.say(f"{count} objects ({job.progress.elapsed()})")
        release = (objects / "include/config/kernel.release").read_text(
            encoding="utf-8").strip()
        root = work / "root"
        shutil.rmtree(root, ignore_errors=True)
        job.run("installing modules", [
            "make", "-C", objects, *CROSS, f"INSTALL_MOD_PATH={root}",
            "INSTALL_MOD_STRIP=1", "modules_install"])
        for link in ("build", "source"):
            (root / "lib" / "modules" / release / link).unlink(
                missing_ok=True)
        cpio.pack(job, root, out / "modules.cpio")
        (out / "root").symlink_to(root)
        job.run("stripping", ["powerpc64-linux-gnu-strip", "-s", "-o",
                              out / "vmlinux", objects / "vmlinux"])
        (out / "build").symlink_to(objects)
        (out / "RELEASE").write_text(release, encoding="utf-8")

    return cache.Recipe(f"kernel-{variant}", build, base, lambda: ["2"],
                        space=3 << 30)


RECIPES = {r.name: r for r in map(recipe, VARIANTS)}
