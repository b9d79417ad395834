# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache: what is built, keyed by what it is built from.

  artifacts/NAME-KEY   finished; appears by one rename, never half made
  work/NAME-KEY        build directories, kept so that a build can resume
  log/NAME.log         output of the last build
  lock/NAME            held while NAME is built
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

from .run import Job, LabError

CHECKOUT = Path(__file__).resolve().parents[3]
ROOT = Path(os.environ.get("XDG_CACHE_HOME") or
            Path.home() / ".cache") / "ehea-lab"

# An artifact used within this time may be in use by another run.
BUSY_SECONDS = 6 * 3600


class Recipe:
    """How one artifact is made.

    base    returns what the build directory depends on
    inputs  returns what the result depends on besides that
    build   makes it: build(job, work, out)
    space   free bytes needed; keep: how many old ones are worth keeping
    """

    def __init__(self, name, build, base, inputs=None, space=1 << 30, keep=2):
        self.name = name
        self.build = build
        self.base = base
        self.inputs = inputs or (lambda: [])
        self.space = space
        self.keep = keep


def digest(parts):
    """Hash strings, bytes and paths (their content) into a short key."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.name.encode() + b"\0" + part.read_bytes()
        elif isinstance(part, str):
            part = part.encode()
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def locked(name, job=None):
    """Hold the lock of one artifact; other processes wait their turn."""
    path = ROOT / "lock" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if job:
                job("another run is building this, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_space():
    """Return the bytes free where the cache is."""
    ROOT.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(ROOT).free


def require_space(name, need):
    """Refuse to start what the disk cannot hold."""
    free = free_space()
    if free < need:
        raise LabError(f"{name}: needs {need >> 20} MiB in {ROOT}, only "
                       f"{free >> 20} MiB are free: make room or set "
                       "XDG_CACHE_HOME")


def remove(path):
    """Delete a directory so that no half of it is taken for the whole."""
    trash = path.with_name(f".trash-{path.name}-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        path.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def stale(directory, name):
    """List the keyed directories of one artifact, most recent first."""
    prefix = f"{name}-"
    found = [p for p in directory.glob(f"{prefix}*")
             if len(p.name) == len(prefix) + 16]
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


def prune(recipe, used):
    """Drop old results, and build directories that no result needs."""
    now = time.time()
    for path in stale(ROOT / "artifacts", recipe.name)[recipe.keep:]:
        if now - path.stat().st_mtime > BUSY_SECONDS:
            remove(path)
    needed = {used}
    for path in stale(ROOT / "artifacts", recipe.name):
        with contextlib.suppress(OSError):
            needed.add((path / "WORK").read_text(encoding="utf-8"))
    for path in stale(ROOT / "work", recipe.name):
        if path.name not in needed and \
           now - path.stat().st_mtime > BUSY_SECONDS:
            remove(path)


def make(recipe, base, final):
    """Build into a temporary place and publish it by a rename.

    Nothing is published when the inputs changed under the build's hands.
    """
    job = Job(recipe.name, ROOT / "log" / f"{recipe.name}.log")
    work = ROOT / "work" / f"{recipe.name}-{base}"
    require_space(recipe.name, recipe.space)
    work.mkdir(parents=True, exist_ok=True)
    os.utime(work)
    out = final.with_name(f".new-{final.name}")
    remove(out)
    out.mkdir(parents=True)
    try:
        recipe.build(job, work, out)
    except BaseException as err:
        shutil.rmtree(out, ignore_errors=True)
        full = getattr(err, "errno", None) == errno.ENOSPC
        if full or (isinstance(err, LabError) and free_space() < 1 << 26):
            raise LabError(f"{recipe.name}: the disk of {ROOT} is full: make "
                           "room and run again, it resumes") from err
        raise
    if key_of(recipe) != (base, final.name):
        shutil.rmtree(out, ignore_errors=True)
        job.say("its inputs changed meanwhile, building again")
        return
    (out / "WORK").write_text(work.name, encoding="utf-8")
    out.rename(final)
    job.say(f"done ({job.progress.elapsed()})")
    prune(recipe, work.name)


def key_of(recipe):
    """Return the key of the build directory and the name of the result."""
    base = digest(recipe.base())
    return base, f"{recipe.name}-{digest([base, *recipe.inputs()])}"


def get(recipe):
    """Return the directory of an artifact, building it when it is missing."""
    while True:
        base, name = key_of(recipe)
        final = ROOT / "artifacts" / name
        if not final.exists():
            with locked(recipe.name,
                        lambda text: print(f"lab: {recipe.name}: {text}",
                                           file=sys.stderr)):
                if not final.exists():
                    make(recipe, base, final)
        if final.exists():
            os.utime(final)
            return final
