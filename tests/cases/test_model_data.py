# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual HEA without a guest: frames, filters, events, errors."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hea" / "test"))

# pylint: disable=wrong-import-position
from ehealab import frames                                      # noqa: E402
from heacase import (GROUP, HOST, P1, P2,         # noqa: E402
                     fcs, faulty, neqe, passes, tcp_frame, udp, wire)
from heamodel import (ACCESS, ARM, BUS, EP, FECA, N1, NORMAL,   # noqa: E402
                      PD, RQ1A, RQ2A, RXC, SQA, Cqe, Qp, bit)

pytest_plugins = ["heacase"]


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


def test_frames_go_out_after_the_delay(boot):
    m, qp, link = wire(boot, tx_delay_ns=1_000_000)
    frame = frames.ether(HOST, P1, 0x88b5, bytes(100))
    qp.send(frame)
    m.clock_step(900)
    assert m.port_stats()["tx_frames"] == 0
    m.clock_step(200)
    assert link.recv() == frame
    qp.send(frame)
    m.set("tx-delay-ns", 0)
    m.clock_step(1000)
    qp.send(frame)
    assert [link.recv(), link.recv()] == [frame, frame]


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


def test_many_qps_are_all_served(boot):
    m, first, link = wire(boot, max_eqs=14)
    qps = [first] + [Qp(m, memory=False).start() for _ in range(6)]
    m.set("action", "hold port=1")
    for i, qp in enumerate(qps):
        qp.send(frames.ether(HOST, P1, 0x88b5, bytes([i])), wr_id=i)
    m.set("action", "release port=1")
    assert [qp.sent().wr_id for qp in qps] == list(range(7))
    assert {link.recv()[14] for _ in qps} == set(range(7))


def test_endless_segments_do_not_stop_other_queues(boot):
    m, qp, link = wire(boot)
    long = Qp(m, memory=False).start()
    payload = bytes(i * 3 & 255 for i in range(500))
    whole = tcp_frame(0, payload=payload)
    m.set("action", "hold port=1")
    long.send(whole[:54], [qp.put(0, whole[54:])], flags=0xf800, ip=(14, 33),
              csum=50, mss=1, wr_id=5)
    qp.send(frames.ether(HOST, P1, 0x88b5, b"other"))
    m.set("action", "release port=1")
    out = [link.recv() for _ in range(501)]
    assert b"other" in out[64] or b"other" in out[0]
    assert [f[54] for f in out if b"other" not in f] == list(payload)
    assert (long.sent().wr_id, long.scq.poll(9)) == (5, None)
    assert m.port_stats()["tx_frames"] == 501


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


def test_filters_of_a_port_have_an_end(boot):
    m = boot(ports=1)
    for vlan in range(4096):
        for number in (0x01005e000001, 0x01005e000002):
            m.ok("REG_BCMC", 1, 4, number, vlan)
    assert m.hcall("REG_BCMC", 1, 6, 0x01005e000001, 0)[0] == "MCG_FULL"
    m.ok("DEREG_BCMC", 1, 4, 0x01005e000002, 7)
    m.ok("REG_BCMC", 1, 6, 0x01005e000001, 0)
    assert m.get("resources")["bcmc"] == 8192


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


def test_notifications_interrupt_once_until_reset(boot):
    m, qp, _ = wire(boot)
    neq = m.eq(neq=True, silent=False)
    irqs = m.get("stats")["irqs"]
    qp.start_port()
    assert neqe(neq) == (0x30, 1, 1, 1)
    m.qmp.command("set_link", name="n0", up=False)
    assert neqe(neq) == (0x30, 1, 0, 0)
    assert m.get("stats")["irqs"] == irqs + 1
    m.ok("RESET_EVENTS", neq.handle, 6)
    assert m.get("stats")["irqs"] == irqs + 1
    m.ok("RESET_EVENTS", neq.handle, 7)
    assert m.get("stats")["irqs"] == irqs + 2
    m.ok("RESET_EVENTS", neq.handle, 7)
    m.qmp.command("set_link", name="n0", up=True)
    assert m.get("stats")["irqs"] == irqs + 3
    assert neqe(neq) == (0x30, 1, 1, 1)


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
        m.set("action", "neqe code=0x33 port=1" if i % 2 else
              "neqe raw=0x3200000012340000")
        assert neqe(neq)[:2] == ((0x33, 1) if i % 2 else (0x32, 0x1234))


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
    assert faulty(qp) == (qp.number, 7)
    assert qp.state() == (1, 0)
    assert qp.control(True, 5) == "R_STATE"
    assert link.recv(0.05) is None
    assert qp.scq.poll(9) is None


def test_mr_with_a_send_under_way_is_in_use(boot):
    m, qp, _ = wire(boot, expect=["free-mr-in-use", "dma-lkey"])
    m.set("action", "hold port=1")
    mr, lkey = m.mr(m.alloc(1), 4096)
    qp.send(bytes(60), [(BUS, qp.lkey, 20), (BUS, lkey, 20)])
    m.ok("FREE", mr, 0)
    assert m.violations() == {"free-mr-in-use": 1}
    m.set("action", "release port=1")
    faulty(qp)


