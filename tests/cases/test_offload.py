# SPDX-License-Identifier: GPL-2.0-or-later
"""What the adapter does for the stack: checksums, segments, VLAN tags.

Judged by what goes over the wire, which the host sees, and by counters."""

import signal
import struct
from hashlib import sha256

import pytest

from ehealab import frames, scene
from ehealab.guest import adapters

TCP, UDP = 6, 17
# Most bytes of a frame that lie in the WQE: the adapter reads longer ones.
IMMEDIATE = 224
VID = 7
OTHER = "52:54:00:00:00:99"
V6 = {"a": "fd00::1", "b": "fd00::2"}
TAGGED = {"a": "10.78.0.1", "b": "10.78.0.2"}
QUIET = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
RXC_VLAN_EXTRACT, RXC_VLAN_FILTER = 1 << 13, 3


def _pair(lab, mtu=1500, v6=True):
    """Two ports in namespaces on a hub where the host sees all; IPv6 and a
    VLAN on top. Returns the guest and the name of the device in "a"."""
    guest = lab.boot(adapters(ports=2, net=["peer+hub:0", "hub:0"]))
    scene.load(guest)
    scene.namespaces(guest)
    for port, ns in enumerate("ab"):
        name = guest.netdev(port, ns=ns)
        guest.ns(ns, f"ip link set {name} mtu {mtu} && "
                 f"echo {int(not v6)} > {QUIET} && "
                 f"(ip addr add {V6[ns]}/64 dev {name} nodad || true) && "
                 f"ip link add link {name} v type vlan id {VID} && "
                 f"ip addr add {TAGGED[ns]}/24 dev v && ip link set v up")
        scene.carrier(guest, name, ns)
    return guest, guest.netdev(0, ns="a")


def _all_seen(guest):
    """Wait until the host has all frames that two ports on its hub sent."""
    guest.hea.wait(lambda h: guest.peer().counts["rx"] >=
                   h.port(1)["tx_frames"] + h.port(2)["tx_frames"],
                   "the host has seen all frames")


def _clear(guest):
    """Forget what was on the wire."""
    _all_seen(guest)
    guest.peer().clear()


def _own(guest):
    """Frames that the first port has sent."""
    _all_seen(guest)
    return guest.peer().matching(lambda f: f.src == scene.port_mac(guest))


def _received(server):
    """What "tcpfile check" has received, once it is told to end."""
    words = server.stop(60).split()
    return dict(zip(words[1::2], map(int, words[2::2])))


def _toggle(guest, name, switches, ns=None):
    command = f"ethtool -K {name} {switches}"
    out = guest.ns(ns, command) if ns else guest.sh(command)
    assert "Could not" not in out, out


# Sending


def _send_every_kind(guest):
    """UDP, small and large, in fragments and tagged, and TCP; all that over
    IPv4, and UDP and TCP over IPv6. All must arrive."""
    sink = guest.ns_job("b", "udploop recv 9 11")
    server = guest.ns_job("b", "tcpfile check 5001")
    sink.wait_output("ready")
    server.wait_output("ready")
    guest.sh("tcpfile make /tmp/out 65536")
    guest.ns("a", f"udploop send {scene.ns_ip('b')} 9 3 21 && "
             f"udploop send {scene.ns_ip('b')} 9 3 701 && "
             f"udploop send {scene.ns_ip('b')} 9 2 4001 && "
             f"udploop send {TAGGED['b']} 9 3 701 && "
             f"tcpfile send /tmp/out {scene.ns_ip('b')} 5001 0 && "
             f"tcpfile send /tmp/out {V6['b']} 5001 0")
    # nobody listens: the refusal has a checksum, too
    guest.ns("a", f"head -c 701 /tmp/out | nc -u -w 2 {V6['b']} 9",
             check=False)
    assert "received 11" in sink.wait()
    report = _received(server)
    assert report == {"files": 2, "bytes": 2 << 16, "bad": 0}


def _kind(frame):
    return (frame.version, frame.l4()[0], frame.is_fragment(),
            frame.vid is not None)


def _whole_datagrams(fragments):
    """IPv4 packets put together from their fragments."""
    parts = {}
    for frame in fragments:
        packet = frame.packet()
        ident, offset = struct.unpack_from("!HH", packet, 4)
        parts.setdefault(ident, []).append((offset & 0x1fff, packet))
    return [pkts[0][1] + b"".join(p[20:] for _, p in pkts[1:])
            for pkts in map(sorted, parts.values())]


