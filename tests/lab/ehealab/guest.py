# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest: its description, its machine, and commands in it."""

import base64
import dataclasses
import functools
import itertools
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import overlay
from .errors import CaseError, GuestDied
from .hea import Hea
from .peer import Peer
from .qmp import Qmp, QmpError

LMB = 256                # MiB
PAGE = 64                # KiB
MACHINE = "pseries,x-vof=on,cap-htm=off,cap-cfpc=broken,cap-sbbc=broken," \
    "cap-ibs=broken,cap-ccf-assist=off"
HASH = ",cap-hpt-max-page-size=64K"
CPUS = ("power7", "power8", "power9")
USUAL_BOOT = 4           # seconds; a longer one makes all waits longer
DEATH = re.compile(r"Kernel panic - not syncing.*|Rebooting in .*")


@dataclasses.dataclass
class Port:
    """A logical port. net: "peer" (the host, raw frames), "user" (QEMU's own
    TCP/IP stack), "hub:N" (a hub inside QEMU), "peer+hub:N" (such a hub with
    the host on it, too, who sees all that passes)."""
    mac: str
    net: str = "peer"


@dataclasses.dataclass
class Adapter:
    """A virtual HEA and its properties."""
    ports: list
    props: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Spec:
    """All that makes one guest differ from another."""
    cpu: str = "power9"
    kernel: str = "plain"
    smp: int = 2
    mem: int = 1024                     # MiB
    maxmem: int = 16384                 # MiB
    slots: int = 32
    adapters: list = dataclasses.field(default_factory=list)
    module: str = "module"              # or "intree", or None
    append: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    node1: bool = False                 # a second, empty NUMA node
    qemu_args: list = dataclasses.field(default_factory=list)
    machine: str = ""                   # more -M options
    reboot: bool = False                # a reboot does not end QEMU
    console: str = "socket"             # or "stdio"
    qemu: str = "qemu"                  # artifact


def mac(adapter, port):
    """The MAC address that the lab gives a port."""
    return f"52:54:00:ea:{adapter:02x}:{port + 1:02x}"


def adapters(ports=2, count=1, net="peer", **props):
    """Adapters with so many ports each; net may be a list, one per port."""
    nets = net if isinstance(net, list) else [net] * ports * count
    return [Adapter([Port(mac(a, p), nets[a * ports + p])
                     for p in range(ports)], dict(props))
            for a in range(count)]


@functools.lru_cache(maxsize=None)
def artifact(name):
    """An artifact's directory, the same one for the life of this process."""
    # pylint: disable-next=import-outside-toplevel
    from .build import artifact as build
    return Path(build(name))


def _one(directory, pattern):
    found = sorted(directory.rglob(pattern))
    if not found:
        raise CaseError(f"no {pattern} in {directory}")
    return found[0]


class Job:
    """A command that runs in the guest."""

    def __init__(self, guest, ident, command):
        self._guest = guest
        self.id = ident
        self.command = command
        self.raw = bytearray()
        self.status = None

    @property
    def output(self):
        """What it printed so far, as text."""
        return self.raw.decode("utf-8", "replace")

    def wait(self, timeout=60, check=True):
        """Wait for its end and return what it printed."""
        self._guest.wait(lambda: self.status is not None,
                         f"end of: {self.command}", timeout,
                         lambda: f"output so far: {self.output[-2000:]}")
        if check and self.status:
            raise CaseError(f"exit status {self.status} of: {self.command}\n"
                            f"{self.output[-4000:]}")
        return self.output

    def wait_output(self, pattern, timeout=60):
        """Wait until its output matches, and return the match."""
        self._guest.wait(lambda: re.search(pattern, self.output)
                         or self.status is not None,
                         f"{pattern!r} from: {self.command}", timeout,
                         lambda: f"output so far: {self.output[-2000:]}")
        found = re.search(pattern, self.output)
        if not found:
            raise CaseError(f"ended ({self.status}) without {pattern!r}: "
                            f"{self.command}\n{self.output[-2000:]}")
        return found

    def feed(self, data, end=True):
        """Give it standard input."""
        for at in range(0, len(data), 2048):
            text = base64.b64encode(data[at:at + 2048]).decode()
            self._guest.agent_send(f"in {self.id} {text}")
        if end:
            self._guest.agent_send(f"eof {self.id}")

    def kill(self, sig=signal.SIGTERM):
        """Signal its process group."""
        self._guest.agent_send(f"kill {self.id} {int(sig)}")

    def stop(self, timeout=30):
        """SIGTERM it and return what it printed."""
        self.kill()
        return self.wait(timeout, check=False)


