# SPDX-License-Identifier: GPL-2.0-or-later
"""What the running of cases may raise."""


class CaseError(Exception):
    """Something that a case relied on did not happen; the text says what."""


class GuestDied(CaseError):
    """The guest panicked or QEMU ended while it was still needed."""
