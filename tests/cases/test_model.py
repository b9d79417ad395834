# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual HEA itself, without a guest: every call, rule and fault."""

import struct
import sys
import time
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hea" / "test"))

# pylint: disable=wrong-import-position
from ehealab import frames                                      # noqa: E402
from ehealab.guest import artifact                              # noqa: E402
from ehealab.qmp import QmpError                                # noqa: E402
from heamodel import (ACCESS, ARM, BUS, EP, FECA, MAC, N1,      # noqa: E402
                      NORMAL, PD, RQ1A, RQ2A, RXC, SQA, Cqe, Model, Qp,
                      bit)

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


# Calls


def test_query_hea_tells_limits_and_use(boot):
    m = boot(ports=2, max_qps=9, max_mrs=3, max_mc=17, mr_page_sizes=0xc0000000)
    cb = m.cb()
    m.mr(m.alloc(1), 4096)
    m.eq()
    m.ok("QUERY_HEA", cb)
    words = struct.unpack("!40I", m.read(cb, 160))
    assert words[0:4] == (0, 0, 1, 1)
    assert (words[5], words[8], words[18]) == (9, 3, 0xc0000000)
    assert (words[20] << 32 | words[21], words[24]) == (256 << 20, 2)
    assert (words[28] << 32 | words[29]) == 17


REFUSALS = {
    "unknown adapter": ("QUERY_HEA", lambda m: None, "ADAPTER_PARM",
                        "bad-adapter"),
    "unaligned block": ("QUERY_HEA", lambda m: [m.alloc(1) + 8],
                        "PARAMETER", "cb-unaligned"),
    "block outside memory": ("QUERY_HEA", lambda m: [0x40000000],
                             "PARAMETER", "cb-not-ram"),
    "resource type": ("ALLOC", lambda m: [4, 1], "RT_PARM", "bad-argument"),
    "EQ with reserved bits": ("ALLOC", lambda m: [3 | bit(20), 20],
                              "PARAMETER", "reserved-bits"),
    "EQ without entries": ("ALLOC", lambda m: [3 | 1 << 56, 0], "PARAMETER",
                           "bad-argument"),
    "CQ of no EQ": ("ALLOC", lambda m: [2, 5, 0, 20], "EQ_PARM",
                    "bad-handle"),
    "MR of no length": ("ALLOC", lambda m: [5, BUS, 0, ACCESS, PD],
                        "MLENGTH_PARM", "bad-argument"),
    "MR of odd length": ("ALLOC", lambda m: [5, BUS, 100, ACCESS, PD],
                         "MLENGTH_PARM", "bad-argument"),
    "MR at odd address": ("ALLOC", lambda m: [5, BUS + 1, 4096, ACCESS, PD],
                          "MEM_PARM", "bad-argument"),
    "MR with other access": ("ALLOC", lambda m: [5, BUS, 4096, 0, PD],
                             "MEM_ACCESS_PARM", "bad-argument"),
    "MR larger than memory": ("ALLOC",
                              lambda m: [5, BUS, 257 << 20, ACCESS, PD],
                              "RESOURCE", "mr-too-large"),
    "free of nothing": ("FREE", lambda m: [1234, 0], "RH_PARM",
                        "bad-handle"),
    "free with flags": ("FREE", lambda m: [m.eq().handle, 2], "PARAMETER",
                        "reserved-bits"),
    "SMR of an EQ": ("SMR", lambda m: [m.eq().handle, BUS, ACCESS, PD],
                     "RH_PARM", "bad-handle"),
    "no such port": ("QUERY_PORT", lambda m: [9, bit(0), 0, m.cb()],
                     "PORT_PARM", "bad-argument"),
    "no such block": ("QUERY_PORT", lambda m: [3 << 16 | 1, bit(0), 0,
                                               m.cb()],
                      "PARAMETER", "bad-argument"),
    "mask of nothing": ("QUERY_PORT", lambda m: [1, 0, 0, m.cb()],
                        "MASK_PARM", "bad-mask"),
    "mask too wide": ("QUERY_PORT", lambda m: [1, bit(8), 0, m.cb()],
                      "MASK_PARM", "bad-mask"),
    "counters written": ("MODIFY_PORT", lambda m: [2 << 16 | 1, bit(0), 0,
                                                   m.cb()],
                         "MASK_PARM", "bad-mask"),
    "receive control, reserved": ("MODIFY_PORT", lambda m: [
        1, bit(1), 0, m.cb(struct.pack("!QQ", 0, bit(48)))],
        "ATTR_PARM", "reserved-bits"),
    "multicast MAC": ("MODIFY_PORT", lambda m: [
        1, bit(0), 0, m.cb(struct.pack("!Q", 1 << 40))],
        "ATTR_PARM", "bad-argument"),
    "QP to no port": ("ALLOC", lambda m: [
        Qp.CTRL, (e := m.eq(), c := m.cq(e))[1].handle, c.handle, e.handle,
        PD, Qp.SIZES, 9, Qp.THRESHOLDS], "PORT_PARM", "bad-argument"),
    "QP without low latency": ("ALLOC", lambda m: [
        Qp.CTRL & ~bit(17), (e := m.eq(), c := m.cq(e))[1].handle, c.handle,
        e.handle, PD, Qp.SIZES, 1, Qp.THRESHOLDS], "ST_PARM",
        "bad-argument"),
    "QP with no send CQ": ("ALLOC", lambda m: [Qp.CTRL, 1, 1, 1, PD,
                                               Qp.SIZES, 1, 0], "SCQ_PARM",
                           "bad-handle"),
    "broadcast with a strange MAC": ("REG_BCMC", lambda m: [
        1, 2, 0x525400000099, 0], "MCG_PARM", "bcmc"),
    "multicast with a unicast MAC": ("REG_BCMC", lambda m: [
        1, 6, 0x525400ea0001, 0], "MCG_PARM", "bcmc"),
    "unknown filter removed": ("DEREG_BCMC", lambda m: [
        1, 6, 0x01005e000001, 0], "MCG_PARM", "bcmc"),
    "events of an EQ": ("RESET_EVENTS", lambda m: [m.eq().handle, 7],
                        "PARAMETER", "bad-argument"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_argument_is_refused_and_noted(boot, name):
    op, args, status, kind = REFUSALS[name]
    m = boot(expect=[kind])
    words = args(m)
    if words is None:
        m.handle, words = 0x1234, [m.cb()]
    rc, outs = m.hcall(op, *words)
    assert rc == status
    if rc != "ADAPTER_PARM":
        assert outs[0] == 0xbad0bad0bad0bad0
    assert m.violations() == {kind: 1}


def test_calls_without_an_adapter_are_unknown_to_firmware(boot):
    m = Model(artifact("qemu"), devices=[])
    try:
        assert m.hcall("QUERY_HEA", 0)[0] == "FUNCTION"
    finally:
        m.close()


def test_queues_have_the_sizes_that_were_asked_for(boot):
    m = boot()
    eq = m.eq()
    assert (eq.pages, eq.entries) == (1, 512)
    cq = m.cq(eq, 1000)
    assert (cq.pages, cq.entries) == (16, 1024)
    qp = Qp(m, sizes=0 << 56 | 15 << 48 | 15 << 40 | 9 << 32 | 2 << 24 |
            1 << 16, pages=False, memory=False)
    assert qp.entries == [127, 32767, 16383, 1023]
    assert [r.entry for r in qp.rings] == [512, 256, 128, 128]
    assert [r.pages for r in qp.rings] == [16, 2048, 512, 32]


def test_register_pages_are_4_KiB_apart(boot):
    m = boot()
    eq = m.eq()
    first, second = m.cq(eq), m.cq(eq)
    assert second.epa - first.epa == 4096


def test_limits_of_numbers(boot):
    m = boot(max_mrs=2, max_smrs=1, max_cqs=1, max_qps=0)
    mrs = [m.mr(m.alloc(1), 4096)[0] for _ in range(2)]
    assert m.hcall("ALLOC", 5, BUS, 4096, ACCESS, PD)[0] == \
        "NOT_ENOUGH_RESOURCES"
    m.smr(mrs[0])
    assert m.hcall("SMR", mrs[0], BUS, ACCESS, PD)[0] == \
        "NOT_ENOUGH_RESOURCES"
    eq = m.eq()
    cq = m.cq(eq)
    assert m.hcall("ALLOC", 2, eq.handle, 0, 20)[0] == "NOT_ENOUGH_RESOURCES"
    assert m.hcall("ALLOC", Qp.CTRL, cq.handle, cq.handle, eq.handle, PD,
                   Qp.SIZES, 1, 0)[0] == "NOT_ENOUGH_RESOURCES"
    m.set("max-cqs", 2)
    m.cq(eq)


def test_event_queues_have_interrupts_of_their_own(boot):
    m = boot(max_eqs=5)
    eqs = [m.eq() for _ in range(5)]
    assert len({e.irq for e in eqs}) == 5
    assert m.hcall("ALLOC", 3 | 1 << 56, 20)[0] == "NOT_ENOUGH_RESOURCES"
    m.ok("FREE", eqs[2].handle, 0)
    assert m.eq().irq == eqs[2].irq


# Pages


def test_queue_pages_come_one_by_one_and_only_once(boot):
    m = boot(expect=["page-unaligned", "page-not-ram", "page-twice",
                     "pages-after-complete", "bad-argument"])
    eq = m.eq()
    cq = m.ok("ALLOC", 2, eq.handle, 0, 100)
    page = m.alloc(2)
    assert cq[4] == 2
    assert m.hcall("RPAGES", 0, cq[0], page + 64, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, cq[0], 0x40000000, 1)[0] == "MEM_PARM"
    assert m.hcall("RPAGES", 0, cq[0], page, 2)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 1 << 8, cq[0], page, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, cq[0], page, 1)[0] == "PAGE_REGISTERED"
    assert m.hcall("RPAGES", 0, cq[0], page, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, cq[0], page + 4096, 1)[0] == "SUCCESS"
    assert m.hcall("RPAGES", 0, cq[0], m.alloc(1), 1)[0] == "TABLE_FULL"


def test_qp_cannot_be_enabled_while_a_page_is_missing(boot):
    m = boot(expect=["pages-missing"])
    qp = Qp(m, pages=False)
    for queue in (0, 1, 2):
        assert qp.rings[queue].register(queue) == "PAGE_REGISTERED"
    assert qp.control(False, 2) == "SUCCESS"
    assert qp.control(True, 2) == "R_STATE"
    assert qp.rings[3].register(3) == "SUCCESS"
    assert qp.control(True, 2) == "SUCCESS"


@pytest.mark.parametrize("code,size", [(0, "4K"), (1, "64K"), (2, "1M"),
                                       (3, "16M")])
def test_mr_takes_pages_of_each_size(boot, code, size):
    m = boot()
    real = m.alloc(12288) + 0xffffff & ~0xffffff
    handle, _ = m.mr(real, 32 << 20, code)
    mr = m.get("stats")["mr"]
    assert mr["pages"][size] * {"4K": 4, "64K": 64, "1M": 1024,
                                "16M": 16384}[size] == 32 << 10
    assert mr["live_bytes"] == 32 << 20
    m.ok("FREE", handle, 0)
    assert m.get("stats")["mr"]["live_bytes"] == 0


def test_mr_refuses_bad_pages(boot):
    m = boot(expect=["bad-argument", "page-unaligned", "page-not-ram",
                     "page-twice", "pages-after-complete", "cb-unaligned"],
             mr_page_sizes=0x80000000)
    page = m.alloc(4)
    mr = m.ok("ALLOC", 5, BUS, 3 * 4096, ACCESS, PD)[0]
    assert m.hcall("RPAGES", 1 << 8, mr, page, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 1, mr, page, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, page, 0)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, page, 513)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, page + 8, 2)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, page + 8, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, 1 << 40, 1)[0] == "MEM_PARM"
    assert m.hcall("RPAGES", 0, mr, page, 1)[0] == "PAGE_REGISTERED"
    assert m.hcall("RPAGES", 0, mr, page, 1)[0] == "PARAMETER"
    full = m.cb(struct.pack("!3Q", page + 4096, page + 8192, page + 12288))
    assert m.hcall("RPAGES", 0, mr, full, 3)[0] == "TABLE_FULL"
    assert m.hcall("RPAGES", 0, mr, full, 2)[0] == "SUCCESS"