class Machine:
    """Builds the command line of QEMU from a Spec."""

    def __init__(self, spec, directory):
        self.spec = spec
        self.dir = directory

    def _machine(self):
        spec = self.spec
        text = MACHINE + (HASH if spec.cpu == "power7" else "") + \
            (f",{spec.machine}" if spec.machine else "")
        out = ["-M", text, "-cpu", spec.cpu, "-smp", str(spec.smp),
               "-m", f"{spec.mem}M,slots={spec.slots},maxmem={spec.maxmem}M"]
        if spec.node1:
            out += ["-object", f"memory-backend-ram,id=ram0,size={spec.mem}M",
                    "-numa", f"node,nodeid=0,memdev=ram0,cpus=0-{spec.smp - 1}",
                    "-numa", "node,nodeid=1"]
        if "-icount" not in spec.qemu_args:
            out += ["-accel", "tcg,thread=multi"]
        return out

    def _consoles(self):
        out = []
        if self.spec.console == "stdio":
            out += ["-chardev", "stdio,id=con,signal=off,"
                    f"logfile={self.dir}/console.log"]
        else:
            out += ["-chardev", f"socket,id=con,path={self.dir}/con"]
        return out + ["-serial", "chardev:con",
                      "-chardev", f"socket,id=agent,path={self.dir}/agent",
                      "-serial", "chardev:agent",
                      "-chardev", f"socket,id=qmp,path={self.dir}/qmp",
                      "-mon", "chardev=qmp,mode=control"]

    def _netdev(self, ident, net):
        kind, _, arg = net.partition(":")
        hub = f"hubport,id={ident},hubid={arg or 0}"
        wire = f"server=off,addr.type=unix,addr.path={self.dir}/{ident}"
        if kind == "peer":
            return [f"stream,id={ident},{wire}"]
        if kind == "peer+hub":
            return [f"stream,id={ident}w,{wire}", hub,
                    f"hubport,id={ident}h,hubid={arg or 0},netdev={ident}w"]
        if kind == "hub":
            return [hub]
        return [f"user,id={ident}" + (f",{arg}" if arg else "")]

    def _adapters(self):
        out = []
        for a, adapter in enumerate(self.spec.adapters):
            device = f"spapr-hea,id=hea{a}"
            for p, port in enumerate(adapter.ports):
                for netdev in self._netdev(f"n{a}p{p}", port.net):
                    out += ["-netdev", netdev]
                device += f",netdev{p}=n{a}p{p},mac{p}={port.mac}"
            for key, value in adapter.props.items():
                device += f",{key.replace('_', '-')}={value}"
            out += ["-device", device]
        return out

    def command(self):
        """The whole command line."""
        spec = self.spec
        qemu = artifact(spec.qemu)
        out = [str(qemu / "bin" / "qemu-system-ppc64"),
               "-L", str(_one(qemu, "vof.bin").parent),
               "-nodefaults", "-display", "none"]
        out += self._machine() + self._consoles()
        out += ["-kernel", str(artifact(f"kernel-{spec.kernel}") / "vmlinux"),
                "-initrd", f"{self.dir}/initrd",
                "-append", "console=hvc0 panic=-1 rdinit=/usr/bin/labinit "
                f"{spec.append}".strip()]
        if not spec.reboot:
            out += ["-no-reboot"]
        return out + self._adapters() + spec.qemu_args


