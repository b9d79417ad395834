# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages: sources through a private APT setup, tools by apt-get.

The machine's own APT configuration is only read. The private one lives in
the cache and knows the same mirror with further suites and the sources.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import cache
from .run import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STABLE = "bookworm"
NEXT = "trixie"
SUITES = {
    STABLE: "deb deb-src",
    f"{STABLE}-backports": "deb",
    NEXT: "deb-src",
    "sid": "deb",
}

# Where newer versions of source packages are.
NEWER = {NEXT: "deb-src", "sid": "deb-src"}


def mirror():
    """Return the URI of the Debian mirror that this machine uses."""
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    listing = subprocess.run(
        ["apt-get", "--no-release-info", "indextargets", "--format", form,
         "Created-By: Packages"], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in listing.splitlines():
        uri, release, component = line.split("|")
        if release in (STABLE, "stable") and component == "main":
            return uri
    raise LabError(f"no {STABLE} main in this machine's APT sources: the lab "
                   "needs Debian 12")


def newer_apt():
    """Return an APT that knows where newer sources are."""
    return PrivateApt(NEWER, "apt-newer")


class PrivateApt:
    """APT with lists, sources and archives of its own."""

    def __init__(self, suites=None, name="apt"):
        self.dir = cache.ROOT / name
        for sub in ("lists/partial", "archives/partial", "parts", "pkg"):
            (self.dir / sub).mkdir(parents=True, exist_ok=True)
        self.sources = self.dir / "parts" / "lab.sources"
        signed = f"Signed-By: {KEYRING}\n" if KEYRING.exists() else ""
        self.sources.write_text("\n".join(
            f"Types: {types}\nURIs: {mirror()}\nSuites: {suite}\n"
            f"Components: main\n{signed}"
            # A mirror may lag behind; signatures are still checked.
            "Check-Valid-Until: no\n"
            for suite, types in (suites or SUITES).items()),
            encoding="utf-8")

    def argv(self, tool, *args):
        """Return a command line of an APT tool under the private setup."""
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.dir / "parts",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self.dir / "lists",
            "Dir::Cache::archives": self.dir / "archives",
            "Dir::Cache::pkgcache": self.dir / "pkg" / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": self.dir / "pkg" / "srcpkgcache.bin",
            "APT::Sandbox::User": "root",
            "Acquire::Retries": "3",
            "Acquire::Languages": "none",
        }
        flags = [f"-o{key}={value}" for key, value in options.items()]
        return [tool, "-q", *flags, *args]

    def update(self, job, force=False):
        """Fetch the package lists, unless that was done already."""
        stamp = self.dir / "updated"
        known = self.sources.read_text(encoding="utf-8")
        if stamp.exists() and not force and \
           stamp.read_text(encoding="utf-8") == known:
            return
        try:
            with cache.locked(f"lists-{self.dir.name}"):
                job.run("fetching package lists", self.argv(
                    "apt-get", "-oAPT::Update::Error-Mode=any", "update"))
        except LabError as err:
            raise LabError("cannot fetch Debian's package lists: is there a "
                           f"network? see {job.log}") from err
        stamp.write_text(known, encoding="utf-8")

    def fetch(self, job, what, args, where):
        """Download with the lists at hand, then once more with fresh ones."""
        require("dpkg-dev")
        for again in (False, True):
            self.update(job, force=again)
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir(parents=True)
            try:
                job.run(f"fetching {what}", self.argv("apt-get", *args),
                        cwd=where)
                return
            except LabError:
                if again:
                    break
        raise LabError(f"the package {what} cannot be had from this "
                       f"machine's Debian mirror, see {job.log}")

    def versions(self, job, package):
        """Return the versions of a source package, the newest first."""
        self.update(job, force=True)
        shown = job.output("asking for versions", self.argv(
            "apt-cache", "--only-source", "showsrc", package))
        found = set(re.findall(r"^Version: (\S+)", shown, re.M))
        return sorted(found, reverse=True, key=lambda version:
                      [int(n) for n in re.findall(r"\d+", version)])

    def source(self, job, package, work):
        """Download and unpack a Debian source package, given in APT's words:
        NAME/SUITE or NAME=VERSION."""
        where = work / "fetch"
        self.fetch(job, package, ["--download-only", "--only-source", "source",
                                  package], where)
        dsc = next(where.glob("*.dsc"))
        tree = work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        job.run("unpacking", ["dpkg-source", "--no-check", "-x", dsc, tree])
        version = dsc.stem.split("_", 1)[1]
        shutil.rmtree(where)
        return tree, version

    def tarball(self, job, package, suite, work):
        """Download the upstream tarball of a source package."""
        where = work / "fetch"
        self.fetch(job, package, ["--download-only", "--only-source",
                                  "--tar-only", "source",
                                  f"{package}/{suite}"], where)
        found = next(where.glob("*.orig.tar.*"))
        number = found.name.split("_", 1)[1].split(".orig", 1)[0]
        return found, number

    def binary(self, job, package, suite, work):
        """Download a binary package and unpack it without installing it."""
        where = work / "fetch"
        self.fetch(job, package, ["download", f"{package}/{suite}"], where)
        deb = next(where.glob("*.deb"))
        version = job.output("reading the version", [
            "dpkg-deb", "-f", deb, "Version"]).strip()
        root = work / "root"
        shutil.rmtree(root, ignore_errors=True)
        job.run("unpacking", ["dpkg-deb", "-x", deb, root])
        shutil.rmtree(where)
        return root, version


def missing(packages):
    """Return those of the packages that are not installed."""
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n",
         *packages], check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    have = {line.split()[0] for line in shown.splitlines()
            if line.endswith(" installed")}
    return [p for p in packages if p not in have]


def apt_get(log, *args):
    """Run the machine's apt-get; return whether it succeeded."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with open(log, "ab") as stream:
        return subprocess.run(["apt-get", "-q", "-y", *args], check=False,
                              env=env, stdin=subprocess.DEVNULL,
                              stdout=stream, stderr=stream).returncode == 0


def require(*packages):
    """Install the Debian packages that are missing, or say what to do."""
    want = missing(packages)
    if not want:
        return
    names = " ".join(want)
    if os.geteuid() != 0:
        raise LabError("not root, and packages are missing: run as root "
                       f"once, or: apt-get install {names}")
    with cache.locked("apt"):
        want = missing(packages)
        if not want:
            return
        print(f"lab: installing {names}", flush=True)
        log = cache.ROOT / "log" / "apt.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        cache.require_space("packages", 1 << 29)
        install = ("-oDPkg::Lock::Timeout=300", "install",
                   "--no-install-recommends", *want)
        if not apt_get(log, *install):
            apt_get(log, "-oDPkg::Lock::Timeout=300", "update")
            if not apt_get(log, *install):
                raise LabError("apt-get cannot install "
                               f"{names}: network and APT sources in order? "
                               f"see {log}")
