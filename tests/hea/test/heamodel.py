# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives the virtual HEA without a guest.

QEMU runs with the qtest accelerator: no CPU executes anything.  This side
makes the hypervisor calls, owns the guest's memory, rings the doorbells and
plays the Ethernet peer.  A small driver, made to break rules as well.
"""

import contextlib
import json
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from ehealab.qmp import Qmp

HANDLE = 0x1000000023c00400
BUS = 0x8000000000000000
ACCESS = 0x00800000 << 32
PD = 0x1234
MAC = "52:54:00:ea:00:{:02x}"

OPS = {
    "RESET_EVENTS": 0x15c, "FREE": 0x164, "SMR": 0x174, "ERROR_DATA": 0x1b4,
    "MODIFY_QP": 0x250, "QUERY_QP": 0x254, "QUERY_HEA": 0x258,
    "QUERY_PORT": 0x25c, "MODIFY_PORT": 0x260, "REG_BCMC": 0x264,
    "DEREG_BCMC": 0x268, "RPAGES": 0x26c, "DISABLE": 0x270, "ALLOC": 0x278,
}
RC = {
    "SUCCESS": 0, "BUSY": 1, "CONSTRAINED": 4, "PAGE_REGISTERED": 15,
    "HARDWARE": -1, "FUNCTION": -2, "PARAMETER": -4, "NO_MEM": -9,
    "AUTHORITY": -10, "RESOURCE": -16, "ADAPTER_PARM": -17, "RH_PARM": -18,
    "RCQ_PARM": -19, "SCQ_PARM": -20, "EQ_PARM": -21, "RT_PARM": -22,
    "ST_PARM": -23, "SIGT_PARM": -24, "MLENGTH_PARM": -27, "MEM_PARM": -28,
    "MEM_ACCESS_PARM": -29, "ATTR_PARM": -30, "PORT_PARM": -31,
    "MCG_PARM": -32, "MASK_PARM": -37, "MCG_FULL": -38, "ALIAS_EXIST": -39,
    "TABLE_FULL": -41, "MR_CONDITION": -43, "NOT_ENOUGH_RESOURCES": -44,
    "R_STATE": -45, "LONG_BUSY_10": 9901,
}
NAMES = {v: k for k, v in RC.items()}

SQA, RQ1A, RQ2A, RQ3A = 0x20, 0x30, 0x300, 0x338
ADDERS = {1: RQ1A, 2: RQ2A, 3: RQ3A}
FECA, EP, N1 = 0x38, 0x40, 0x60
ARM = 1 << 63


def bit(n):
    """Bit n, IBM's way."""
    return 1 << (63 - n)


RXC = {"valid": bit(49), "xtract": bit(50), "tcp6": bit(51), "tcp2": bit(54),
       "jumbo": bit(56), "l4": bit(58), "ip": bit(59), "untagged": bit(61),
       "vlan": 2}
NORMAL = RXC["valid"] | RXC["l4"] | RXC["ip"] | RXC["jumbo"]


class Refused(Exception):
    """A call that should have succeeded did not."""


class Link:
    """The host's end of a port's wire."""

    def __init__(self, path):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._sock = None

    def accept(self):
        """Wait for QEMU to connect."""
        self._sock, _ = self._listener.accept()
        self._listener.close()

    def send(self, frame):
        """Put a frame on the wire."""
        self._sock.sendall(struct.pack("!I", len(frame)) + frame)

    def recv(self, timeout=5):
        """Take the next frame from the wire; None if none comes."""
        self._sock.settimeout(timeout)
        try:
            size = struct.unpack("!I", self._exactly(4))[0]
            return self._exactly(size)
        except socket.timeout:
            return None

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            chunk = self._sock.recv(count - len(data))
            if not chunk:
                raise ConnectionError("QEMU closed the wire")
            data += chunk
        return data

    def close(self):
        """Unplug."""
        if self._sock:
            self._sock.close()


