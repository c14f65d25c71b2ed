"""One fetch of a published key set, from the outside world: only there, only as far as registered, and never for long.

The name is resolved once, every address it has must be public, and the connection goes to the address that was checked:
there is no second look-up that could answer otherwise. TLS is verified against the name. Redirects are not followed, no
proxy or other setting of the environment is used, and nothing is decompressed.
"""

import asyncio
import enum
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable

import httpx

LARGEST = 64 * 1024
TIMEOUT = 3.0
_ADDRESSES_TRIED = 3
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URI = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)*{_LABEL})(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)?"
)
_LONGEST_URI = 500
_LARGEST_PORT = 65535
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",
            "::/96",  # an IPv4 address written as IPv6
            "::ffff:0:0:0/96",  # IPv4 translated (RFC 2765)
            "fec0::/10",  # site-local of before
            "5f00::/16",  # segment routing (RFC 9602)
        ),
    )
)
"""What some versions of Python call global and is not, or leads elsewhere."""
Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]


class KeyFault(enum.Enum):
    """Why a published key set cannot be used."""

    URI = "uri"
    ADDRESS = "address-not-public"
    UNREACHABLE = "unreachable"
    STATUS = "status"
    ENCODING = "content-encoding"
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    TOO_MANY = "too-many-keys"
    DUPLICATE_KID = "duplicate-kid"
    PRIVATE = "private-key"


def fetchable(uri: str) -> re.Match[str] | None:
    """The host and port of an address that a key set may be fetched from: https, a name, and nothing hidden in it."""
    parts = _URI.fullmatch(uri)
    if parts is None or len(uri) > _LONGEST_URI or int(parts["port"] or 443) > _LARGEST_PORT:
        return None
    return parts


def is_public(address: str) -> bool:
    """Whether an address is one of the open Internet; one that wraps another (mapped, 6to4, Teredo, NAT64) is not."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped or found.sixtofour or found.teredo):
        return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _NOT_PUBLIC)


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a name, as the system knows them.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


class KeySetFetch:
    """Fetches key sets; who may be called, how names resolve, whose certificates count and how long are arguments."""

    def __init__(
        self,
        *,
        permits: Callable[[str], bool] = is_public,
        resolve: Resolve = resolve,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        seconds: float = TIMEOUT,
    ) -> None:
        self._permits = permits
        self._resolve = resolve
        self._tls = tls
        self._seconds = seconds
        self._context: ssl.SSLContext | None = None

    async def __call__(self, uri: str) -> bytes | KeyFault:
        """What stands there, at most 64 KiB of it, within three seconds."""
        parts = fetchable(uri)
        if parts is None:
            return KeyFault.URI
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await self._resolve(parts["host"], int(parts["port"] or 443))
                if not addresses or not all(self._permits(address) for address in addresses):
                    return KeyFault.ADDRESS
                return await self._from_one_of(addresses[:_ADDRESSES_TRIED], uri, host=parts["host"])
        except (OSError, httpx.HTTPError):  # OSError: TimeoutError too
            return KeyFault.UNREACHABLE

    async def _from_one_of(self, addresses: tuple[str, ...], uri: str, *, host: str) -> bytes | KeyFault:
        self._context = self._context or self._tls()
        async with httpx.AsyncClient(
            verify=self._context, trust_env=False, follow_redirects=False, timeout=self._seconds
        ) as http:
            for address in addresses[:-1]:
                try:
                    return await _read(http, uri, address=address, host=host)
                except httpx.ConnectError:  # a machine without IPv6, or a server that is away: the next address
                    continue
            return await _read(http, uri, address=addresses[-1], host=host)


async def _read(http: httpx.AsyncClient, uri: str, *, address: str, host: str) -> bytes | KeyFault:
    """The body of a 200 answer from that very address; the name is what TLS verifies and what Host says."""
    url = httpx.URL(uri)
    headers = {
        "Host": url.netloc.decode("ascii"),
        "Accept": "application/jwk-set+json, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "sauma",
    }
    there = url.copy_with(host=address)
    async with http.stream("GET", there, headers=headers, extensions={"sni_hostname": host}) as answer:
        if answer.status_code != httpx.codes.OK:
            return KeyFault.STATUS
        if answer.headers.get("content-encoding", "identity") != "identity":
            return KeyFault.ENCODING
        whole = bytearray()
        async for part in answer.aiter_raw():
            whole += part
            if len(whole) > LARGEST:
                return KeyFault.TOO_LARGE
        return bytes(whole)
