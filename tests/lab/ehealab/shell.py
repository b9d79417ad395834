# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest for the user, and its monitor for a second terminal."""

import os
import socket
import tempfile
import threading
from pathlib import Path

from . import cache
from .errors import CaseError
from .guest import LMB, Guest, Spec, adapters
from .qmp import Qmp

LINK = cache.ROOT / "shell.qmp"
EVENTS = threading.Condition()
ANSWERS = ("DEVICE_DELETED", "MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR")

MOTD = """
  {module} is at hand:         modprobe ehea
  ports share one wire, on which QEMU's own stack is 10.0.2.2:
                               ip addr add 10.0.2.15/24 dev eth0
                               ip link set eth0 up; ping 10.0.2.2
  from a second terminal:      tests/lab/lab mem-add [LMBS]
                               tests/lab/lab mem-del
                               tests/lab/lab qmp query-memory-devices
  the end:                     poweroff -f

"""


def main(cpu, kernel, module):
    """Boot a guest whose console is the user's terminal; wait for its end."""
    with tempfile.TemporaryDirectory(prefix="ehea-shell-") as run:
        path = Path(run) / "qmp"
        what = "the driver" if module == "module" else "the old driver"
        spec = Spec(
            cpu=cpu, kernel=kernel, module=module, console="stdio",
            append="lab.shell", adapters=adapters(2, net="hub:0"),
            files={"lab/motd": MOTD.format(module=what)},
            qemu_args=["-netdev", "user,id=u0", "-netdev",
                       "hubport,id=wire,hubid=0,netdev=u0",
                       "-qmp", f"unix:{path},server=on,wait=off"])
        guest = Guest(spec, "shell")
        try:
            LINK.unlink(missing_ok=True)
            LINK.symlink_to(path)
            guest.start()
            guest.wait(lambda: False, "the end of the shell", 7 * 86400)
        except CaseError:
            # The guest ended, as the user wished, or it never came up.
            if not guest.boots:
                raise
        finally:
            LINK.unlink(missing_ok=True)
            guest.close()
            guest.discard_logs()
    return 0


def monitor():
    """Connect to the monitor of the running shell."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(os.readlink(LINK))
        return Qmp(sock, EVENTS)
    except OSError as err:
        raise CaseError("no guest is running: start tests/lab/lab shell "
                        "first") from err


def dimms(qmp):
    """Names of the plugged memory, in the order of their addresses."""
    found = [d["data"] for d in qmp.command("query-memory-devices")]
    return [d["id"] for d in sorted(found, key=lambda d: d["addr"])]


def mem_add(lmbs):
    """Plug one DIMM of so many LMBs."""
    qmp = monitor()
    have = dimms(qmp)
    name = next(f"dimm{n}" for n in range(1000) if f"dimm{n}" not in have)
    qmp.command("object-add", qom_type="memory-backend-ram",
                id=f"mem-{name}", size=lmbs * LMB << 20)
    qmp.command("device_add", driver="pc-dimm", id=name, memdev=f"mem-{name}")
    print(f"{name}: {lmbs * LMB} MiB plugged; the guest brings them online")


def mem_del(name):
    """Unplug a DIMM and wait for the guest's answer."""
    qmp = monitor()
    have = dimms(qmp)
    if not have or (name and name not in have):
        raise CaseError(f"plugged are: {' '.join(have) or 'none'}")
    name = name or have[-1]

    def about(data):
        return data.get("device") == name

    since = qmp.mark()
    qmp.command("device_del", id=name)
    with EVENTS:
        EVENTS.wait_for(lambda: qmp.find_event(ANSWERS, since, about), 60)
    if not qmp.find_event("DEVICE_DELETED", since, about):
        raise CaseError(f"the guest keeps {name}: its memory is in use")
    qmp.command("object-del", id=f"mem-{name}")
    print(f"{name}: unplugged")
