"""Checks Sauma's ledger from outside; nothing here is shared with the server that wrote it.

What is checked is written down elsewhere: C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof, tlog-cosignature
and tlog-policy; RFC 9162 section 2.1 for the tree; the leaf's members in Sauma's docs/verify-without-us.md.
"""

__version__ = "0.1.0"
