# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives for the guest's initial root file system."""


def pack(job, root, target):
    """Pack a directory tree, owned by root. An emulated CPU would unpack
    what is compressed for longer than it boots."""
    script = ('cd "$1" && find . -print0 | LC_ALL=C sort -z | '
              'cpio --null --quiet -o -H newc -R 0:0 --reproducible > "$2"')
    job.run("packing", ["bash", "-o", "pipefail", "-c", script, "pack", root,
                        target])
