#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Put the virtual HEA into a QEMU 7.2 source tree: install.sh QEMU_SRC
# Files are only touched when they differ, so a rebuild stays incremental.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ] || [ ! -f "$1/hw/ppc/spapr.c" ]; then
	echo "usage: $0 QEMU_SRC (an unpacked QEMU 7.2)" >&2
	exit 2
fi
cd "$1"

put()
{
	cmp -s "$1" "$2" || cp "$1" "$2"
}

for f in "$here"/spapr_hea*.c "$here"/spapr_hea_int.h \
	 "$here"/spapr_hea_regs.h; do
	put "$f" hw/net/"${f##*/}"
done
put "$here"/spapr_hea.h include/hw/ppc/spapr_hea.h

grep -q spapr_dt_hea hw/ppc/spapr.c ||
	patch -p1 --forward < "$here"/qemu-7.2-hooks.patch
