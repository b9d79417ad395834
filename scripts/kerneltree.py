# SPDX-License-Identifier: GPL-2.0-or-later
"""What of this repository belongs into a kernel tree, and where.

A repository path becomes a path below the root of the kernel's source. What
serves the build out of tree stays behind: the second half of the Makefile,
the differences between kernel releases, the lab and its documentation.
"""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRIVER = "drivers/net/ethernet/ibm/ehea"
DOCS = "Documentation/networking/device_drivers/ethernet"
HERE = f"{DOCS}/ibm/ehea"
ABI = "Documentation/ABI/testing/sysfs-bus-ibmebus-ehea"

# Where the kernel's own files name the driver.
KCONFIG = "drivers/net/ethernet/ibm/Kconfig"
MAKEFILE = "drivers/net/ethernet/ibm/Makefile"
INDEX = f"{DOCS}/index.rst"

VERSION = re.compile(r"LINUX_VERSION_CODE (>=|<) "
                     r"KERNEL_VERSION\((\d+), (\d+), (\d+)\)")
HAVE = re.compile(r"^(?:/\*.*\*/\n)?#define (EHEA_HAVE_\w+)\n\n?", re.M)
# Since 7.0 memory for one object is asked for by naming the object.
ALLOC = re.compile(r"\b(k[mz]alloc)\(sizeof\(([^()]+)\), (GFP_[^()]+)\)")
# As the networking maintainers' own checks have it: the names of others'
# structures are as they are, and whole files are looked at, not patches.
UNCHECKED = ("FILE_PATH_CHANGES", "CAMELCASE", "MACRO_ARG_REUSE")
# The header in linux/ leaves the other out where there is no kexec; an IST is
# an interrupt source number.
EXPECTED = re.compile(r"Use #include <linux/kexec\.h> instead of|"
                      r"'ISTs?' may be misspelled", re.I)
SOURCE_LINE = f'source "{DRIVER}/Kconfig"\n'
MAKE_LINE = "obj-$(CONFIG_EHEA) += ehea/\n"


class TreeError(Exception):
    """The kernel tree is not as it must be."""


def release(tree):
    """Return a tree's release as (version, patchlevel)."""
    try:
        text = (tree / "Makefile").read_text(encoding="utf-8")
        return tuple(int(re.search(rf"^{name} = (\d+)$", text, re.M)[1])
                     for name in ("VERSION", "PATCHLEVEL"))
    except (OSError, TypeError) as err:
        raise TreeError(f"{tree} is not a kernel source") from err


def _unifdef(text, *args):
    try:
        done = subprocess.run(["unifdef", "-k", "-x2", *args], input=text,
                              check=False, text=True, stdout=subprocess.PIPE)
    except FileNotFoundError as err:
        raise TreeError("unifdef is missing: apt-get install unifdef") from err
    if done.returncode:
        raise TreeError("unifdef cannot resolve a file")
    return done.stdout


def _object(match):
    """Return an allocation as 7.0 and later want it."""
    func, what, flags = match.groups()
    more = "" if flags == "GFP_KERNEL" else f", {flags}"
    return f"{func}_obj({what}{more})"


def _compare(number):
    def value(match):
        wanted = tuple(map(int, match.groups()[1:]))
        newer = (*number, 0) >= wanted
        return str(int(newer if match[1] == ">=" else not newer))
    return value


class Resolver:
    """Decides what ehea_compat.h leaves open, for one release."""

    def __init__(self, number):
        self.number = number
        self.decide = _compare(number)
        compat = (ROOT / "ehea_compat.h").read_text(encoding="utf-8")
        names = set(HAVE.findall(compat))
        self.flags = []
        have = set(HAVE.findall(self.source(compat)))
        self.flags = [f"-D{n}" if n in have else f"-U{n}"
                      for n in sorted(names)]

    def source(self, text):
        """Return a C source as it is for the release."""
        if self.number >= (7, 0):
            text = ALLOC.sub(_object, text)
        return _unifdef(VERSION.sub(self.decide, text), *self.flags)

    def compat(self, text):
        """Return what is left of ehea_compat.h."""
        text = HAVE.sub("", self.source(text))
        text = re.sub(r"#include <linux/version.h>\n", "", text)
        text = re.sub(r"\n{3,}", "\n\n", text)
        return re.sub(r" \* Host Ethernet Adapter \(HEA\): what differs.*?\*/",
                      " * Host Ethernet Adapter (HEA): helpers.\n */", text,
                      flags=re.S)


def _kbuild(text):
    """Return the part of the Makefile that kbuild reads."""
    text = text.split("\nifeq ($(KERNELRELEASE),)")[0]
    return re.sub(r"# Makefile of.*?\n\n", "# Makefile of the IBM eHEA "
                  "driver.\n\n", text, count=1, flags=re.S)


def _driver_files():
    for pattern in ("*.c", "*.h", "tests/kunit/*.c", "tests/kunit/*.h"):
        for path in sorted(ROOT.glob(pattern)):
            if not path.name.endswith(".mod.c"):
                yield path


