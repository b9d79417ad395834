# SPDX-License-Identifier: GPL-2.0-or-later
"""Operators in a hurry: several processes change everything at once under
traffic, in an order that a seed gives. What they do may fail, for another has
just taken it away; nothing may break."""

import shlex
import time

import pytest

from ehealab import scene
from ehealab.guest import adapters

MOVABLE = "memhp_default_state=online_movable"
DRIVER = "/sys/bus/ibmebus/drivers/ehea"
PROCESSES = 5


def _commands(rand, ports, blocks, device):
    """One command that an operator might give."""
    dev = f"eth{rand.randrange(ports)}"
    port = rand.randrange(1, ports + 1)
    block = "/sys/devices/system/memory/" \
        f"memory{rand.choice(blocks)}/state"
    common = (
        f"ip link set {dev} up", f"ip link set {dev} up",
        f"ip link set {dev} down",
        f"ip link set {dev} mtu {rand.choice((68, 1500, 4000, 8996))}",
        f"ip link set {dev} address 52:54:00:00:{rand.randrange(256):02x}:01",
        f"ip link set {dev} promisc {rand.choice(('on', 'off'))}",
        f"ip link set {dev} allmulticast {rand.choice(('on', 'off'))}",
        f"ip maddr add 01:00:5e:00:01:{rand.randrange(256):02x} dev {dev}",
        f"ip link add link {dev} name v{port} type vlan id {port}; "
        f"ip link set v{port} up", f"ip link del v{port}",
        f"ethtool -G {dev} {rand.choice(('rx', 'rx-mini', 'tx'))} "
        f"{rand.choice((127, 255, 1023, 4095))}",
        f"ethtool -L {dev} combined {rand.randrange(1, 5)}",
        f"ethtool -X {dev} equal {rand.randrange(1, 5)}",
        f"ethtool -C {dev} stats-block-usecs {rand.randrange(2000000)} "
        f"tx-frames {rand.randrange(1, 64)}",
        f"ethtool -K {dev} tso {rand.choice(('on', 'off'))} "
        f"rxvlan {rand.choice(('on', 'off'))}",
        f"ethtool -A {dev} rx {rand.choice(('on', 'off'))}",
        f"ethtool -s {dev} autoneg on", f"ethtool -s {dev} msglvl 0xffff",
        f"ethtool {dev}; ethtool -d {dev} raw on; ethtool -S {dev}; "
        f"ethtool -i {dev}",
        f"devlink health diagnose ibmebus/{device} reporter qp; "
        f"devlink health dump show ibmebus/{device} reporter adapter",
        "cat /sys/kernel/debug/ehea/*/*", f"ip -s -d link show {dev}",
        f"echo {rand.choice(('offline', 'online'))} > {block}",
        f"echo {rand.choice(('offline', 'online'))} > {block}",
        f"tc qdisc replace dev {dev} root {rand.choice(('fq', 'fq_codel'))}",
    )
    rare = (
        f"printf {port} > {DRIVER}/{device}/remove_port",
        f"printf {port} > {DRIVER}/{device}/probe_port",
        f"printf {port} > {DRIVER}/{device}/probe_port",
        f"printf {device} > {DRIVER}/unbind",
        f"printf {device} > {DRIVER}/bind",
        f"printf {device} > {DRIVER}/bind",
        "modprobe -r ehea", "modprobe ehea", "modprobe ehea",
        f"ip link set {dev} netns far",
        f"ip -n far link set {dev} up; ip -n far link set {dev} netns 1",
    )
    return rand.choice(rare if rand.random() < 0.12 else common)


def _script(rand, count, ports, blocks, device):
    """So many commands, again and again until the file "end" is there."""
    lines = ["test -e /tmp/end && exit 0; "
             + _commands(rand, ports, blocks, device) for _ in range(count)]
    return "while :; do\n" + "\n".join(lines) + "\ndone >/dev/null 2>&1\n"


@pytest.mark.on("power9-debug", faults=("power9",))
def test_operators_in_a_hurry_break_nothing(lab):
    ports = 3
    # long where races and stray accesses are seen
    seconds = 1800 if lab.long and lab.kernel != "plain" else 20
    guest = lab.boot(adapters(ports=ports, default_qps=4, max_eqs=60),
                     append=MOVABLE, smp=2)
    guest.allow += ["NETDEV WATCHDOG"]
    blocks = guest.dimm_blocks(guest.mem_add(2))
    scene.ready(guest, ports)
    device = guest.sh(f"basename {DRIVER}/*lhea*")
    guest.sh("ip netns add far")
    rand = lab.random()
    jobs = []
    for n in range(PROCESSES):
        script = _script(rand, 400, ports, blocks, device)
        job = guest.job(f"cat > /tmp/hurry{n}; sh /tmp/hurry{n}")
        job.feed(script.encode())
        jobs.append(job)
    # traffic from both sides; ports that are down or gone lose it
    for port in range(ports):
        jobs.append(guest.job(
            "while ! test -e /tmp/end; do "
            f"ping -q -c 20 -i 0.02 -W 1 -s 1000 {scene.host_ip(port)}; "
            "done >/dev/null 2>&1"))
    end = time.monotonic() + seconds
    while time.monotonic() < end and guest.alive():
        for port in range(ports):
            scene.blind_frames(guest, port, 50)
        guest.sh("true", timeout=120)
    guest.sh("touch /tmp/end")
    for job in jobs:
        job.wait(300, check=False)
    lab.tally("seconds of hurry", seconds)
    _still_works(guest, ports)