def test_key_of_another_domain_is_no_key(boot):
    m, qp, _ = wire(boot, expect=["dma-pd"])
    _, lkey = m.mr(m.alloc(1), 4096, pd=PD + 1)
    qp.send(descs=[(BUS, lkey, 100)])
    faulty(qp)


def test_incomplete_mr_translates_nothing(boot):
    m, qp, _ = wire(boot, expect=["dma-incomplete-mr"])
    outs = m.ok("ALLOC", 5, BUS, 8192, ACCESS, PD)
    m.ok("RPAGES", 0, outs[0], m.alloc(1), 1, want=("PAGE_REGISTERED",))
    qp.send(descs=[(BUS, outs[2], 100)])
    faulty(qp)


def test_receive_into_a_dead_key_stops_the_qp(boot):
    m, qp, link = wire(boot, expect=["dma-lkey", "free-mr-in-use"])
    m.ok("FREE", qp.mr, 1)
    assert not passes(m, link, udp(600))
    assert faulty(qp) == (qp.number, 7)
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
    "no data": {"control": 0x8800}, "flag without a descriptor": {
        "control": 0x8b00, "count": 0}, "reserved bit": {"control": 0x8a01},
    "immediate too long": {"imm_len": 225}, "no descriptor": {
        "control": 0x8900, "count": 0},
    "descriptors too many": {"control": 0x8b00, "count": 21}}


@pytest.mark.parametrize("name", BAD_WQES)
def test_malformed_send_stops_the_qp(boot, name):
    _, qp, _ = wire(boot, expect=["bad-wqe"])
    qp.send(bytes(60), **BAD_WQES[name])
    faulty(qp)


@pytest.mark.parametrize("field,value", [(14, 0x44), (23, 6), (17, 27)])
def test_headers_that_are_too_short_are_not_sent(boot, field, value):
    m, qp, link = wire(boot, expect=["bad-wqe"])
    packet = bytearray(udp(11, dst=HOST))
    packet[field] = value
    offsets = {14: (14, 29), 23: (14, 33), 17: (14, 33)}[field]
    qp.send(descs=[qp.put(0, bytes(packet))], flags=0xe800, ip=offsets,
            csum=offsets[1] + 1 + (16 if field == 23 else 6))
    qp.sent()
    assert link.recv(0.05) is None
    assert m.port_stats()["drops"] == {"tx-bad": 1}


def test_tso_needs_a_whole_tcp_header(boot):
    m, qp, link = wire(boot, expect=["bad-wqe"])
    whole = bytearray(tcp_frame(100))
    whole[46] = 0x40
    qp.send(bytes(whole[:50]), [qp.put(0, bytes(whole[50:]))], flags=0xf800,
            ip=(14, 33), csum=50, mss=50)
    qp.sent()
    assert link.recv(0.05) is None
    assert m.port_stats()["drops"] == {"tx-bad": 1}


def test_registers_of_a_cq_take_what_they_are_for(boot):
    m, qp, _ = wire(boot, expect=["reserved-bits"])
    for reg, value in ((FECA, 1 << 32), (EP, 1), (EP, ARM), (N1, ARM | 1)):
        m.store(qp.rcq.epa + reg, value)
    assert m.violations() == {"reserved-bits": 4}


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
    faulty(qp)
    assert qp.control(False, 1) == "SUCCESS"
    qp.ring_bell(RQ2A, 127)
    qp.ring_bell(RQ2A, 1)
    faulty(qp)


def test_completion_queue_overrun_and_false_credits(boot):
    m, qp, _ = wire(boot, expect=["cq-credits", "cq-overrun"])
    frame = frames.ether(HOST, P1, 0x88b5)
    qp.send(frame)
    qp.scq.take(9)
    m.store(qp.scq.epa + FECA, 2)
    assert m.violations() == {"cq-credits": 1}
    for _ in range(65):
        qp.send(frame)
    faulty(qp)


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


def test_lost_frames_are_counted_by_what_they_are(boot):
    m = boot(ports=1, net="wire")
    qp = Qp(m).start().receive(rq2=0, rxc=NORMAL | RXC["vlan"])
    assert qp.filter(6, GROUP) == "SUCCESS"
    link = m.links[0]
    plain = frames.ether(P1, HOST, 0x88b5, bytes(500))
    assert not passes(m, link, plain)
    assert not passes(m, link, frames.ether(GROUP, HOST, 0x88b5, bytes(500)))
    assert not passes(m, link, plain[:12] + b"\x81\x00\x00\x05" + plain[12:])
    cb2 = struct.unpack("!11Q", m.query_port(1, 2, 0xffe << 52, 88))
    assert cb2[2:4] == (1, 1)
    cb6 = struct.unpack("!49Q", m.query_port(1, 6, 0xfffffe7fffff8000, 392))
    assert cb6[20:22] == (1, 2)


def test_wrap_sends_a_port_its_own_frames(boot):
    m, qp, link = wire(boot)
    m.modify_port(1, 4, bit(4), bytes(16) + struct.pack("!I", 1))
    frame = frames.ether(P1, P1, 0x88b5, b"echo")
    qp.send(frame)
    assert qp.received()[1][:60] == frame
    assert link.recv(0.05) is None
