# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual HEA without a guest: faults, and the machine around it."""

import struct
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hea" / "test"))

# pylint: disable=wrong-import-position
from ehealab import frames                                      # noqa: E402
from ehealab.guest import artifact                              # noqa: E402
from ehealab.qmp import QmpError                                # noqa: E402
from heacase import (GROUP, HOST, P1,                    # noqa: E402
                     device_tree, faulty, neqe, passes, udp, wire)
from heamodel import ACCESS, BUS, PD, Cqe, Model, Qp            # noqa: E402

pytest_plugins = ["heacase"]


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


def test_interleaved_busy_calls_all_get_their_own_answer(boot):
    m = boot(max_eqs=9)
    small, large = [3 | 1 << 56, 20], [3 | 1 << 56, 4000]
    m.set("fault", "op=ALLOC,rc-seq=H_BUSY*4,stage=after")
    for args in (small, large, large, small):
        assert m.hcall("ALLOC", *args)[0] == "BUSY"
    assert m.get("resources")["eq"] == 2
    assert [m.ok("ALLOC", *args)[3] for args in (large, small)] == [4096, 512]
    assert m.get("resources")["eq"] == 2
    m.ok("ALLOC", *small)
    assert m.get("resources")["eq"] == 3


def test_what_was_done_under_busy_is_not_done_again(boot):
    m = boot()
    eq = [3 | 1 << 56, 20]
    m.set("fault", "op=ALLOC,rc-seq=H_BUSY,H_HARDWARE,stage=after")
    assert m.hcall("ALLOC", *eq)[0] == "BUSY"
    assert m.hcall("ALLOC", *eq)[0] == "HARDWARE"
    assert m.get("resources")["eq"] == 1
    m.ok("ALLOC", *eq)
    assert m.get("resources")["eq"] == 2


def test_busy_call_is_not_taken_for_one_with_another_block(boot):
    m, qp, _ = wire(boot)
    cb = m.cb()

    def mac(number):
        m.write(cb, struct.pack("!Q", number))
        return m.hcall("MODIFY_PORT", 1, 1 << 63, 0, cb)[0]

    def now():
        return struct.unpack("!Q", m.query_port(1, 0, 1 << 63, 8))[0]
    m.set("fault", "op=MODIFY_HEA_PORT,rc=H_BUSY,stage=after")
    assert mac(0x525400000001) == "BUSY"
    assert mac(0x525400000002) == "SUCCESS"
    assert now() == 0x525400000002
    assert mac(0x525400000001) == "SUCCESS"
    assert now() == 0x525400000001
    m.set("fault", "op=REG_BCMC,rc=H_BUSY,stage=after")
    assert qp.filter(6, GROUP) == "BUSY"
    assert qp.filter(6, GROUP, op="DEREG_BCMC") == "SUCCESS"
    assert qp.filter(6, GROUP) == "SUCCESS"
    assert m.get("resources")["bcmc"] == 1


def test_success_may_be_claimed_without_an_effect(boot):
    m = boot()
    eq = [3 | 1 << 56, 20]
    m.set("fault", "op=ALLOC,rc=H_SUCCESS,corrupt=r4:0x77")
    assert m.ok("ALLOC", *eq)[0] == 0x77
    assert m.get("resources")["eq"] == 0
    m.set("fault", "op=ALLOC,rc-seq=run,H_BUSY,H_SUCCESS")
    assert [m.hcall("ALLOC", *eq)[0] for _ in range(3)] == \
        ["SUCCESS", "BUSY", "SUCCESS"]
    assert m.get("resources")["eq"] == 2


def test_outputs_of_a_given_status(boot):
    m = boot()
    m.set("fault", "op=ALLOC,rc=H_NO_MEM,corrupt=r5:5")
    rc, outs = m.hcall("ALLOC", 3 | 1 << 56, 20)
    assert (rc, outs[0], outs[1]) == ("NO_MEM", 0xbad0bad0bad0bad0, 5)
    eq = m.eq()
    m.set("fault", "op=ALLOC,rtype=cq,rc=H_CONSTRAINED,stage=after,"
          "corrupt=in.r8:64")
    rc, outs = m.hcall("ALLOC", 2, eq.handle, 0, 1000)
    assert (rc, outs[3], outs[4]) == ("CONSTRAINED", 64, 1)
    assert m.get("resources")["cq"] == 1


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