def test_mr_length_is_a_multiple_of_its_page_size(boot):
    m = boot(expect=["bad-argument"])
    mr = m.ok("ALLOC", 5, BUS, 3 * 4096, ACCESS, PD)[0]
    assert m.hcall("RPAGES", 1 << 8, mr, m.alloc(32) & ~0xffff, 1)[0] == \
        "PARAMETER"


def test_smrs_share_translations_and_hold_their_mr(boot):
    m = boot(expect=["free-while-referenced", "dead-handle", "pages-missing"])
    bare = m.ok("ALLOC", 5, BUS, 4096, ACCESS, PD)[0]
    assert m.hcall("SMR", bare, BUS, ACCESS, PD)[0] == "MR_CONDITION"
    mr, lkey = m.mr(m.alloc(1), 4096)
    smr, other = m.smr(mr)
    assert lkey != other
    assert m.hcall("FREE", mr, 1)[0] == "RESOURCE"
    m.ok("FREE", smr, 1)
    m.ok("FREE", mr, 1)
    assert m.hcall("FREE", mr, 1)[0] == "RH_PARM"
    assert m.violations()["dead-handle"] == 1


def test_resources_are_freed_in_order(boot):
    m = boot(expect=["free-while-referenced", "free-enabled-qp"])
    qp = Qp(m).start()
    assert m.hcall("FREE", qp.queue_eq.handle, 1)[0] == "RESOURCE"
    assert m.hcall("FREE", qp.scq.handle, 1)[0] == "RESOURCE"
    assert qp.free(0) == "R_STATE"
    m.ok("DISABLE", 1, qp.handle)
    assert qp.free(0) == "SUCCESS"
    for handle in (qp.scq.handle, qp.rcq.handle, qp.aeq.handle,
                   qp.queue_eq.handle, qp.mr):
        m.ok("FREE", handle, 0)
    assert not any(m.get("resources").values())


