#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Put the virtual HEA into a QEMU source tree: install.sh QEMU_SRC
# The hooks are those of the newest version that is not newer than the tree.
# Files are only touched when they differ, so a rebuild stays incremental.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ] || [ ! -f "$1/hw/ppc/spapr.c" ]; then
	echo "usage: $0 QEMU_SRC (an unpacked QEMU)" >&2
	exit 2
fi
cd "$1"

version=$(cat VERSION)
hooks=''
known=''
for f in $(printf '%s\n' "$here"/qemu-*-hooks.patch | sort -V); do
	of=${f##*/qemu-}
	of=${of%-hooks.patch}
	known="$known $of"
	if printf '%s\n' "$of" "$version" | sort -C -V; then
		hooks=$f
	fi
done

put()
{
	cmp -s "$1" "$2" || cp "$1" "$2"
}

if ! grep -q spapr_dt_hea hw/ppc/spapr.c; then
	if [ -z "$hooks" ] ||
	   ! patch -p1 -s -t --dry-run < "$hooks" > /dev/null; then
		echo "$0: QEMU $version is not supported: none of the hooks" \
		     "(of$known) apply to it, see $here/README.md" >&2
		exit 1
	fi
	patch -p1 --no-backup-if-mismatch < "$hooks"
fi
for f in "$here"/spapr_hea*.c "$here"/spapr_hea_*.h; do
	put "$f" hw/net/"${f##*/}"
done
put "$here"/spapr_hea.h include/hw/ppc/spapr_hea.h