def test_sent_checksums_are_right_whether_adapter_or_stack_makes_them(lab):
    guest, name = _pair(lab)
    # else a frame is more than one on the wire
    _toggle(guest, name, "tso off", "a")
    kinds = {(4, UDP, False, False), (4, UDP, True, False),
             (4, UDP, False, True), (4, TCP, False, False),
             (6, UDP, False, False), (6, TCP, False, False)}
    for state in ("on", "off"):
        _toggle(guest, name, f"tx-checksum-ipv4 {state}", "a")
        before = scene.driver_stats(guest, name, "a")["tx0_csum"]
        _clear(guest)
        _send_every_kind(guest)
        _all_seen(guest)
        wire = guest.peer().matching(lambda f: True)
        wrong = [(f, f.wrong_sums()) for f in wire if f.wrong_sums()]
        assert not wrong, wrong
        own = _own(guest)
        assert kinds <= set(map(_kind, own))
        whole = _whole_datagrams(f for f in own if f.is_fragment())
        assert len(whole) == 2 and not any(map(frames.l4_sum, whole))
        want = sum(f.version == 4 and f.l4()[0] in (TCP, UDP) and
                   not f.is_fragment() for f in own)
        guest.poll(lambda n=want * (state == "on"), old=before:
                   scene.driver_stats(guest, name, "a")["tx0_csum"] - old == n,
                   f"{want} checksums by the adapter if {state}", 5)


def _stream(segments):
    """The bytes of a TCP stream, from the first segment with data on; each
    must begin where the one before has ended."""
    out, at = b"", None
    for frame in segments:
        data = frame.l4()[1]
        seq, = struct.unpack_from("!I", data, 4)
        data = data[(data[12] >> 4) * 4:]
        if data:
            assert at in (None, seq), f"gap before {seq}"
            at = (seq + len(data)) & 0xffffffff
            out += data
    return out


def _gso(guest, name):
    found = scene.driver_stats(guest, name, "a")
    return found["tx0_gso_packets"], found["tx0_gso_wire_packets"]


def _send_file(guest, name, address, size):
    """Send a file to "b"; the increase of the counters of segmentation, and
    the frames with it on the wire, all of them of legal size."""
    server = guest.ns_job("b", "tcpfile check 5001")
    server.wait_output("ready")
    before = _gso(guest, name)
    _clear(guest)
    guest.ns("a", f"tcpfile send /tmp/out {address} 5001 0")
    report = _received(server)
    assert report["bytes"] == size and report["bad"] == 0
    sent = [f for f in _own(guest) if f.l4()[0] == TCP]
    assert not any(f.wrong_sums() for f in sent)
    assert max(len(f.packet()) for f in sent) == 1500
    return [b - a for a, b in zip(before, _gso(guest, name))], sent


def test_segments_made_by_the_adapter_carry_the_stream_unchanged(lab):
    guest, name = _pair(lab)
    link = guest.ns("a", f"ip -d link show {name}")
    assert "tso_max_size 65536 tso_max_segs 293" in link
    size = 1 << 20
    guest.sh(f"tcpfile make /tmp/out {size}")
    want = guest.sh("sha256sum < /tmp/out").split()[0]
    for address in (scene.ns_ip("b"), TAGGED["b"]):
        (packets, segments), sent = _send_file(guest, name, address, size)
        assert {f.vid for f in sent} == \
            {VID if address == TAGGED["b"] else None}
        assert sha256(_stream(sent)).hexdigest() == want
        assert 0 < packets < segments <= len(sent)
        # most of the frames are such segments
        assert segments > len(sent) / 2
    _toggle(guest, name, "tso off", "a")
    done, sent = _send_file(guest, name, scene.ns_ip("b"), size)
    assert done == [0, 0]
    assert sha256(_stream(sent)).hexdigest() == want
    _toggle(guest, name, "tso on", "a")
    # not for IPv6
    done, sent = _send_file(guest, name, V6["b"], size)
    assert done == [0, 0] and {f.version for f in sent} == {6}
    assert sha256(_stream(sent)).hexdigest() == want


