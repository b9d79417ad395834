# SPDX-License-Identifier: GPL-2.0-or-later
"""An adapter that writes nonsense, and a peer on the wire that sends it.

Frames carry a number and a checksum, and the guest sends them back: what comes
back whole was sent."""

import contextlib
import struct
import zlib

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters
from ehealab.qmp import QmpError

# Fields of a completion, by queue; any value may be in them.
FIELDS = ("wr_id", "type", "status", "bytes", "vlan", "csum", "hlen", "count",
          "cqe.token", "valid", "+0.1", "+4.4", "+7.1", "+8.8", "+24.8",
          "+32.8", "+56.8")
QUEUES = ("rx1", "rx2", "rx3", "tx")
SIZES = (46, 60, 90, 200, 600, 1400, 2500, 3900)
# The driver was told that WQEs are used up, or free, which are not.
LIES = {"rq-overrun", "sq-overrun", "cq-overrun", "cq-credits"}
BATCH = 250


class Numbered:
    """Sends numbered frames; frameecho in the guest sends them back."""

    def __init__(self, guest, rand):
        self.guest, self.rand = guest, rand
        self.peer = guest.peer()
        self.peer.answer = False
        self.sent = self.last = self.whole = self.damaged = 0
        self.job = None

    def listen(self):
        """Have the frames sent back, also by a device that is new."""
        if self.job:
            self.job.stop()
        self.job = self.guest.job(f"exec frameecho {self.guest.netdev()}")
        self.job.wait_output("ready")

    def _frame(self):
        self.sent += 1
        body = struct.pack("!Q", self.sent) + \
            self.rand.randbytes(self.rand.choice(SIZES) - 12)
        body = struct.pack("!I", zlib.crc32(body)) + body
        return frames.ether(scene.port_mac(self.guest), self.peer.mac,
                            frames.TYPE_REQUEST, body)

    def batch(self, count=BATCH):
        """Send some, and wait until the adapter has dealt with them."""
        hea = self.guest.hea

        def seen():
            port = hea.port(1)
            return port["rx_frames"] + sum(port["drops"].values())
        before = seen()
        self.peer.send_many([self._frame() for _ in range(count)])
        hea.wait(lambda _: seen() >= before + count, "frames dealt with", 60)
        self.check()

    def check(self):
        """Look at what came back so far."""
        replies = self.peer.matching(lambda f: f.type == frames.TYPE_REPLY)
        self.peer.clear()
        for frame in replies:
            body = frame.payload
            if len(body) >= 12 and zlib.crc32(body[4:]) == \
               struct.unpack("!I", body[:4])[0]:
                number, = struct.unpack("!Q", body[4:12])
                assert 1 <= number <= self.sent, "a frame that was not sent"
                self.last = number
                self.whole += 1
            else:
                self.damaged += 1

    def _comes_back(self, first):
        self.batch(1)
        return self.last > first

    def all_return(self, count=BATCH, timeout=60):
        """Wait until a frame comes back that was sent from now on, behind all
        that came before it, and then see that all do."""
        now = self.sent
        self.guest.poll(lambda: self._comes_back(now), "traffic again",
                        timeout, 0.2)
        # a reset that was due before may still come in between
        while not self._return(count):
            pass

    def _resets(self):
        return scene.driver_stats(self.guest, self.guest.netdev())["resets"]

    def _return(self, count):
        """Do so many come back, or does a reset keep them from it?"""
        resets, first = self._resets(), self.sent
        self.whole = self.damaged = 0
        while self.sent < first + count:
            self.batch(50)
        self.guest.poll(lambda: self.check() or self.whole >= count or
                        self._resets() > resets, f"{count} echoes", 20)
        assert not self.damaged
        return self.whole >= count


def _boot(lab, mtu=4000):
    guest = lab.boot(adapters(ports=1))
    guest.allow += ["NETDEV WATCHDOG", "QP error"]
    scene.load(guest)
    name = guest.netdev()
    guest.sh(f"ip link set {name} mtu {mtu}")
    scene.up(guest)
    return guest, name


# Harmful ones lead to resets, so they are rarer.
HARMFUL = {"wr_id": 0.002, "type": 0.002, "valid": 0.001, "bytes": 0.004,
           "status": 0.004, "count": 0.01, "+7.1": 0.004, "+8.8": 0.001}


def _spoil_completions(guest, rand):
    for queue in QUEUES:
        for field in FIELDS:
            guest.hea.fault(f"wr={queue},times=0,corrupt={field}:?,"
                            f"prob={HARMFUL.get(field, 0.05)},"
                            f"seed={rand.getrandbits(32)}")


def _hits(guest):
    return sum(rule["hits"] for rule in guest.hea.faults())


