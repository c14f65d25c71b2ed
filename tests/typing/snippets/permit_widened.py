"""Evidence does not change after it was made."""

from sauma.core.decision import Permit, PermittedRecord
from sauma.core.disclosure import Disclosed, Receipt


def widen(permit: Permit, more: tuple[PermittedRecord, ...], disclosed: Disclosed, receipt: Receipt) -> None:
    permit.records = more  # E: misc
    disclosed.body = b"{}"  # E: misc
    receipt.leaf_hash = b""  # E: misc
    permit.records[0].fields = {}  # E: misc
