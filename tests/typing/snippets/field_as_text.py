"""A field is a FieldSpec with its id and class; its name alone permits nothing."""

from sauma.core.decision import PermittedRecord
from sauma.core.matters import RecordHeader


def permit(header: RecordHeader) -> PermittedRecord:
    return PermittedRecord(header=header, fields={"ordinary": ("decision.amount",)})  # E: dict-item
