# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual HEA without a guest: calls, resources, pages."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hea" / "test"))

# pylint: disable=wrong-import-position
from ehealab.guest import artifact                              # noqa: E402
from heamodel import (ACCESS, BUS, PD, Model, Qp, Ring, bit)    # noqa: E402

pytest_plugins = ["heacase"]


# Calls


def test_query_hea_tells_limits_and_use(boot):
    m = boot(ports=2, max_qps=9, max_mrs=3, max_mc=17,
             mr_page_sizes=0xc0000000)
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
    "QP with reserved bits": ("ALLOC", lambda m: [
        Qp.CTRL | bit(16), (e := m.eq(), c := m.cq(e))[1].handle, c.handle,
        e.handle, PD, Qp.SIZES, 1, Qp.THRESHOLDS], "PARAMETER",
        "reserved-bits"),
    "QP with other signalling": ("ALLOC", lambda m: [
        Qp.CTRL & ~bit(23), (e := m.eq(), c := m.cq(e))[1].handle, c.handle,
        e.handle, PD, Qp.SIZES, 1, Qp.THRESHOLDS], "SIGT_PARM",
        "bad-argument"),
    "SMR in another domain": ("SMR", lambda m: [
        m.mr(m.alloc(1), 4096)[0], BUS, ACCESS, PD + 1], "PARAMETER",
        "bad-argument"),
    "VLAN filter 1": ("MODIFY_PORT", lambda m: [
        1, bit(1), 0, m.cb(struct.pack("!QQ", 0, bit(49) | 1))],
        "ATTR_PARM", "bad-argument"),
    "VLAN filter 3": ("MODIFY_PORT", lambda m: [
        1, bit(1), 0, m.cb(struct.pack("!QQ", 0, bit(49) | 3))],
        "ATTR_PARM", "bad-argument"),
    "port state 2": ("MODIFY_PORT", lambda m: [
        4 << 16 | 1, bit(2), 0, m.cb(struct.pack("!III", 0, 0, 2))],
        "ATTR_PARM", "bad-argument"),
    "MIB counters that are none": ("QUERY_PORT", lambda m: [
        6 << 16 | 1, bit(23), 0, m.cb()], "MASK_PARM", "bad-mask"),
    "default unicast QP of another port": ("MODIFY_PORT", lambda m: [
        7 << 16 | 1, bit(0), 0,
        m.cb(struct.pack("!Q", Qp(m, port=2, memory=False).handle))],
        "RH_PARM", "bad-argument"),
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


def test_calls_without_an_adapter_are_unknown_to_firmware():
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


def test_register_pages_are_4_kib_apart(boot):
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


def test_register_pages_may_run_out(boot):
    m = boot(epa_spacing=65536)
    eq = m.eq()
    cqs = [m.ok("ALLOC", 2, eq.handle, 0, 20)[0] for _ in range(1024)]
    qp = (Qp.CTRL, cqs[0], cqs[1], eq.handle, PD, Qp.SIZES, 1, 0)
    assert m.hcall("ALLOC", *qp)[0] == "NOT_ENOUGH_RESOURCES"
    m.set("max-cqs", 2000)
    assert m.hcall("ALLOC", 2, eq.handle, 0, 20)[0] == "NOT_ENOUGH_RESOURCES"
    m.ok("FREE", cqs.pop(), 0)
    qp = m.ok("ALLOC", *qp)
    for handle in (qp[0], *cqs, eq.handle):
        m.ok("FREE", handle, 0)
    assert not any(m.get("resources").values())


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


def test_page_twice_in_one_list_registers_nothing(boot):
    m = boot(expect=["page-twice"])
    page = m.alloc(2)
    mr = m.ok("ALLOC", 5, BUS, 2 * 4096, ACCESS, PD)[0]
    twice = m.cb(struct.pack("!2Q", page, page))
    assert m.hcall("RPAGES", 0, mr, twice, 2)[0] == "PARAMETER"
    m.mr_pages(mr, page, 2 * 4096)
    assert m.get("stats")["mr"]["pages"]["4K"] == 2


def test_refused_pages_do_not_settle_the_page_size(boot):
    m = boot(expect=["page-unaligned", "page-not-ram", "bad-argument"])
    real = m.alloc(64) + 0xffff & ~0xffff
    mr = m.ok("ALLOC", 5, BUS, 2 << 16, ACCESS, PD)[0]
    assert m.hcall("RPAGES", 0, mr, real + 8, 1)[0] == "PARAMETER"
    assert m.hcall("RPAGES", 0, mr, 1 << 40, 1)[0] == "MEM_PARM"
    m.ok("RPAGES", 1 << 8, mr, real, 1, want=("PAGE_REGISTERED",))
    assert m.hcall("RPAGES", 0, mr, real + 65536, 1)[0] == "PARAMETER"


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


def test_event_queues_need_their_pages_first(boot):
    m = boot(expect=["pages-missing"], max_eqs=9)
    bare = [m.ok("ALLOC", 3 | 1 << 56 | silent, 20)[0]
            for silent in (0, bit(16))]
    whole = Qp(m)
    cq = m.cq(Ring(m, 8, 1, bare[1]))
    args = {"aeq": (whole.scq, bare[0]), "scq's eq": (cq, whole.aeq.handle)}
    for scq, aeq in args.values():
        qp = Qp(m, memory=False, scq=scq, aeq=aeq)
        assert qp.control(False, 2) == "SUCCESS"
        assert qp.control(True, 2) == "R_STATE"
    assert m.violations() == {"pages-missing": 2}


def test_forced_free_of_a_running_qp_is_counted(boot):
    m = boot()
    first, second = Qp(m).start(), Qp(m).start()
    m.ok("DISABLE", 1, first.handle)
    assert first.free(1) == second.free(1) == "SUCCESS"
    assert m.get("stats")["forced_qp_frees"] == 1


def test_qp_states(boot):
    m = boot(expect=["qp-state", "reserved-bits"])
    qp = Qp(m)
    assert qp.state() == (0, 1)
    assert qp.control(False, 5) == "R_STATE"
    assert qp.control(True, 2) == "R_STATE"
    assert qp.control(False, 2) == "SUCCESS"
    assert qp.control(False, 5) == "R_STATE"
    assert qp.control(True, 5) == "R_STATE"
    assert qp.control(False, 1) == "SUCCESS"
    for junk in (bit(1), bit(24), 1):
        rc, outs = m.hcall("MODIFY_QP", 0, qp.handle, bit(0),
                           m.cb(struct.pack("!Q", junk | 2 << 40)))
        assert (rc, outs[0]) == ("ATTR_PARM", 0)
    assert m.violations() == {"qp-state": 4, "reserved-bits": 3}
    qp.start()
    assert qp.state() == (1, 5)
    assert qp.control(False, 0) == "SUCCESS"
    assert qp.state() == (0, 5)
    assert qp.control(True, 0x80) == "SUCCESS"
    assert qp.state() == (1, 0)
    assert qp.control(False, 1) == "SUCCESS"
    assert qp.state() == (0, 1)