class Model:
    """A machine with adapters and no guest."""

    def __init__(self, qemu, ports=2, net="hub", devices=None, mem="256M",
                 extra=(), **props):
        self._dir = tempfile.TemporaryDirectory(prefix="heamodel-")
        self.path = Path(self._dir.name)
        self.links = []
        self.handle = HANDLE
        listeners = {n: self._listen(n) for n in ("qtest", "qmp")}
        args = [str(Path(qemu) / "bin" / "qemu-system-ppc64"), "-L",
                str(Path(qemu) / "pc-bios"), "-M", "pseries,x-vof=on,"
                "cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken",
                "-accel", "qtest", "-display", "none", "-nodefaults",
                "-m", mem, "-qtest", f"unix:{self.path}/qtest",
                "-qtest-log", "/dev/null",
                "-qmp", f"unix:{self.path}/qmp", *extra]
        if devices is None:
            devices = [self._device(ports, net, props)]
        for device in devices:
            args += device
        with open(self.path / "log", "w", encoding="utf-8") as log:
            self._proc = subprocess.Popen(args, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        self._qtest = self._accept(listeners["qtest"]).makefile("rw")
        self.qmp = Qmp(self._accept(listeners["qmp"]))
        for link in self.links:
            link.accept()
        self._next = 0x2000000

    def _device(self, ports, net, props):
        args, device = [], "spapr-hea,id=hea0"
        for p in range(ports):
            if net == "hub":
                args += ["-netdev", f"hubport,id=n{p},hubid=0"]
            else:
                self.links.append(Link(self.path / f"n{p}"))
                args += ["-netdev", f"stream,id=n{p},server=off,"
                         f"addr.type=unix,addr.path={self.path}/n{p}"]
            device += f",netdev{p}=n{p},mac{p}={MAC.format(p + 1)}"
        for key, value in props.items():
            device += f",{key.replace('_', '-')}={value}"
        return args + ["-device", device]

    def _listen(self, name):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.path / name))
        sock.listen(1)
        sock.settimeout(0.2)
        return sock

    def _accept(self, listener):
        for _ in range(100):
            with contextlib.suppress(socket.timeout):
                sock, _ = listener.accept()
                listener.close()
                sock.setblocking(True)
                return sock
            if self._proc.poll() is not None:
                break
        raise RuntimeError((self.path / "log").read_text(encoding="utf-8"))

    def close(self):
        """End QEMU."""
        self._proc.terminate()
        self._proc.wait(10)
        for link in self.links:
            link.close()
        self.qmp.close()
        self._dir.cleanup()

    # qtest

    def _cmd(self, text):
        self._qtest.write(text + "\n")
        self._qtest.flush()
        while True:
            answer = self._qtest.readline()
            if not answer:
                raise ConnectionError("QEMU died: " + (self.path / "log")
                                      .read_text(encoding="utf-8"))
            if answer.startswith("OK"):
                return answer.split()[1:]
            if not answer.startswith("IRQ"):
                raise RuntimeError(f"{text}: {answer}")

    def hcall(self, op, *args):
        """A hypervisor call: its status by name, and [R4, ... R12]."""
        number = OPS.get(op, op)
        words = [f"{a:#x}" for a in (self.handle, *args)]
        regs = [int(r, 16) for r in
                self._cmd(" ".join(["hcall", f"{number:#x}", *words]))]
        rc = regs[0] - (1 << 64) if regs[0] >> 63 else regs[0]
        return NAMES.get(rc, rc), regs[1:]

    def ok(self, op, *args, want=("SUCCESS",)):
        """The same, for calls that must succeed; [R4, ... R12]."""
        rc, outs = self.hcall(op, *args)
        if rc not in want:
            raise Refused(f"{op} {[hex(a) for a in args]}: {rc}")
        return outs

    def read(self, addr, size):
        """Guest memory."""
        return bytes.fromhex(self._cmd(f"read {addr:#x} {size}")[0][2:])

    def write(self, addr, data):
        """Guest memory."""
        self._cmd(f"write {addr:#x} {len(data)} 0x{data.hex()}")

    def store(self, addr, value, size=8):
        """A store to a register."""
        self._cmd(f"write{'bwlq'[size.bit_length() - 1]} {addr:#x} "
                  f"{value:#x}")

    def load(self, addr):
        """A load from a register."""
        return int(self._cmd(f"readq {addr:#x}")[0], 16)

    def clock_step(self, us):
        """Let guest time pass."""
        self._cmd(f"clock_step {us * 1000}")

    def rtas(self, name, args, nret=1):
        """An RTAS call; its outputs."""
        buf = self.alloc(1)
        self.write(buf, struct.pack(f"!{len(args)}I", *args))
        self._cmd(f"rtas {name} {len(args)} {buf:#x} {nret} {buf + 2048:#x}")
        return struct.unpack(f"!{nret}i", self.read(buf + 2048, 4 * nret))

    # The device

    def get(self, prop, dev="hea0"):
        """A property, JSON decoded if it is that."""
        value = self.qmp.qom_get(f"/machine/peripheral/{dev}", prop)
        if isinstance(value, str) and value[:1] in "[{":
            return json.loads(value)
        return value

    def set(self, prop, value, dev="hea0"):
        """A property."""
        self.qmp.qom_set(f"/machine/peripheral/{dev}", prop, value)

    def violations(self):
        """Violations so far, by kind."""
        return self.get("violations")["by_kind"]

    def port_stats(self, port=1):
        """Counters of a port."""
        return self.get("stats")["ports"][port - 1]

    def until(self, condition, what="condition", timeout=5):
        """Poll; the network and bottom halves run by themselves."""
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(what)
            time.sleep(0.001)

    # Guest memory

    def alloc(self, pages):
        """Zeroed 4 KiB pages in a row; their real address."""
        addr = self._next
        self._next += pages * 4096
        self._cmd(f"memset {addr:#x} {pages * 4096} 0x0")
        return addr

    def cb(self, data=b""):
        """A control block."""
        addr = self.alloc(1)
        if data:
            self.write(addr, data)
        return addr

    def mr(self, real, size, code=0, pd=PD, batch=512):
        """Register memory; handle and lkey."""
        outs = self.ok("ALLOC", 5, BUS, size, ACCESS, pd)
        self.mr_pages(outs[0], real, size, code, batch)
        return outs[0], outs[2] & 0xffffffff

    def mr_pages(self, handle, real, size, code=0, batch=512):
        """Give an MR its pages."""
        step = {0: 1 << 12, 1: 1 << 16, 2: 1 << 20, 3: 1 << 24}[code]
        pages = [real + i * step for i in range(size // step)]
        for i in range(0, len(pages), batch):
            part = pages[i:i + batch]
            last = i + batch >= len(pages)
            arg = part[0] if len(part) == 1 else \
                self.cb(struct.pack(f"!{len(part)}Q", *part))
            self.ok("RPAGES", code << 8, handle, arg, len(part),
                    want=("SUCCESS",) if last else ("PAGE_REGISTERED",))

    def smr(self, mr, pd=PD):
        """A second key for an MR; handle and lkey."""
        outs = self.ok("SMR", mr, BUS, ACCESS, pd)
        return outs[0], outs[2] & 0xffffffff

    def eq(self, neq=False, silent=True):
        """An EQ with its pages."""
        ctrl = (3 | 1 << 56 | (bit(0) if neq else 0) |
                (bit(16) if silent else 0))
        outs = self.ok("ALLOC", ctrl, 20)
        eq = Ring(self, 8, outs[4])
        eq.handle, eq.entries, eq.irq = outs[0], outs[3], outs[5]
        eq.register(0)
        return eq

    def cq(self, eq, entries=20, token=0):
        """A CQ with its pages."""
        outs = self.ok("ALLOC", 2, eq.handle, token, entries)
        cq = Ring(self, 64, outs[4])
        cq.handle, cq.entries, cq.epa = outs[0], outs[3], outs[5]
        cq.register(0)
        return cq

    def modify_port(self, port, cb, mask, data):
        """H_MODIFY_HEA_PORT; the status."""
        return self.hcall("MODIFY_PORT", cb << 16 | port, mask, 0,
                          self.cb(data))[0]

    def query_port(self, port, cb, mask, size):
        """H_QUERY_HEA_PORT; the control block."""
        addr = self.cb()
        self.ok("QUERY_PORT", cb << 16 | port, mask, 0, addr)
        return self.read(addr, size)


class Ring:
    """A queue in guest memory, as the driver sees it."""

    def __init__(self, model, entry, pages, handle=None):
        self.m = model
        self.entry = entry
        self.pages = pages
        self.slots = pages * 4096 // entry
        self.base = model.alloc(pages)
        self.handle = handle
        self.entries = self.epa = self.irq = None
        self.next = 0
        self.phase = 1

    def register(self, queue):
        """Give firmware the pages; the last status."""
        rc = None
        for i in range(self.pages):
            rc, _ = self.m.hcall("RPAGES", queue, self.handle,
                                 self.base + 4096 * i, 1)
            if rc not in ("SUCCESS", "PAGE_REGISTERED"):
                raise Refused(f"page {i}: {rc}")
        return rc

    def addr(self, index=None):
        """Real address of a slot."""
        index = self.next if index is None else index
        return self.base + index % self.slots * self.entry

    def advance(self):
        """On to the next slot."""
        self.next += 1
        if self.next == self.slots:
            self.next = 0
            self.phase ^= 1

    def poll(self, valid, size=None):
        """The next entry if it is new; valid is its valid bit's byte."""
        data = self.m.read(self.addr(), size or self.entry)
        if data[valid] >> 7 != self.phase:
            return None
        self.advance()
        return data

    def take(self, valid, size=None):
        """Wait for the next entry."""
        return self.m.until(lambda: self.poll(valid, size), "ring entry")


class Cqe:
    """A completion."""

    def __init__(self, data):
        self.wr_id, self.type, _, self.status, _, self.bytes = \
            struct.unpack("!QBBHHH", data[:16])
        self.vlan, self.csum = struct.unpack("!HH", data[0x10:0x14])
        self.hlen = data[0x15]
        self.count, self.token = struct.unpack("!HI", data[0x1a:0x20])
        self.rq = self.type >> 5
        self.inline = data[64:]


class Qp:
    """A QP with its CQs, EQs and memory, ready to be started."""

    # SQ 512 B, RQ1 256 B, RQ2 and RQ3 128 B; 127 entries each
    SIZES = 6 << 56 | 6 << 48 | 6 << 40 | 6 << 32 | 2 << 24 | 1 << 16
    CTRL = 1 | 1 << (63 - 11) | 6 << (63 - 15) | bit(17) | 1 << (63 - 23)
    THRESHOLDS = 1 << 48 | 4 << 32

    def __init__(self, model, port=1, pages=True, memory=True, token=7,
                 scq_entries=64, **over):
        self.m = model
        self.port = port
        self.token = token
        self.queue_eq = model.eq()
        self.aeq = model.eq(silent=False)
        self.scq = over.get("scq") or model.cq(self.queue_eq, scq_entries)
        self.rcq = model.cq(self.queue_eq)
        args = {"ctrl": self.CTRL, "sizes": self.SIZES,
                "aeq": self.aeq.handle, **over}
        outs = model.ok("ALLOC", args["ctrl"], self.scq.handle,
                        self.rcq.handle, args["aeq"], token << 32 | PD,
                        args["sizes"], port, self.THRESHOLDS)
        self.outs = outs
        self.handle, self.number, self.epa = outs[0], outs[1], outs[6]
        self.entries = [outs[2] >> s & 0xffff for s in (48, 32, 16, 0)]
        pages_of = [outs[4] >> 32, outs[4] & 0xffffffff, outs[5] >> 32,
                    outs[5] & 0xffffffff]
        self.rings = [Ring(model, 128 << (outs[3] >> (56 - 8 * i) & 0xff), n)
                      for i, n in enumerate(pages_of)]
        for i, ring in enumerate(self.rings):
            ring.handle = self.handle
            if pages:
                self.last = ring.register(i)
        self.buffers = {}
        if memory:
            self.size = 1 << 20
            self.mem = model.alloc(self.size >> 12)
            self.mr, self.lkey = model.mr(self.mem, self.size)

    def control(self, enabled, state):
        """H_MODIFY_HEA_QP; the status."""
        word = (bit(0) if enabled else 0) | state << 40
        return self.m.hcall("MODIFY_QP", 0, self.handle, bit(0),
                            self.m.cb(struct.pack("!Q", word)))[0]

    def state(self):
        """Control register as firmware tells it."""
        addr = self.m.cb()
        self.m.ok("QUERY_QP", 0, self.handle, 0xfc << 56, addr)
        word = struct.unpack("!Q", self.m.read(addr, 8))[0]
        return word >> 63, word >> 32 & 0x7f

    def start(self):
        """Bring-up as a driver does it."""
        for step in ((False, 2), (True, 2), (True, 5)):
            if self.control(*step) != "SUCCESS":
                raise Refused(f"QP state {step}")
        return self

    def receive(self, rq1=100, rq2=50, rq3=50, size=2048, rxc=NORMAL,
                lkey=None):
        """Post buffers and start the port with this QP alone."""
        at = 0
        for queue, count in ((2, rq2), (3, rq3)):
            length = size if queue == 2 else 9216
            for i in range(count):
                self.post_rx(queue, i, 0x40000 + at, length, lkey)
                at = (at + length) % (self.size - 0x50000)
            self.ring_bell(ADDERS[queue], count)
        self.ring_bell(RQ1A, rq1)
        self.start_port(rxc)
        return self

    def start_port(self, rxc=NORMAL):
        """All default QPs are this one."""
        cb = struct.pack("!QQ", 0, rxc) + bytes(0x20) + \
            struct.pack("!16Q", *[self.number] * 16)
        rc = self.m.modify_port(self.port, 0, bit(1) | bit(7), cb)
        if rc != "SUCCESS":
            raise Refused(f"port start: {rc}")

    def post_rx(self, queue, wr_id, offset, size, lkey=None):
        """A receive WQE with one descriptor."""
        ring = self.rings[queue]
        wqe = bytearray(128)
        struct.pack_into("!Q", wqe, 0, wr_id)
        wqe[0x0d] = 1
        struct.pack_into("!QII", wqe, 0x20, BUS + offset,
                         self.lkey if lkey is None else lkey, size)
        self.m.write(ring.addr(), bytes(wqe))
        self.buffers[queue, wr_id] = self.mem + offset
        ring.advance()

    def ring_bell(self, reg, count):
        """A doorbell."""
        self.m.store(self.epa + reg, count)

    def arm(self):
        """Arm events of both CQs."""
        for cq in (self.scq, self.rcq):
            self.m.store(cq.epa + EP, 0)
            self.m.store(cq.epa + N1, ARM)

    def swqe(self, imm=b"", descs=(), flags=0x8800, wr_id=1, **fields):
        """A send WQE."""
        wqe = bytearray(512)
        control = flags | (0x0200 if imm else 0) | (0x0100 if descs else 0)
        struct.pack_into("!QHH", wqe, 0, wr_id,
                         fields.get("control", control),
                         fields.get("vlan", 0))
        wqe[0x0d], wqe[0x0e] = fields.get("ip", (0, 0))
        wqe[0x0f] = fields.get("imm_len", len(imm))
        wqe[0x10] = fields.get("csum", 0)
        wqe[0x15] = fields.get("count", len(descs))
        struct.pack_into("!H", wqe, 0x1a, fields.get("mss", 0))
        at = 0x30 if descs else 0x20
        wqe[at:at + len(imm)] = imm
        for i, (addr, lkey, size) in enumerate(descs):
            at = 0xd0 + (i - 1) * 16 if imm and i else 0x20 + i * 16
            struct.pack_into("!QII", wqe, at, addr, lkey, size)
        return bytes(wqe[:512])

    def post(self, wqe):
        """Post one send WQE without ringing."""
        self.m.write(self.rings[0].addr(), wqe)
        self.rings[0].advance()

    def send(self, *args, **fields):
        """Post and ring."""
        self.post(self.swqe(*args, **fields))
        self.ring_bell(SQA, 1)

    def put(self, offset, data):
        """Data in registered memory; its descriptor."""
        self.m.write(self.mem + offset, data)
        return (BUS + offset, self.lkey, len(data))

    def sent(self):
        """The next send completion."""
        cqe = Cqe(self.scq.take(9))
        self.m.store(self.scq.epa + FECA, 1)
        return cqe

    def received(self, credit=True):
        """The next frame: its completion and its bytes with FCS."""
        cqe = Cqe(self.rings[1].take(9, 256))
        if credit:
            self.ring_bell(RQ1A, 1)
        if cqe.rq == 1:
            return cqe, cqe.inline[:cqe.bytes]
        buf = self.buffers[cqe.rq, cqe.wr_id]
        return cqe, self.m.read(buf, cqe.bytes)

    def free(self, force=1):
        """Free the QP; the status."""
        return self.m.hcall("FREE", self.handle, force)[0]

    def filter(self, kind, mac, vlan=0, op="REG_BCMC"):
        """A broadcast or multicast filter; the status."""
        number = int(mac.replace(":", ""), 16)
        return self.m.hcall(op, self.port, kind, number, vlan)[0]
