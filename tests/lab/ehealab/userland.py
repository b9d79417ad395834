# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in the guest: static big-endian ppc64 programs."""

import inspect
import os
import shutil
from pathlib import Path

from . import cache, cpio, sources
from .apt import require
from .run import jobs

CROSS = "powerpc64-linux-gnu"
CC = f"{CROSS}-gcc"
CFLAGS = ("-O2", "-static", "-w")
GUEST = cache.CHECKOUT / "tests" / "lab" / "guest"
MNL = cache.CHECKOUT / "tests" / "lab" / "mnl"
TOOLS = ("make", "gcc", "libc6-dev", "gcc-powerpc64-linux-gnu",
         "libc6-dev-ppc64-cross", "bison", "flex", "cpio", "pkg-config")

# Commands of which the guest gets the real one instead of busybox's.
REAL = ("IP", "IPADDR", "IPLINK", "IPROUTE", "IPTUNNEL", "IPRULE", "IPNEIGH",
        "TC", "MODPROBE", "INSMOD", "RMMOD", "LSMOD", "MODINFO", "DEPMOD")


def environment():
    """Return an environment in which nothing of the host is found."""
    return dict(os.environ, PKG_CONFIG="/bin/false", CC=CC, LC_ALL="C")


class Builder:
    """One program: a copy of its source, and where the result goes."""

    def __init__(self, job, name, work, out):
        self.job = job
        self.tree = work / "tree"
        self.root = out / "root"
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(sources.get(name)[0], self.tree, symlinks=True)
        (self.root / "usr" / "bin").mkdir(parents=True)
        (self.root / "usr" / "sbin").mkdir(parents=True)

    def make(self, *args, what="compiling"):
        """Run make in the source."""
        self.job.run(what, ["make", "-C", self.tree, f"-j{jobs()}", *args],
                     env=environment())

    def configure(self, *args):
        """Run an autoconf script for the guest."""
        self.job.run("configuring", ["./configure", f"--host={CROSS}", *args],
                     cwd=self.tree, env=environment())

    def compile(self, target, files, *flags):
        """Compile a program in one go."""
        self.job.run(f"compiling {Path(target).name}", [
            CC, *CFLAGS, "-I", self.tree, "-o", target, *files, *flags],
            cwd=self.tree)

    def install(self, path, where="usr/sbin", name=None):
        """Strip a program into the result."""
        target = self.root / where / (name or Path(path).name)
        self.job.run("stripping", [f"{CROSS}-strip", "-o", target,
                                   self.tree / path])


def busybox(b):
    """Everything that is not the point: shell, coreutils, ping, nc."""
    b.make("defconfig", what="configuring")
    config = b.tree / ".config"
    lines = config.read_text(encoding="utf-8").splitlines()
    off = {f"CONFIG_{name}=y" for name in REAL}
    lines = [line for line in lines if line not in off
             and "CONFIG_STATIC " not in line
             and not line.startswith("CONFIG_CROSS_COMPILER_PREFIX")]
    lines += [f"# CONFIG_{name} is not set" for name in REAL]
    lines += ["CONFIG_STATIC=y", f'CONFIG_CROSS_COMPILER_PREFIX="{CROSS}-"']
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    b.make("oldconfig", what="configuring")
    b.make("busybox", "HOSTCC=gcc")
    b.make("install", f"CONFIG_PREFIX={b.root}", what="installing")


def netlink(b):
    """Compile our libmnl. Return what finds its header, and the archive."""
    b.compile("mnl.o", [MNL / "mnl.c"], "-c", "-I", MNL)
    b.job.run("archiving", [f"{CROSS}-ar", "rcs", "libmnl.a", "mnl.o"],
              cwd=b.tree)
    return f"-I{MNL}", b.tree / "libmnl.a"


