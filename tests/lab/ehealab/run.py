# SPDX-License-Identifier: GPL-2.0-or-later
"""Running build commands: one error class, a log per job, progress shown."""

import os
import re
import subprocess
import sys
import time


class LabError(Exception):
    """What went wrong and what to do about it, in one line."""


def jobs():
    """How many processes a build may use."""
    return len(os.sched_getaffinity(0))


class Progress:
    """One line on a terminal, a line now and then elsewhere."""

    INTERVAL = 20

    def __init__(self, name, stream=None):
        self.name = name
        self.stream = stream or sys.stderr
        self.tty = self.stream.isatty()
        self.start = time.monotonic()
        self.last = 0.0

    def elapsed(self):
        """Return the time since the start as minutes and seconds."""
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def line(self, text):
        """Print a line that stays."""
        clear = "\r\033[K" if self.tty else ""
        self.stream.write(f"{clear}lab: {self.name}: {text}\n")
        self.stream.flush()

    def update(self, what, done=0, total=0):
        """Show how far a step is; cheap enough to call for every line."""
        now = time.monotonic()
        if now - self.last < (0.2 if self.tty else self.INTERVAL):
            return
        self.last = now
        percent = ""
        if total:
            percent = f" {min(99, done * 100 // total)}%"
        text = f"{what}{percent} ({self.elapsed()})"
        if self.tty:
            self.stream.write(f"\r\033[Klab: {self.name}: {text}")
            self.stream.flush()
        else:
            self.line(text)


class Job:
    """What a recipe is given: where to log, and how to run things."""

    NINJA = re.compile(r"^\[(\d+)/(\d+)\]")
    KBUILD = re.compile(r"^ +(CC|AS|LD|AR|HOSTCC)( \[M\])? ")

    def __init__(self, name, log):
        self.name = name
        self.log = log
        self.progress = Progress(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def say(self, text):
        """Tell the user something that stays on the screen."""
        self.progress.line(text)

    def run(self, what, argv, steps=0, **kwargs):
        """Run a command; its output goes to the log and moves the progress.

        steps is the number of compiler lines expected, when that is known.
        Raises LabError naming the log when the command fails.
        """
        self.progress.update(what)
        count = 0
        argv = [str(a) for a in argv]
        with open(self.log, "ab") as log:
            log.write(f"\n$ {' '.join(argv)}\n".encode())
            log.flush()
            with subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, **kwargs) as proc:
                for raw in proc.stdout:
                    log.write(raw)
                    text = raw.decode(errors="replace")
                    ninja = self.NINJA.match(text)
                    if ninja:
                        self.progress.update(what, int(ninja[1]),
                                             int(ninja[2]))
                    elif self.KBUILD.match(text):
                        count += 1
                        self.progress.update(what, count, steps)
        if proc.returncode:
            raise LabError(f"{self.name}: {what} failed, "
                           f"see the end of {self.log}")
        return count

    def output(self, what, argv, **kwargs):
        """Run a short command and return what it printed."""
        argv = [str(a) for a in argv]
        try:
            return subprocess.run(argv, check=True, text=True,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, **kwargs).stdout
        except subprocess.CalledProcessError as err:
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(f"\n$ {' '.join(argv)}\n{err.stdout}{err.stderr}")
            raise LabError(f"{self.name}: {what} failed, "
                           f"see the end of {self.log}") from err
