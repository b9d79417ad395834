# SPDX-License-Identifier: GPL-2.0-or-later
"""The host as Ethernet peer of a guest's port.

QEMU's "stream" network backend carries whole frames, each after its length,
over a local socket that loses nothing: what is lost, the adapter or the driver
lost.
"""

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from . import cache, frames
from .errors import CaseError

SOURCE = Path(__file__).resolve().parents[1] / "peer"
MAGIC = 0x48454100       # tests/lab/peer/traffic.c, tests/lab/guest/udpseq.c


def tool(name):
    """Compile tests/lab/peer/NAME.c for the host and return the program."""
    source = SOURCE / f"{name}.c"
    out = cache.ROOT / "peer" / f"{name}-{cache.digest([source])}"
    with cache.locked(f"peer-{name}"):
        if not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            new = out.with_suffix(".new")
            subprocess.run(["cc", "-O2", "-o", new, source], check=True)
            new.rename(out)
    return out


class Peer:
    """One end of the wire; answers ARP and ping when it has an address."""

    def __init__(self, path, name, cond):
        self.name = name
        self.mac = None
        self.ips = set()
        self.answer = True
        self.patience = 1.0
        self.captured = []
        self.counts = {"rx": 0, "tx": 0, "rx_bytes": 0, "tx_bytes": 0}
        self._cond = cond
        self._sock = None
        self._send_lock = threading.Lock()
        self._running = False
        self._wake = os.pipe()
        self._thread = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)

    def accept(self, timeout=30):
        """Wait for QEMU to connect, and start reading."""
        self._listener.settimeout(timeout)
        self._sock, _ = self._listener.accept()
        self._sock.setblocking(True)
        self._listener.close()
        self.resume()

    def configure(self, mac, *ips):
        """Be a station with a MAC and IPv4 addresses."""
        self.mac = mac
        self.ips = set(ips)

    def resume(self):
        """Read frames (again)."""
        self._running = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def pause(self):
        """Stop reading at a frame boundary; the socket may be lent out."""
        self._running = False
        os.write(self._wake[1], b"x")
        self._thread.join()
        os.read(self._wake[0], 4096)

    @contextlib.contextmanager
    def lent(self):
        """Lend the socket: yields its file descriptor."""
        self.pause()
        try:
            yield self._sock.fileno()
        finally:
            self.resume()

    def _exactly(self, length):
        data = bytearray()
        while len(data) < length:
            part = self._sock.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _read(self):
        try:
            while self._running:
                ready, _, _ = select.select([self._sock, self._wake[0]], [], [])
                if self._sock not in ready or not self._running:
                    continue
                length, = struct.unpack("!I", self._exactly(4))
                self._take(frames.Frame(self._exactly(length),
                                        time.monotonic()))
        except (OSError, EOFError, ValueError):
            pass

    def _take(self, frame):
        reply = self._reply_to(frame) if self.answer else None
        with self._cond:
            self.counts["rx"] += 1
            self.counts["rx_bytes"] += len(frame.data)
            self.captured.append(frame)
            if len(self.captured) > 200000:
                del self.captured[:100000]
            self._cond.notify_all()
        if reply:
            with contextlib.suppress(OSError):
                self.send(reply)

    def _reply_to(self, frame):
        if frame.type == frames.TYPE_ARP:
            return self._arp_reply(frame)
        packet = frame.ip()
        if not packet or packet[1] not in self.ips or packet[2] != 1 or \
           packet[3][:1] != b"\x08" or frame.dst != self.mac:
            return None
        echo = packet[3]
        ident, seq = struct.unpack_from("!HH", echo, 4)
        body = frames.icmp_echo(0, ident, seq, echo[8:])
        return frames.ether(frame.src, self.mac, frames.TYPE_IP,
                            frames.ipv4(packet[1], packet[0], 1, body))

    def _arp_reply(self, frame):
        kind, sha, spa, _, tpa = struct.unpack_from("!6xH6s4s6s4s",
                                                    frame.payload)
        asked = ".".join(str(b) for b in tpa)
        if kind != 1 or asked not in self.ips:
            return None
        body = frames.arp(2, self.mac, asked, frames.mac_text(sha),
                          ".".join(str(b) for b in spa))
        return frames.ether(frames.mac_text(sha), self.mac, frames.TYPE_ARP,
                            body)

    def send(self, data):
        """Put one frame on the wire."""
        with self._send_lock:
            self._sock.sendall(struct.pack("!I", len(data)) + data)
            self.counts["tx"] += 1
            self.counts["tx_bytes"] += len(data)

    def send_many(self, many):
        """Put frames on the wire back to back."""
        with self._send_lock:
            self._sock.sendall(b"".join(struct.pack("!I", len(f)) + f
                                        for f in many))
            self.counts["tx"] += len(many)
            self.counts["tx_bytes"] += sum(map(len, many))

    def clear(self):
        """Forget the frames captured so far."""
        with self._cond:
            self.captured.clear()

    def matching(self, match):
        """Return the captured frames that match."""
        with self._cond:
            return [f for f in self.captured if match(f)]

    def expect(self, match, what, count=1, timeout=10):
        """Wait for so many matching frames and return them."""
        def found():
            return [f for f in self.captured if match(f)]
        with self._cond:
            self._cond.wait_for(lambda: len(found()) >= count,
                                timeout * self.patience)
            got = found()
        if len(got) < count:
            raise CaseError(f"peer {self.name}: {len(got)} of {count} frames "
                            f"in {timeout} s: {what}; last seen: "
                            f"{self.captured[-5:]}")
        return got

    def ping(self, dst_mac, dst_ip, count=1, size=56, timeout=10):
        """Ping the guest from the first address; all must be answered."""
        src = sorted(self.ips)[0]
        ident = os.getpid() & 0xffff
        for seq in range(count):
            body = frames.icmp_echo(8, ident, seq, bytes(size))
            self.send(frames.ether(dst_mac, self.mac, frames.TYPE_IP,
                                   frames.ipv4(src, dst_ip, 1, body)))
            key = struct.pack("!HH", ident, seq)
            self.expect(lambda f, key=key: self._is_reply(f, key),
                        f"echo reply {seq} of {dst_ip}", timeout=timeout)

    @staticmethod
    def _is_reply(frame, key):
        packet = frame.ip()
        return packet and packet[2] == 1 and packet[3][:1] == b"\0" and \
            packet[3][4:8] == key

    def close(self):
        """Close the wire and wait for the reader."""
        if self._thread:
            self.pause()
            self._sock.close()
        else:
            self._listener.close()
        for fd in self._wake:
            os.close(fd)


