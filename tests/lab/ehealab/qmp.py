# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of QEMU's machine protocol (QMP)."""

import json
import socket
import threading
import time


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """One QMP connection; a thread of its own collects replies and events."""

    def __init__(self, sock, cond=None, log=None):
        """Take over a connected socket and leave capabilities mode.

        cond is notified at every message; log is a file for all of them."""
        self._sock = sock
        self._log = log
        self._cond = cond or threading.Condition()
        self._send_lock = threading.Lock()
        self._replies = {}
        self._next_id = 0
        self.events = []
        self.closed = False
        threading.Thread(target=self._read, daemon=True).start()
        self.command("qmp_capabilities")

    @classmethod
    def connect(cls, path):
        """Connect to the socket of a machine that runs already."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return cls(sock)

    def _write_log(self, direction, text):
        if self._log:
            self._log.write(f"{time.time():.3f} {direction} {text}\n")
            self._log.flush()

    def _read(self):
        stream = self._sock.makefile("r", encoding="utf-8")
        try:
            for line in stream:
                self._take(line.strip())
        except (OSError, ValueError):
            pass
        with self._cond:
            self.closed = True
            self._cond.notify_all()

    def _take(self, line):
        self._write_log("<", line)
        message = json.loads(line)
        with self._cond:
            if "event" in message:
                self.events.append(message)
            elif "id" in message:
                self._replies[message["id"]] = message
            self._cond.notify_all()

    def command(self, name, /, timeout=60, **arguments):
        """Run a command and return its value; names may use _ for -."""
        with self._send_lock:
            self._next_id += 1
            ident = self._next_id
            message = {"execute": name, "id": ident}
            if arguments:
                message["arguments"] = {k.replace("_", "-"): v
                                        for k, v in arguments.items()}
            text = json.dumps(message)
            self._write_log(">", text)
            try:
                self._sock.sendall(text.encode() + b"\n")
            except OSError as err:
                raise QmpError(f"{name}: QEMU is gone") from err
        with self._cond:
            self._cond.wait_for(lambda: ident in self._replies or self.closed,
                                timeout)
            reply = self._replies.pop(ident, None)
        if reply is None:
            state = "QEMU is gone" if self.closed else \
                f"no answer in {timeout} s"
            raise QmpError(f"{name}: {state}")
        if "error" in reply:
            raise QmpError(f"{name}: {reply['error']['desc']}")
        return reply["return"]

    def mark(self):
        """Return a position in the list of events, for find_event()."""
        with self._cond:
            return len(self.events)

    def find_event(self, names, since=0, match=None):
        """Return the first event of one of the names, or None."""
        names = (names,) if isinstance(names, str) else names
        for event in self.events[since:]:
            data = event.get("data", {})
            if event["event"] in names and (not match or match(data)):
                return event
        return None

    def qom_get(self, path, prop):
        """Read an object's property."""
        return self.command("qom-get", path=path, property=prop)

    def qom_set(self, path, prop, value):
        """Write an object's property."""
        self.command("qom-set", path=path, property=prop, value=value)

    def set_link(self, name, up):
        """Set the link of a network client."""
        # "name" is its argument, not the command's.
        # pylint: disable-next=redundant-keyword-arg
        self.command("set_link", **{"name": name, "up": up})

    def close(self):
        """Close the connection."""
        self._sock.close()