def _again(guest):
    """A fresh driver: resets do not wait for each other."""
    guest.sh("modprobe -r ehea", timeout=120)
    assert not guest.hea.live()
    scene.load(guest)
    guest.sh(f"ip link set {guest.netdev()} mtu 4000")
    scene.up(guest)


@pytest.mark.on("power9", faults=("power9-debug",))
def test_completions_full_of_nonsense_harm_nothing(lab):
    guest, _ = _boot(lab)
    guest.hea.tolerated = LIES
    rand = lab.random()
    traffic = Numbered(guest, rand)
    wanted = lab.amount(3000, 1_000_000)
    done = spoilt = 0
    while done < wanted:
        traffic.listen()
        _spoil_completions(guest, rand)
        first = traffic.sent
        for _ in range(lab.amount(6, 40)):
            traffic.batch()
        done += traffic.sent - first
        spoilt += _hits(guest)
        guest.hea.set("fault-clear", "all")
        traffic.all_return()
        _again(guest)
    lab.tally("completions under corruption", done)
    lab.tally("completions corrupted", spoilt)
    assert spoilt > done // 50


# Outputs of calls, and what they write into control blocks

OPERATE = ("ip link set {0} down; ip link set {0} up; ethtool {0}; "
           "ethtool -S {0}; ethtool -d {0} raw on; ethtool -G {0} tx 511; "
           "ethtool -G {0} tx 1023; ip link set {0} promisc on; "
           "ip link set {0} promisc off; ethtool -a {0}; ethtool -i {0}; "
           "devlink health diagnose {1} reporter qp; ip -s link show {0}")


def _spoil_calls(guest, rand):
    """Some random words, or bits of them, of all that calls answer."""
    for _ in range(12):
        where = rand.choice(("r4", "r5", "r6", "r7", "r8", "r9", "r10",
                             *[f"+{rand.randrange(0, 256, 4)}.4"] * 7))
        value = rand.choice(("?", "^1", "0", "0xffffffffffffffff", "|0x8000",
                             f"^{1 << rand.randrange(32)}"))
        guest.hea.fault(f"op=any,times=0,prob=0.03,corrupt={where}:{value},"
                        f"seed={rand.getrandbits(32)}")


@pytest.mark.on("power9", faults=("power9-debug",))
def test_calls_that_answer_nonsense_harm_nothing(lab):
    """What was allocated under a wrong name is lost, until firmware is told
    to forget."""
    guest, name = _boot(lab)
    adapter = guest.sh("devlink dev").split()[0].rstrip(":")
    guest.hea.set("max-mrs", 1000)
    rand, spoilt = lab.random(), 0
    for _ in range(lab.amount(12, 300)):
        _spoil_calls(guest, rand)
        for command in ("modprobe -r ehea; modprobe ehea; "
                        f"ip link set {name} up", OPERATE.format(name, adapter),
                        "modprobe -r ehea"):
            guest.status(command, timeout=180)
        spoilt += _hits(guest)
        guest.hea.set("fault-clear", "all")
        guest.hea.action("forget")
        scene.ready(guest)
        scene.both_ways(guest, count=1)
    guest.hea.tolerated = set(guest.hea.violations()["by_kind"])
    lab.tally("answers corrupted", spoilt)
    assert spoilt


@pytest.mark.on("power9", faults=("power9-debug",))
def test_events_full_of_nonsense_harm_nothing(lab):
    guest, _ = _boot(lab)
    guest.allow.append("malfunction")
    rand = lab.random()
    count = lab.amount(1500, 100_000)
    for first in range(0, count, 50):
        seen = guest.hea.calls("H_RESET_EVENTS")
        for _ in range(50):
            raw = rand.getrandbits(64)
            if rand.random() < 0.5:
                # what the driver knows, with anything in the other fields
                raw = raw & 0x00ffffff_ffffffff | \
                    rand.choice((0x8030, 0x8032, 0x8033, 0x8031)) << 48
            guest.hea.action(f"neqe raw={raw:#x}")
        guest.hea.action("irq irq=neq")
        guest.hea.wait(lambda h, n=seen: h.calls("H_RESET_EVENTS") > n,
                       f"event {first} to be taken", 60)
        if rand.random() < 0.1 and guest.hea.resources()["qp"]:
            with contextlib.suppress(QmpError):
                guest.hea.action(f"eqe raw={rand.getrandbits(64):#x}")
    lab.tally("events corrupted", count)
    guest.sh("modprobe -r ehea; modprobe ehea")
    scene.up(guest)
    scene.both_ways(guest)


# The wire