def test_qp_states(boot):
    m = boot(expect=["qp-state"])
    qp = Qp(m)
    assert qp.state() == (0, 1)
    assert qp.control(False, 5) == "R_STATE"
    qp.start()
    assert qp.state() == (1, 5)
    assert qp.control(False, 0) == "SUCCESS"
    assert qp.state() == (0, 5)
    assert qp.control(True, 0x80) == "SUCCESS"
    assert qp.state() == (1, 0)
    assert qp.control(False, 1) == "SUCCESS"
    assert qp.state() == (0, 1)


# Data path


FORMS = {"descriptors only": (0, [700, 600, 200]),
         "immediate only": (200, []),
         "both": (160, [100, 500, 40, 700])}


@pytest.mark.parametrize("form", FORMS)
def test_every_send_form_delivers_every_byte(boot, form):
    m, qp, link = wire(boot)
    imm, sizes = FORMS[form]
    total = imm + sum(sizes)
    frame = frames.ether(HOST, P1, 0x88b5,
                         bytes(i * 7 & 255 for i in range(total - 14)))
    at, descs = imm, []
    for size in sizes:
        descs.append(qp.put(0x3000 + 2 * at, frame[at:at + size]))
        at += size
    qp.send(frame[:imm], descs, wr_id=0xabcdef0123456789)
    assert link.recv() == frame
    cqe = qp.sent()
    assert (cqe.wr_id, cqe.status, cqe.token) == (0xabcdef0123456789, 0, 7)
    assert m.port_stats()["tx_frames"] == 1


def test_full_wqe_of_twenty_descriptors(boot):
    _, qp, link = wire(boot)
    frame = frames.ether(HOST, P1, 0x88b5, bytes(range(1, 220)))
    descs = [qp.put(0x100 * i, frame[20 + 10 * i:30 + 10 * i])
             for i in range(20)]
    qp.send(frame[:20], descs)
    assert link.recv() == frame[:220]


@pytest.mark.parametrize("size,rq", [(60, 1), (188, 1), (189, 2), (2044, 2),
                                     (2045, 3), (9014, 3)])
def test_frame_goes_to_the_queue_of_its_size(boot, size, rq):
    m, qp, link = wire(boot)
    assert m.modify_port(1, 4, bit(3), bytes(12) + struct.pack("!I", 1)) == \
        "SUCCESS"
    frame = frames.ether(P1, HOST, 0x88b5, bytes(i & 255
                                                 for i in range(size - 14)))
    link.send(frame)
    cqe, data = qp.received()
    assert (cqe.rq, cqe.bytes, data) == (rq, size + 4, frame + fcs(frame))
    assert cqe.token == 7


def test_rings_wrap_with_their_valid_bits(boot):
    m, qp, link = wire(boot)
    for i in range(300):
        frame = frames.ether(HOST, P1, 0x88b5, struct.pack("!I", i))
        qp.send(frame, wr_id=i)
        assert qp.sent().wr_id == i
        assert link.recv() == frame
        back = frames.ether(P1, HOST, 0x88b5, struct.pack("!I", i))
        link.send(back)
        assert qp.received()[1][:60] == back
    assert m.port_stats()["rx_frames"] == 300


def test_one_doorbell_rings_a_batch(boot):
    m, qp, link = wire(boot)
    batch = [frames.ether(HOST, P1, 0x88b5, bytes([i] * 46))
             for i in range(100)]
    for frame in batch:
        qp.post(qp.swqe(frame, flags=0x8000))
    qp.ring_bell(SQA, 100)
    assert [link.recv() for _ in batch] == batch
    assert m.get("stats")["mmio"]["sqa"] == 1
    assert qp.scq.poll(9) is None
    qp.send(batch[0])
    assert qp.sent().count == 101


def test_purged_wqe_completes_without_being_sent(boot):
    m, qp, link = wire(boot)
    qp.send(descs=[(0, 0xdead, 100)], control=0x0110 | 0x0800, wr_id=5)
    assert qp.sent().wr_id == 5
    assert link.recv(0.1) is None
    assert m.port_stats()["tx_frames"] == 0


def test_short_frames_are_padded_and_long_ones_not_sent(boot):
    m, qp, link = wire(boot)
    frame = frames.ether(HOST, P1, 0x88b5, b"abc", pad=False)
    qp.send(frame)
    assert link.recv() == frame.ljust(60, b"\0")
    qp.send(descs=[qp.put(0, bytes(1515))])
    qp.sent()
    m.until(lambda: m.port_stats()["drops"].get("tx-too-long") == 1)


@pytest.mark.parametrize("proto", ["tcp", "udp", "ip"])
def test_checksums_are_inserted(boot, proto):
    _, qp, link = wire(boot)
    good = udp(333, dst=HOST) if proto != "tcp" else tcp_frame(333)
    raw = bytearray(good)
    raw[24:26] = b"\xff\xff"
    field = 50 if proto == "tcp" else 40
    if proto != "ip":
        raw[field:field + 2] = b"\x55\xaa"
    flags = 0x8800 | 0x4000 | (0 if proto == "ip" else 0x2000)
    qp.send(descs=[qp.put(0, bytes(raw))], flags=flags, ip=(14, 33),
            csum=field)
    assert link.recv() == good


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


def test_tso_cuts_a_stream_into_segments(boot):
    _, qp, link = wire(boot)
    payload = bytes(i * 3 & 255 for i in range(3500))
    whole = tcp_frame(0, flags=0x99, payload=payload)
    qp.send(whole[:54], [qp.put(0, whole[54:2000]),
                         qp.put(0x2000, whole[2000:])],
            flags=0xf800, ip=(14, 33), csum=50, mss=1000)
    for i in range(4):
        part = payload[1000 * i:1000 * i + 1000]
        flags = 0x99 & (0xff if i == 0 else 0x7f) & (0xff if i == 3 else 0xf6)
        assert link.recv() == tcp_frame(0, 1000 + 1000 * i, flags, 1 + i, part)
    qp.sent()


def test_vlan_tag_is_inserted_after_the_checksum(boot):
    _, qp, link = wire(boot)
    good = udp(100, dst=HOST)
    qp.send(descs=[qp.put(0, good)], flags=0xec00, ip=(14, 33), csum=40,
            vlan=0x6005)
    assert link.recv() == good[:12] + b"\x81\x00\x60\x05" + good[12:]


@pytest.mark.parametrize("kind,status,hlen", [
    ("good", 0, 42), ("bad udp", 0x4000, 42), ("bad ip", 0x6000, 0),
    ("no checksum", 0, 42), ("icmp", 0x4000, 0), ("fragment", 0x4000, 0)])
def test_receive_status_of_ipv4(boot, kind, status, hlen):
    _, qp, link = wire(boot)
    frame = bytearray(udp(300, check=kind != "no checksum"))
    if kind == "bad udp":
        frame[100] ^= 1
    elif kind == "bad ip":
        frame[22] ^= 1
    elif kind in ("icmp", "fragment"):
        packet = frames.ipv4("10.0.0.2", "10.0.0.1", 1 if kind == "icmp"
                             else 17, bytes(100),
                             frag=0x2000 if kind == "fragment" else 0)
        frame = bytearray(frames.ether(P1, HOST, 0x0800, packet))
    link.send(bytes(frame))
    cqe, _ = qp.received()
    assert (cqe.status, cqe.hlen) == (status, hlen)


