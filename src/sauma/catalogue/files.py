"""The catalogue's files as bytes, their canonical form and their digest."""

import hashlib
import importlib.resources
from collections.abc import Mapping

from sauma.core.errors import CatalogueError

PURPOSES = "purposes/"
CODES = "codes.toml"
AREAS = "areas.csv"
MUNICIPALITIES = "municipalities.csv"

_DOMAIN = b"sauma/catalogue/v1\n"


def fault(file: str, key: str, problem: str) -> CatalogueError:
    """The error that refuses to start: which file, which key, what is wrong with it."""
    return CatalogueError(f"{file}: {key}: {problem}")


def read_files() -> dict[str, bytes]:
    """The data files of the package by their name in the catalogue, `/` between folder and file.

    Everything in `purposes/` is read, so that a stray file there is refused and not overlooked.
    """
    root = importlib.resources.files("sauma.catalogue")
    found = {name: (root / name).read_bytes() for name in (CODES, AREAS, MUNICIPALITIES)}
    for entry in (root / PURPOSES.rstrip("/")).iterdir():
        found[PURPOSES + entry.name] = entry.read_bytes()
    return found


def text_of(files: Mapping[str, bytes], name: str) -> str:
    """One file as text, in the only form whose bytes the digest may quote: UTF-8, no mark, LF, a last newline.

    Raises:
        CatalogueError: the file is missing or not in that form.
    """
    if name not in files:
        raise fault(name, "file", "missing")
    content = files[name]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise fault(name, "file", "not UTF-8") from None
    if text.startswith("\ufeff"):
        raise fault(name, "file", "starts with a byte order mark")
    if "\r" in text or "\x00" in text:
        raise fault(name, "file", "holds a carriage return or NUL")
    if not text.endswith("\n"):
        raise fault(name, "file", "does not end with a newline")
    return text


def digest_of(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 over all files sorted by name: name, NUL, length as 8 bytes big-endian, content."""
    digest = hashlib.sha256(_DOMAIN)
    for name in sorted(files):
        content = files[name]
        digest.update(name.encode() + b"\x00" + len(content).to_bytes(8, "big") + content)
    return digest.digest()