def test_event_is_considered_after_the_guest_may_have_armed(boot):
    m, qp, link = wire(boot)
    m.set("fault", "wr=rx1,delay-us=1000")
    frame = frames.ether(P1, HOST, 0x88b5)
    assert passes(m, link, frame)
    qp.received()
    qp.arm()
    assert m.get("stats")["irqs"] == 0
    m.clock_step(2000)
    assert m.get("stats")["irqs"] == 1


def test_completion_of_the_last_lap_is_not_new(boot):
    m, qp, link = wire(boot)
    m.set("fault", "wr=rx1,corrupt=valid:0x80")
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5))
    assert qp.rings[1].poll(9, 256) is None
    assert passes(m, link, frames.ether(P1, HOST, 0x88b5))
    qp.rings[1].advance()
    qp.received()


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
    faulty(qp)
    assert m.get("stats")["dma"]["faults"] == 1


def test_event_entries_are_made_up_and_corrupted(boot):
    m, qp, _ = wire(boot)
    m.set("action", "eqe raw=0x05000001deadbeef")
    assert faulty(qp) == (1, 0xdeadbeef)
    m.set("fault", "at=eqe,corrupt=eqe.token:0xffffffff")
    m.set("action", "qp-error")
    assert faulty(qp) == (qp.number, 0xffffffff)
    neq = m.eq(neq=True, silent=False)
    m.set("fault", "at=neqe,port=1,corrupt=neqe.port:0x101")
    m.set("action", "malfunction port=1")
    assert neqe(neq)[:2] == (0x33, 0x101)
    m.set("action", "malfunction")
    assert neqe(neq)[0] == 0x32


def test_link_flaps(boot):
    m, _, _ = wire(boot)
    neq = m.eq(neq=True, silent=False)
    m.set("action", "flap port=1 n=3")
    assert [neqe(neq)[2] for _ in range(6)] == [0, 1] * 3
    m.set("action", "flap port=1 n=2 us=100")
    assert neqe(neq)[2] == 0
    assert neqe(neq) is None
    for _ in range(3):
        m.clock_step(100)
    assert m.until(lambda: [neqe(neq)[2] for _ in range(3)]) == [1, 0, 1]


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


def test_hold_ends_with_a_reset(boot):
    m = boot(ports=1, net="wire")
    m.set("action", "hold port=1 us=500")
    m.qmp.command("system_reset")
    m.until(lambda: m.get("stats")["resets"] == 2)
    qp = Qp(m).start()
    qp.send(frames.ether(HOST, P1, 0x88b5))
    assert m.links[0].recv()


def test_doubled_completion_without_room_still_has_its_event(boot):
    m = boot(ports=1, net="wire")
    qp = Qp(m).start().receive(rq1=1)
    qp.arm()
    m.set("fault", "wr=rx1,dup=1")
    assert passes(m, m.links[0], frames.ether(P1, HOST, 0x88b5))
    assert m.get("stats")["irqs"] == 1


def test_rule_for_smrs(boot):
    m = boot()
    mr, _ = m.mr(m.alloc(1), 4096)
    m.set("fault", "op=REGISTER_SMR,rtype=smr,rc=H_NO_MEM")
    assert m.hcall("SMR", mr, BUS, ACCESS, PD)[0] == "NO_MEM"


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
    "at=moon,drop", "op=any,stage=during", "op=any,prob=abc,rc=H_BUSY",
    "op=any,prob=2,rc=H_BUSY"])
def test_bad_rule_is_refused(boot, rule):
    m = boot()
    with pytest.raises(QmpError):
        m.set("fault", rule)
    assert m.get("faults") == []


@pytest.mark.parametrize("action", ["nonsense", "phy up=1", "qp-error",
                                    "flap port=9", "neqe raw",
                                    "flap port=1 n=0", "irq n=0",
                                    "irq us=0x100000001"])
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


def with_dimm(boot, expect, policy):
    """A model with an LMB that may be removed; the LMB's address and index."""
    m = boot(expect, mem="256M,slots=2,maxmem=1G", lmb_policy=policy, extra=[
        "-object", "memory-backend-ram,id=m0,size=256M",
        "-device", "pc-dimm,id=d0,memdev=m0"])
    base = m.qmp.command("query-memory-devices")[0]["data"]["addr"]
    return m, base, 0x80000000 | base >> 28


@pytest.mark.parametrize("policy,status", [("refuse", -9001), ("count", 0),
                                           ("off", 0)])