def iproute2(b):
    """ip, tc, devlink."""
    include, library = netlink(b)
    b.job.run("configuring", ["./configure"], cwd=b.tree, env=environment())
    with open(b.tree / "config.mk", "a", encoding="utf-8") as config:
        config.write(f"HAVE_MNL:=y\nCFLAGS += -DHAVE_LIBMNL {include}\n"
                     f"LDLIBS += {library}\n")
    b.make("SUBDIRS=lib ip tc devlink", f"CC={CC}", "HOSTCC=gcc",
           "SHARED_LIBS=n", "LDFLAGS=-static")
    for path in ("ip/ip", "tc/tc", "devlink/devlink"):
        b.install(path)


def ethtool(b):
    """ethtool, by netlink or by ioctl."""
    include, library = netlink(b)
    # a table that is read byte by byte, which only little-endian forgives
    settings = b.tree / "netlink" / "settings.c"
    settings.write_text(settings.read_text(encoding="utf-8").replace(
        "lookup_entry_u32 duplex_values", "lookup_entry_u8 duplex_values"),
        encoding="utf-8")
    b.configure("LDFLAGS=-static", "CFLAGS=-O2 -w", f"MNL_CFLAGS={include}",
                f"MNL_LIBS={library}")
    b.make()
    b.install("ethtool")


def kmod(b):
    """modprobe and its kin, one program with several names."""
    (b.tree / "config.h").write_text("\n".join((
        "#define _GNU_SOURCE 1",
        '#define PACKAGE "kmod"',
        '#define VERSION "30"',
        '#define KMOD_FEATURES "static"',
        '#define SYSCONFDIR "/etc"',
        "#define ENABLE_LOGGING 1",
        "#define HAVE_DECL_STRNDUPA 1",
        "#define HAVE_DECL___GETTEXT 0",
        "#define HAVE_SECURE_GETENV 1",
        "#define HAVE_DECL___XSTAT 0",
        "#define HAVE_STRUCT_STAT_ST_MTIM 1",
        "#define HAVE_OPEN64 1",
        "#define HAVE_NORETURN 1",
        "#define HAVE___BUILTIN_CLZ 1",
        "#define HAVE___BUILTIN_TYPES_COMPATIBLE_P 1",
        "#define HAVE___BUILTIN_UADDL_OVERFLOW 1",
        "#define HAVE___BUILTIN_UADDLL_OVERFLOW 1",
    )) + "\n", encoding="utf-8")
    files = [p for part in ("libkmod", "shared", "tools")
             for p in sorted((b.tree / part).glob("*.c"))]
    b.compile("kmod", files, "-include", b.tree / "config.h")
    b.install("kmod", "usr/bin")
    for name in ("modprobe", "insmod", "rmmod", "lsmod", "depmod"):
        (b.root / "usr/sbin" / name).symlink_to("../bin/kmod")
    (b.root / "usr/bin/modinfo").symlink_to("kmod")


def nuttcp(b):
    """Throughput."""
    b.compile("nuttcp", [next(b.tree.glob("nuttcp-*.c"))], "-lm")
    b.install("nuttcp", "usr/bin")


def powerpc_utils(b):
    """drmgr and lsslot, with librtas, as operators use them."""
    rtas = sources.get("librtas")[0]
    numa = sources.get("numactl")[0]
    (b.tree / "config.h").write_text(
        '#define VERSION "1.3.13"\n', encoding="utf-8")
    drmgr = b.tree / "src" / "drmgr"
    names = [p for p in sorted(drmgr.glob("*.c")) if p.name not in
             ("options.c", "lsslot.c", "lsslot_chrp_cpu.c",
              "lparnumascore.c")]
    flags = ("-I", drmgr, "-I", b.tree / "src/common",
             "-I", rtas / "librtas_src", "-I", numa, "-D_GNU_SOURCE")
    common = sorted((b.tree / "src/common").glob("*.c"))
    library = sorted((rtas / "librtas_src").glob("*.c"))
    node = [numa / name for name in ("libnuma.c", "syscall.c", "distance.c",
                                     "affinity.c", "sysfs.c", "rtnetlink.c")]
    b.compile("drmgr", [*names, *common, *library, *node], *flags)
    b.install("drmgr")