@pytest.mark.parametrize("tag,rxc", [(b"", 0), (b"\x81\x00\x00\x05", 0),
                                     (b"\x81\x00\x00\x05", RXC["xtract"])])
def test_blind_sum_of_other_protocols(boot, tag, rxc):
    _, qp, link = wire(boot, rxc=NORMAL | rxc)
    plain = frames.ether(P1, HOST, 0x86dd, bytes(i * 11 & 255
                                                 for i in range(333)))
    link.send(plain[:12] + tag + plain[12:])
    cqe, data = qp.received()
    if rxc:
        assert (cqe.status, cqe.vlan, data[:-4]) == (0x8400, 5, plain)
    else:
        assert cqe.status == 0x8000
        assert data[:-4] == plain[:12] + tag + plain[12:]
    assert cqe.csum == frames.checksum(data[14:-4])


def test_unchecked_ipv4_is_blind(boot):
    _, qp, link = wire(boot, rxc=RXC["valid"])
    frame = udp()
    link.send(frame)
    cqe, _ = qp.received()
    assert (cqe.status, cqe.csum) == (0x8000, frames.checksum(frame[14:]))


# Filters


def passes(m, link, frame):
    """Does the port take this frame?"""
    before = m.port_stats()
    link.send(frame)

    def moved():
        now = m.port_stats()
        return now if now["rx_frames"] + sum(now["drops"].values()) > \
            before["rx_frames"] + sum(before["drops"].values()) else None
    return m.until(moved)["rx_frames"] > before["rx_frames"]


def test_only_what_the_filters_name_gets_in(boot):
    m, qp, link = wire(boot, expect=["bcmc"])
    tag = b"\x81\x00\x00\x07"

    def frame(dst, tagged=False):
        plain = frames.ether(dst, HOST, 0x88b5)
        return plain[:12] + tag + plain[12:] if tagged else plain

    assert passes(m, link, frame(P1))
    assert not passes(m, link, frame(P2))
    for dst in (GROUP, frames.BROADCAST):
        assert not passes(m, link, frame(dst))
    assert qp.filter(2, P1) == "SUCCESS"
    assert passes(m, link, frame(frames.BROADCAST))
    assert not passes(m, link, frame(frames.BROADCAST, True))
    assert qp.filter(1, P1) == "SUCCESS"
    assert passes(m, link, frame(frames.BROADCAST, True))
    assert qp.filter(4, GROUP, vlan=7) == "SUCCESS"
    assert passes(m, link, frame(GROUP, True))
    assert not passes(m, link, frame(GROUP))
    assert qp.filter(6, GROUP) == "SUCCESS"
    assert qp.filter(6, GROUP) == "ALIAS_EXIST"
    assert passes(m, link, frame(GROUP))
    assert qp.filter(6, GROUP, op="DEREG_BCMC") == "SUCCESS"
    assert not passes(m, link, frame(GROUP))
    assert qp.filter(0xe, "00:00:00:00:00:00") == "SUCCESS"
    assert passes(m, link, frame("33:33:00:00:00:01"))
    assert m.get("resources")["bcmc"] == 4


def test_default_unicast_qp_takes_what_no_filter_matched(boot):
    m, qp, link = wire(boot)
    stray = frames.ether("52:54:00:99:99:99", HOST, 0x88b5)
    assert not passes(m, link, stray)
    assert m.modify_port(1, 7, bit(0), struct.pack("!Q", qp.handle)) == \
        "SUCCESS"
    assert passes(m, link, stray)
    m.set("promisc", False)
    assert m.modify_port(1, 7, bit(0), struct.pack("!Q", qp.handle)) == \
        "AUTHORITY"
    assert m.modify_port(1, 7, bit(0), bytes(8)) == "SUCCESS"
    assert not passes(m, link, stray)


def test_mac_change_takes_effect_and_ends_the_old_broadcast_filter(boot):
    m, qp, link = wire(boot)
    qp.filter(2, P1)
    assert m.modify_port(1, 0, bit(0), struct.pack("!Q", 0x525400112233)) == \
        "SUCCESS"
    assert not passes(m, link, frames.ether(P1, HOST, 0x88b5))
    assert passes(m, link, frames.ether("52:54:00:11:22:33", HOST, 0x88b5))
    assert not passes(m, link, frames.ether(frames.BROADCAST, HOST, 0x88b5))
    qp.filter(2, "52:54:00:11:22:33")
    assert passes(m, link, frames.ether(frames.BROADCAST, HOST, 0x88b5))


def test_vlan_filter(boot):
    m, _, link = wire(boot, rxc=NORMAL | RXC["vlan"])
    vlans = bytearray(512)
    struct.pack_into("!Q", vlans, 8, bit(100 % 64))
    assert m.modify_port(1, 1, bit(0), bytes(vlans)) == "SUCCESS"
    plain = frames.ether(P1, HOST, 0x88b5)

    def tagged(vid):
        return plain[:12] + struct.pack("!HH", 0x8100, 0xe000 | vid) + \
            plain[12:]
    assert passes(m, link, plain)
    assert passes(m, link, tagged(100))
    assert not passes(m, link, tagged(101))
    assert m.query_port(1, 1, bit(0), 512) == bytes(vlans)


def test_multicast_table_is_full_some_time(boot):
    m, qp, _ = wire(boot, max_mc=4)
    macs = [f"01:00:5e:00:00:{i:02x}" for i in range(4)]
    for mac in macs[:3]:
        assert qp.filter(6, mac) == qp.filter(5, mac) == "SUCCESS"
    assert qp.filter(6, macs[3]) == "MCG_FULL"
    assert qp.filter(0xe, "00:00:00:00:00:00") == "SUCCESS"
    m.set("bcmc-allowed", False)
    qp.filter(6, macs[0], op="DEREG_BCMC")
    assert qp.filter(6, macs[0]) == "AUTHORITY"


def test_runts_and_long_frames_do_not_get_in(boot):
    m, _, link = wire(boot)
    assert not passes(m, link, frames.ether(P1, HOST, 0x88b5, pad=False))
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5, bytes(1500)))
    assert not passes(m, link, frames.ether(P1, HOST, 0x88b5, bytes(1501)))
    m.modify_port(1, 4, bit(3), bytes(12) + struct.pack("!I", 1))
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5, bytes(1501)))
    drops = m.port_stats()["drops"]
    assert drops == {"runt": 1, "too-long": 1}


def test_flows_spread_over_default_qps_and_stay_there(boot):
    m = boot(ports=1, net="wire", default_qps=4)
    qps = [Qp(m, token=i, memory=i == 0) for i in range(4)]
    for qp in qps:
        qp.mem, qp.lkey, qp.size = qps[0].mem, qps[0].lkey, 1 << 20
        qp.start().receive(rq2=2, rq3=2)
    numbers = [qps[i % 4].number for i in range(16)]
    cb = struct.pack("!QQ", 0, NORMAL) + bytes(0x20) + \
        struct.pack("!16Q", *numbers)
    m.modify_port(1, 0, bit(1) | bit(7), cb)
    hits = {}
    for sport in list(range(64)) * 2:
        m.links[0].send(udp(50, sport=sport))
        took = m.until(lambda: [q for q in qps
                                if q.rings[1].poll(9, 256)])
        assert len(took) == 1
        took[0].ring_bell(RQ1A, 1)
        assert hits.setdefault(sport, took[0].token) == took[0].token
    assert set(hits.values()) == {0, 1, 2, 3}


