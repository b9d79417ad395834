# SPDX-License-Identifier: GPL-2.0-or-later
"""Command line of the lab."""

import argparse
import json
import os
import sys

from . import build, cache, check, coverage, demo, shell
from .apt import require
from .errors import CaseError
from .guest import CPUS
from .kernel import VARIANTS as KERNELS
from .qmp import QmpError
from .run import LabError, jobs

# What demo and check need, in an order that fails early.
DEFAULT = ("initramfs", "qemu", "kernel-plain", "kernel-debug",
           "module-plain", "module-debug", "intree-plain", "intree-debug")


def cmd_build(opts):
    """Build the artifacts named, or all that demo and check need."""
    for name in opts.artifact or DEFAULT:
        print(build.artifact(name), flush=True)


def cmd_list(_):
    """Name all artifacts."""
    print("\n".join(sorted(build.RECIPES)))


def cmd_demo(opts):
    """Show the driver at work."""
    return demo.main(opts.cpu, opts.kernel)


def cmd_check(opts):
    """Run the cases."""
    require("python3-pytest", "python3-pytest-xdist")
    extra = ["--seed", str(opts.seed)] + ["--faults"] * opts.faults + \
        ["--keep-logs"] * opts.keep_logs
    return check.main(opts.pattern, opts.cpu, opts.kernel, opts.jobs, extra)


def cmd_coverage(opts):
    """Say which lines of the driver the cases run."""
    require("python3-pytest", "python3-pytest-xdist")
    if opts.report:
        return coverage.report()
    return coverage.main(opts.pattern, opts.jobs)


def cmd_bench(opts):
    """Measure this driver and the kernel's own."""
    sys.path.insert(0, str(cache.CHECKOUT / "tests" / "bench"))
    # pylint: disable-next=import-outside-toplevel,import-error
    from eheabench import main as bench
    return bench.main(opts)


def cmd_shell(opts):
    """Give the user a guest."""
    return shell.main(opts.cpu, opts.kernel, opts.module)


def cmd_qmp(opts):
    """Send a command to the monitor of the guest that `shell` runs."""
    arguments = json.loads(opts.arguments)
    print(json.dumps(shell.monitor().command(opts.execute, **arguments),
                     indent=2))


def cmd_mem_add(opts):
    """Plug memory into the guest that `shell` runs."""
    shell.mem_add(opts.lmbs)


def cmd_mem_del(opts):
    """Unplug memory from the guest that `shell` runs."""
    shell.mem_del(opts.dimm)


def cmd_clean(_):
    """Remove the cache."""
    if cache.ROOT.exists():
        cache.remove(cache.ROOT)
        print(f"lab: removed {cache.ROOT}")


def parser():
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="lab", description="Builds a pseries guest with a virtual HEA, "
        "boots it, and tests the eHEA driver in it.")
    commands = top.add_subparsers(dest="command", required=True,
                                  metavar="COMMAND")

    def add(name, func):
        sub = commands.add_parser(name, help=func.__doc__)
        sub.set_defaults(func=func)
        return sub

    def machine(sub, cpu, kernel):
        sub.add_argument("--cpu", choices=CPUS, default=cpu)
        sub.add_argument("--kernel", choices=KERNELS, default=kernel)

    def cases(sub):
        sub.add_argument("-k", dest="pattern", metavar="PATTERN")
        sub.add_argument("-j", dest="jobs", type=int, default=jobs() + 1,
                         help="guests at a time (default: one more than "
                         "there are CPUs, for they often wait)")

    add("build", cmd_build).add_argument("artifact", nargs="*")
    add("list", cmd_list)
    machine(add("demo", cmd_demo), "power9", "plain")
    sub = add("check", cmd_check)
    cases(sub)
    sub.add_argument("--faults", action="store_true",
                     help="the long forms of the cases that inject faults")
    sub.add_argument("--seed", type=int, default=1,
                     help="of all that is random in them (default 1)")
    sub.add_argument("--keep-logs", action="store_true",
                     help="keep the logs of cases that passed, too")
    machine(sub, None, None)
    sub = add("coverage", cmd_coverage)
    cases(sub)
    sub.add_argument("--report", action="store_true",
                     help="run nothing, report on the last run again")
    sub = add("bench", cmd_bench)
    sub.add_argument("--memory", action="store_true",
                     help="memory hotplug instead of speed")
    sub.add_argument("--repeats", type=int, default=3,
                     help="runs of each measurement (default 3)")
    sub.add_argument("--cycles", type=int, default=500,
                     help="memory: add/removal cycles (default 500; a "
                     "20th of that with the debug kernel)")
    sub.add_argument("--seconds", type=float, default=4,
                     help="memory: length of a stretch (default 4)")
    sub.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16],
                     help="memory: guests for the pause, GiB")
    sub.add_argument("-k", dest="pattern", default="",
                     help="only measurements whose name matches; the "
                     "others are kept from earlier runs")
    sub = add("shell", cmd_shell)
    machine(sub, "power9", "plain")
    sub.add_argument("--module", choices=("module", "intree"),
                     default="module", help="whose driver: this checkout's "
                     "or the one of the kernel's own tree")
    sub = add("qmp", cmd_qmp)
    sub.add_argument("execute", metavar="EXECUTE")
    sub.add_argument("arguments", nargs="?", default="{}", metavar="JSON")
    add("mem-add", cmd_mem_add).add_argument(
        "lmbs", nargs="?", type=int, default=1, metavar="LMBS")
    add("mem-del", cmd_mem_del).add_argument(
        "dimm", nargs="?", metavar="DIMM", help="default: the last one")
    add("clean", cmd_clean)
    return top


def main(args):
    """Run one command of the lab and return the exit status."""
    opts = parser().parse_args(args)
    try:
        return opts.func(opts) or 0
    except (LabError, CaseError, QmpError) as err:
        print(f"lab: {err}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as err:
        print(f"lab: {err}: is there room in {cache.ROOT}?", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nlab: interrupted; the next run goes on from here",
              file=sys.stderr)
        return 130
    return 1
