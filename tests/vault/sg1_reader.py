"""A second reader of SG1, written from schemas/seal-v1.md only; it imports nothing of sauma."""

import hmac
import struct
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CLASSES = {"ordinary": 1, "restricted": 2, "protection": 3}


class Parser:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]

    def number(self, forms: dict[int, tuple[str, int]]) -> int:
        form, least = forms[self.take(1)[0]]
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        assert value >= least, "not the shortest form"
        return value

    def uint(self) -> int:
        if self.content[self.at] < 0x80:
            return self.take(1)[0]
        return self.number({0xCC: (">B", 0x80), 0xCD: (">H", 0x100), 0xCE: (">I", 0x10000)})

    def bin(self) -> bytes:
        return self.take(self.number({0xC4: (">B", 0), 0xC5: (">H", 0x100), 0xC6: (">I", 0x10000)}))

    def map(self) -> dict[int, bytes]:
        short = self.content[self.at]
        count = self.take(1)[0] & 0x0F if 0x80 <= short <= 0x8F else self.number({0xDE: (">H", 16)})
        pairs = [(self.uint(), self.bin()) for _ in range(count)]
        assert [i for i, _ in pairs] == sorted({i for i, _ in pairs}), "ids ascending, once each"
        return dict(pairs)


def read(sealed: bytes, place: dict, data_key: bytes) -> dict[int, bytes]:
    """All fields of a group, or an exception."""
    parser = Parser(sealed)
    assert parser.take(2) == b"S\x99", "magic byte and array of nine"
    head = [parser.uint(), parser.uint(), parser.bin(), parser.uint(), parser.uint(), parser.uint()]
    salt, commitment, fields = parser.bin(), parser.bin(), parser.map()
    assert parser.at == len(sealed), "nothing may follow"
    kind, schema, revision = CLASSES[place["class"]], place["schemaVersion"], place["revision"]
    assert head == [1, 1, bytes.fromhex(place["dataKeyId"]), schema, revision, kind], "header"
    context = b"sauma/seal/v1\x01\x01" + salt + place["controller"].encode() + bytes(7)
    context += uuid.UUID(place["subject"]).bytes + uuid.UUID(place["record"]).bytes
    context += struct.pack(f">HBHIH{len(fields)}IB", place["table"], kind, schema, revision, len(fields), *fields, 1)
    block = hmac.digest(data_key, context, "sha512")
    assert block[32:] == commitment, "commitment"
    return {i: AESGCM(block[:32]).decrypt(i.to_bytes(12, "big"), value, None) for i, value in fields.items()}
