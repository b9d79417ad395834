# SPDX-License-Identifier: GPL-2.0-or-later
"""The k-th call of an operation fails, and the k-th allocation, for each k.

Whatever fails, the operation succeeds or fails cleanly, the port works or can
be opened again, and nothing is left after an unload."""

import re
import time

import pytest

from ehealab import scene
from ehealab.errors import CaseError
from ehealab.guest import adapters
from ehealab.hea import delta

NAME, MAC2 = "eth0", "52:54:00:00:00:77"
MOVABLE = "memhp_default_state=online_movable"
GROUP = "01:00:5e:01:02:03"
INJECT = "/sys/kernel/debug"

HARD = ("H_HARDWARE", "H_RESOURCE", "H_AUTHORITY")
BUSY = "H_LONG_BUSY_ORDER_1_MSEC"
EVER = "H_LONG_BUSY_ORDER_100_SEC"

# An error after the effect is a lie: what the driver cannot know stays
# allocated, or is freed once more.
LIES = {"bad-handle", "dead-handle", "bcmc", "qp-state", "page-twice",
        "pages-after-complete", "free-while-referenced", "free-enabled-qp",
        "free-mr-in-use", "mmio-dead-page"}

# (name, shell commands, state before: is the module loaded, the port up)
OPERATIONS = (
    ("load", "modprobe ehea", False, False),
    ("open", f"ip link set {NAME} up", True, False),
    ("mac", f"ip link set {NAME} address {MAC2}", True, True),
    ("rx mode", f"ip maddr add {GROUP} dev {NAME}; "
     f"ip link set {NAME} promisc on; ip link set {NAME} promisc off; "
     f"ip maddr del {GROUP} dev {NAME}; ip link set {NAME} allmulticast on; "
     f"ip link set {NAME} allmulticast off", True, True),
    ("vlan", f"ip link add link {NAME} name v5 type vlan id 5 && "
     "ip link set v5 up; ip link del v5", True, True),
    ("rings", f"ethtool -G {NAME} tx 255", True, True),
    ("mtu", f"ip link set {NAME} mtu 4000", True, True),
    ("settings", f"ethtool -s {NAME} autoneg on; ethtool -A {NAME} rx off "
     f"tx off; ethtool -K {NAME} rxvlan off; ethtool -K {NAME} rxvlan on",
     True, True),
    ("memory add", "echo online > {block}", True, True),
    ("memory removal", "echo offline > {block}", True, True),
    ("reset", None, True, True),
    ("close", f"ip link set {NAME} down", True, True),
    ("unload", "modprobe -r ehea", True, True),
)


# (name, program whose n-th allocation fails, what it starts from)
ALLOCATING = (
    ("load", "modprobe ehea", False, False),
    ("open", f"ip link set {NAME} up", True, False),
    ("mac", f"ip link set {NAME} address {MAC2}", True, True),
    ("vlan", f"ip link add link {NAME} name v5 type vlan id 5", True, True),
    ("rings", f"ethtool -G {NAME} tx 255", True, True),
    ("channels", f"ethtool -L {NAME} combined 1", True, True),
    ("mtu", f"ip link set {NAME} mtu 4000", True, True),
    ("registers", f"ethtool -d {NAME} raw on", True, True),
    ("counters", f"ethtool -S {NAME}", True, True),
    ("diagnose", "devlink health diagnose {devlink} reporter qp", True, True),
    ("memory add", "sh -c 'echo online > {block}'", True, True),
    ("memory removal", "sh -c 'echo offline > {block}'", True, True),
    ("close", f"ip link set {NAME} down", True, True),
    ("unload", "modprobe -r ehea", True, True),
)

# what the kernel's workers do of it
WORKERS = tuple(o for o in OPERATIONS if o[0] in (
    "memory add", "memory removal", "reset", "rx mode"))


def pytest_generate_tests(metafunc):
    """With --faults each operation is a case of its own."""
    split = metafunc.config.getoption("--faults")
    for name, every in (("operations", OPERATIONS), ("allocating", ALLOCATING),
                        ("workers", WORKERS)):
        if name in metafunc.fixturenames:
            parts = {o[0]: [o] for o in every} if split else {"all": every}
            metafunc.parametrize(name, parts.values(), ids=parts.keys())