class Flow:
    """One direction of numbered traffic, for Traffic.

    tx and rx are peers, either may be None; frame as udp_flow() makes it. With
    a window no more frames than that are under way at a time."""

    def __init__(self, tx, rx, rate, frame=b"", offset=42, magic=None):
        self.tx, self.rx, self.rate, self.window = tx, rx, rate, 0
        self.frame, self.offset, self.magic = frame, offset, magic


def udp_flow(tx, rx, rate, dst_mac, dst_ip, src_ip, size=200, port=9,
             src_mac=None):
    """A flow of UDP frames of a size from one peer, seen again by another."""
    payload = bytes(size - 42)
    frame = frames.udp_frame(dst_mac, src_mac or tx.mac, dst_ip, src_ip, port,
                             port, payload, check=False)
    return Flow(tx, rx, rate, frame)


class Traffic:
    """Constant-rate traffic by tests/lab/peer/traffic.c, while it is entered.

    The peers of the flows are lent to it; result is its report, a dict."""

    def __init__(self, *flows):
        self.flows = flows
        self.result = None
        self._stack = contextlib.ExitStack()
        self._proc = None

    def __enter__(self):
        peers = {p for f in self.flows for p in (f.tx, f.rx) if p}
        fds = {p: self._stack.enter_context(p.lent()) for p in peers}
        args = [str(tool("traffic"))]
        for i, flow in enumerate(self.flows):
            if flow.magic is None:
                flow.magic = MAGIC + i
            args += ["--flow", str(fds.get(flow.tx, -1)),
                     str(fds.get(flow.rx, -1)), str(flow.magic),
                     str(flow.rate), str(flow.window),
                     flow.frame.hex() or "00", str(flow.offset)]
        self._proc = subprocess.Popen(args, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True,
                                      pass_fds=fds.values())
        return self

    def stretch(self, name):
        """Begin a stretch of accounting; returns the frames sent so far."""
        self._proc.stdin.write(f"stretch {name}\n")
        self._proc.stdin.flush()
        answer = self._proc.stdout.readline()
        if not answer.startswith("ok "):
            raise CaseError("the traffic program ended early")
        return int(answer.split()[1])

    def stop(self):
        """End the sending, wait for stragglers, return the report."""
        if self.result is None:
            out, _ = self._proc.communicate("stop\n", timeout=120)
            if self._proc.returncode:
                raise CaseError("the traffic program failed")
            self.result = json.loads(out)
        return self.result

    def flow(self, index=0):
        """The report of one flow."""
        return self.stop()["flows"][index]

    def of(self, name, index=0):
        """The report of one stretch of a flow."""
        return next(s for s in self.flow(index)["stretches"]
                    if s["name"] == name)

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
        finally:
            if self._proc.poll() is None:
                self._proc.kill()
            self._proc.wait()
            self._stack.close()
