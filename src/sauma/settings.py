"""Everything Sauma is told from outside, in one frozen value; the only reader of the environment."""

import difflib
import enum
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from sauma.core.errors import StartRefused

EX_CONFIG = 78

T = TypeVar("T")


class Environment(enum.Enum):
    """Where this runs: production refuses the embedded database and whatever else is for trying out."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class LogLevel(enum.Enum):
    """The least severe line written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


FIXES = {
    "SAUMA_ENV": "not a known environment; fix: development, test or production",
    "SAUMA_DATABASE_URL": "not a PostgreSQL address; fix: postgresql://sauma_server:…@host/sauma",
    "SAUMA_MIGRATE_DATABASE_URL": "not a PostgreSQL address; fix: postgresql://sauma_migrator:…@host/sauma",
    "SAUMA_REGISTRAR_DATABASE_URL": "not a PostgreSQL address; fix: postgresql://<your own login>@host/sauma",
    "SAUMA_SEQUENCER_DATABASE_URL": "not a PostgreSQL address; fix: postgresql://sauma_sequencer:…@host/sauma",
    "SAUMA_PG_BIN": "not a directory; fix: name PostgreSQL's bin directory, the one with initdb in it",
    "SAUMA_HOME": "not a directory; fix: name a directory that Sauma may make and own",
    "SAUMA_PUBLIC_URL": "not an origin; fix: https://host or https://host:port, no more (http on loopback only)",
    "SAUMA_HOST": "not an address to listen on; fix: an IP address, 127.0.0.1 for this machine only",
    "SAUMA_PORT": "not a port; fix: a number from 1 to 65535",
    "SAUMA_WORKERS": "not a number of workers; fix: a number from 1 to 64",
    "SAUMA_KEYRING": "not a file; fix: name the keyring file",
    "SAUMA_POOL_SIZE": "not a number of connections; fix: a number from 1 to 100",
    "SAUMA_RATE_LIMIT": "not a number of requests a minute; fix: a number from 1 to 999999, or 0 for no limit",
    "SAUMA_MAX_IN_FLIGHT": "not a number of requests at once; fix: a number from 1 to 10000",
    "SAUMA_DRAIN_SECONDS": "not a number of seconds; fix: a number from 0 to 300",
    "SAUMA_XROAD_SECURITY_SERVER": "not addresses of X-Road security servers; fix: IP addresses, a comma between them",
    "SAUMA_CERTIFICATE_PEER": "not the address of a TLS proxy; fix: its one IP address, or unset it",
    "SAUMA_TRUSTED_ISSUERS": "not a file; fix: name the JSON file of trusted issuers, or unset it",
    "SAUMA_OWN_TOKENS": "neither on nor off; fix: on, or off where SAUMA_TRUSTED_ISSUERS names who issues instead",
    "SAUMA_METRICS_HOST": "not an address to read metrics at; fix: an IP address, 127.0.0.1 for this machine only",
    "SAUMA_METRICS_PORT": "not a port; fix: a number from 1 to 65535, another than SAUMA_PORT, or unset it",
    "SAUMA_OTEL_ENDPOINT": "not an OTLP/HTTP address; fix: https://host/v1/traces (http on loopback only), or unset it",
    "SAUMA_LOG_LEVEL": "not a known level; fix: debug, info, warning or error",
}
"""Every key there is, with what is said when its value is not one it can have."""

TO_SERVE = ("SAUMA_DATABASE_URL", "SAUMA_PUBLIC_URL", "SAUMA_KEYRING")
"""What serving in production has no default for."""

TO_MIGRATE = ("SAUMA_MIGRATE_DATABASE_URL",)
"""The same for migrating: the migrator is given neither the key ring nor the server's password."""

TO_REGISTER = ("SAUMA_REGISTRAR_DATABASE_URL", "SAUMA_KEYRING")
"""The same for registering systems: each act is a ledger entry, and its payload is sealed under the key ring."""

TO_SEQUENCE = ("SAUMA_SEQUENCER_DATABASE_URL",)
"""The same for the sequencer alone: it is given neither the key ring nor another's password."""