def _ip(rand):
    """An IPv4 packet to the guest whose header tells what it likes."""
    payload = rand.randbytes(rand.randrange(0, 200))
    good = frames.ipv4(scene.host_ip(), scene.guest_ip(),
                       rand.choice((1, 6, 17, 47, 255)), payload,
                       frag=rand.choice((0, 0, 0x2000, 0x1fff)))
    bad = bytearray(good)
    for _ in range(rand.randrange(0, 4)):
        bad[rand.randrange(0, 28 if len(bad) > 28 else len(bad))] = \
            rand.randrange(256)
    return bytes(bad)


def _frame(rand, guest, peer):
    """Anything that a peer can put on the wire."""
    kind = rand.randrange(7)
    mac = rand.choice((scene.port_mac(guest), frames.BROADCAST,
                       "01:00:5e:00:00:01", "33:33:00:00:00:01"))
    if kind == 0:                               # runts and worse
        return rand.randbytes(rand.randrange(0, 60))
    if kind == 1:                               # up to what fits, and beyond
        return frames.ether(mac, peer.mac, rand.getrandbits(16),
                            rand.randbytes(rand.choice(
                                (1500, 1504, 1518, 4000, 9004, 9018, 20000))))
    if kind == 2:                               # lengths for types
        return frames.ether(mac, peer.mac, rand.randrange(0, 1536),
                            rand.randbytes(rand.randrange(0, 300)))
    if kind == 3:                               # stacks of tags
        tags = b"".join(struct.pack("!HH", rand.choice((0x8100, 0x88a8)),
                                    rand.getrandbits(16))
                        for _ in range(rand.randrange(1, 30)))
        return frames.mac_bytes(mac) + frames.mac_bytes(peer.mac) + tags + \
            rand.randbytes(rand.randrange(0, 100))
    if kind == 4:
        return frames.mac_bytes(mac) + rand.randbytes(rand.randrange(8, 2000))
    if kind == 5:                               # IPv6, likewise
        return frames.ether(mac, peer.mac, 0x86dd,
                            b"\x60" + rand.randbytes(rand.randrange(0, 200)))
    return frames.ether(mac, peer.mac, frames.TYPE_IP, _ip(rand))


@pytest.mark.on("power9", faults=("power9-debug",))
@pytest.mark.parametrize("mode", ["plain", "promiscuous"])
def test_frames_full_of_nonsense_harm_nothing(lab, mode):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    if mode == "promiscuous":
        guest.sh(f"ip link set {name} promisc on; ethtool -K {name} gro off; "
                 f"ip link add link {name} name v7 type vlan id 7 && "
                 "ip link set v7 up")
    rand, peer = lab.random(), guest.peer()
    count = lab.amount(10_000, 500_000)
    for _ in range(count // BATCH):
        peer.send_many([f for f in (_frame(rand, guest, peer)
                                    for _ in range(BATCH)) if f])
    # a slow guest has much to look at yet
    guest.poll(lambda: not guest.status(f"ping -c 1 {scene.host_ip()}"),
               "an answer", 60)
    scene.both_ways(guest, count=5)
    lab.tally("frames fuzzed", count)
    drops = guest.hea.port(1)["drops"]
    assert guest.hea.port(1)["rx_frames"] > count // (100 if lab.slow else 10)
    # the wire's limits, and nothing that the driver did
    assert scene.driver_stats(guest, name)["resets"] == 0, drops


PATTERN = b"\xa5\x5a\xc3\x3c"


def test_short_frames_carry_nothing_but_zeros_behind_their_end(lab):
    """Every slot of the send queue held a pattern before."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"ethtool -G {name} tx 127")
    scene.carrier(guest, name)
    peer = guest.peer()
    peer.answer = False
    send = f"frameecho {name}"
    guest.job(send).wait_output("ready")
    for size in (200, 60, 1000):                # immediate and not
        dirty = frames.ether(scene.port_mac(guest), peer.mac,
                             frames.TYPE_REQUEST, PATTERN * (size // 4))
        peer.send_many([dirty] * 300)
        peer.expect(lambda f, n=len(dirty): f.type == frames.TYPE_REPLY and
                    len(f.data) == n, "the pattern", 300, 30)
        peer.clear()
    for size in range(0, 46):
        dst = frames.mac_bytes(peer.mac).hex()
        src = frames.mac_bytes(scene.port_mac(guest)).hex()
        guest.sh(f"rawsend {name} {dst}{src}88b7{'ee' * size}")
    got = peer.expect(lambda f: f.type == 0x88b7, "short frames", 46)
    for frame in got:
        body = frame.payload.rstrip(b"\0")
        assert set(body) <= {0xee}, frame.data.hex()
        assert PATTERN[:2] not in frame.data
    assert sorted({f.payload.count(0xee) for f in got}) == list(range(46))
