"""The certificate a proxy speaks of: its word alone, once, in one form; whatever could be taken for it is refused."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sauma.core.errors import BadRequest
from sauma.oauth.keys.certificate import certificate_thumbprint
from sauma.web.certificate import ForwardedCertificates, NoCertificates
from tls import Authority

PROXY, OTHER = "192.0.2.7", "192.0.2.8"
DER = Authority().issue("casework.example")[0].public_bytes(Encoding.DER)
SHOWN = b":" + base64.b64encode(DER) + b":"
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
SOURCE = ForwardedCertificates(PROXY, thumbprint=certificate_thumbprint)
Lines = list[tuple[bytes, bytes]]


def scope(lines: Lines, peer: str | None = PROXY) -> Any:
    return {"headers": [(b"host", b"sauma.example"), *lines], "client": None if peer is None else (peer, 1234)}


TAKEN: dict[str, tuple[Lines, str, str | None]] = {
    "none was shown": ([], PROXY, None),
    "none was shown to anybody": ([], OTHER, None),
    "one": ([(b"client-cert", SHOWN)], PROXY, THUMBPRINT),
    "one, its name as it was sent": ([(b"Client-Cert", SHOWN)], PROXY, THUMBPRINT),
    "one with its chain": ([(b"client-cert", SHOWN), (b"client-cert-chain", SHOWN)], PROXY, THUMBPRINT),
    "one from the proxy on a dual-stack socket": ([(b"client-cert", SHOWN)], f"::ffff:{PROXY}", THUMBPRINT),
    "other headers of the client": ([(b"x-client-id", b"1"), (b"client", b"x"), (b"certificate", b"x")], PROXY, None),
}


@pytest.mark.parametrize("name", TAKEN)
def test_the_proxys_word_is_taken(name: str) -> None:
    lines, peer, thumbprint = TAKEN[name]
    assert SOURCE.thumbprint_of(scope(lines, peer)) == thumbprint


def altered(change: Any) -> Lines:
    return [(b"client-cert", change(SHOWN))]


REFUSED: dict[str, tuple[Lines, str | None]] = {
    # 119: forged
    "119 from anybody else": ([(b"client-cert", SHOWN)], OTHER),
    "119 from nobody known": ([(b"client-cert", SHOWN)], None),
    "119 the chain from anybody else": ([(b"client-cert-chain", SHOWN)], OTHER),
    "119 an empty one from anybody else": ([(b"client-cert", b"")], OTHER),
    "119 two lines": ([(b"client-cert", SHOWN), (b"client-cert", SHOWN)], PROXY),
    "119 two lines in two spellings": ([(b"client-cert", SHOWN), (b"Client-Cert", SHOWN)], PROXY),
    "119 a chain alone": ([(b"client-cert-chain", SHOWN)], PROXY),
    # look-alikes, beside the right one and alone
    **{
        f"119 {name.decode()}{' beside it' if beside else ''}": ([(name, SHOWN), *beside], PROXY)
        for name in (
            b"client_cert",
            b"Client_Cert",
            b"client_cert_chain",
            b"x-client-cert",
            b"X-Client-Certificate",
            b"x_client_cert",
            b"ssl-client-cert",
            b"x-ssl-client-cert",
            b"x-ssl-client-verify",
            b"x_ssl_client_s_dn",
            b"ssl_client_escaped_cert",
            b"x-forwarded-client-cert",
            b"x-forwarded-tls-client-cert",
            b"x-tls-client-cert",
            b"x-amzn-mtls-clientcert",
            b"x-arr-clientcert",
            b"client-verify",
        )
        for beside in ([], [(b"client-cert", SHOWN)])
    },
    # its form (RFC 9440, RFC 8941)
    "nothing in it": (altered(lambda _: b""), PROXY),
    "no bytes": (altered(lambda _: b"::"), PROXY),
    "no colons": (altered(lambda shown: shown[1:-1]), PROXY),
    "one colon": (altered(lambda shown: shown[:-1]), PROXY),
    "two of them with a comma": (altered(lambda shown: shown + b", " + shown), PROXY),
    "a parameter": (altered(lambda shown: shown + b";v=1"), PROXY),
    "a blank inside": (altered(lambda shown: shown[:9] + b" " + shown[9:]), PROXY),
    "PEM, as nginx has it": (altered(lambda _: b"-----BEGIN%20CERTIFICATE-----"), PROXY),
    "base64url": (altered(lambda _: b":" + base64.urlsafe_b64encode(b"\xff" * 30) + b":"), PROXY),
    "base64 cut short": (altered(lambda shown: shown[:10] + b":"), PROXY),
    "stray bits": (altered(lambda _: b":MIIB/z==:"), PROXY),
    "not ASCII": (altered(lambda shown: shown[:-1] + b"\xe4:"), PROXY),
    # what is in it
    "no certificate": (altered(lambda _: b":" + base64.b64encode(b"hello") + b":"), PROXY),
    "half a certificate": (altered(lambda _: b":" + base64.b64encode(DER[: len(DER) // 2]) + b":"), PROXY),
    "more than a certificate": (altered(lambda _: b":" + base64.b64encode(DER + b"\0") + b":"), PROXY),
    "more than any certificate": (altered(lambda _: b":" + base64.b64encode(bytes(8193)) + b":"), PROXY),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(name: str) -> None:
    lines, peer = REFUSED[name]
    with pytest.raises(BadRequest) as refused:
        SOURCE.thumbprint_of(scope(lines, peer))
    assert (refused.value.code, refused.value.pointers) == ("invalid-value", ("/headers/Client-Cert",))
    # where nobody is believed none of it means anything
    assert NoCertificates().thumbprint_of(scope(lines, peer)) is None


def test_the_thumbprint_is_of_the_certificate_as_its_holder_computes_it() -> None:
    assert certificate_thumbprint(DER) == THUMBPRINT
    assert x509.load_der_x509_certificate(DER).public_bytes(Encoding.DER) == DER
