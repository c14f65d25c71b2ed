"""What a registrar typed, as acts: each with the statement that does it and the words of its entry, checked first.

Refusals of this module are for the person who typed; the rules themselves stand in the database, which asks again.
"""

import argparse
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from sauma import app
from sauma.cli import checked
from sauma.core.canonical import JsonValue
from sauma.core.people import Confidential
from sauma.exchange.record import Act

Register: TypeAlias = Mapping[str, JsonValue]
"""What stands, as `registrar.register` tells it."""


class Planned(Confidential, frozen=True, kw_only=True):
    """An act with the statement that does it and the values before its entry.

    `told` is what one should know of it besides: `kids` of its keys; `actsFor`, the organisations that have delegated
    to the supplier whose system it is; `systems`, those of the supplier that is delegated to.
    """

    statement: str
    values: tuple[object, ...]
    act: Act
    told: Mapping[str, list[str]] = {}


def plan(chosen: argparse.Namespace, register: Register) -> list[Planned]:
    """What was typed as acts, checked against what stands.

    Raises:
        StartRefused: exit 1, the first thing that breaks a rule.
    """
    if chosen.act in {"approve", "withdraw"}:
        return [_of_proposal(chosen.act, text, register) for text in dict.fromkeys(chosen.proposal)]
    name = " ".join(filter(None, (chosen.act, vars(chosen).get("keys_act"), vars(chosen).get("providers_act"))))
    if name in _PROPOSED:
        act, arguments_of = _PROPOSED[name]
        return [_proposal(act, arguments_of(chosen, register), register)]
    return [_ALONE[name](chosen, register)]


def _proposal(act: str, arguments: dict[str, JsonValue], register: Register) -> Planned:
    stated: dict[str, JsonValue] = {name: value for name, value in arguments.items() if value is not None}
    text, told = msgspec.json.encode(stated).decode(), _told(act, stated, register)
    return Planned(statement="propose", values=(act, text), act=_act(f"{act}-proposed", stated, None), told=told)


def _of_proposal(verb: str, text: str, register: Register) -> Planned:
    named = checked.named_id("proposal", text)
    for row in rows_of(register, "proposals"):
        arguments = row["arguments"]
        if row["id"] == str(named) and isinstance(arguments, dict):
            ended = {"approve": "approved", "withdraw": "withdrawn"}[verb]
            told = _told(str(row["act"]), arguments, register)
            act = _act(f"{row['act']}-{ended}", arguments, named)
            return Planned(statement=verb, values=(named,), act=act, told=told)
    raise checked.refused("proposal", "there is no open one of that id", "sauma clients list shows them")


def _told(act: str, arguments: Mapping[str, JsonValue], register: Register) -> dict[str, list[str]]:
    """The kids of the keys in it; of a supplier's system also whom it acts for, as delegations are the supplier's."""
    keys = arguments.get("keys")
    told = {"kids": [str(key["kid"]) for key in keys if isinstance(key, dict)]} if isinstance(keys, list) else {}
    mine = arguments["organisation"]
    supplier = any(row["id"] == mine and row["kind"] == "vendor" for row in rows_of(register, "organisations"))
    if act in {"client", "resumption"} and supplier:
        stand = (row for row in rows_of(register, "delegations") if row["supplier"] == mine and row["active"])
        told["actsFor"] = [str(row["organisation"]) for row in stand if not _is_past(row.get("validUntil"))]
    if act == "delegation":
        every = (row for row in rows_of(register, "clients") if row["organisation"] == arguments["supplier"])
        told["systems"] = [str(row["id"]) for row in every if row["state"] != "retired"]
    return told


def _is_past(until: JsonValue) -> bool:
    return isinstance(until, str) and dt.datetime.fromisoformat(until) <= app.now()


def _act(decision: str, arguments: dict[str, JsonValue], refers: uuid.UUID | None) -> Act:
    client, supplier = arguments.get("client"), arguments.get("supplier")
    return Act(
        decision=decision,
        organisation=str(arguments["organisation"]),
        client=None if client is None else str(client),
        counterparty=None if supplier is None else str(supplier),
        refers=refers,
        arguments=arguments,
    )


def rows_of(register: Register, name: str) -> list[dict[str, JsonValue]]:
    """The rows of one part of the register."""
    rows = register[name]
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _known(chosen: argparse.Namespace, register: Register, *, state: str | None = None) -> dict[str, JsonValue]:
    """The system that was named, and its organisation; one in another `state` is refused with the state it is in."""
    client = checked.client_id(chosen.client)
    for row in rows_of(register, "clients"):
        if row["id"] == client:
            if state not in {None, row["state"]}:
                raise checked.refused("client", f"it is {row['state']}, not {state}", "sauma clients list shows it")
            return {"organisation": row["organisation"], "client": client}
    raise checked.refused("client", "there is no system of that id", "sauma clients list shows them")


# -- what is proposed