def _module_archive(spec):
    """The archive of this boot: the driver, the case's files."""
    archive = overlay.Archive()
    archive.add("lab/shell", overlay.SHELL)
    if spec.module:
        root = artifact(f"{spec.module}-{spec.kernel}") / "root"
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            archive.add(str(path.relative_to(root)), path)
    for name, data in spec.files.items():
        archive.add(name, data, 0o755)
    return archive


def _bases(spec):
    """The base archives: user land and the kernel's own modules."""
    return [_one(artifact("initramfs"), "*.cpio"),
            artifact(f"kernel-{spec.kernel}") / "modules.cpio"]


def second_kernel(kernel, module="module"):
    """Files for a guest that boots another kernel by itself (kexec)."""
    spec = Spec(kernel=kernel, module=module)
    bases = [b.read_bytes() for b in _bases(spec)]
    initrd = b"".join(b + bytes(-len(b) % 4) for b in bases)
    return {"lab/second/vmlinux": artifact(f"kernel-{kernel}") / "vmlinux",
            "lab/second/initrd": initrd + _module_archive(spec).bytes()}


class Guest:
    """A running guest."""

    def __init__(self, spec, name="guest", keep=None):
        """Describe a guest; start() boots it. keep: where logs of a failed
        case go (save_logs())."""
        self.spec = spec
        self.name = name
        self.keep = keep
        self.dir = Path(tempfile.mkdtemp(prefix="ehea-"))
        self.cond = threading.Condition()
        self.qmp = None
        self.heas = []
        self.peers = {}
        self.allow = []
        self.may_die = False
        self.death = None
        self.boots = 0
        self.patience = 1.0
        self.command = None
        self._console = bytearray()
        self._agent = None
        self._agent_lock = threading.Lock()
        self._jobs = {}
        self._ids = itertools.count(1)
        self._pongs = set()
        self._proc = None
        self._logs = []
        self._dimms = itertools.count(0)

    # Starting and ending

    def start(self, timeout=120):
        """Boot, and wait for the command agent."""
        overlay.compose(self.dir / "initrd", _bases(self.spec),
                        _module_archive(self.spec))
        listeners = {n: self._listen(n) for n in ("con", "agent", "qmp")
                     if n != "con" or self.spec.console == "socket"}
        for a, adapter in enumerate(self.spec.adapters):
            for p, port in enumerate(adapter.ports):
                if port.net.startswith("peer"):
                    name = f"n{a}p{p}"
                    self.peers[name] = Peer(self.dir / name, name, self.cond)
        self._spawn()
        streams = {n: self._accept(sock) for n, sock in listeners.items()}
        if "con" in streams:
            threading.Thread(target=self._read_console, daemon=True,
                             args=(streams["con"],)).start()
        self._agent = streams["agent"]
        threading.Thread(target=self._read_agent, daemon=True).start()
        try:
            self.qmp = Qmp(streams["qmp"], self.cond, self._log("qmp.log"))
        except QmpError as err:
            raise CaseError(f"QEMU did not start: {self._qemu_log()}") from err
        for peer in self.peers.values():
            peer.accept()
        self.heas = [Hea(self.qmp, f"hea{a}")
                     for a in range(len(self.spec.adapters))]
        began = time.monotonic()
        self.wait(lambda: self.boots, "the guest's agent", timeout)
        self._set_patience((time.monotonic() - began) / USUAL_BOOT)
        return self

    def _set_patience(self, factor):
        """On a slow or busy machine all waits may take longer."""
        self.patience = min(max(1.0, factor), 8.0)
        for waiter in (*self.heas, *self.peers.values()):
            waiter.patience = self.patience

    def _log(self, name):
        log = open(self.dir / name, "w", encoding="utf-8")
        self._logs.append(log)
        return log

    def _listen(self, name):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.dir / name))
        sock.listen(1)
        sock.settimeout(0.2)
        return sock

    def _accept(self, listener, timeout=30):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                stream, _ = listener.accept()
                stream.setblocking(True)
                listener.close()
                return stream
            except socket.timeout:
                if self._proc.poll() is not None:
                    break
        raise CaseError(f"QEMU did not start: {self._qemu_log()}")

    def _qemu_log(self):
        return (self.dir / "qemu.log").read_text(errors="replace")[-2000:]

    def _spawn(self):
        self.command = Machine(self.spec, self.dir).command()
        (self.dir / "command").write_text(shlex.join(self.command) + "\n",
                                          encoding="utf-8")
        stdio = None if self.spec.console == "stdio" else subprocess.DEVNULL
        self._proc = subprocess.Popen(self.command, stdin=stdio, stdout=stdio,
                                      stderr=self._log("qemu.log"))
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        status = self._proc.wait()
        with self.cond:
            if not self.death:
                self.death = f"QEMU ended with status {status}"
            self.cond.notify_all()

    def alive(self):
        """Whether the guest can still take commands."""
        return not self.death and self._proc.poll() is None

    def close(self):
        """End QEMU and close everything."""
        if self._proc and self._proc.poll() is None:
            self._proc.terminate()
            try:
                self._proc.wait(10)
            except subprocess.TimeoutExpired:
                self._proc.kill()
                self._proc.wait()
        for peer in self.peers.values():
            peer.close()
        if self.qmp:
            self.qmp.close()
        for log in self._logs:
            log.close()
        if self.spec.console == "socket":
            (self.dir / "console.log").write_bytes(bytes(self._console))
        for name in ("initrd", "con", "agent", "qmp", *self.peers):
            (self.dir / name).unlink(missing_ok=True)

    def discard_logs(self):
        """Forget the logs of a case that passed."""
        shutil.rmtree(self.dir, ignore_errors=True)

    def save_logs(self, target):
        """Keep the logs of a case that failed."""
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.dir, target)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.close()
        self.discard_logs()

    # What comes from the guest

    def _read_console(self, stream):
        done = 0
        while True:
            try:
                data = stream.recv(65536)
            except OSError:
                return
            if not data:
                return
            with self.cond:
                self._console += data
                end = self._console.rfind(b"\n")
                text = self._console[done:end].decode("utf-8", "replace")
                done = max(end, done)
                fatal = DEATH.search(text)
                if fatal and not self.spec.reboot and not self.death:
                    self.death = fatal.group(0).strip()
                self.cond.notify_all()

    def console_text(self):
        """All that the console showed."""
        if self.spec.console == "stdio":
            return (self.dir / "console.log").read_text(errors="replace")
        with self.cond:
            return self._console.decode("utf-8", "replace")

    def console_lines(self):
        """The console, line by line."""
        return self.console_text().replace("\r", "").split("\n")

    def sync_console(self):
        """Wait until all kernel messages so far have reached the console."""
        word = f"lab-sync-{time.monotonic_ns()}"
        self.sh(f"echo '<0>{word}' > /dev/kmsg")
        self.wait_console(word)

    def wait_console(self, pattern, timeout=30, since=0):
        """Wait for a console line and return the match."""
        return self.wait(lambda: re.search(pattern,
                                           self.console_text()[since:]),
                         f"console: {pattern!r}", timeout)

    def console_mark(self):
        """A position for wait_console(since=)."""
        return len(self.console_text())

    def _read_agent(self):
        buf = b""
        while True:
            try:
                data = self._agent.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, buf = (buf + data).split(b"\n")
            for line in lines:
                self._agent_line(line.strip().decode("ascii", "replace"))

    def _agent_line(self, line):
        word, _, rest = line.partition(" ")
        with self.cond:
            if word == "hello":
                self.boots += 1
                self._forget_jobs()
            elif word == "pong":
                self._pongs.add(rest)
            elif word in ("out", "end"):
                ident, _, arg = rest.partition(" ")
                job = self._jobs.get(int(ident))
                if job and word == "out":
                    job.raw += base64.b64decode(arg)
                elif job:
                    job.status = int(arg)
                    del self._jobs[job.id]
            self.cond.notify_all()

    def _forget_jobs(self):
        for job in self._jobs.values():
            job.status = 255
        self._jobs.clear()

    def agent_send(self, line):
        """Send a request line to the agent."""
        with self._agent_lock:
            self._agent.sendall(line.encode() + b"\n")

    # Waiting

    def wait(self, condition, what, timeout, detail=None):
        """Wait until condition() is true and return its value.

        It is looked at whenever something comes from the guest."""
        result = None

        def done():
            nonlocal result
            result = condition()
            return result or self.death
        with self.cond:
            self.cond.wait_for(done, timeout * self.patience)
        if result:
            return result
        tail = "\n".join(self.console_lines()[-40:])
        more = f"; {detail()}" if detail else ""
        if self.death:
            raise GuestDied(f"the guest died ({self.death}) while waiting for "
                            f"{what}{more}\n{tail}")
        raise CaseError(f"{timeout} s passed without {what}{more}\n{tail}")

    def poll(self, condition, what, timeout=30, interval=0.05):
        """Ask again and again until condition() is true; return its value."""
        deadline = time.monotonic() + timeout * self.patience
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                tail = "\n".join(self.console_lines()[-40:])
                raise CaseError(f"{timeout} s passed without {what}; the last "
                                f"answer was {value!r}\n{tail}")
            time.sleep(interval)

    def wait_event(self, names, since=0, match=None, timeout=60):
        """Wait for a QMP event."""
        return self.wait(lambda: self.qmp.find_event(names, since, match),
                         f"QMP event {names}", timeout)

    # Commands

    def job(self, command):
        """Start a shell command in the guest."""
        ident = next(self._ids)
        job = Job(self, ident, command)
        with self.cond:
            self._jobs[ident] = job
        text = base64.b64encode(command.encode()).decode()
        self.agent_send(f"run {ident} {text}")
        return job

    def sh(self, command, timeout=60, check=True):
        """Run a shell command in the guest and return what it printed."""
        return self.job(command).wait(timeout, check).rstrip("\n")

    def status(self, command, timeout=60):
        """Run a shell command and return its exit status."""
        job = self.job(command)
        job.wait(timeout, check=False)
        return job.status

    def read(self, path):
        """A file's text."""
        return self.sh(f"cat {shlex.quote(path)}")

    def write(self, path, text):
        """Write a file, without a newline at its end."""
        self.sh(f"printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    # The network

    def peer(self, port=0, adapter=0):
        """The host's end of a port's wire."""
        return self.peers[f"n{adapter}p{port}"]

    @property
    def hea(self):
        """The first adapter."""
        return self.heas[0]

    def netdev(self, port=0, adapter=0, ns=None):
        """Name of a port's network device; those on top of it may have the
        same address, but no device of the bus below them."""
        want = self.spec.adapters[adapter].ports[port].mac
        names = self.sh(self._in(
            ns, "cd /sys/class/net && for n in *; do [ -e $n/device ] && "
            f"grep -qix {want} $n/address && echo $n; done; true")).split()
        if len(names) != 1:
            raise CaseError(f"devices with {want}: {names}")
        return names[0]

    @staticmethod
    def _in(ns, command):
        return f"ip netns exec {ns} sh -c {shlex.quote(command)}" if ns \
            else command

    def ns(self, name, command, timeout=60, check=True):
        """Run a command in a network namespace."""
        return self.sh(self._in(name, command), timeout, check)

    def ns_job(self, name, command):
        """Start a command in a network namespace."""
        return self.job(self._in(name, "exec " + command))

    # Memory

    def blocks(self):
        """State of each memory block, by number."""
        out = self.sh("cd /sys/devices/system/memory && "
                      "grep . memory*/state")
        return {int(re.match(r"memory(\d+)", line).group(1)):
                line.split(":")[1] for line in out.splitlines()}

    def mem_total(self):
        """MemTotal in MiB."""
        return int(re.search(r"MemTotal:\s+(\d+)",
                             self.read("/proc/meminfo")).group(1)) // 1024

    def mem_free(self):
        """Free memory in MiB. MemFree alone leaves out the pages in the CPUs'
        own lists, and is told by counters that are added up now and then."""
        text = self.sh("cat /proc/sys/vm/stat_refresh /proc/meminfo "
                       "/proc/zoneinfo")
        free = int(re.search(r"MemFree:\s+(\d+)", text).group(1)) / 1024
        held = sum(map(int, re.findall(r"^\s+count:\s+(\d+)$", text, re.M)))
        return free + held * PAGE / 1024

    def mem_plug(self, lmbs=1, node=None, **more):
        """Plug a DIMM and return its id without waiting for the guest."""
        ident = f"dimm{next(self._dimms)}"
        self.qmp.command("object-add", qom_type="memory-backend-ram",
                         id=f"mem-{ident}", size=lmbs * LMB << 20)
        if node is not None:
            more["node"] = node
        self.qmp.command("device_add", driver="pc-dimm", id=ident,
                         memdev=f"mem-{ident}", **more)
        return ident

    def dimm_blocks(self, ident):
        """Numbers of the memory blocks of a DIMM."""
        for dimm in self.qmp.command("query-memory-devices"):
            if dimm["data"].get("id") == ident:
                first = dimm["data"]["addr"] // (LMB << 20)
                return list(range(first, first + dimm["data"]["size"]
                                  // (LMB << 20)))
        return []

    def online(self, numbers):
        """Whether all these blocks are online."""
        states = self.blocks()
        return all(states.get(n) == "online" for n in numbers)

    def mem_add(self, lmbs=1, node=None, timeout=90):
        """Plug a DIMM, wait until all of it is online, return its id."""
        ident = self.mem_plug(lmbs, node)
        want = self.dimm_blocks(ident)
        self.poll(lambda: self.online(want), f"blocks {want} online", timeout)
        return ident

    def mem_unplug(self, ident):
        """Ask for a DIMM's removal; returns a mark for wait_unplugged()."""
        since = self.qmp.mark()
        self.qmp.command("device_del", id=ident)
        return since

    def wait_unplugged(self, ident, since, timeout=90):
        """Wait for a DIMM's end; a refusal is an error."""
        event = self.wait_event(("DEVICE_DELETED", "MEM_UNPLUG_ERROR",
                                 "DEVICE_UNPLUG_GUEST_ERROR"), since,
                                lambda d: d.get("device") == ident, timeout)
        # pylint: disable-next=unsubscriptable-object
        if event["event"] != "DEVICE_DELETED":
            raise CaseError(f"removal of {ident}: {event}")
        self.qmp.command("object-del", id=f"mem-{ident}")

    def mem_del(self, ident, timeout=90):
        """Unplug a DIMM and wait until it is gone."""
        self.wait_unplugged(ident, self.mem_unplug(ident), timeout)

    def block_state(self, number, state, check=True, timeout=60):
        """Ask for a memory block to be online or offline."""
        return self.sh(f"echo {state} > "
                       f"/sys/devices/system/memory/memory{number}/state",
                       timeout, check)

    # Restarts

    def wait_boot(self, boots, timeout=120):
        """Wait for the agent of the next boot: boots as it was before."""
        self.wait(lambda: self.boots > boots, "the next boot", timeout)

    def wait_end(self, since, timeout=60):
        """Wait for the guest's shutdown, which QEMU ends in a pause; since is
        qmp.mark() before it. No command works any more, QMP does."""
        self.wait_event("SHUTDOWN", since, timeout=timeout)
        self.may_die = True
        self.death = "shut down as it should"

    def kill_qemu(self):
        """End QEMU at once."""
        os.kill(self._proc.pid, signal.SIGKILL)
        self._proc.wait()
