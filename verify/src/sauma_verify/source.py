"""Where the log is read from: a directory, a zip of one, or a running server."""

import pathlib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from typing import Protocol

LARGEST_FILE = 1 << 25
"""Bytes; the largest entry bundle the format allows is 256 entries of 65,535 bytes, half of this."""

SECONDS = 30
NOT_FOUND = 404
GONE = 410


class Unreadable(Exception):  # noqa: N818  # a state of the source, no programming error
    """The source as a whole cannot be read: what of it, and why in the machine's words."""

    def __init__(self, what: object, why: object) -> None:
        super().__init__(f"{what}: {why}")


class Source(Protocol):
    """Files by their path inside the export."""

    def read(self, path: str) -> bytes | None:
        """The whole file, None where there is none.

        Raises:
            Unreadable: the source failed, or the file is larger than any of its kind.
        """

    def paths(self) -> frozenset[str] | None:
        """Every file there is, None where the source cannot list them."""


class Folder:
    """An exported directory."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        files = (path for path in root.rglob("*") if path.is_file())
        self._paths = frozenset(path.relative_to(root).as_posix() for path in files)

    def read(self, path: str) -> bytes | None:
        """See Source."""
        if path not in self._paths:
            return None
        try:
            with (self._root / path).open("rb") as file:
                return _bounded(path, file.read(LARGEST_FILE + 1))
        except OSError as error:
            raise Unreadable(path, error) from None

    def paths(self) -> frozenset[str] | None:
        """See Source."""
        return self._paths


class Archive:
    """A zip of an exported directory, with or without one folder around it."""

    def __init__(self, file: pathlib.Path) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unreadable(file, error) from None
        names = [name for name in self._zip.namelist() if not name.endswith("/")]
        if len(names) != len(set(names)):
            raise Unreadable(file, "a name twice")
        around = {name.partition("/")[0] for name in names}
        self._prefix = f"{around.pop()}/" if len(around) == 1 and all("/" in name for name in names) else ""
        self._paths = frozenset(name.removeprefix(self._prefix) for name in names)

    def read(self, path: str) -> bytes | None:
        """See Source."""
        if path not in self._paths:
            return None
        try:
            with self._zip.open(self._prefix + path) as file:
                return _bounded(path, file.read(LARGEST_FILE + 1))
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise Unreadable(path, error) from None

    def paths(self) -> frozenset[str] | None:
        """See Source."""
        return self._paths


class Server:
    """A running server: the checkpoint and the tiles below one address, which is the log's prefix."""

    def __init__(self, url: str) -> None:
        given = url.rstrip("/")
        self._prefix = given if urllib.parse.urlsplit(given).path else f"{given}/v1/ledger"

    def read(self, path: str) -> bytes | None:
        """See Source; only what lies below the prefix for everybody is asked for."""
        if path != "checkpoint" and not path.startswith("tile/"):
            return None
        request = urllib.request.Request(f"{self._prefix}/{path}")  # noqa: S310  # open_source takes http and https only
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # open_source takes http and https only
                return _bounded(path, answer.read(LARGEST_FILE + 1))
        except urllib.error.HTTPError as error:
            if error.code in {NOT_FOUND, GONE}:
                return None
            raise Unreadable(path, error) from None
        except (OSError, ValueError) as error:
            raise Unreadable(path, error) from None

    def paths(self) -> frozenset[str] | None:
        """A server does not list what it has."""
        return None


def open_source(named: str) -> Source:
    """The source of a path or an http(s) address.

    Raises:
        Unreadable: there is nothing of the kind.
    """
    if named.startswith(("http://", "https://")):
        return Server(named)
    path = pathlib.Path(named)
    if path.is_dir():
        return Folder(path)
    return Archive(path)


def _bounded(path: str, content: bytes) -> bytes:
    if len(content) > LARGEST_FILE:
        raise Unreadable(path, "larger than any of its kind")
    return content
