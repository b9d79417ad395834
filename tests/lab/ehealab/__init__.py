# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: builds a pseries guest with a virtual HEA, boots it, drives it."""