def driver(number):
    """Return the driver's files for a release: kernel path to content."""
    resolver = Resolver(number)
    found = {}
    for path in _driver_files():
        text = path.read_text(encoding="utf-8")
        text = resolver.compat(text) if path.name == "ehea_compat.h" else \
            resolver.source(text)
        # Short, or comments would not fit their lines.
        text = re.sub(r"\bDocumentation/([\w-]+\.rst)", r"\1", text)
        found[f"{DRIVER}/{path.relative_to(ROOT)}"] = text
    for name in ("Kconfig", "tests/kunit/Makefile"):
        found[f"{DRIVER}/{name}"] = (ROOT / name).read_text(encoding="utf-8")
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found[f"{DRIVER}/Makefile"] = _kbuild(text)
    return found


def documents():
    """Return the documentation: kernel path to content."""
    found = {}
    for name in ("index", "ehea", "hea-interface", "memory-hotplug"):
        path = ROOT / "Documentation" / f"{name}.rst"
        text = path.read_text(encoding="utf-8")
        if name == "index":
            text = re.sub(r"^   (testing|performance)\n", "", text,
                          flags=re.M)
        found[f"{HERE}/{name}.rst"] = text
    found[ABI] = (ROOT / ABI).read_text(encoding="utf-8")
    return found


def with_kconfig(text):
    """Return ibm/Kconfig with our file in the place of the old entry."""
    if SOURCE_LINE in text:
        return text
    entry = re.compile(r"^config EHEA\n(?:[\t ].*\n|\n)*", re.M)
    if entry.search(text):
        return entry.sub(SOURCE_LINE + "\n", text, count=1)
    return text.replace("config IBMVNIC\n", f"{SOURCE_LINE}\nconfig IBMVNIC\n")


def without_kconfig(text):
    """Return ibm/Kconfig without the driver."""
    return with_kconfig(text).replace(SOURCE_LINE + "\n", "")


def with_makefile(text):
    """Return ibm/Makefile with the driver."""
    return text if MAKE_LINE in text else text + MAKE_LINE


def without_makefile(text):
    """Return ibm/Makefile without the driver."""
    return text.replace(MAKE_LINE, "")


def without_maintainers(text):
    """Return MAINTAINERS without an entry of the driver's directory."""
    kept = [e for e in text.split("\n\n") if f"F:\t{DRIVER}/" not in e]
    return "\n\n".join(kept)


def with_maintainers(text):
    """Return MAINTAINERS with our entry, in its place by the alphabet."""
    entry = (ROOT / "MAINTAINERS").read_text(encoding="utf-8").strip()
    title = entry.splitlines()[0]
    entries = without_maintainers(text).split("\n\n")
    for n, other in enumerate(entries):
        head = other.splitlines()[0] if other.strip() else ""
        body = other.splitlines()[1:2]
        if body and re.match(r"[A-Z]:\t", body[0]) and head > title:
            entries.insert(n, entry)
            return "\n\n".join(entries)
    raise TreeError("MAINTAINERS has no place for the entry")


def with_index(text):
    """Return the index of Ethernet drivers with ours."""
    line = "   ibm/ehea/index\n"
    if line in text:
        return text
    return re.sub(r"(?m)^   intel/", rf"{line}\g<0>", text, count=1)


# The kernel's own files that change, and how.
CHANGED = {KCONFIG: with_kconfig, MAKEFILE: with_makefile,
           INDEX: with_index, "MAINTAINERS": with_maintainers}


def render(tree, docs=True):
    """Return all files that a tree has to have: kernel path to content."""
    found = driver(release(tree))
    if docs:
        found.update(documents())
    for name, change in CHANGED.items():
        old = (tree / name).read_text(encoding="utf-8")
        found[name] = change(old)
        if found[name] == old and "ehea" not in old:
            raise TreeError(f"{name}: no place for the driver")
    return found


def write(tree, name, text):
    """Write a file as a new one: the old may be shared by a hard link."""
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() == text.encode():
        return
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def codespell():
    """Return checkpatch's options for codespell, if that is installed."""
    spec = find_spec("codespell_lib")
    return ["--codespell", "--codespellfile=" + str(
        Path(spec.origin).with_name("data") / "dictionary.txt")] \
        if spec else []


def checkpatch(tree, where, *args, ignore=()):
    """Run a tree's checkpatch; return its findings.

    It keeps a file of its own where it runs."""
    done = subprocess.run(
        [tree / "scripts" / "checkpatch.pl", "--strict",
         "--max-line-length=80", *codespell(), "--terse", "--no-summary",
         "--ignore", ",".join((*UNCHECKED, *ignore)), *args],
        check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, cwd=where)
    found = done.stdout.splitlines()
    if re.search(r"^\S+:\d+: ", done.stdout, re.M):
        # Without a tree it complains of not finding one, too.
        found = [line for line in found if re.match(r"\S+:\d+: ", line)]
    elif not done.returncode:
        found = []
    return [line for line in found if not EXPECTED.search(line)]


def install(tree, docs=True):
    """Put the driver into a tree in the place of the old one."""
    files = render(tree, docs)
    for path in sorted((tree / DRIVER).rglob("*"), reverse=True):
        name = str(path.relative_to(tree))
        if path.is_file() and name not in files and \
           not re.search(r"\.(o|ko|cmd|mod|mod\.c|order|a)$", name):
            path.unlink()
    for name, text in files.items():
        write(tree, name, text)
    return files
