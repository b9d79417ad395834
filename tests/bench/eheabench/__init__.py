# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements of this driver beside the kernel's own."""
