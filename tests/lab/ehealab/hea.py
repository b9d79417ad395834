# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual HEA seen from the host: counters, violations, faults."""

import json
import time

from .errors import CaseError


class Hea:
    """One adapter, by its QEMU id."""

    def __init__(self, qmp, ident):
        self.id = ident
        self._qmp = qmp
        self._path = f"/machine/peripheral/{ident}"
        self.expect_fired = True
        self.tolerated = set()          # kinds of violations
        self.patience = 1.0

    def get(self, prop):
        """Read a property."""
        return self._qmp.qom_get(self._path, prop)

    def set(self, prop, value):
        """Write a property."""
        self._qmp.qom_set(self._path, prop, value)

    def stats(self):
        """All counters."""
        return json.loads(self.get("stats"))

    def violations(self):
        """What the guest did against the rules."""
        return json.loads(self.get("violations"))

    def resources(self):
        """Live resources by kind."""
        return json.loads(self.get("resources"))

    def faults(self):
        """The rules and how often each was hit."""
        return json.loads(self.get("faults"))

    def fault(self, rule):
        """Arm a rule; the case fails if it never fires."""
        self.set("fault", rule)

    def clear_faults(self, may_be_silent=False):
        """Drop all rules, after a look whether each fired; returns whether
        all did."""
        silent = self.silent_faults()
        self.set("fault-clear", "all")
        if silent and not may_be_silent:
            raise CaseError(f"{self.id}: fault rules never fired: {silent}")
        return not silent

    def silent_faults(self):
        """Rules that never fired."""
        return [f for f in self.faults() if not f.get("hits")]

    def action(self, text):
        """Make something happen at once."""
        self.set("action", text)

    def calls(self, name, status=None):
        """Number of calls of an opcode so far, of one status if asked."""
        counts = self.stats()["calls"].get(name, {})
        return counts.get(status or "total", 0)

    def port(self, number=1):
        """Counters of a logical port."""
        return next(p for p in self.stats()["ports"] if p["port"] == number)

    def live(self):
        """Live resources that are not zero."""
        return {k: v for k, v in self.resources().items() if v}

    def wait(self, condition, what, timeout=20):
        """Poll until condition(self) is true, and return its value."""
        deadline = time.monotonic() + timeout * self.patience
        while True:
            value = condition(self)
            if value:
                return value
            if time.monotonic() > deadline:
                raise CaseError(f"{self.id}: not in {timeout} s: {what}; "
                                f"resources {self.resources()}, "
                                f"ports {self.stats()['ports']}")
            time.sleep(0.02)


def delta(before, after):
    """Difference of two nested counter objects, without zeros."""
    if isinstance(after, dict):
        out = {k: delta((before or {}).get(k), v) for k, v in after.items()}
        return {k: v for k, v in out.items() if v not in (0, {}, [], None)}
    if isinstance(after, list):
        before = before or [None] * len(after)
        return [delta(b, a) for b, a in zip(before, after)]
    if isinstance(after, (int, float)) and not isinstance(after, bool):
        return after - (before or 0)
    return None