# Events


def test_event_once_per_arming_and_nothing_retroactive(boot):
    m, qp, link = wire(boot)
    frame = frames.ether(P1, HOST, 0x88b5)
    irqs = m.get("stats")["irqs"]
    assert passes(m, link, frame)
    assert m.get("stats")["irqs"] == irqs
    qp.arm()
    assert m.load(qp.rcq.epa + N1) == ARM
    assert m.get("stats")["irqs"] == irqs
    assert passes(m, link, frame)
    assert m.get("stats")["irqs"] == irqs + 1
    assert m.load(qp.rcq.epa + N1) == 0
    assert m.load(qp.rcq.epa + EP) >> 63 == 1
    assert passes(m, link, frame)
    m.store(qp.rcq.epa + N1, ARM)
    assert passes(m, link, frame)
    assert m.get("stats")["irqs"] == irqs + 1
    m.store(qp.rcq.epa + EP, 0)
    assert passes(m, link, frame)
    assert m.get("stats")["irqs"] == irqs + 2


def test_lenient_arming_reports_what_is_there(boot):
    m, qp, link = wire(boot, arming="lenient")
    qp.arm()
    assert m.get("stats")["irqs"] == 0
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5))
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5))
    assert m.get("stats")["irqs"] == 1
    qp.arm()
    assert m.get("stats")["irqs"] == 2
    qp.arm()
    assert m.get("stats")["irqs"] == 2


def neqe(m, ring):
    """The next notification as (code, port, up, external)."""
    data = ring.poll(0)
    if not data:
        return None
    word = struct.unpack("!Q", data)[0]
    return word >> 56 & 0x3f, word >> 16 & 0xffff, word >> 47 & 1, \
        word >> 46 & 1


def test_notifications_interrupt_once_until_reset(boot):
    m, qp, _ = wire(boot)
    neq = m.eq(neq=True, silent=False)
    irqs = m.get("stats")["irqs"]
    qp.start_port()
    assert neqe(m, neq) == (0x30, 1, 1, 1)
    m.qmp.command("set_link", name="n0", up=False)
    assert neqe(m, neq) == (0x30, 1, 0, 0)
    assert m.get("stats")["irqs"] == irqs + 1
    m.ok("RESET_EVENTS", neq.handle, 6)
    assert m.get("stats")["irqs"] == irqs + 1
    m.ok("RESET_EVENTS", neq.handle, 7)
    assert m.get("stats")["irqs"] == irqs + 2
    m.ok("RESET_EVENTS", neq.handle, 7)
    m.qmp.command("set_link", name="n0", up=True)
    assert m.get("stats")["irqs"] == irqs + 3
    assert neqe(m, neq) == (0x30, 1, 1, 1)


def test_control_block_0_tells_the_link(boot):
    m, _, _ = wire(boot)

    def link():
        cb = m.query_port(1, 0, 0xff << 56, 0xb0)
        return struct.unpack("!III", cb[0x18:0x24])
    assert link() == (1, 8, 1)
    m.set("action", "phy port=1 up=0")
    assert link() == (1, 0, 0)
    m.set("action", "logical port=1 up=0")
    assert link()[0] == 0
    m.set("action", "phy port=1 up=1")
    assert m.modify_port(1, 4, bit(0), struct.pack("!I", 6)) == "SUCCESS"
    assert link() == (0, 6, 1)
    assert m.modify_port(1, 4, bit(0), struct.pack("!I", 0)) == "SUCCESS"
    assert link() == (0, 8, 1)
    m.set("speed-allowed", False)
    assert m.modify_port(1, 4, bit(0), struct.pack("!I", 6)) == "AUTHORITY"


def test_jumbo_needs_permission(boot):
    m, _, _ = wire(boot, jumbo="off")
    cb = bytes(12) + struct.pack("!I", 1)
    assert m.modify_port(1, 4, bit(3), cb) == "AUTHORITY"
    assert m.query_port(1, 4, bit(3), 16) == bytes(16)
    m.set("jumbo", True)
    assert m.modify_port(1, 4, bit(3), cb) == "SUCCESS"


def test_notification_queue_wraps(boot):
    m, _, _ = wire(boot)
    neq = m.eq(neq=True, silent=False)
    for i in range(1200):
        m.set("action", f"neqe code=0x33 port=1" if i % 2 else
              "neqe raw=0x3200000012340000")
        assert neqe(m, neq)[:2] == ((0x33, 1) if i % 2 else (0x32, 0x1234))


# Pause, errors


def test_disabled_qp_touches_nothing_and_goes_on_where_it_was(boot):
    m, qp, link = wire(boot)
    frame = frames.ether(P1, HOST, 0x88b5, bytes(500))
    assert passes(m, link, frame)
    qp.received()
    assert qp.control(False, 5) == "SUCCESS"
    reads = m.get("stats")["dma"]
    out = frames.ether(HOST, P1, 0x88b5, b"later")
    qp.send(out)
    assert not passes(m, link, frame)
    assert link.recv(0.1) is None
    assert m.port_stats()["drops"] == {"qp-disabled": 1}
    assert m.get("stats")["dma"]["write_bytes"] == reads["write_bytes"]
    assert qp.control(True, 5) == "SUCCESS"
    assert link.recv() == out
    qp.sent()
    assert passes(m, link, frame)
    cqe, data = qp.received()
    assert (cqe.wr_id, data[:-4]) == (1, frame)


def test_disable_call_does_the_same(boot):
    m, qp, link = wire(boot)
    m.ok("DISABLE", 1, qp.handle)
    assert qp.state() == (0, 5)
    assert not passes(m, link, frames.ether(P1, HOST, 0x88b5))


def faulty(m, qp):
    """The affiliated event of a QP error, as (QP number, token)."""
    word = struct.unpack("!Q", qp.aeq.take(0))[0]
    assert word >> 62 & 1 == 0
    return word >> 32 & 0xffffff, word & 0xffffffff


DMA = {"other key": (lambda q: (BUS, q.lkey ^ 1, 100), "dma-lkey"),
       "beyond the end": (lambda q: (BUS + q.size - 50, q.lkey, 100),
                          "dma-range"),
       "before the start": (lambda q: (BUS - 4096, q.lkey, 100),
                            "dma-range"),
       "around zero": (lambda q: (BUS, q.lkey, 0xfff0), "dma-range")}


@pytest.mark.parametrize("kind", DMA)
def test_send_without_translation_stops_the_qp(boot, kind):
    desc, violation = DMA[kind]
    m, qp, link = wire(boot, expect=[violation])
    if kind == "around zero":
        _, qp.lkey = m.mr(m.alloc(1), 4096)
    qp.send(descs=[desc(qp)])
    assert faulty(m, qp) == (qp.number, 7)
    assert qp.state() == (1, 0)
    assert link.recv(0.05) is None
    assert qp.scq.poll(9) is None


