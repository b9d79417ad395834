# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of the driver the cases run, by gcov.

The kernel counts in the guest; each case saves its counts when it ends, and
they are added up here, those of the unit tests included."""

import collections
import io
import itertools
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from . import build, cache, check
from .errors import CaseError

GCOV = "powerpc64-linux-gnu-gcov"
OUT = cache.CHECKOUT / "out" / "coverage"
COPY = "mkdir -p /tmp/gcov && cd /sys/kernel/debug/gcov && " \
    "find . -name '*.gcda' | while read f; " \
    "do mkdir -p /tmp/gcov/${f%/*}; cat $f > /tmp/gcov/$f; done; " \
    "tar -C /tmp/gcov -cf - ."


def save(guest, name):
    """Keep the counts of a guest that is about to end."""
    job = guest.job(COPY)
    job.wait(timeout=120)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}-{guest.dir.name}.tar").write_bytes(bytes(job.raw))


class Lines:
    """Counts of lines and branches, by file of the driver."""

    def __init__(self):
        self.count = collections.defaultdict(collections.Counter)
        self.branches = collections.defaultdict(dict)
        self.function = collections.defaultdict(dict)

    def _add_file(self, entry):
        name = Path(entry["file"]).name
        if not (cache.CHECKOUT / name).exists():
            return
        for line in entry["lines"]:
            number = line["line_number"]
            self.count[name][number] += line["count"]
            # lines that only begin a definition belong to no function
            self.function[name].setdefault(
                number, line.get("function_name", "definitions"))
            old = self.branches[name].get(number, [])
            new = [b["count"] for b in line["branches"]]
            self.branches[name][number] = [
                a + b for a, b in itertools.zip_longest(old, new, fillvalue=0)]

    def add(self, archive, notes):
        """Add the counts of one guest; notes: directory of *.gcno."""
        with tempfile.TemporaryDirectory() as work:
            found = []
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                for member in tar.getmembers():
                    name = Path(member.name).name
                    if name.endswith(".gcda"):
                        data = tar.extractfile(member).read()
                        Path(work, name).write_bytes(data)
                        note = name.replace(".gcda", ".gcno")
                        shutil.copy(notes / note, work)
                        found.append(name)
            if not found:
                return          # another driver ran
            out = subprocess.run([GCOV, "-b", "--json-format", "--stdout",
                                  *found], cwd=work, check=True,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
        for text in out.splitlines():
            for entry in json.loads(text)["files"]:
                self._add_file(entry)

    def ratio(self):
        """(lines run, lines, branches taken, branches)."""
        lines = [n for counts in self.count.values() for n in counts.values()]
        branches = [n for file in self.branches.values()
                    for counts in file.values() for n in counts]
        return (sum(map(bool, lines)), len(lines),
                sum(map(bool, branches)), len(branches))

    def never(self):
        """"file: function: lines" of all that never ran."""
        for name in sorted(self.count):
            where = collections.defaultdict(list)
            for number, count in sorted(self.count[name].items()):
                if not count:
                    where[self.function[name][number]].append(number)
            for function, numbers in where.items():
                text = " ".join(map(str, numbers))
                yield f"{name}: {function}: {text}"


def main(pattern, jobs):
    """Run cases on the kernel that counts, and report; returns the status."""
    shutil.rmtree(OUT, ignore_errors=True)
    status = check.main(pattern, "power9", "gcov", jobs)
    return report() or status


def report():
    """Add up what was saved, and print it."""
    notes = build.artifact("module-gcov")
    total = Lines()
    archives = sorted(OUT.glob("*.tar"))
    for path in archives:
        total.add(path.read_bytes(), notes)
    if not total.count:
        raise CaseError("no case saved any counts")
    never = list(total.never())
    (OUT / "never.txt").write_text("\n".join(never) + "\n", encoding="utf-8")
    run, lines, taken, branches = total.ratio()
    print(*never, sep="\n")
    print(f"line coverage: {100 * run / lines:.1f} % ({run} of {lines})")
    print(f"branch coverage: {100 * taken / branches:.1f} % "
          f"({taken} of {branches})", flush=True)
    return 0
