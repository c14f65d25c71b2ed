"""What is answered rests on opened fields, a permit and a receipt: not on ciphertext, a refusal or an id."""

import uuid

from sauma.core.decision import Permit, Refusal
from sauma.core.disclosure import Opened, Sealed
from sauma.exchange.disclose import manifest
from sauma.exchange.ports import World
from sauma.exchange.render import disclosed_members


def answer(permit: Permit, refusal: Refusal, sealed: Sealed, opened: Opened) -> None:
    disclosed_members(permit, sealed, cursor=None)  # E: arg-type
    disclosed_members(refusal, opened, cursor=None)  # E: arg-type
    manifest(refusal)  # E: arg-type


def sign(entry: uuid.UUID, world: World) -> None:
    world.vault.sign_receipt(entry)  # E: call-arg