def test_key_of_another_domain_is_no_key(boot):
    m, qp, _ = wire(boot, expect=["dma-pd"])
    _, lkey = m.mr(m.alloc(1), 4096, pd=PD + 1)
    qp.send(descs=[(BUS, lkey, 100)])
    faulty(m, qp)


def test_incomplete_mr_translates_nothing(boot):
    m, qp, _ = wire(boot, expect=["dma-incomplete-mr"])
    outs = m.ok("ALLOC", 5, BUS, 8192, ACCESS, PD)
    m.ok("RPAGES", 0, outs[0], m.alloc(1), 1, want=("PAGE_REGISTERED",))
    qp.send(descs=[(BUS, outs[2], 100)])
    faulty(m, qp)


def test_receive_into_a_dead_key_stops_the_qp(boot):
    m, qp, link = wire(boot, expect=["dma-lkey", "free-mr-in-use"])
    m.ok("FREE", qp.mr, 1)
    assert not passes(m, link, udp(600))
    assert faulty(m, qp) == (qp.number, 7)
    assert m.port_stats()["drops"] == {"rx-dma": 1}
    assert not passes(m, link, udp(600))
    assert m.port_stats()["drops"]["qp-error"] == 1


def test_paused_qp_may_lose_its_mr_and_get_a_new_key(boot):
    m, qp, link = wire(boot)
    assert qp.control(False, 5) == "SUCCESS"
    m.ok("FREE", qp.mr, 1)
    qp.mr, qp.lkey = m.mr(qp.mem, qp.size)
    for i in range(50):
        m.write(qp.rings[2].addr(i) + 0x28, struct.pack("!I", qp.lkey))
    assert qp.control(True, 5) == "SUCCESS"
    assert passes(m, link, udp(600))


def test_error_data_names_the_qp(boot):
    m, qp, _ = wire(boot)
    cb = m.cb()
    assert m.hcall("ERROR_DATA", qp.handle, cb)[0] == "R_STATE"
    m.set("action", "qp-error port=1 index=0 aer=0x1234")
    m.ok("ERROR_DATA", qp.handle, cb)
    words = struct.unpack("!24Q", m.read(cb, 192))
    assert words[0] == 192 and words[1] == qp.handle
    assert words[2] >> 56 == 8 and words[6] == 0x1234 and words[22] == 1
    assert qp.free(0) == "R_STATE"
    assert qp.free(1) == "SUCCESS"


BAD_WQES = {
    "no data": {"control": 0x8800}, "reserved bit": {"control": 0x8a01},
    "immediate too long": {"imm_len": 225}, "no descriptor": {
        "control": 0x8900, "descs": 0},
    "descriptors too many": {"control": 0x8b00, "descs": 21}}


@pytest.mark.parametrize("name", BAD_WQES)
def test_malformed_send_stops_the_qp(boot, name):
    m, qp, _ = wire(boot, expect=["bad-wqe"])
    qp.send(bytes(60), **BAD_WQES[name])
    faulty(m, qp)


@pytest.mark.parametrize("fields", [{"ip": (14, 37)}, {"csum": 51},
                                    {"ip": (18, 37)}])
def test_wrong_offsets_are_not_sent(boot, fields):
    m, qp, link = wire(boot, expect=["bad-wqe"])
    good = {"ip": (14, 33), "csum": 40, **fields}
    qp.send(descs=[qp.put(0, udp(100, dst=HOST))], flags=0xe800, **good)
    qp.sent()
    assert link.recv(0.05) is None
    assert m.port_stats()["drops"] == {"tx-bad": 1}


def test_overruns(boot):
    m = boot(expect=["sq-overrun", "rq-overrun"])
    qp = Qp(m)
    qp.ring_bell(SQA, 127)
    qp.ring_bell(SQA, 1)
    faulty(m, qp)
    assert qp.control(False, 1) == "SUCCESS"
    qp.ring_bell(RQ2A, 127)
    qp.ring_bell(RQ2A, 1)
    faulty(m, qp)


def test_completion_queue_overrun_and_false_credits(boot):
    m, qp, _ = wire(boot, expect=["cq-credits", "cq-overrun"])
    frame = frames.ether(HOST, P1, 0x88b5)
    qp.send(frame)
    qp.scq.take(9)
    m.store(qp.scq.epa + FECA, 2)
    assert m.violations() == {"cq-credits": 1}
    for _ in range(65):
        qp.send(frame)
    faulty(m, qp)


def test_dead_and_unknown_registers(boot):
    m = boot(expect=["mmio-dead-page", "mmio-size", "mmio-register"])
    qp = Qp(m)
    m.store(qp.epa + 0x28, 1)
    m.store(qp.epa + SQA, 1, size=4)
    qp.free()
    qp.ring_bell(SQA, 1)
    assert m.load(qp.epa + SQA) == 0xffffffffffffffff
    assert m.violations()["mmio-dead-page"] == 2
    assert Qp(m).epa != qp.epa


@pytest.mark.parametrize("empty,cause", [("rq1", "rq1-empty"),
                                         ("rq2", "rq2-empty"),
                                         ("rq3", "rq3-empty")])
def test_exhausted_queue_drops_by_cause(boot, empty, cause):
    m = boot(ports=1, net="wire")
    qp = Qp(m).start().receive(**{empty: 1})
    m.modify_port(1, 4, bit(3), bytes(12) + struct.pack("!I", 1))
    size = {"rq1": 50, "rq2": 600, "rq3": 4000}[empty]
    assert passes(m, m.links[0], udp(size))
    assert not passes(m, m.links[0], udp(size))
    assert m.port_stats()["drops"] == {cause: 1}
    if empty == "rq1":
        qp.ring_bell(RQ1A, 1)
        assert passes(m, m.links[0], udp(size))


def test_buffer_that_is_too_small_is_told(boot):
    m = boot(ports=1, net="wire")
    qp = Qp(m).start().receive(size=256)
    m.links[0].send(udp(600))
    cqe = Cqe(qp.rings[1].take(9, 256))
    assert (cqe.status, cqe.rq, cqe.wr_id) == (1, 2, 0)
    assert m.read(qp.mem + 0x40000, 256) == bytes(256)
    assert m.port_stats()["drops"] == {"buffer-short": 1}


def test_counters_of_control_blocks_2_and_6(boot):
    m, qp, link = wire(boot)
    for size in (60, 61, 200, 400, 900, 1400):
        qp.send(descs=[qp.put(0, frames.ether(HOST, P1, 0x88b5,
                                              bytes(size - 14)))])
        link.recv()
        assert passes(m, link, frames.ether(P1, HOST, 0x88b5,
                                            bytes(size - 14)))
    qp.send(frames.ether(frames.BROADCAST, P1, 0x88b5))
    qp.send(frames.ether(GROUP, P1, 0x88b5))
    assert len(link.recv()) == len(link.recv()) == 60
    assert not passes(m, link, frames.ether(P2, HOST, 0x88b5))
    cb2 = struct.unpack("!11Q", m.query_port(1, 2, 0xffe << 52, 88))
    octets = 60 + 61 + 200 + 400 + 900 + 1400 + 6 * 4
    assert cb2 == (octets, 6, 1, 0, 0, 0, 0, octets + 128, 6, 1, 1)
    cb6 = struct.unpack("!49Q", m.query_port(1, 6, 0xfffffe7fffff8000, 392))
    assert cb6[0:7] == (octets, 1, 1, 1, 1, 1, 1)
    assert cb6[20] == 1 and cb6[27:36] == (1, 1, octets + 128, 3, 1, 1, 1, 1,
                                           1)


