# SPDX-License-Identifier: GPL-2.0-or-later
"""Command line of the lab."""

import argparse
import sys

from . import build
from .run import LabError


def main(args):
    parser = argparse.ArgumentParser(prog="lab")
    parser.add_argument("command")
    parser.add_argument("names", nargs="*")
    opts = parser.parse_args(args)
    try:
        for name in opts.names:
            print(build.artifact(name))
    except LabError as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1
    return 0