_CHECKOUT = Path(__file__).parents[2]
_VERIFIED = {"verify-ca", "verify-full"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment said, checked. The database URLs hold passwords: repr shows none."""

    environment: Environment
    home: Path
    database_url: str | None
    migrate_database_url: str | None
    registrar_database_url: str | None
    sequencer_database_url: str | None
    pg_bin: Path | None
    public_url: str
    host: str
    port: int
    workers: int
    keyring: Path | None
    pool_size: int
    rate_limit: int
    max_in_flight: int
    drain_seconds: int
    xroad_security_servers: tuple[str, ...]
    trusted_issuers: Path | None
    own_tokens: bool
    certificate_peer: str | None
    metrics_host: str
    metrics_port: int | None
    otel_endpoint: str | None
    log_level: LogLevel

    def __repr__(self) -> str:
        return f"Settings(environment={self.environment.value!r})"


def read(*, needed: tuple[str, ...] = TO_SERVE, log_level: LogLevel = LogLevel.INFO) -> Settings:
    """The settings of this process; `log_level` is the one it has when it was told none.

    Raises:
        StartRefused: as `from_environment`.
    """
    return from_environment(os.environ, needed=needed, log_level=log_level)


def from_environment(
    mapping: Mapping[str, str], *, needed: tuple[str, ...] = TO_SERVE, log_level: LogLevel = LogLevel.INFO
) -> Settings:
    """Settings from the `SAUMA_` keys of a mapping; other keys are ignored, an absent one has its default.

    Raises:
        StartRefused: exit 78; one line with the key and the fix, never the value.
    """
    for key in sorted(mapping):
        if key.startswith("SAUMA_") and key not in FIXES:
            raise _unknown(key)
    environment = _value(mapping, "SAUMA_ENV", Environment, Environment.DEVELOPMENT)
    in_production = environment is Environment.PRODUCTION
    settings = Settings(
        environment=environment,
        home=_value(mapping, "SAUMA_HOME", _home, _default_home()),
        database_url=_value(mapping, "SAUMA_DATABASE_URL", _database, None),
        migrate_database_url=_value(mapping, "SAUMA_MIGRATE_DATABASE_URL", _database, None),
        registrar_database_url=_value(mapping, "SAUMA_REGISTRAR_DATABASE_URL", _database, None),
        sequencer_database_url=_value(mapping, "SAUMA_SEQUENCER_DATABASE_URL", _database, None),
        pg_bin=_value(mapping, "SAUMA_PG_BIN", _directory, None),
        public_url=_value(mapping, "SAUMA_PUBLIC_URL", _origin, "http://127.0.0.1:8000"),
        host=_value(mapping, "SAUMA_HOST", _address, "127.0.0.1"),
        port=_value(mapping, "SAUMA_PORT", _number(1, 65535), 8000),
        workers=_value(mapping, "SAUMA_WORKERS", _number(1, 64), 1),
        keyring=_value(mapping, "SAUMA_KEYRING", _file, None),
        pool_size=_value(mapping, "SAUMA_POOL_SIZE", _number(1, 100), 10),
        rate_limit=_value(mapping, "SAUMA_RATE_LIMIT", _number(0, 999_999), 6000),
        max_in_flight=_value(mapping, "SAUMA_MAX_IN_FLIGHT", _number(1, 10_000), 256),
        drain_seconds=_value(mapping, "SAUMA_DRAIN_SECONDS", _number(0, 300), 5 if in_production else 0),
        xroad_security_servers=_value(mapping, "SAUMA_XROAD_SECURITY_SERVER", _peers, ()),
        certificate_peer=_value(mapping, "SAUMA_CERTIFICATE_PEER", _peer, None),
        trusted_issuers=_value(mapping, "SAUMA_TRUSTED_ISSUERS", _file, None),
        own_tokens=_value(mapping, "SAUMA_OWN_TOKENS", _switch, default=True),
        metrics_host=_value(mapping, "SAUMA_METRICS_HOST", _address, "127.0.0.1"),
        metrics_port=_value(mapping, "SAUMA_METRICS_PORT", _number(1, 65535), None),
        otel_endpoint=_value(mapping, "SAUMA_OTEL_ENDPOINT", _endpoint, None),
        log_level=_value(mapping, "SAUMA_LOG_LEVEL", LogLevel, log_level),
    )
    if not settings.own_tokens and settings.trusted_issuers is None:
        line = "SAUMA_OWN_TOKENS: off, and nobody else is named; fix: set SAUMA_TRUSTED_ISSUERS, or unset it"
        raise StartRefused(line, exit_code=EX_CONFIG)
    if in_production:
        _refuse_unfit_for_production(mapping, needed)
    return settings


def with_database(settings: Settings, *, server: str, migrator: str) -> Settings:
    """The same settings with the database that was started for them."""
    found = {"database_url": server, "migrate_database_url": migrator}
    return Settings(**(msgspec.structs.asdict(settings) | found))


def _unknown(key: str) -> StartRefused:
    if re.fullmatch("[A-Z0-9_]{1,64}", key) is None:
        return StartRefused("SAUMA_…: a key with unexpected characters; fix: unset it", exit_code=EX_CONFIG)
    near = difflib.get_close_matches(key, FIXES, n=1)
    fix = f"unset it, or did you mean {near[0]}?" if near else "unset it"
    return StartRefused(f"{key}: not a setting of Sauma; fix: {fix}", exit_code=EX_CONFIG)


def _refuse_unfit_for_production(mapping: Mapping[str, str], needed: tuple[str, ...]) -> None:
    """In production nothing that matters has a default, and the embedded PostgreSQL is not for real people's cases."""
    for key in needed:
        if key not in mapping:
            line = f"{key}: missing, and production has no default for it; fix: set it"
            raise StartRefused(line, exit_code=EX_CONFIG)
    if "SAUMA_PG_BIN" in mapping:
        line = "SAUMA_PG_BIN: the embedded PostgreSQL is refused in production; fix: unset it"
        raise StartRefused(line, exit_code=EX_CONFIG)
    for key in (key for key in FIXES if key.endswith("DATABASE_URL")):
        if key in mapping and not _private(mapping[key]):
            line = f"{key}: plaintext to another machine; fix: add sslmode=verify-full and sslrootcert to the address"
            raise StartRefused(line, exit_code=EX_CONFIG)


def _value(mapping: Mapping[str, str], key: str, check: Callable[[str], T], default: T) -> T:
    text = mapping.get(key)
    if text is None:
        return default
    try:
        return check(text)
    except (ValueError, OSError):
        line = f"{key}: {FIXES[key]}"
        raise StartRefused(line, exit_code=EX_CONFIG) from None


def _require(condition: object) -> None:
    if not condition:
        raise ValueError


def _default_home() -> Path:
    """`.sauma` in the checkout this runs from; in the current directory where Sauma is installed as a package."""
    return (_CHECKOUT if (_CHECKOUT / "sauma").is_file() else Path.cwd()) / ".sauma"


def _home(text: str) -> Path:
    path = Path(text).absolute()
    _require(text and not (path.exists() and not path.is_dir()) and path != Path(path.anchor))
    return path


def _directory(text: str) -> Path:
    _require(text and Path(text).is_dir())
    return Path(text).absolute()


def _file(text: str) -> Path:
    _require(text and Path(text).is_file())
    return Path(text).absolute()


def _database(text: str) -> str:
    parts = urlsplit(text)
    _require(text.isprintable() and parts.scheme in {"postgresql", "postgres"})
    _require(len(parts.path) > 1 and not parts.fragment)
    return text


def _private(text: str) -> bool:
    """Whether nobody between can read or alter: a socket or loopback of this machine, or a verified TLS server."""
    parts = urlsplit(text)
    query = parse_qs(parts.query)
    named = parts.netloc.rpartition("@")[2] or query.get("host", [""])[-1]
    hosts = (unquote(host).partition("]")[0] if "[" in host else unquote(host) for host in named.split(","))
    near = re.compile(r"/.*|(localhost|127\.[0-9.]+)(:[0-9]+)?|\[::1|")
    return query.get("sslmode", [""])[-1] in _VERIFIED or all(near.fullmatch(host) for host in hosts)


def _origin(text: str) -> str:
    parts = urlsplit(text)
    port = "" if parts.port is None else f":{parts.port}"
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    _require(re.fullmatch(r"[a-z0-9.:-]+", host) and text == f"{parts.scheme}://{shown}{port}")
    _require(parts.scheme == "https" or (parts.scheme == "http" and host in {"127.0.0.1", "localhost", "::1"}))
    return text


def _endpoint(text: str) -> str:
    """Where spans are sent: over TLS or on this machine, with no password in it."""
    parts = urlsplit(text)
    _require(parts.username is None and not parts.query and not parts.fragment and parts.path.startswith("/"))
    _require(re.fullmatch("[A-Za-z0-9/._~-]+", parts.path))
    _origin(text.removesuffix(parts.path))
    return text


def _switch(text: str) -> bool:
    _require(text in {"on", "off"})
    return text == "on"


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _peers(text: str) -> tuple[str, ...]:
    """Addresses a connection can come from: one each, no networks."""
    addresses = [ipaddress.ip_address(part.strip(" ")) for part in text.split(",")]
    _require(not any(address.is_unspecified or address.is_multicast for address in addresses))
    return tuple(str(getattr(address, "ipv4_mapped", None) or address) for address in addresses)


def _peer(text: str) -> str:
    (peer,) = _peers(text)
    return peer


def _number(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        _require(re.fullmatch("[0-9]{1,6}", text) and low <= int(text) <= high)
        return int(text)

    return check