def _reads(guest, command, count):
    """Bytes and pieces that the adapter reads while a command sends at least
    so many large frames, and how many these are."""
    guest.hea.fault("at=dma,wr=tx,port=1,after=1000000000,drop")
    before = guest.hea.stats()["dma"]["read_bytes"]
    _clear(guest)
    guest.ns("a", command)
    guest.peer().expect(lambda f: len(f.data) > IMMEDIATE, command, count)
    seen = guest.hea.faults()[0]["seen"]
    guest.hea.clear_faults(may_be_silent=True)
    large = [f for f in _own(guest) if len(f.data) > IMMEDIATE]
    assert large and not any(f.wrong_sums() for f in large)
    return guest.hea.stats()["dma"]["read_bytes"] - before, seen, len(large)


def test_tags_and_pieces_reach_the_adapter_only_while_switched_on(lab):
    """The frames look the same; what the adapter reads for them does not: a
    tag that the stack has inserted, and pieces that it has put together."""
    guest, name = _pair(lab, v6=False)
    # the adapter reads for other calls, too
    for port, ns in enumerate("ab"):
        guest.ns(ns, f"ethtool -C {guest.netdev(port, ns=ns)} "
                 "stats-block-usecs 0")
    _toggle(guest, name, "tso off", "a")
    guest.ns("a", f"ip neigh replace {TAGGED['b']} dev v lladdr "
             f"{scene.port_mac(guest, 1)}")
    guest.sh(f"tcpfile make /tmp/out {1 << 18}")
    sink = guest.ns_job("b", "udploop recv 9 40")
    sink.wait_output("ready")
    count = {}
    for state in ("on", "off"):
        _toggle(guest, name, f"txvlan {state}", "a")
        count[state], *found = _reads(
            guest, f"udploop send {TAGGED['b']} 9 20 701", 20)
        assert found == [20, 20]
        assert {f.vid for f in _own(guest)} == {VID}
    assert count["off"] - count["on"] == 20 * 4
    assert "received 40" in sink.wait()
    server = guest.ns_job("b", "tcpfile check 5001")
    server.wait_output("ready")
    for state in ("on", "off"):
        _toggle(guest, name, f"sg {state}", "a")
        _, pieces, large = _reads(
            guest, f"tcpfile send /tmp/out {scene.ns_ip('b')} 5001 0", 100)
        assert pieces >= 2 * large if state == "on" else pieces == large
    assert _received(server) == {"files": 2, "bytes": 2 << 18, "bad": 0}


@pytest.mark.on("power9-debug")
def test_frames_in_more_pieces_than_a_wqe_holds_arrive_unchanged(lab):
    """Only the debug kernel has frames of so many pieces, up to 45. With TSO
    the stack segments them."""
    guest, name = _pair(lab, 9000)
    server = guest.ns_job("b", "tcpfile check 5001")
    server.wait_output("ready")

    def send():
        before = scene.driver_stats(guest, name, "a")
        _clear(guest)
        guest.ns("a", f"tcpfile pieces {scene.ns_ip('b')} 5001 1024")
        after = scene.driver_stats(guest, name, "a")
        assert not any(f.wrong_sums() for f in _own(guest))
        return after["tx0_linearized"] - before["tx0_linearized"]
    _toggle(guest, name, "tso off", "a")
    many = int(guest.read("/proc/sys/net/core/max_skb_frags")) > 30
    assert (send() > 10) == many
    guest.ns("a", f"ip link set {name} mtu 1500")
    scene.carrier(guest, name, "a")
    _toggle(guest, name, "tso on", "a")
    send()
    report = _received(server)
    assert report == {"files": 2, "bytes": 2 * 1024 * 96, "bad": 0}


# Receiving


def _v5(guest, name):
    """A VLAN device; the host on it is known."""
    guest.sh(f"ip link add link {name} name v5 type vlan id 5 && "
             "ip addr add 10.5.0.1/24 dev v5 && ip link set v5 up && "
             f"ip neigh replace 10.5.0.2 lladdr {scene.host_mac()} dev v5")