class Sweep:
    """One guest, and how it gets back to where it was."""

    def __init__(self, lab, **props):
        self.guest = lab.boot(adapters(ports=1, **props), append=MOVABLE)
        self.hea = self.guest.hea
        self.names = {}
        self.proven = False             # works, and nothing was done since
        block = self.guest.dimm_blocks(self.guest.mem_add())[0]
        self.block = f"/sys/devices/system/memory/memory{block}/state"
        self.mac = scene.port_mac(self.guest)
        self.guest.allow.append("QP error")
        self.guest.sh("modprobe ehea")
        self.names["devlink"] = re.search(
            r"^(\S*lhea\S*)", self.guest.sh("devlink dev"), re.M).group(1)
        self.names["block"] = self.block

    def command(self, operation):
        """The operation's commands for this guest."""
        return operation[1].format(**self.names)

    def run(self, operation):
        """Do it, whatever comes of it."""
        self.proven = False
        if operation[0] == "reset":
            scene.qp_error(self.guest)
        else:
            self.guest.status(self.command(operation), timeout=180)
        self.calm(operation[0])

    def before(self, operation):
        """The state that an operation starts from."""
        name, _, loaded, up = operation
        want = "offline" if name == "memory add" else "online"
        if self.guest.status(f"grep -q {want} {self.block}"):
            self.guest.sh(f"echo {want} > {self.block}", timeout=120)
            # what goes before the driver took it in goes without a call
            self.calm("memory add")
        # the first reset does not wait
        if not loaded or name == "reset":
            self.unload()
        if not loaded:
            return
        self.works()
        if not up:
            self.proven = False
            self.guest.sh(f"ip link set {NAME} down")

    def calm(self, name, timeout=60):
        """Wait until the driver makes no calls of its own accord; memory
        that is added waits for more, and so does a reset."""
        slow = name in ("memory add", "reset", "recover")
        quiet = 0.6 if slow else 0.15
        last, since = -1, 0
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            now = self.hea.stats()["calls_total"]
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > quiet:
                return
            time.sleep(0.02)
        raise CaseError(f"calls without end: {self.hea.stats()['calls']}")

    def _up(self):
        return self.guest.status(
            f"ip link set {NAME} promisc off allmulticast off mtu 1500 && "
            f"ip link set {NAME} address {self.mac} && "
            f"ip addr replace {scene.guest_ip()}/24 dev {NAME} && "
            f"ip link set {NAME} up && "
            f"ethtool -C {NAME} stats-block-usecs 0; "
            f"ethtool -G {NAME} tx 1023; "
            f"cat /sys/class/net/{NAME}/carrier", timeout=120) == 0

    def works(self):
        """The port works, if need be after another load."""
        if self.proven:
            return
        if not self._up():
            self.unload()
            self.guest.sh("modprobe ehea")
            assert self._up(), "the port cannot be opened again"
        scene.carrier(self.guest, NAME, timeout=30)
        self.guest.peer().configure(scene.host_mac(), scene.host_ip())
        self.guest.poll(lambda: not self.guest.status(
            f"ping -c 1 -W 1 {scene.host_ip()}"), "traffic", 40)
        self.proven = True

    def unload(self):
        """Nothing is left after it."""
        self.proven = False
        self.guest.sh("modprobe -r ehea", timeout=120)
        assert not self.hea.live(), self.hea.live()

    def count(self, operation):
        """Calls of each kind that an operation takes when all is well."""
        self.before(operation)
        self.calm(operation[0])
        before = self.hea.stats()["calls"]
        self.run(operation)
        return {op: calls["total"] for op, calls in
                delta(before, self.hea.stats()["calls"]).items()}

    def strike(self, operation, rule):
        """Do it under a rule; returns whether the rule fired."""
        self.before(operation)
        self.hea.fault(rule)
        self.run(operation)
        fired = bool(self.hea.faults()[0]["hits"])
        self.hea.set("fault-clear", "all")
        self.works()
        bad = self.hea.violations()
        assert not set(bad["by_kind"]) - self.hea.tolerated, bad["log"]
        return fired


def _sites(lab, rand, counts, few):
    """All (call, index) pairs, or a few of them drawn by the seed. Of pages,
    which are registered by the hundred, some do."""
    sites = []
    for op, count in sorted(counts.items()):
        which = range(count)
        if op == "H_REGISTER_HEA_RPAGES" and count > 16:
            which = {0, 1, count - 1, *rand.sample(which, 13)}
        sites += [(op, n) for n in sorted(which)]
    return sorted(rand.sample(sites, min(lab.amount(few, len(sites)),
                                         len(sites))))


def _choose(lab, rand, forms):
    return forms if lab.full else [rand.choice(forms)]


def _sweep(lab, sweep, operations, forms, few):
    """Some or all sites under some or all forms of failure."""
    rand, struck, used = lab.random(), 0, set()
    for operation in operations:
        counts = sweep.count(operation)
        assert counts, operation
        lab.tally("call sites", sum(counts.values()))
        for op, nth in _sites(lab, rand, counts, few):
            for form in _choose(lab, rand, forms):
                rule = f"op={op},after={nth},{form}"
                used.add(form)
                try:
                    struck += sweep.strike(operation, rule)
                except (CaseError, AssertionError) as err:
                    raise AssertionError(f"{operation[0]} with {rule}") \
                        from err
        sweep.unload()
    lab.tally("statuses", len(used))
    lab.tally("calls failed", struck)
    assert struck


@pytest.mark.parts
@pytest.mark.on("power9", faults=("power9-debug",))
def test_each_call_of_each_operation_may_fail_or_be_late(lab, operations):
    sweep = Sweep(lab)
    forms = [f"times=1,rc={status}" for status in HARD]
    forms += [f"times=3,rc={BUSY},stage={stage}"
              for stage in ("before", "after")]
    _sweep(lab, sweep, operations, forms, 3)


