// SPDX-License-Identifier: GPL-2.0-or-later
/// A translated address is compared with EHEA_BUSMAP_HOLE on every path, and
/// is not put where nobody compares it.

virtual report

@tested@
expression x;
position p;
identifier f =~ "^ehea_busmap_lookup(_range)?$";
@@
(
f@p(...) == EHEA_BUSMAP_HOLE
|
f@p(...) != EHEA_BUSMAP_HOLE
|
f@p(...) == x
|
f@p(...) != x
)

@passed@
position p;
identifier f =~ "^ehea_busmap_lookup(_range)?$";
@@
return f@p(...);

@used@
position p != {tested.p, passed.p};
identifier f =~ "^ehea_busmap_lookup(_range)?$";
expression x;
@@
x = f@p(...);
... when any
(
x == EHEA_BUSMAP_HOLE
|
x != EHEA_BUSMAP_HOLE
)

@declared@
position p != {tested.p, passed.p};
identifier f =~ "^ehea_busmap_lookup(_range)?$";
type T;
identifier x;
@@
T x = f@p(...);
... when any
(
x == EHEA_BUSMAP_HOLE
|
x != EHEA_BUSMAP_HOLE
)

@rest@
position p != {tested.p, passed.p, used.p, declared.p};
identifier f =~ "^ehea_busmap_lookup(_range)?$";
@@
f@p(...)

@script:python depends on report@
p << rest.p;
f << rest.f;
@@
coccilib.report.print_report(p[0], "result of %s() is not compared with "
                             "EHEA_BUSMAP_HOLE on every path" % f)