class Sender:
    """Frames to the first port, and what becomes of them."""

    def __init__(self, guest, name):
        self.guest, self.name, self.peer = guest, name, guest.peer()
        self.ends = (scene.port_mac(guest), self.peer.mac)
        self.ips = (scene.guest_ip(), scene.host_ip())
        self.serial = 0
        # or its answers to ARP would be counted, too
        guest.sh(f"ip neigh replace {scene.host_ip()} lladdr "
                 f"{scene.host_mac()} dev {name}")
        self.echo = guest.job("udpseq echo 7")
        self.echo.wait_output("ready")

    def udp(self, data, check=True):
        """A datagram that is sent back."""
        return frames.udp_frame(*self.ends, *self.ips, 7, 1000, data, check)

    def udp_tagged(self, data, vid=5):
        """The same in a VLAN."""
        return frames.tagged(frames.udp_frame(
            *self.ends, "10.5.0.1", "10.5.0.2", 7, 1000, data), vid)

    def udp6(self, data):
        """A datagram that is refused, for nobody listens."""
        return frames.udp_frame6(*self.ends, "fd00::1", "fd00::2", 9, 1000,
                                 data)

    def tcp(self, data):
        """A segment that is refused."""
        return frames.tcp_frame(*self.ends, *self.ips, 9, 1000, 1,
                                payload=data)

    def icmp(self, data):
        """A ping."""
        return frames.ether(*self.ends, frames.TYPE_IP, frames.ipv4(
            *self.ips[::-1], 1, frames.icmp_echo(8, 1, 1, data)))

    def fragments(self, data):
        """A datagram in two pieces."""
        whole = frames.udp(*self.ips[::-1], 1000, 7, data)
        parts = ((0x2000, whole[:208]), (26, whole[208:]))
        return [frames.ether(*self.ends, frames.TYPE_IP, frames.ipv4(
            *self.ips[::-1], 17, part, ident=5, frag=at))
                for at, part in parts]

    def counts(self):
        """Frames, and what the driver says of their checksums."""
        own = scene.driver_stats(self.guest, self.name)
        return {k: own[f"rx0_{k}"] for k in (
            "csum_complete", "csum_unnecessary", "csum_none", "csum_errors",
            "packets")}

    def answers(self, many, lost=0):
        """Send frames, of which so many are lost; what changed in the
        counters, and the answers. The echo of a last frame tells that all
        have been dealt with."""
        before = self.counts()
        self.serial += 1
        last = b"last" + struct.pack("!I", self.serial)
        self.peer.clear()
        self.peer.send_many([*many, self.udp(last)])
        self.peer.expect(lambda f: last in f.data, "the last frame's echo")
        want = before["packets"] + len(many) - lost + 1
        self.guest.poll(lambda: self.counts()["packets"] == want,
                        "all frames counted", 5)
        after = self.counts()
        # what GRO held back is answered behind that echo
        got = [f for f in self.peer.matching(self._is_answer)
               if last not in f.data]
        return {k: after[k] - before[k] for k in after
                if after[k] != before[k] and k != "packets"}, got

    @staticmethod
    def _is_answer(frame):
        proto, data = frame.l4()
        return proto == UDP or proto == TCP and data[13] & 4 or \
            proto == 1 and data[0] == 0 or proto == 58 and data[0] == 1


def _flip(frame, at):
    """The frame with one bit wrong."""
    out = bytearray(frame)
    out[at] ^= 1
    return bytes(out)


def _kinds(sender, data):
    """Frames by what they are: the frames, the counter that grows by each,
    whether they are answered."""
    udp, tcp = sender.udp(data), sender.tcp(data)
    udp6, inband = sender.udp6(data), sender.udp_tagged(data)
    good, none, whole = "csum_unnecessary", "csum_none", "csum_complete"
    return {
        "UDP": ([udp], good, True),
        "UDP without checksum": ([sender.udp(data, False)], good, True),
        "TCP": ([tcp], good, True),
        "fragments": (sender.fragments(bytes(300)), none, True),
        "ICMP": ([sender.icmp(data)], none, True),
        "UDP over IPv6": ([udp6], whole, True),
        "UDP, tag left in": ([inband], whole, True),
        "UDP, data wrong": ([_flip(udp, 43)], "csum_errors", False),
        "TCP, port wrong": ([_flip(tcp, 35)], "csum_errors", False),
        "IP header wrong": ([_flip(udp, 22)], "csum_errors", False),
        "UDP over IPv6, data wrong": ([_flip(udp6, 63)], whole, False),
        "UDP, tag left in, data wrong": ([_flip(inband, 47)], whole, False),
    }