def kexec_tools(b):
    """kexec."""
    b.configure("--without-zlib", "--without-lzma", "--without-xen",
                "LDFLAGS=-static", "CFLAGS=-O2 -w", "BUILD_CC=gcc")
    b.make()
    b.install("build/sbin/kexec")


NETLINK = ("iproute2", "ethtool")

PROGRAMS = {f.__name__.replace("_", "-"): f for f in
            (busybox, iproute2, ethtool, kmod, nuttcp, powerpc_utils,
             kexec_tools)}


def recipe(name):
    """Return the recipe of a program; root/ is laid over the guest's."""
    def build(job, work, out):
        require(*TOOLS)
        PROGRAMS[name](Builder(job, name, work, out))

    def inputs():
        own = [inspect.getsource(PROGRAMS[name]), inspect.getsource(Builder)]
        if name in NETLINK:
            own += [inspect.getsource(netlink), *sorted(MNL.rglob("*.[ch]"))]
        return own

    return cache.Recipe(f"user-{name}", build,
                        lambda: [sources.get(name)[1]], inputs, space=1 << 30)


USER = {r.name: r for r in map(recipe, PROGRAMS)}


def guest_files():
    """Return our own sources and scripts for the guest, in order."""
    return sorted(p for p in GUEST.rglob("*") if p.is_file())


DISPATCH = """#include <string.h>
{declarations}
int main(int argc, char **argv)
{{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

{calls}
	return 127;
}}
"""


def own_tools(job, work, target):
    """Compile our own tools into one program that looks at its name: each
    alone would bring its copy of the C library, which each boot unpacks."""
    files = [p for p in guest_files() if p.suffix == ".c"]
    names = [p.stem for p in files]
    objects = [work / f"{name}.o" for name in (*names, "labtools")]
    (work / "labtools.c").write_text(DISPATCH.format(
        declarations="\n".join(f"int {n}_main(int, char **);" for n in names),
        calls="\n".join(f'\tif (!strcmp(name, "{n}"))\n\t\treturn '
                        f"{n}_main(argc, argv);" for n in names)),
        encoding="utf-8")
    for path, made in zip((*files, work / "labtools.c"), objects):
        name = [f"-Dmain={path.stem}_main"] if path in files else []
        job.run(f"compiling {path.name}", [CC, "-O2", "-Wall", *name, "-c",
                                           "-o", made, path])
    job.run("linking", [CC, "-static", "-s", "-o", target / "labtools",
                        *objects, "-lpthread"])
    for name in names:
        (target / name).symlink_to("labtools")


def build_initramfs(job, work, out):
    """Merge programs, our own tools and init into one archive."""
    require(*TOOLS)
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    for one in USER.values():
        shutil.copytree(cache.get(one) / "root", root, symlinks=True,
                        dirs_exist_ok=True)
    for name in ("dev", "proc", "sys", "tmp", "run", "etc", "root", "mnt",
                 "var/run/netns", "var/log", "var/lock", "lib/modules"):
        (root / name).mkdir(parents=True, exist_ok=True)
    # where the kernel and drmgr look for them
    for name in ("modprobe", "lsmod"):
        (root / "sbin" / name).symlink_to("../usr/bin/kmod")
    own_tools(job, work, root / "usr/bin")
    shutil.copytree(GUEST / "root", root, dirs_exist_ok=True)
    cpio.pack(job, root, out / "initramfs.cpio")


INITRAMFS = cache.Recipe(
    "initramfs", build_initramfs,
    lambda: [cache.get(one).name for one in USER.values()],
    lambda: [inspect.getsource(build_initramfs), DISPATCH,
             inspect.getsource(own_tools), *guest_files(),
             *(str(p.relative_to(GUEST)) for p in guest_files())],
    space=1 << 29, keep=8)

RECIPES = {**USER, "initramfs": INITRAMFS}