def test_each_call_of_each_operation_may_fail_after_its_effect(lab,
                                                               operations):
    """Firmware did it and says it did not. What it then holds is lost for
    the partition; nothing else is."""
    sweep = Sweep(lab, max_mrs=64)
    sweep.hea.tolerated = LIES

    def unload():
        sweep.proven = False
        sweep.guest.sh("modprobe -r ehea", timeout=120)
        sweep.hea.action("forget")
    sweep.unload = unload
    real = sweep.strike

    def strike(operation, rule):
        fired = real(operation, rule)
        # what was lost does not add up
        sweep.unload()
        sweep.guest.sh("modprobe ehea")
        return fired
    sweep.strike = strike
    _sweep(lab, sweep, operations,
           [f"times=1,rc={status},stage=after" for status in HARD], 2)


def test_each_call_of_each_operation_may_be_the_last_that_is_answered(
        lab, operations):
    """From the k-th call on all are busy for ever, until the operation has
    ended. It ends, the closing and the unload, too; what a driver that is gone
    could not free stays in firmware."""
    sweep = Sweep(lab)
    # a queue in error times out while its reset waits for firmware
    sweep.guest.allow.append("NETDEV WATCHDOG")
    # a filter that was perhaps removed is registered once more
    sweep.hea.tolerated = {"bcmc"}
    real = sweep.run

    def run(operation):
        real(operation)
        if operation[0] in ("load", "unload"):
            sweep.guest.sh("modprobe -r ehea", timeout=180)
            sweep.hea.action("forget")
    sweep.run = run
    if not lab.long:
        operations = [*lab.random().sample(operations[1:-1], 2),
                      operations[-1]]
    _sweep(lab, sweep, operations, [f"times=0,rc={EVER}"], 2)


# Allocations

def _arm_allocations(guest):
    """Only allocations made below functions of modules count."""
    # the kernel's own, of an interrupt without all of its entries in /proc
    guest.allow.append(r"WARNING: .* at \.remove_proc_entry")
    for kind in ("failslab", "fail_page_alloc"):
        guest.sh(f"cd {INJECT}/{kind} && echo 0xc008000000000000 > "
                 "require-start && echo 0xc00fffffffffffff > require-end && "
                 "echo 32 > stacktrace-depth && echo N > ignore-gfp-wait && "
                 "echo 0 > verbose")
    guest.sh(f"cd {INJECT}/fail_page_alloc && echo 0 > min-order && "
             "echo N > ignore-gfp-highmem")


def _works_at_last(sweep):
    """A failed allocation may have left a reset to be tried again."""
    sweep.guest.status("ip link del v5")
    sweep.works()


def _next(lab, rand, nth):
    """The allocation to fail next: of some, those later are like others."""
    if lab.full:
        return nth + 1
    return nth + (rand.randint(1, 20) if lab.long else
                  rand.randint(nth, 3 * nth))


@pytest.mark.parts
@pytest.mark.on("power9-debug", faults=("power9-gcov",))
def test_each_allocation_of_each_operation_may_fail(lab, allocating):
    sweep = Sweep(lab, default_qps=2)
    _arm_allocations(sweep.guest)
    rand, struck = lab.random(), 0
    if not lab.long:
        allocating = rand.sample(allocating, 2)
    for operation in allocating:
        nth = 1
        while True:
            sweep.before(operation)
            sweep.proven = False
            out = sweep.guest.sh(f"failnth {nth} {sweep.command(operation)}",
                                 timeout=120, check=False)
            try:
                _works_at_last(sweep)
            except (CaseError, AssertionError) as err:
                raise AssertionError(f"{operation[0]}, allocation {nth}: "
                                     f"{out}") from err
            if "fired" not in out:
                break
            struck += 1
            nth = _next(lab, rand, nth)
        print(f"{operation[0]}: fewer than {nth} allocations")
        sweep.unload()
    lab.tally("allocations failed", struck)
    # of a single one, some make none
    assert struck > len(allocating) or lab.long


@pytest.mark.parts
@pytest.mark.on("power9-debug", faults=("power9-gcov",))
def test_allocations_of_work_that_nobody_waits_for_may_fail(lab, workers):
    """Exchanges of the memory region and resets run in the kernel's workers,
    so the k-th allocation of any task fails here."""
    sweep = Sweep(lab)
    _arm_allocations(sweep.guest)
    guest, struck = sweep.guest, 0
    if not lab.long:
        workers = lab.random().sample(workers, 1)
    for operation in workers:
        for nth in range(1, 41) if lab.full else (1, 4):
            for kind in ("failslab", "fail_page_alloc"):
                sweep.before(operation)
                guest.sh(f"cd {INJECT}/{kind} && echo {nth} > interval && "
                         "echo 100 > probability && echo 1 > times")
                sweep.run(operation)
                left = guest.sh(f"cd {INJECT}/{kind} && cat times && "
                                "echo 0 > probability")
                struck += left.strip() == "0"
                sweep.works()
        sweep.unload()
    lab.tally("allocations failed", struck)
    assert struck