def test_only_checksums_that_the_adapter_found_right_are_believed(lab):
    """With "rx off" none is, and the stack comes to the same conclusion."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    _v5(guest, name)
    guest.sh(f"ip addr add fd00::1/64 dev {name} nodad && ip neigh replace "
             f"fd00::2 lladdr {scene.host_mac()} dev {name} && "
             "echo 0 > /proc/sys/net/ipv6/icmp/ratelimit && "
             f"ethtool -K {name} rxvlan off")
    sender = Sender(guest, name)
    for state in ("on", "off"):
        _toggle(guest, name, f"rx {state}")
        for size in (3, 600):
            kinds = _kinds(sender, bytes(size))
            for kind, (many, counter, answered) in kinds.items():
                found, got = sender.answers(many)
                want = {"csum_unnecessary" if state == "on" else "csum_none":
                        1}
                if counter == "csum_errors":
                    want["csum_errors"] = 1
                    counter = "csum_none"
                if state == "off":
                    counter = "csum_none"
                want[counter] = want.get(counter, 0) + len(many)
                assert (found, len(got)) == (want, int(answered)), \
                    (kind, size, state, got)
                assert not any(f.wrong_sums() for f in got)


def test_vlan_switches_change_what_the_adapter_does_with_tags(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    _v5(guest, name)
    sender = Sender(guest, name)

    def judge(taken, filtered):
        """A tagged frame arrives whichever way. The adapter takes its tag,
        or it cannot tell about the checksum. One of an unknown VLAN is
        filtered by the adapter or dropped by the stack."""
        control = guest.hea.port(1)["receive_control"]
        assert bool(control & RXC_VLAN_EXTRACT) == taken
        assert bool(control & RXC_VLAN_FILTER) == filtered
        found, got = sender.answers([sender.udp_tagged(bytes(300))])
        assert len(got) == 1
        assert found == ({"csum_unnecessary": 2} if taken else
                         {"csum_unnecessary": 1, "csum_complete": 1})
        drops = guest.hea.port(1)["drops"].get("vlan-filter", 0)
        _, got = sender.answers([sender.udp_tagged(bytes(300), 6)], filtered)
        assert not got
        assert guest.hea.port(1)["drops"].get("vlan-filter", 0) == \
            drops + filtered

    for switches, taken, filtered in (
            ("rxvlan on", True, True), ("rxvlan off", False, True),
            ("rx-vlan-filter off", False, False), ("rxvlan on", True, False),
            ("rx-vlan-filter on", True, True)):
        _toggle(guest, name, switches)
        judge(taken, filtered)


def test_gro_makes_fewer_packets_of_a_stream(lab):
    """Each packet that the stack gets of a connection that it does not know
    is refused, and so the refusals tell how many there are."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    sender = Sender(guest, name)
    stream = [frames.tcp_frame(*sender.ends, *sender.ips, 9, 1000, 1 + at,
                               payload=bytes(1000))
              for at in range(0, 100000, 1000)]
    for state in ("off", "on"):
        _toggle(guest, name, f"gro {state}")
        _, got = sender.answers(stream)
        assert len(got) == 100 if state == "off" else len(got) < 50


def test_largest_frames_with_a_tag_arrive_byte_for_byte(lab):
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    guest.sh(f"ip link set {name} mtu 9000")
    scene.carrier(guest, name)
    _v5(guest, name)
    assert guest.read("/sys/class/net/v5/mtu") == "9000"
    guest.job("frameecho v5").wait_output("ready")
    peer, mac, rng = guest.peer(), scene.port_mac(guest), lab.random()
    for switches in ("rxvlan on txvlan on", "rxvlan off txvlan off"):
        _toggle(guest, name, switches)
        bodies = [rng.randbytes(size - 18) for size in (9018, 9017, 1519)]
        peer.clear()
        peer.send_many([frames.tagged(frames.ether(
            mac, peer.mac, frames.TYPE_REQUEST, body), 5)
                        for body in bodies])
        got = peer.expect(lambda f: f.vid == 5, "three echoes", 3)
        assert [f.data[16:18] for f in got] == [b"\x88\xb6"] * 3
        assert [f.data[18:] for f in got] == bodies
    assert not guest.hea.port(1)["drops"]
    peer.send(bytes(got[0].data) + b"x")
    guest.hea.wait(lambda h: h.port(1)["drops"].get("too-long") == 1,
                   "a frame that is too long")


