# SPDX-License-Identifier: GPL-2.0-or-later
"""What the cases of the virtual HEA share: a fixture, frames, small steps."""

import struct
import zlib

import pytest

from ehealab import frames
from ehealab.guest import artifact
from heamodel import MAC, NORMAL, Model, Qp

HOST = "52:54:00:ee:00:01"
P1, P2 = MAC.format(1), MAC.format(2)
GROUP = "01:00:5e:00:00:05"


@pytest.fixture(name="boot")
def boot_fixture():
    """Starts models; ends them, and insists that nothing was violated unless
    the case names the kinds it provoked."""
    started = []

    def boot(expect=(), **fields):
        model = Model(artifact("qemu"), **fields)
        started.append((model, expect))
        return model

    yield boot
    for model, expect in started:
        kinds = model.violations()
        log = model.get("violations")["log"]
        model.close()
        assert set(kinds) == set(expect), log


def wire(boot, expect=(), rxc=NORMAL, **props):
    """One started QP whose port ends at the host."""
    model = boot(expect, ports=1, net="wire", **props)
    qp = Qp(model).start().receive(rxc=rxc)
    return model, qp, model.links[0]


def udp(size=100, dst=P1, sport=1000, dport=2000, check=True):
    """A UDP frame for port 1."""
    return frames.udp_frame(dst, HOST, "10.0.0.1", "10.0.0.2", dport, sport,
                            bytes(i & 255 for i in range(size)), check)


def fcs(frame):
    """Frame check sequence as it lies in memory."""
    return struct.pack("<I", zlib.crc32(frame))


def tcp_frame(size, seq=1000, flags=0x18, ident=1, payload=None):
    """A TCP frame to the host."""
    payload = payload or bytes(i & 255 for i in range(size))
    head = struct.pack("!HHIIBBHHH", 1, 2, seq, 77, 0x50, flags, 500, 0, 0)
    pseudo = frames.ip_bytes("10.0.0.2") + frames.ip_bytes("10.0.0.1") + \
        struct.pack("!BBH", 0, 6, 20 + len(payload))
    total = frames.checksum(pseudo + head + payload)
    segment = head[:16] + struct.pack("!H", total) + head[18:] + payload
    return frames.ether(HOST, P1, 0x0800,
                        frames.ipv4("10.0.0.2", "10.0.0.1", 6, segment,
                                    ident))


def passes(m, link, frame):
    """Does the port take this frame?"""
    before = m.port_stats()
    link.send(frame)

    def moved():
        now = m.port_stats()
        return now if now["rx_frames"] + sum(now["drops"].values()) > \
            before["rx_frames"] + sum(before["drops"].values()) else None
    return m.until(moved)["rx_frames"] > before["rx_frames"]


def neqe(ring):
    """The next notification as (code, port, up, external)."""
    data = ring.poll(0)
    if not data:
        return None
    word = struct.unpack("!Q", data)[0]
    return word >> 56 & 0x3f, word >> 16 & 0xffff, word >> 47 & 1, \
        word >> 46 & 1


def faulty(qp):
    """The affiliated event of a QP error, as (QP number, token)."""
    word = struct.unpack("!Q", qp.aeq.take(0))[0]
    assert word >> 62 & 1 == 0
    return word >> 32 & 0xffffff, word & 0xffffffff


def device_tree(blob):
    """A flattened tree as {path: {property: bytes}}."""
    _, _, structs, strings = struct.unpack("!4I", blob[:16])
    out, path, at = {}, [], structs
    while True:
        token = struct.unpack_from("!I", blob, at)[0]
        at += 4
        if token == 1:
            end = blob.index(b"\0", at)
            path.append(blob[at:end].decode())
            out["/".join(path) or "/"] = {}
            at = (end + 4) & ~3
        elif token == 2:
            path.pop()
        elif token == 3:
            size, name = struct.unpack_from("!II", blob, at)
            name = blob[strings + name:blob.index(b"\0", strings + name)]
            out["/".join(path) or "/"][name.decode()] = \
                blob[at + 8:at + 8 + size]
            at = (at + 8 + size + 3) & ~3
        elif token == 9:
            return out
