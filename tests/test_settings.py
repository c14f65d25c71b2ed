"""What Sauma is told wrongly: one line with the key and the fix, exit 78, and never the value."""

import os
import pathlib
import subprocess
import sys

import pytest

from sauma import settings
from sauma.core.errors import StartRefused

ROOT = pathlib.Path(__file__).parents[1]
PRODUCTION = {
    "SAUMA_ENV": "production",
    "SAUMA_DATABASE_URL": "postgresql://sauma_server:x@db/sauma?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "SAUMA_PUBLIC_URL": "https://sauma.example",
    "SAUMA_KEYRING": str(pathlib.Path(__file__)),
}


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in PRODUCTION.items() if name != key}


BAD = {
    "a misspelt key": ({"SAUMA_DATABSE_URL": "marker"}, "SAUMA_DATABSE_URL", "did you mean SAUMA_DATABASE_URL"),
    "a key that never existed": ({"SAUMA_ZZZ": "marker"}, "SAUMA_ZZZ", "unset it"),
    "a key that is not a name": ({"SAUMA_\nroot": "marker"}, "SAUMA_…", "unset it"),
    "an environment nobody knows": ({"SAUMA_ENV": "marker"}, "SAUMA_ENV", "development, test or production"),
    "an environment in capitals": ({"SAUMA_ENV": "PRODUCTION"}, "SAUMA_ENV", "development, test or production"),
    "an empty environment": ({"SAUMA_ENV": ""}, "SAUMA_ENV", "development, test or production"),
    "another database": ({"SAUMA_DATABASE_URL": "mysql://marker@h/d"}, "SAUMA_DATABASE_URL", "postgresql://"),
    "an address without a database": (
        {"SAUMA_DATABASE_URL": "postgresql://marker@h"},
        "SAUMA_DATABASE_URL",
        "postgresql://",
    ),
    "a migrator's address of words": (
        {"SAUMA_MIGRATE_DATABASE_URL": "marker"},
        "SAUMA_MIGRATE_DATABASE_URL",
        "postgresql://",
    ),
    "a registrar's address without a database": (
        {"SAUMA_REGISTRAR_DATABASE_URL": "postgresql://marker@h"},
        "SAUMA_REGISTRAR_DATABASE_URL",
        "your own login",
    ),
    "a sequencer's address of another kind": (
        {"SAUMA_SEQUENCER_DATABASE_URL": "mysql://marker@h/d"},
        "SAUMA_SEQUENCER_DATABASE_URL",
        "sauma_sequencer",
    ),
    "a file of trusted issuers that is not there": (
        {"SAUMA_TRUSTED_ISSUERS": "/marker"},
        "SAUMA_TRUSTED_ISSUERS",
        "unset it",
    ),
    "own tokens, perhaps": ({"SAUMA_OWN_TOKENS": "marker"}, "SAUMA_OWN_TOKENS", "on, or off"),
    "own tokens in capitals": ({"SAUMA_OWN_TOKENS": "OFF"}, "SAUMA_OWN_TOKENS", "on, or off"),
    "nobody to issue tokens": ({"SAUMA_OWN_TOKENS": "off"}, "SAUMA_OWN_TOKENS", "SAUMA_TRUSTED_ISSUERS"),
    "binaries that are not there": ({"SAUMA_PG_BIN": "/marker"}, "SAUMA_PG_BIN", "bin directory"),
    "a home that is a file": ({"SAUMA_HOME": __file__}, "SAUMA_HOME", "a directory"),
    "the root as home": ({"SAUMA_HOME": "/"}, "SAUMA_HOME", "a directory"),
    "an origin with a path": ({"SAUMA_PUBLIC_URL": "https://marker/x"}, "SAUMA_PUBLIC_URL", "no more"),
    "an origin with a slash": ({"SAUMA_PUBLIC_URL": "https://marker/"}, "SAUMA_PUBLIC_URL", "no more"),
    "an origin with a name in it": ({"SAUMA_PUBLIC_URL": "https://marker@h"}, "SAUMA_PUBLIC_URL", "https://host"),
    "http to the world": ({"SAUMA_PUBLIC_URL": "http://marker.example"}, "SAUMA_PUBLIC_URL", "loopback"),
    "an origin with a port beyond ports": ({"SAUMA_PUBLIC_URL": "https://h:99999"}, "SAUMA_PUBLIC_URL", "https://host"),
    "a host name to listen on": ({"SAUMA_HOST": "marker"}, "SAUMA_HOST", "127.0.0.1"),
    "port zero": ({"SAUMA_PORT": "0"}, "SAUMA_PORT", "1 to 65535"),
    "a port beyond ports": ({"SAUMA_PORT": "65536"}, "SAUMA_PORT", "1 to 65535"),
    "a port in Arabic digits": ({"SAUMA_PORT": "٨٠٠٠"}, "SAUMA_PORT", "1 to 65535"),
    "a port with a sign": ({"SAUMA_PORT": "+8000"}, "SAUMA_PORT", "1 to 65535"),
    "no workers": ({"SAUMA_WORKERS": "0"}, "SAUMA_WORKERS", "1 to 64"),
    "a keyring that is not there": ({"SAUMA_KEYRING": "/marker"}, "SAUMA_KEYRING", "keyring file"),
    "more connections than the server has": ({"SAUMA_POOL_SIZE": "101"}, "SAUMA_POOL_SIZE", "1 to 100"),
    "a TLS proxy by name": ({"SAUMA_CERTIFICATE_PEER": "marker"}, "SAUMA_CERTIFICATE_PEER", "IP address"),
    "two TLS proxies": ({"SAUMA_CERTIFICATE_PEER": "192.0.2.1, 192.0.2.2"}, "SAUMA_CERTIFICATE_PEER", "one IP"),
    "everybody as TLS proxy": ({"SAUMA_CERTIFICATE_PEER": "::"}, "SAUMA_CERTIFICATE_PEER", "one IP"),
    "a rate in words": ({"SAUMA_RATE_LIMIT": "marker"}, "SAUMA_RATE_LIMIT", "0 for no limit"),
    "nothing at once": ({"SAUMA_MAX_IN_FLIGHT": "0"}, "SAUMA_MAX_IN_FLIGHT", "1 to 10000"),
    "a drain without end": ({"SAUMA_DRAIN_SECONDS": "301"}, "SAUMA_DRAIN_SECONDS", "0 to 300"),
    "a security server by name": (
        {"SAUMA_XROAD_SECURITY_SERVER": "marker"},
        "SAUMA_XROAD_SECURITY_SERVER",
        "IP addresses",
    ),
    "everybody a security server": (
        {"SAUMA_XROAD_SECURITY_SERVER": "::"},
        "SAUMA_XROAD_SECURITY_SERVER",
        "IP addresses",
    ),
    "a network of security servers": (
        {"SAUMA_XROAD_SECURITY_SERVER": "10.0.0.0/8"},
        "SAUMA_XROAD_SECURITY_SERVER",
        "IP addresses",
    ),
    "a security server after a loose comma": (
        {"SAUMA_XROAD_SECURITY_SERVER": "10.0.0.5,"},
        "SAUMA_XROAD_SECURITY_SERVER",
        "IP addresses",
    ),
    "metrics on a host name": ({"SAUMA_METRICS_HOST": "marker"}, "SAUMA_METRICS_HOST", "IP address"),
    "metrics on port zero": ({"SAUMA_METRICS_PORT": "0"}, "SAUMA_METRICS_PORT", "1 to 65535"),
    "spans over http to the world": (
        {"SAUMA_OTEL_ENDPOINT": "http://marker.example/v1/traces"},
        "SAUMA_OTEL_ENDPOINT",
        "loopback",
    ),
    "spans with a password in the address": (
        {"SAUMA_OTEL_ENDPOINT": "https://u:marker@h/v1/traces"},
        "SAUMA_OTEL_ENDPOINT",
        "https://host/v1/traces",
    ),
    "spans to an address without a path": (
        {"SAUMA_OTEL_ENDPOINT": "https://marker"},
        "SAUMA_OTEL_ENDPOINT",
        "https://host/v1/traces",
    ),
    "spans to words": ({"SAUMA_OTEL_ENDPOINT": "marker"}, "SAUMA_OTEL_ENDPOINT", "http"),
    "a level nobody writes": ({"SAUMA_LOG_LEVEL": "loud"}, "SAUMA_LOG_LEVEL", "debug, info"),
    "production on the embedded database": (without("SAUMA_DATABASE_URL"), "SAUMA_DATABASE_URL", "set it"),
    "production on a default origin": (without("SAUMA_PUBLIC_URL"), "SAUMA_PUBLIC_URL", "set it"),
    "production without keys": (without("SAUMA_KEYRING"), "SAUMA_KEYRING", "set it"),
    "production with embedded binaries": ({**PRODUCTION, "SAUMA_PG_BIN": "/usr"}, "SAUMA_PG_BIN", "unset it"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_with_the_key_and_the_fix(name: str) -> None:
    told, key, fix = BAD[name]
    with pytest.raises(StartRefused) as refused:
        settings.from_environment(told)
    line = refused.value.line
    assert (refused.value.exit_code, line.partition(":")[0]) == (78, key)
    assert fix in line.partition("; fix: ")[2]
    assert "\n" not in line
    assert "marker" not in line


GOOD = {
    "nothing at all": ({}, "host", "127.0.0.1"),
    "keys of others": ({"PGHOST": "x", "sauma_port": "x"}, "port", 8000),
    "a port": ({"SAUMA_PORT": "65535"}, "port", 65535),
    "own tokens, on": ({"SAUMA_OWN_TOKENS": "on"}, "own_tokens", True),
    "own tokens, off": (
        {"SAUMA_OWN_TOKENS": "off", "SAUMA_TRUSTED_ISSUERS": __file__},
        "own_tokens",
        False,
    ),
    "all addresses, IPv6": ({"SAUMA_HOST": "::"}, "host", "::"),
    "an IPv6 origin": ({"SAUMA_PUBLIC_URL": "http://[::1]:8000"}, "public_url", "http://[::1]:8000"),
    "two hosts": (
        {"SAUMA_DATABASE_URL": "postgresql://s:p@a:1,b:2/sauma?target_session_attrs=read-write"},
        "database_url",
        "postgresql://s:p@a:1,b:2/sauma?target_session_attrs=read-write",
    ),
    "spans on this machine": (
        {"SAUMA_OTEL_ENDPOINT": "http://[::1]:4318/v1/traces"},
        "otel_endpoint",
        "http://[::1]:4318/v1/traces",
    ),
    "metrics": ({"SAUMA_METRICS_PORT": "9464"}, "metrics_port", 9464),
    "two security servers, each in its one spelling": (
        {"SAUMA_XROAD_SECURITY_SERVER": "::ffff:10.0.0.5, 2001:0db8:0::5"},
        "xroad_security_servers",
        ("10.0.0.5", "2001:db8::5"),
    ),
    "production, complete": (PRODUCTION, "environment", settings.Environment.PRODUCTION),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(name: str) -> None:
    told, member, expected = GOOD[name]
    assert getattr(settings.from_environment(told), member) == expected


def test_a_terminal_is_told_less_than_a_log_unless_it_asks() -> None:
    quiet = settings.LogLevel.WARNING
    assert settings.from_environment({}, log_level=quiet).log_level is quiet
    told = settings.from_environment({"SAUMA_LOG_LEVEL": "info"}, log_level=quiet)
    assert told.log_level is settings.LogLevel.INFO


def test_the_database_that_was_started_replaces_only_the_database() -> None:
    before = settings.from_environment({"SAUMA_PORT": "8001"})
    after = settings.with_database(before, server="postgresql:///a", migrator="postgresql:///b")
    assert (after.database_url, after.migrate_database_url, after.port) == ("postgresql:///a", "postgresql:///b", 8001)


def test_no_password_is_shown() -> None:
    assert "marker" not in repr(settings.from_environment({"SAUMA_DATABASE_URL": "postgresql://u:marker@h/d"}))


def test_the_command_line_says_it_in_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "SAUMA_PORT": "marker"}
    done = subprocess.run(
        [sys.executable, "-m", "sauma", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "sauma: SAUMA_PORT: not a port; fix: a number from 1 to 65535\n"