def test_jumbo_frames_that_a_port_does_not_take_do_no_harm(lab):
    """One port may take none, the other has no buffers for them as long as
    its MTU is small; neither address matters to a promiscuous port."""
    both = adapters(ports=1, count=2)
    both[1].props["jumbo"] = "off"
    guest = lab.boot(both)
    scene.load(guest)
    causes = ("rq3-empty", "too-long")
    counters = ("rx_missed_errors", "rx_length_errors")
    for number, (cause, counter) in enumerate(zip(causes, counters)):
        name = scene.up(guest, adapter=number)
        hea, peer = guest.heas[number], guest.peer(adapter=number)
        guest.sh(f"ip link set {name} promisc on")
        hea.wait(lambda h: h.port(1)["default_unicast"], "promiscuous mode")
        before = scene.stats(guest, name)
        for dst in (scene.port_mac(guest, adapter=number), OTHER):
            for vid in (None, 5):
                frame = frames.ether(dst, peer.mac, frames.TYPE_REQUEST,
                                     bytes(9000))
                peer.send(frames.tagged(frame, vid) if vid else frame)
        hea.wait(lambda h, c=cause: h.port(1)["drops"] == {c: 4},
                 "four frames dropped")
        guest.poll(lambda n=name, b=before, c=counter:
                   scene.stats(guest, n)[c] == b[c] + 4, "four errors", 5)
        scene.both_ways(guest, adapter=number)
        assert scene.driver_stats(guest, name)["resets"] == 0
    name = guest.netdev()
    guest.sh(f"ip link set {name} mtu 9000")
    scene.carrier(guest, name)
    scene.ping(guest, scene.host_ip(), 2, 8972)


def test_receive_buffers_outside_the_region_are_not_used(lab):
    """Firmware refuses every new region, the memory of the first node is
    full, and a receiver that stands still holds all that it gets: further
    receive buffers come from memory that the adapter does not know. Every
    frame that found a buffer comes back as it was, from there, too."""
    guest = lab.boot(adapters(ports=1), node1=True, mem=512,
                     append="memhp_default_state=online_kernel")
    name = scene.ready(guest)[0]
    guest.sh(f"ip link set {name} mtu 9000 txqueuelen 4000")
    scene.carrier(guest, name)
    sender, rng = Sender(guest, name), lab.random()
    guest.hea.fault("op=H_ALLOC_HEA_RESOURCE,rtype=mr,times=0,rc=H_HARDWARE")
    guest.mem_add(1, node=1)
    free = guest.sh("awk '/MemFree/ {print $4}' "
                    "/sys/devices/system/node/node0/meminfo")
    # what does not fit goes to the other node, without looking twice
    guest.write("/proc/sys/vm/zone_reclaim_mode", "0")
    guest.sh("mkdir -p /full && mount -t tmpfs -o mpol=prefer:0,size=1g full "
             f"/full && fallocate -l {int(free) + (32 << 10)}k /full/file")
    sender.echo.kill(signal.SIGSTOP)
    sent = [n.to_bytes(4, "big") + rng.randbytes(2996) for n in range(3250)]
    peer, before = guest.peer(), sender.counts()["packets"]
    peer.clear()

    def drops():
        return sum(guest.hea.port(1)["drops"].values())

    def miss(count):
        """The buffers missed, once that many frames have been dealt with."""
        guest.poll(lambda: sender.counts()["packets"] - before + drops() ==
                   count, "every frame received or dropped")
        return scene.driver_stats(guest, name)["rx0_mr_miss"]
    # no faster than they are received, or they find no buffer anyway; and so
    # many after the first miss that all buffers posted before are used up
    at = more = 0
    while more < 750 and at < len(sent):
        peer.send_many([sender.udp(data) for data in sent[at:at + 250]])
        at += 250
        more += 250 if miss(at) else 0
    assert more == 750
    sender.echo.kill(signal.SIGCONT)
    got = peer.expect(lambda f: f.l4()[0] == UDP, "echoes", at - drops())
    data = [f.l4()[1][8:] for f in got]
    assert len(data) > at / 2
    assert all(body == sent[int.from_bytes(body[:4], "big")] for body in data)
    guest.hea.clear_faults()
    scene.settled(guest)
    scene.both_ways(guest)