def test_memory_under_an_mr_is_not_given_back(boot, policy, status):
    expect = [] if policy == "off" else ["lmb-in-use"]
    m, base, index = with_dimm(boot, expect, policy)
    mr, _ = m.mr(base + (16 << 20), 16 << 20, 3)
    m.qmp.command("device_del", id="d0")
    if status:
        assert lmb_isolate(m, index) == status
        m.ok("FREE", mr, 0)
        assert m.get("stats")["refused_isolates"] == 1
    assert lmb_isolate(m, index) == 0


def test_memory_that_was_given_back_is_not_used(boot):
    m, base, index = with_dimm(boot, ["lmb-isolated"], "refuse")
    eq = m.ok("ALLOC", 3 | 1 << 56, 20)[0]
    mr = m.ok("ALLOC", 5, BUS, 8192, ACCESS, PD)[0]
    m.ok("RPAGES", 0, mr, base, 1, want=("PAGE_REGISTERED",))
    m.ok("FREE", mr, 0)
    m.qmp.command("device_del", id="d0")
    assert lmb_isolate(m, index) == 0
    mr = m.ok("ALLOC", 5, BUS, 8192, ACCESS, PD)[0]
    assert m.hcall("RPAGES", 0, mr, base, 1)[0] == "MEM_PARM"
    assert m.hcall("RPAGES", 0, eq, base, 1)[0] == "MEM_PARM"
    assert m.violations() == {"lmb-isolated": 2}
    m.set("lmb-policy", "count")
    m.ok("RPAGES", 0, mr, base, 1, want=("PAGE_REGISTERED",))
    assert m.violations() == {"lmb-isolated": 3}


def test_memory_that_is_gone_is_missed(boot):
    m, base, index = with_dimm(boot, ["lmb-in-use", "lmb-isolated",
                                      "queue-no-memory", "dma-no-memory"],
                               "count")
    qp = Qp(m).start()
    _, lkey = m.mr(base, 4096)
    place, m._next = m._next, base + 4096   # pylint: disable=W0212
    neq = m.eq(neq=True, silent=False)
    m._next = place                         # pylint: disable=W0212
    m.qmp.command("device_del", id="d0")
    assert lmb_isolate(m, index) == 0
    qp.send(descs=[(BUS, lkey, 60)])
    qp.sent()
    assert m.violations() == {"lmb-in-use": 1, "lmb-isolated": 1}
    assert m.rtas("set-indicator", [9003, index, 0])[0] == 0
    m.until(lambda: not m.qmp.command("query-memory-devices"))
    m.until(lambda: m.violations().get("lmb-in-use") == 2)
    m.set("action", "malfunction port=1")
    assert m.violations()["queue-no-memory"] == 1
    qp.send(descs=[(BUS, lkey, 60)])
    faulty(qp)
    m.ok("FREE", neq.handle, 0)


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
        {"qp": 1, "cq": 2, "eq": 2, "mr": 1, "smr": 0, "bcmc": 1}
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
    assert len({nodes[n]["ibm,hea-handle"] for n in heas}) == 2
    ports = {hea: [props for path, props in nodes.items()
                   if path.startswith(hea + "/")] for hea in heas}
    assert [[struct.unpack("!I", p["ibm,hea-port-no"])[0] for p in of_hea]
            for of_hea in ports.values()] == [[1, 2, 3], [7]]
    node = nodes[heas[0]]
    assert node["compatible"] == b"IBM,lhea\0" and len(node["reg"]) == 16
    port = ports[heas[0]][0]
    assert port["device_type"] == b"network\0"
    assert port["compatible"] == b"IBM,lhea-ethernet\0"


def test_adapter_without_ports_and_with_sixteen(boot):
    m = boot(devices=[["-device", "spapr-hea,id=hea0,ports=0"],
                      ["-device", "spapr-hea,id=hea1,ports=16"]])
    assert m.get("stats")["ports"] == []
    assert m.hcall("QUERY_HEA", m.cb())[0] == "SUCCESS"
    assert [p["port"] for p in m.get("stats", "hea1")["ports"]] == \
        list(range(1, 17))


@pytest.mark.parametrize("devices", [
    ["spapr-hea,ports=2,port-no0=2"], ["spapr-hea,handle=5"] * 2,
    ["spapr-hea", "spapr-hea,mmio-base=0x100000010000"]])
def test_numbers_are_unique(devices):
    with pytest.raises((RuntimeError, ConnectionError, QmpError)):
        Model(artifact("qemu"), devices=[["-device", d] for d in devices])


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