def _client(chosen: argparse.Namespace, _: Register) -> dict[str, JsonValue]:
    return {
        "organisation": checked.business_id("--organisation", chosen.organisation),
        "client": checked.client_id(chosen.client),
        "scopes": checked.scopes(chosen.scope),
        "keys": None if chosen.jwks is None else checked.keys("--jwks", chosen.jwks),
        "jwksUri": None if chosen.jwks_uri is None else checked.jwks_uri(chosen.jwks_uri),
        "nonceRequired": bool(chosen.nonce),
        "certificateBound": bool(chosen.certificate),
    }


def _resumed(chosen: argparse.Namespace, register: Register) -> dict[str, JsonValue]:
    return _known(chosen, register, state="suspended")


def _more_keys(chosen: argparse.Namespace, register: Register) -> dict[str, JsonValue]:
    return {**_known(chosen, register), "keys": checked.keys("--jwks", chosen.jwks)}


def _grant(chosen: argparse.Namespace, _: Register) -> dict[str, JsonValue]:
    return {
        "organisation": checked.business_id("organisation", chosen.organisation),
        "scopes": checked.scopes(chosen.scope),
        "purposes": checked.purposes(chosen.purpose),
        "detailsRequired": bool(chosen.require_details),
    }


def _delegation(chosen: argparse.Namespace, _: Register) -> dict[str, JsonValue]:
    since = None if chosen.since is None else checked.first_moment("--from", chosen.since).isoformat()
    until = None if chosen.until is None else checked.end_of("--until", chosen.until, now=app.now())
    return {
        "organisation": checked.business_id("organisation", chosen.organisation),
        "supplier": checked.business_id("supplier", chosen.supplier),
        "scopes": checked.scopes(chosen.scope),
        "purposes": checked.purposes(chosen.purpose),
        "validFrom": since,
        "validUntil": until,
    }


def _provider(chosen: argparse.Namespace, _: Register) -> dict[str, JsonValue]:
    return {
        "organisation": checked.business_id("organisation", chosen.organisation),
        "issuer": checked.issuer(chosen.issuer),
        "keys": checked.keys("--jwks", chosen.jwks),
    }


def _audit(chosen: argparse.Namespace, register: Register) -> dict[str, JsonValue]:
    named = [checked.business_id("--organisation", text) for text in dict.fromkeys(chosen.organisation)]
    return {
        **_known(chosen, register),
        "organisations": [*named],
        "dossier": checked.dossier(chosen.dossier),
        "until": checked.end_of_audit(chosen.until, now=app.now()),
    }


_PROPOSED: Mapping[str, tuple[str, Callable[[argparse.Namespace, Register], dict[str, JsonValue]]]] = {
    "add": ("client", _client),
    "resume": ("resumption", _resumed),
    "keys add": ("client-key", _more_keys),
    "grant": ("organisation-grant", _grant),
    "delegate": ("delegation", _delegation),
    "providers add": ("provider", _provider),
    "grant-audit": ("audit-grant", _audit),
}


# -- what one does alone


def _suspend(chosen: argparse.Namespace, register: Register) -> Planned:
    known = _known(chosen, register, state="active")
    return Planned(statement="suspend", values=(known["client"],), act=_act("client-suspended", known, None))


def _remove_key(chosen: argparse.Namespace, register: Register) -> Planned:
    known, kid = _known(chosen, register), checked.kid(chosen.kid)
    act = _act("client-key-removed", {**known, "kid": kid}, None)
    return Planned(statement="remove_key", values=(known["client"], kid), act=act)


def _end_delegation(chosen: argparse.Namespace, _: Register) -> Planned:
    organisation = checked.business_id("organisation", chosen.organisation)
    supplier = checked.business_id("supplier", chosen.supplier)
    act = _act("delegation-ended", {"organisation": organisation, "supplier": supplier}, None)
    return Planned(statement="end_delegation", values=(organisation, supplier), act=act)


def _remove_provider(chosen: argparse.Namespace, _: Register) -> Planned:
    organisation = checked.business_id("organisation", chosen.organisation)
    issuer, kid = checked.issuer(chosen.issuer), checked.kid(chosen.kid)
    act = _act("provider-removed", {"organisation": organisation, "issuer": issuer, "kid": kid}, None)
    return Planned(statement="remove_provider", values=(organisation, issuer, kid), act=act)


def _end_audit(chosen: argparse.Namespace, register: Register) -> Planned:
    named = checked.named_id("grant", chosen.grant)
    for row in rows_of(register, "auditGrants"):
        if row["id"] == str(named):
            stated: dict[str, JsonValue] = {"organisation": row["organisation"], "client": row["client"]}
            return Planned(statement="end_audit", values=(named,), act=_act("audit-grant-ended", stated, named))
    raise checked.refused("grant", "there is none of that id", "sauma clients list shows them")


_ALONE: Mapping[str, Callable[[argparse.Namespace, Register], Planned]] = {
    "suspend": _suspend,
    "keys remove": _remove_key,
    "end-delegation": _end_delegation,
    "providers remove": _remove_provider,
    "end-audit": _end_audit,
}
