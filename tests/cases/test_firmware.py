# SPDX-License-Identifier: GPL-2.0-or-later
"""Firmware answers what no call expects, and its device tree has defects."""

import pytest

from ehealab import scene
from ehealab.guest import adapters
from ehealab.hea import delta

MOVABLE = "memhp_default_state=online_movable"
BUS = "/sys/bus/ibmebus"
# of the last two nobody knows what they mean
ODD = ("H_TABLE_FULL", "H_MEM_PARM", "H_FUNCTION", "77", "-777")


# Statuses

def _open_and_close(guest, name):
    """Returns whether the port could be opened."""
    opened = guest.status(f"ip link set {name} up") == 0
    guest.sh(f"ip link set {name} down")
    return opened


def _calls(guest, name):
    """How often an open and a close make each call; but for one, which is
    made when an event comes."""
    before = guest.hea.stats()["calls"]
    assert _open_and_close(guest, name)
    made = delta(before, guest.hea.stats()["calls"])
    made.pop("H_RESET_EVENTS", None)
    return {op: count["total"] for op, count in sorted(made.items())}


@pytest.mark.on("power9", faults=("power7", "power9-debug"))
def test_odd_status_fails_an_open_cleanly_or_does_no_harm(lab):
    """The first call of each kind, and others."""
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    closed = guest.hea.resources()
    _open_and_close(guest, name)
    calls = _calls(guest, name)
    assert "H_FREE_RESOURCE" in calls and "H_ALLOC_HEA_RESOURCE" in calls
    rand, opened, tried = lab.random(), 0, 0
    for op, count in calls.items():
        sites = [0, *rand.sample(range(1, count), min(2, count - 1))]
        for nth in sites:
            for status in ODD if lab.full else [rand.choice(ODD)]:
                tried += 1
                guest.hea.fault(f"op={op},after={nth},times=1,rc={status}")
                opened += _open_and_close(guest, name)
                assert guest.hea.resources() == closed, (op, nth, status)
                # filters are set in passing, so the last may not come
                guest.hea.clear_faults(may_be_silent=nth > 0)
    lab.tally("calls failed", tried)
    # what goes wrong while a port is closed is no reason not to open it
    assert 0 < opened < tried
    scene.up(guest)
    scene.both_ways(guest)


def _pages(guest, name, kind):
    """Page calls of a kind of queue that an open makes."""
    guest.hea.fault(f"op=H_REGISTER_HEA_RPAGES,rtype={kind},times=0,"
                    "rc-seq=run")
    assert _open_and_close(guest, name)
    count = guest.hea.faults()[0]["seen"]
    guest.hea.clear_faults()
    return count


@pytest.mark.parametrize("stage", ["before", "after"])
def test_more_pages_wanted_than_there_are_fails_an_open_cleanly(lab, stage):
    """Whether firmware took the last page or not. Of a QP with four queues
    the driver does not know which page firmware takes for the last, and sees
    it when the QP is started."""
    guest = lab.boot(adapters(ports=1), append=MOVABLE)
    # a QP may have to be started to learn that it lacks a page
    guest.hea.tolerated = {"pages-missing"} if stage == "before" else set()
    scene.load(guest)
    name = guest.netdev()
    closed = guest.hea.resources()
    for kind in ("eq", "cq", "qp"):
        last = _pages(guest, name, kind) - 1
        since = guest.console_mark()
        guest.hea.fault(f"op=H_REGISTER_HEA_RPAGES,rtype={kind},after={last},"
                        f"times=1,rc=H_PAGE_REGISTERED,stage={stage}")
        opened = _open_and_close(guest, name)
        assert opened == (kind == "qp" and stage == "after"), kind
        if kind != "qp":
            guest.wait_console("wants more pages than it has", since=since)
        assert guest.hea.resources() == closed, kind
        guest.hea.clear_faults()
    scene.up(guest)
    scene.both_ways(guest)
    # a region is tried with smaller pages
    guest.hea.fault("op=H_REGISTER_HEA_RPAGES,rtype=mr,times=1,"
                    f"rc=H_PAGE_REGISTERED,stage={stage}")
    dimm = guest.mem_add(1)
    scene.settled(guest)
    assert scene.driver_stats(guest, name)["mr_page_kib"] == 1 << 10
    scene.both_ways(guest)
    guest.mem_del(dimm)
    scene.both_ways(guest)


def test_qp_in_error_without_a_report_is_mended_all_the_same(lab):
    guest = lab.boot(adapters(ports=1))
    guest.allow.append("QP error")
    name = scene.ready(guest)[0]
    adapter = guest.sh("devlink dev").split()[0].rstrip(":")
    for n, status in enumerate(("H_R_STATE", "H_HARDWARE", "77"), 1):
        guest.hea.fault(f"op=H_ERROR_DATA,times=0,rc={status}")
        scene.qp_error(guest)
        guest.poll(lambda n=n: scene.driver_stats(guest, name)["resets"] == n,
                   f"reset {n}")
        scene.carrier(guest, name)
        guest.hea.clear_faults()
        scene.both_ways(guest, count=1)
    shown = guest.sh(f"devlink health show {adapter} reporter qp")
    assert "state healthy error 3" in shown, shown
    guest.sh(f"devlink health dump show {adapter} reporter qp")


def test_qp_that_cannot_be_disabled_is_freed_by_force_at_once(lab):
    """The verdict would find that it was freed as it was, running."""
    guest = lab.boot(adapters(ports=1))
    scene.load(guest)
    name = guest.netdev()
    closed = guest.hea.resources()
    for status in ("H_HARDWARE", "H_LONG_BUSY_ORDER_100_SEC"):
        scene.up(guest)
        scene.both_ways(guest, count=1)
        guest.hea.fault(f"op=H_DISABLE_AND_GET_HEA,times=0,rc={status}")
        guest.sh(f"ip link set {name} down", timeout=120)
        assert guest.hea.resources() == closed, status
        guest.hea.clear_faults()