def test_wrap_sends_a_port_its_own_frames(boot):
    m, qp, link = wire(boot)
    m.modify_port(1, 4, bit(4), bytes(16) + struct.pack("!I", 1))
    frame = frames.ether(P1, P1, 0x88b5, b"echo")
    qp.send(frame)
    assert qp.received()[1][:60] == frame
    assert link.recv(0.05) is None


# Faults


def test_status_before_the_effect_so_many_times(boot):
    m = boot()
    m.set("fault", "op=ALLOC_HEA_RESOURCE,rtype=eq,after=1,times=2,"
          "rc=H_NO_MEM")
    eq = [3 | 1 << 56, 20]
    got = [m.hcall("ALLOC", *eq)[0] for _ in range(5)]
    assert got == ["SUCCESS", "NO_MEM", "NO_MEM", "SUCCESS", "SUCCESS"]
    assert m.get("resources")["eq"] == 3
    rule = m.get("faults")[0]
    assert (rule["hits"], rule["seen"], rule["expired"]) == (2, 5, True)
    assert m.get("stats")["calls"]["H_ALLOC_HEA_RESOURCE"] == \
        {"total": 5, "H_SUCCESS": 3, "H_NO_MEM": 2}


def test_status_after_the_effect(boot):
    m = boot()
    eq = [3 | 1 << 56, 20]
    m.set("fault", "op=ALLOC,rc=H_HARDWARE,stage=after")
    assert m.hcall("ALLOC", *eq)[0] == "HARDWARE"
    assert m.get("resources")["eq"] == 1


def test_busy_after_the_effect_answers_the_same_call_later(boot):
    m = boot()
    eq = [3 | 1 << 56, 20]
    m.set("fault", "op=ALLOC,rc-seq=H_LONG_BUSY_ORDER_10_MSEC*2,H_BUSY,"
          "stage=after")
    assert [m.hcall("ALLOC", *eq)[0] for _ in range(3)] == \
        ["LONG_BUSY_10", "LONG_BUSY_10", "BUSY"]
    assert m.get("resources")["eq"] == 1
    handle = m.ok("ALLOC", *eq)[0]
    assert m.get("resources")["eq"] == 1
    m.ok("FREE", handle, 0)


def test_rule_for_a_block_of_a_port_corrupts_it(boot):
    m = boot(ports=2)
    m.set("fault", "op=QUERY_HEA_PORT,port=2,cb=0,times=0,"
          "corrupt=cb0.default-qps:200,cb0.mac:^0xff")

    def cb(port):
        data = m.query_port(port, 0, 0xff << 56, 0xb0)
        return struct.unpack("!Q", data[:8])[0], \
            struct.unpack("!I", data[0x28:0x2c])[0]
    assert cb(1) == (0x525400ea0001, 1)
    assert cb(2) == (0x525400ea00fd, 200)
    m.set("fault-clear", "all")
    assert cb(2) == (0x525400ea0002, 1)


def test_rule_changes_an_output_register(boot):
    m = boot()
    m.set("fault", "op=ALLOC,rtype=eq,corrupt=r8:99")
    assert m.ok("ALLOC", 3 | 1 << 56, 20)[4] == 99


def test_completion_is_corrupted_doubled_or_lost(boot):
    m, qp, link = wire(boot)
    for rule in ("wr=rx2,corrupt=wr_id:0xffff,status:|0x1000",
                 "wr=rx2,dup=1", "wr=rx2,drop", "wr=tx,drop"):
        m.set("fault", rule)
    link.send(udp(600))
    cqe = Cqe(qp.rings[1].take(9, 256))
    assert (cqe.wr_id, cqe.status) == (0xffff, 0x1000)
    link.send(udp(600))
    assert [Cqe(qp.rings[1].take(9, 256)).wr_id for _ in "ab"] == [1, 1]
    assert not passes(m, link, udp(600))
    link.send(udp(600))
    assert Cqe(qp.rings[1].take(9, 256)).wr_id == 3
    qp.send(frames.ether(HOST, P1, 0x88b5), wr_id=1)
    link.recv()
    qp.send(frames.ether(HOST, P1, 0x88b5), wr_id=2)
    assert qp.sent().wr_id == 2
    assert all(r["hits"] == 1 for r in m.get("faults"))


def test_doorbell_is_lost(boot):
    m, qp, link = wire(boot)
    m.set("fault", "reg=sqa,drop")
    qp.send(frames.ether(HOST, P1, 0x88b5, b"1"))
    assert link.recv(0.05) is None
    qp.send(frames.ether(HOST, P1, 0x88b5, b"2"))
    assert link.recv()[14:15] == b"1"
    assert link.recv(0.05) is None


def test_interrupt_is_lost_late_doubled_or_has_no_cause(boot):
    m, qp, link = wire(boot)
    frame = frames.ether(P1, HOST, 0x88b5)

    def irqs():
        return m.get("stats")["irqs"]
    for rule, now, later in (("irq=queue,drop", 0, 0),
                             ("irq=queue,delay=1000", 0, 1),
                             ("irq=any,dup=2", 3, 3)):
        before = irqs()
        m.set("fault", rule)
        qp.arm()
        assert passes(m, link, frame)
        assert irqs() - before == now
        m.clock_step(2000)
        assert irqs() - before == later
    before = irqs()
    m.set("action", "irq irq=queue n=5 us=10")
    m.clock_step(1000)
    m.until(lambda: irqs() - before == 5)


def test_frame_is_lost_or_damaged_on_the_wire(boot):
    m, qp, link = wire(boot)
    m.set("fault", "at=rx,port=1,corrupt=+60.1:^0xff")
    m.set("fault", "at=tx,drop")
    link.send(udp(100))
    assert qp.received()[0].status == 0x4000
    qp.send(frames.ether(HOST, P1, 0x88b5))
    qp.sent()
    assert m.port_stats()["drops"] == {"injected": 1}


def test_injected_dma_fault_is_no_violation(boot):
    m, qp, _ = wire(boot)
    m.set("fault", "at=dma,wr=tx")
    m.set("fault", "at=dma,wr=tx,drop")
    qp.send(descs=[qp.put(0, bytes(60))])
    qp.sent()
    qp.send(descs=[qp.put(0, bytes(60))])
    faulty(m, qp)
    assert m.get("stats")["dma"]["faults"] == 1


def test_event_entries_are_made_up_and_corrupted(boot):
    m, qp, _ = wire(boot)
    m.set("action", "eqe raw=0x05000001deadbeef")
    assert faulty(m, qp) == (1, 0xdeadbeef)
    m.set("fault", "at=eqe,corrupt=eqe.token:0xffffffff")
    m.set("action", "qp-error")
    assert faulty(m, qp) == (qp.number, 0xffffffff)
    neq = m.eq(neq=True, silent=False)
    m.set("fault", "at=neqe,port=1,corrupt=neqe.port:0x101")
    m.set("action", "malfunction port=1")
    assert neqe(m, neq)[:2] == (0x33, 0x101)
    m.set("action", "malfunction")
    assert neqe(m, neq)[0] == 0x32


