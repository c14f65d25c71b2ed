"""The receipt as the README says it: checked with the published key alone."""

import base64
import hashlib
import uuid

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sauma.core.errors import SealError
from sauma.vault.keys import Secret
from sauma.vault.local import LocalVault
from sauma.vault.signing import ReceiptSigner, leaf_hash_text

# RFC 8037 appendix A: key, public part and thumbprint
RFC_8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
ENTRY = uuid.UUID("01900000-0000-7000-8000-000000000001")
LEAF_HASH = hashlib.sha256(b"leaf").digest()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_published_key_is_that_of_rfc_8037() -> None:
    jwk = ReceiptSigner(Secret(decoded(RFC_8037_D))).public_jwk()
    assert (jwk["kty"], jwk["crv"], jwk["x"], jwk["kid"]) == ("OKP", "Ed25519", RFC_8037_X, RFC_8037_KID)
    assert "d" not in jwk


def test_a_receipt_verifies_with_the_published_key_over_the_text_of_the_contract(vault: LocalVault) -> None:
    signature = decoded(vault.receipts.sign(ENTRY, LEAF_HASH))
    leaf_hash = f"sha-256=:{base64.b64encode(LEAF_HASH).decode()}:"
    key = Ed25519PublicKey.from_public_bytes(decoded(vault.receipts.public_jwk()["x"]))
    key.verify(signature, f"sauma/receipt/v1\n01900000-0000-7000-8000-000000000001\n{leaf_hash}".encode())
    with pytest.raises(InvalidSignature):
        key.verify(signature, f"sauma/receipt/v1\n01900000-0000-7000-8000-000000000002\n{leaf_hash}".encode())


def test_only_a_sha_256_is_a_leaf_hash(vault: LocalVault) -> None:
    for wrong in (b"", LEAF_HASH[:-1], LEAF_HASH + b"\0"):
        with pytest.raises(SealError):
            leaf_hash_text(wrong)
        with pytest.raises(SealError):
            vault.receipts.sign(ENTRY, wrong)