def test_address_that_firmware_took_while_it_says_no_is_taken_back(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    for status in ("H_HARDWARE", "H_RESOURCE", "H_AUTHORITY"):
        guest.hea.fault(
            f"op=H_MODIFY_HEA_PORT,times=1,rc={status},stage=after")
        assert guest.status(f"ip link set {name} address 52:54:00:00:00:77")
        assert guest.hea.faults()[0]["hits"], status
        guest.hea.clear_faults()
        scene.both_ways(guest, count=1)


def test_port_is_back_soon_after_firmware_frees_again(lab):
    """What could not be freed holds the room that new queues need; that
    firmware was late a moment ago must not keep it lost."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    for after in range(4):
        guest.hea.fault(f"op=H_FREE_RESOURCE,after={after},times=0,"
                        "rc=H_LONG_BUSY_ORDER_100_SEC")
        guest.status(f"ethtool -G {name} tx 255", timeout=180)
        guest.hea.clear_faults()
        guest.sh(f"ip link set {name} up && ethtool -G {name} tx 1023")
        scene.carrier(guest, name, timeout=20)
        scene.both_ways(guest, count=1)


# The device tree

PORT = b"IBM,lhea-ethernet\0"


def _cell(value):
    return value.to_bytes(4, "big")


def _write_ofdt(guest, text, props=()):
    """Have the kernel change its device tree."""
    parts = [text]
    for name, value in props:
        octal = "".join(rf"\{byte:03o}" for byte in value)
        parts.append(f"{name} {len(value)} {octal}")
    guest.sh(f"printf '{' '.join(parts)}' > /proc/powerpc/ofdt")


class Tree:
    """An adapter node of the case's own making, with firmware's handle."""

    def __init__(self, guest):
        self.guest = guest
        real = guest.sh("ls -d /proc/device-tree/lhea@*")
        self.handle = bytes(int(x, 16) for x in guest.sh(
            f"hexdump -v -e '1/1 \"%02x \"' {real}/ibm,hea-handle").split())
        # the bus has made a device of it when the driver came
        guest.sh(f"printf /{real.split('/')[-1]} > {BUS}/remove")
        self.made = []
        self.units = iter(range(0x77000, 0x78000))

    def _add(self, path, props):
        _write_ofdt(self.guest, f"add_node {path}", props)
        self.made.append(path)

    def probe(self, handle, ports):
        """Make the adapter, and the bus look at it."""
        path = f"/lhea@{next(self.units):x}"
        props = [("name", b"lhea\0"), ("device_type", b"lhea\0"),
                 ("compatible", b"IBM,lhea\0")]
        if handle is not None:
            # the kernel takes no empty value at the end
            props.insert(0, ("ibm,hea-handle", handle))
        self._add(path, props)
        for port in ports:
            props = [("name", b"ethernet\0"), ("device_type", b"network\0"),
                     ("compatible", PORT)]
            if port is not None:
                props.append(("ibm,hea-port-no", port))
            self._add(f"{path}/ethernet@{next(self.units):x}", props)
        self.guest.sh(f"printf {path} > {BUS}/probe")

    def remove(self):
        """Take it away again."""
        self.guest.sh(f"printf {self.made[0]} > {BUS}/remove")
        while self.made:
            _write_ofdt(self.guest, f"remove_node {self.made.pop()}")


BOTH = [_cell(1), _cell(2)]
# (what is the matter, handle: kept if True, port numbers, what the log says,
# ports that work)
DEFECTS = (
    ("nothing", True, BOTH, "logical port 2", (0, 1)),
    ("no handle", None, BOTH, "no adapter handle", ()),
    ("short handle", bytes(4), BOTH, "no adapter handle", ()),
    ("empty handle", b"", BOTH, "no adapter handle", ()),
    ("another's handle", bytes(8), BOTH, "adapter cannot be used", ()),
    ("no ports", True, [], "no usable port", ()),
    ("no port number", True, [None], "no usable port", ()),
    ("short port number", True, [b"\0\1", *BOTH], "logical port 2", (0, 1)),
    ("number twice", True, [*BOTH, _cell(1)], "port 1 cannot be used", (0, 1)),
    ("number too large", True, [_cell(65537), *BOTH],
     "port 65537 cannot be used", (0, 1)),
    ("number that firmware does not know", True, [_cell(99), *BOTH],
     "port 99 cannot be used", (0, 1)),
    ("20 ports", True, [_cell(n) for n in range(20, 0, -1)],
     "port 20 cannot be used", (0, 1)),
)


# The kernel itself leaks what is taken out of its device tree.
@pytest.mark.on("power9", faults=("power7",))
def test_defects_of_the_device_tree_are_named_and_the_rest_works(lab):
    guest = lab.boot(adapters(ports=2))
    guest.hea.tolerated = {"bad-adapter", "bad-argument"}
    scene.load(guest)
    tree = Tree(guest)
    for what, handle, ports, says, working in DEFECTS:
        since = guest.console_mark()
        tree.probe(tree.handle if handle is True else handle, ports)
        guest.wait_console(says, since=since)
        assert guest.sh("grep -lis 52:54:00:ea /sys/class/net/*/address | "
                        "wc -l") == str(len(working)), what
        for port in working:
            scene.up(guest, port)
            scene.both_ways(guest, port, count=1)
        assert bool(guest.hea.live()) == bool(working or "port" in says), what
        tree.remove()
        assert not guest.hea.live(), what