def test_link_flaps(boot):
    m, _, _ = wire(boot)
    neq = m.eq(neq=True, silent=False)
    m.set("action", "flap port=1 n=3")
    assert [neqe(m, neq)[2] for _ in range(6)] == [0, 1] * 3
    m.set("action", "flap port=1 n=2 us=100")
    assert neqe(m, neq)[2] == 0
    assert neqe(m, neq) is None
    for _ in range(3):
        m.clock_step(100)
    assert m.until(lambda: [neqe(m, neq)[2] for _ in range(3)]) == [1, 0, 1]


def test_send_queue_hangs_and_is_released(boot):
    m, qp, link = wire(boot)
    m.set("action", "hold port=1")
    qp.send(frames.ether(HOST, P1, 0x88b5))
    assert link.recv(0.05) is None
    m.set("action", "release port=1")
    assert link.recv()
    m.set("action", "hold port=1 us=500")
    qp.send(frames.ether(HOST, P1, 0x88b5))
    assert link.recv(0.05) is None
    m.clock_step(600)
    assert link.recv()


def test_random_rules_repeat_with_their_seed(boot):
    m = boot()
    runs = []
    for _ in range(2):
        m.set("fault", "op=any,prob=0.5,seed=42,times=0,rc=H_BUSY")
        runs.append([m.hcall("FREE", 0x99, 0)[0] for _ in range(0)] +
                    [m.hcall("QUERY_HEA", 0x2000000)[0] for _ in range(40)])
        m.set("fault-clear", "")
    assert runs[0] == runs[1]
    assert set(runs[0]) == {"BUSY", "SUCCESS"}


@pytest.mark.parametrize("rule", [
    "rc=H_BUSY", "op=NONSENSE,rc=H_BUSY", "op=any,rc=H_NONSENSE",
    "op=any,corrupt=nowhere:1", "op=any,after=x", "op=any,what=1",
    "at=moon,drop", "op=any,stage=during"])
def test_bad_rule_is_refused(boot, rule):
    m = boot()
    with pytest.raises(QmpError):
        m.set("fault", rule)
    assert m.get("faults") == []


@pytest.mark.parametrize("action", ["nonsense", "phy up=1", "qp-error",
                                    "flap port=9", "neqe raw"])
def test_bad_action_is_refused(boot, action):
    m = boot()
    with pytest.raises(QmpError):
        m.set("action", action)


def test_slow_firmware_takes_its_time(boot):
    m = boot(hcall_delay_us=30000)
    began = time.monotonic()
    for _ in range(3):
        m.hcall("QUERY_HEA", m.cb())
    assert time.monotonic() - began >= 0.09
    m.set("hcall-delay-us", 0)
    began = time.monotonic()
    m.hcall("QUERY_HEA", m.cb())
    assert time.monotonic() - began < 0.03


# The machine around it


def lmb_isolate(m, index=0x80000001):
    """RTAS set-indicator: isolate a memory connector."""
    return m.rtas("set-indicator", [9001, index, 0])[0]


@pytest.mark.parametrize("policy,status", [("refuse", -9001), ("count", 0),
                                           ("off", 0)])
def test_memory_under_an_mr_is_not_given_back(boot, policy, status):
    expect = [] if policy == "off" else ["lmb-in-use"]
    m = boot(expect, mem="256M,slots=2,maxmem=1G", lmb_policy=policy, extra=[
        "-object", "memory-backend-ram,id=m0,size=256M",
        "-device", "pc-dimm,id=d0,memdev=m0"])
    base = m.qmp.command("query-memory-devices")[0]["data"]["addr"]
    index = 0x80000000 | base >> 28
    mr, _ = m.mr(base + (16 << 20), 16 << 20, 3)
    m.qmp.command("device_del", id="d0")
    if status:
        assert lmb_isolate(m, index) == status
        m.ok("FREE", mr, 0)
        assert m.get("stats")["refused_isolates"] == 1
    assert lmb_isolate(m, index) == 0


def test_mr_may_cover_hot_added_memory_and_no_more(boot):
    m = boot(["mr-too-large"], mem="256M,slots=2,maxmem=1G")
    assert m.hcall("ALLOC", 5, BUS, 257 << 20, ACCESS, PD)[0] == "RESOURCE"
    m.qmp.command("object-add", **{"qom-type": "memory-backend-ram",
                                   "id": "m0", "size": 256 << 20})
    m.qmp.command("device_add", driver="pc-dimm", id="d0", memdev="m0")
    m.ok("ALLOC", 5, BUS, 512 << 20, ACCESS, PD)


def test_reset_leaves_nothing(boot):
    m, qp, _ = wire(boot)
    qp.filter(2, P1)
    m.qmp.command("system_reset")
    m.until(lambda: m.get("stats")["resets"] == 2)
    assert not any(m.get("resources").values())
    assert m.get("stats")["leaked_at_reset"] == \
        {"qp": 1, "cq": 2, "eq": 2, "mr": 1, "smr": 0}
    assert struct.unpack("!QQ", m.query_port(1, 0, 0xc0 << 56, 16)) == \
        (0x525400ea0001, 0)
    Qp(m).start()


def test_device_tree_has_adapters_and_ports(boot, tmp_path):
    m = boot(devices=[["-device", "spapr-hea,id=hea0,ports=3"],
                      ["-device", "spapr-hea,id=hea1,port-no0=7"]])
    m.qmp.command("dumpdtb", filename=str(tmp_path / "dtb"))
    nodes = device_tree((tmp_path / "dtb").read_bytes())
    heas = sorted(n for n in nodes if n.startswith("/lhea@")
                  and n.count("/") == 1)
    assert len(heas) == 2
    handles = {nodes[n]["ibm,hea-handle"] for n in heas}
    assert len(handles) == 2
    ports = [[struct.unpack("!I", nodes[n]["ibm,hea-port-no"])[0]
              for n in nodes if n.startswith(hea + "/")] for hea in heas]
    assert ports == [[1, 2, 3], [7]]
    node = nodes[heas[0]]
    assert node["compatible"] == b"IBM,lhea\0" and len(node["reg"]) == 16
    port = next(nodes[n] for n in nodes if n.startswith(heas[0] + "/"))
    assert port["device_type"] == b"network\0"
    assert port["compatible"] == b"IBM,lhea-ethernet\0"


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


def test_adapters_do_not_share_anything(boot):
    m = boot(["bad-handle"],
             devices=[["-device", "spapr-hea,id=hea0,max-mrs=1"],
                      ["-device", "spapr-hea,id=hea1"]])
    mr, _ = m.mr(m.alloc(1), 4096)
    first = m.handle
    m.handle = first + 0x10000
    assert m.hcall("FREE", mr, 0)[0] == "RH_PARM"
    assert m.get("violations", "hea1")["by_kind"] == {"bad-handle": 1}
    qp = Qp(m).start()
    assert m.get("resources", "hea1")["qp"] == 1
    assert m.get("resources")["qp"] == 0
    m.handle = first
    assert m.hcall("FREE", qp.handle, 0)[0] == "RH_PARM"
