# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the initial root file system that differs from boot to boot.

The kernel unpacks archives that follow one another, later files replace
earlier ones. This one holds the driver's module and what a case brings along.
"""

import os
import stat
from pathlib import Path

# What labinit.c starts on the first terminal with lab.shell.
SHELL = """[ -e /lab/motd ] && cat /lab/motd >/dev/hvc0
while :; do setsid cttyhack sh </dev/hvc0 >/dev/hvc0 2>&1; done
"""


class Archive:
    """A "newc" archive in memory."""

    def __init__(self):
        self._parts = []
        self._dirs = set()
        self._inode = 0

    def _entry(self, name, mode, data=b""):
        self._inode += 1
        name = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                  len(name), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
        self._parts.append(head + bytes(-len(head) % 4) + data
                           + bytes(-len(data) % 4))

    def _make_parents(self, name):
        parts = name.split("/")[:-1]
        for n in range(1, len(parts) + 1):
            parent = "/".join(parts[:n])
            if parent not in self._dirs:
                self._dirs.add(parent)
                self._entry(parent, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o644):
        """Add a file: data is bytes, text or the path of one."""
        name = name.strip("/")
        if isinstance(data, Path):
            data = data.read_bytes()
        elif isinstance(data, str):
            data = data.encode()
        self._make_parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def bytes(self):
        """The finished archive."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)


def compose(target, bases, archive):
    """Write an image: the base archives, then one of our own."""
    with open(target, "wb") as out:
        for base in bases:
            data = base.read_bytes()
            out.write(data + bytes(-len(data) % 4))
        out.write(archive.bytes())
    return os.path.getsize(target)
