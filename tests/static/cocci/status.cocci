// SPDX-License-Identifier: GPL-2.0-or-later
/// The status of a hypervisor call is looked at. Where there is nothing to be
/// done about a failure, tests/static/rules names the function, and why.

virtual report

@call@
identifier f =~ "^(ehea_phyp_|plpar_hcall)";
position p;
@@
f@p(...);

@script:python depends on report@
p << call.p;
f << call.f;
@@
coccilib.report.print_report(p[0], "%s: status of %s() is not looked at"
                             % (p[0].current_element, f))
