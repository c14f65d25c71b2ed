"""`sauma clients`: the words of the command; what they do is `sauma.cli.registering`."""

import argparse
from typing import NoReturn, TypeAlias

_Acts: TypeAlias = "argparse._SubParsersAction[Quiet]"  # noqa: SLF001  # argparse has no public name for it

_ABOUT = """\
Who may call Sauma, and for whom. What gives access takes two registrars: one proposes, another approves. What takes it
away one does alone, and it holds at the next call. Each act is a ledger entry. On the embedded database --as 1 and
--as 2 are its two registrars; elsewhere SAUMA_REGISTRAR_DATABASE_URL names your own login.
"""


class Quiet(argparse.ArgumentParser):
    """A parser that does not repeat what it could not read: an identity code typed in the wrong place stays there."""

    def error(self, message: str) -> NoReturn:
        """Say that it was no command, and where to look."""
        missing = "the following arguments are required"
        what = message if message.startswith(missing) else "not a command or option, or not one value for each"
        self.exit(2, f"{self.prog}: {what}; fix: {self.prog} --help\n")


def add_clients(clients: argparse.ArgumentParser) -> None:
    """Every act below `sauma clients`."""
    clients.description = _ABOUT
    clients.formatter_class = argparse.RawDescriptionHelpFormatter
    acts = clients.add_subparsers(title="acts", metavar="act", dest="act", required=True, parser_class=Quiet)
    _add_systems(acts)
    _add_organisations(acts)
    _add_audits(acts)
    approve = _act(acts, "approve", "what another registrar proposed; several at once, all or none")
    approve.add_argument("proposal", nargs="+", help="as `list` shows it")
    _act(acts, "withdraw", "a proposal that is not to be").add_argument(
        "proposal", nargs="+", help="as `list` shows it"
    )
    shown = _act(acts, "list", "what stands, and what waits for a second registrar")
    shown.add_argument("--waiting", action="store_true", help="only what waits: the open proposals")


def _act(acts: _Acts, name: str, about: str) -> Quiet:
    made = acts.add_parser(name, help=about, description=about)
    made.add_argument("--as", dest="person", metavar="1|2", help="which registrar of the embedded database acts")
    made.add_argument("--json", action="store_true", help="answer as JSON")
    return made


def _add_systems(acts: _Acts) -> None:
    add = _act(acts, "add", "propose a system")
    add.add_argument("client", help="its id, the client_id of its tokens")
    add.add_argument("--organisation", required=True, help="the business id (Y-tunnus) of whose system it is")
    _scopes(add, "what it may ask a token for")
    keys = add.add_mutually_exclusive_group(required=True)
    keys.add_argument("--jwks", metavar="FILE", help="its public keys: a JWK or a JWK set")
    keys.add_argument("--jwks-uri", metavar="URL", help="where it publishes them (https)")
    add.add_argument("--nonce", action="store_true", help="its proofs must carry a nonce of ours (RFC 9449 section 8)")
    add.add_argument("--certificate", action="store_true", help="its tokens are bound to its certificate (RFC 8705)")
    _act(acts, "suspend", "end a system's access at once").add_argument("client", help="its id")
    _act(acts, "resume", "propose that a suspended system may call again").add_argument("client", help="its id")
    keys_parser = acts.add_parser("keys", help="a system's own keys: add, remove", description="A system's own keys.")
    keys_acts = keys_parser.add_subparsers(metavar="act", dest="keys_act", required=True, parser_class=Quiet)
    more = _act(keys_acts, "add", "propose another key")
    more.add_argument("client", help="its id")
    more.add_argument("--jwks", metavar="FILE", required=True, help="the public key: a JWK or a JWK set")
    less = _act(keys_acts, "remove", "end a key at once, and the tokens given under the system's keys")
    less.add_argument("client", help="its id")
    less.add_argument("--kid", required=True, help="the key's, as --kid=KID: it may begin with a hyphen")


def _add_organisations(acts: _Acts) -> None:
    grant = _act(acts, "grant", "propose what an organisation's systems may have at most")
    grant.add_argument("organisation", help="its business id (Y-tunnus)")
    _scopes(grant, "what they may ask a token for; replaces what was granted")
    _purposes(grant)
    grant.add_argument("--require-details", action="store_true", help="no token without purpose and case signed for")
    delegate = _act(acts, "delegate", "propose that a supplier may act for an organisation")
    delegate.add_argument("organisation", help="whom it may act for, by business id")
    delegate.add_argument("supplier", help="who may act, by business id")
    _scopes(delegate, "what for")
    _purposes(delegate)
    delegate.add_argument("--from", dest="since", metavar="DATE", help="the first day, YYYY-MM-DD; none: at once")
    delegate.add_argument("--until", metavar="DATE", help="the last day, YYYY-MM-DD")
    end = _act(acts, "end-delegation", "end it at once")
    end.add_argument("organisation", help="whom it was for")
    end.add_argument("supplier", help="who acted")
    provider = acts.add_parser(
        "providers", help="who may say that an officer has logged in: add, remove", description="Identity providers."
    )
    provider_acts = provider.add_subparsers(metavar="act", dest="providers_act", required=True, parser_class=Quiet)
    add = _act(provider_acts, "add", "propose an organisation's identity provider, or another key of it")
    remove = _act(provider_acts, "remove", "end a key of it at once")
    for made in (add, remove):
        made.add_argument("organisation", help="whose officers it speaks of")
        made.add_argument("--issuer", required=True, metavar="URL", help="its issuer identifier (https)")
    add.add_argument("--jwks", metavar="FILE", required=True, help="its public keys: a JWK or a JWK set")
    remove.add_argument("--kid", required=True, help="the key's, as --kid=KID: it may begin with a hyphen")


def _add_audits(acts: _Acts) -> None:
    grant = _act(acts, "grant-audit", "propose that a system may read the ledger for a dossier, for a year at most")
    grant.add_argument("client", help="its id; it must hold ledger:read")
    grant.add_argument("--dossier", required=True, help="the auditor's own, as each audit session will name it")
    grant.add_argument("--organisation", action="append", required=True, help="whose entries; repeat for several")
    grant.add_argument("--until", metavar="DATE", required=True, help="the last day, YYYY-MM-DD")
    _act(acts, "end-audit", "end a grant and its sessions at once").add_argument("grant", help="as `list` shows it")


def _scopes(act: Quiet, about: str) -> None:
    act.add_argument("--scope", action="append", required=True, help=f"{about}; repeat for several")


def _purposes(act: Quiet) -> None:
    act.add_argument("--purpose", action="append", help="only for it; repeat for several; none: for every purpose")