def _still_works(guest, ports):
    guest.sh("ip netns del far; modprobe -r ehea", timeout=120)
    assert not guest.hea.live()
    for block in guest.blocks():
        guest.status("echo online > "
                     f"/sys/devices/system/memory/memory{block}/state")
    scene.load(guest)
    for port in range(ports):
        scene.up(guest, port)
        scene.both_ways(guest, port)


CHOICES = ("on", "off", "0", "1", "-1", "2", "4", "16", "127", "1000", "4096",
           "65535", "65536", "4294967295", "9999999999", "full", "half", "x")
ASK = ("-a", "-c", "-d", "-g", "-i", "-k", "-l", "-n", "-S", "-t", "-T", "-u",
       "-x", "-P", "--show-fec", "--show-eee", "--show-priv-flags",
       "--phy-statistics", "--get-tunable", "-m", "-w", "--show-coalesce")
SET = {
    "-A": ("autoneg", "rx", "tx"),
    "-C": ("rx-usecs", "tx-frames", "tx-frames-irq", "rx-frames",
           "stats-block-usecs", "adaptive-rx", "tx-usecs-high"),
    "-G": ("rx", "rx-mini", "rx-jumbo", "tx", "rx-buf-len"),
    "-K": ("rx", "tx", "sg", "tso", "gso", "gro", "rxvlan", "txvlan",
           "ntuple", "rxhash"),
    "-L": ("rx", "tx", "other", "combined"),
    "-N": ("flow-type tcp4 action", "rx-flow-hash tcp4 sdfn;", "delete"),
    "-X": ("equal", "weight", "hkey", "default;", "start 1 equal"),
    "-s": ("speed", "duplex", "autoneg", "advertise", "msglvl", "wol",
           "phyad", "mdix"),
    "-E": ("magic 0 offset 0 value",),
    "--set-eee": ("eee",), "--set-fec": ("encoding",),
    "--set-priv-flags": ("x",), "--reset": ("flags", "all;"),
    "-p": ("1;",), "-r": (";",), "-f": ("x", "/etc/passwd"),
}


def _ethtool(rand, name):
    """One ethtool command, sensible or not."""
    if rand.random() < 0.3:
        return f"ethtool {rand.choice(ASK)} {name}"
    option = rand.choice(sorted(SET))
    words = [w for n in range(rand.randrange(1, 4))
             for w in (rand.choice(SET[option]), rand.choice(CHOICES))]
    line = " ".join(words).split(";", maxsplit=1)[0]
    return f"ethtool {option} {name} {line}"


@pytest.mark.on("power9", faults=("power9-debug",))
def test_ethtool_takes_any_argument_or_refuses_it(lab):
    guest = lab.boot(adapters(ports=1, default_qps=4))
    name = scene.ready(guest)[0]
    rand = lab.random()
    rounds = lab.amount(4, 200)
    for _ in range(rounds):
        lines = [_ethtool(rand, name) for _ in range(50)]
        guest.status("(" + "; ".join(lines) + ") >/dev/null 2>&1", timeout=300)
    lab.tally("ethtool commands fuzzed", rounds * 50)
    guest.status(f"ethtool -s {name} autoneg on")
    guest.sh(f"ip link set {name} down; ip link set {name} up")
    scene.carrier(guest, name)
    scene.both_ways(guest)


@pytest.mark.on("power9")
def test_without_privilege_nothing_is_changed(lab):
    """The kernel asks for CAP_NET_ADMIN; the driver shows registers and
    debugfs to root only."""
    guest = lab.boot(adapters(ports=1))
    name = scene.ready(guest)[0]
    before = guest.hea.stats()["calls"]
    changed = ("H_MODIFY_HEA_PORT", "H_ALLOC_HEA_RESOURCE", "H_REG_BCMC")
    for command in (f"ethtool -G {name} tx 255",
                    f"ethtool -L {name} combined 1",
                    f"ethtool -d {name}", f"ip link set {name} down",
                    "cat /sys/kernel/debug/ehea/*/memory",
                    f"printf 1 > {DRIVER}/*/remove_port",
                    f"ethtool -s {name} speed 100 duplex full"):
        assert guest.status("setuidgid 65534:65534 sh -c "
                            f"{shlex.quote(command)} 2>/dev/null"), command
    after = guest.hea.stats()["calls"]
    for op in changed:
        assert after.get(op) == before.get(op), op
    scene.both_ways(guest)
