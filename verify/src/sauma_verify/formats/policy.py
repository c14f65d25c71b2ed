"""Whose cosignatures a checkpoint must bear (C2SP tlog-policy)."""

import re
from dataclasses import dataclass, field

from sauma_verify.formats.note import COSIGNATURE, ED25519, Key, Malformed, Note, parse_key, signers, strict_number

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(slots=True)
class Policy:
    """Logs, witnesses, groups of at least `k` members, and the name that must have witnessed (None: nobody)."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str | None = None

    def met(self, note: Note) -> bool:
        """Whether enough witnesses signed.

        Raises:
            Malformed: a known witness's signature is false.
        """
        signed = signers(note, tuple(self.witnesses.values()))
        return self.quorum is None or self._witnessed(self.quorum, signed)

    def _witnessed(self, name: str, signed: frozenset[Key]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in signed
        least, members = self.groups[name]
        return sum(self._witnessed(member, signed) for member in members) >= least


def parse_policy(raw: bytes) -> Policy:
    """A policy file.

    Raises:
        Malformed: a line that is none, a name or key that stands twice or is not known, not exactly one quorum.
    """
    if _CONTROL.search(raw):
        raise Malformed("policy")
    policy, members, quorums = Policy(), set[str](), 0
    for line in raw.decode("latin-1").split("\n"):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                _log(policy, vkey)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                _witness(policy, name, vkey)
            case ["group", name, least, *named] if named:
                _group(policy, name, least, named)
                if len(set(named)) != len(named) or members & set(named):
                    raise Malformed("policy")
                members.update(named)
            case ["quorum", name]:
                quorums += 1
                policy.quorum = None if name == "none" else _known(policy, name)
            case _:
                raise Malformed("policy")
    if quorums != 1:
        raise Malformed("policy")
    return policy


def _log(policy: Policy, vkey: str) -> None:
    key = parse_key(vkey)
    if key.algorithm != ED25519 or any(key.public == other.public for other in policy.logs):
        raise Malformed("policy")
    policy.logs.append(key)


def _witness(policy: Policy, name: str, vkey: str) -> None:
    key = parse_key(vkey)
    twice = any(key.public == other.public for other in policy.witnesses.values())
    if key.algorithm != COSIGNATURE or twice:
        raise Malformed("policy")
    policy.witnesses[_new(policy, name)] = key


def _group(policy: Policy, name: str, least: str, named: list[str]) -> None:
    count = {"all": len(named), "any": 1}.get(least)
    if count is None:
        count = strict_number(least)
    if not 1 <= count <= len(named):
        raise Malformed("policy")
    known = tuple(_known(policy, member) for member in named)
    policy.groups[_new(policy, name)] = (count, known)


def _new(policy: Policy, name: str) -> str:
    if name == "none" or name in policy.witnesses or name in policy.groups:
        raise Malformed("policy")
    return name


def _known(policy: Policy, name: str) -> str:
    if name not in policy.witnesses and name not in policy.groups:
        raise Malformed("policy")
    return name
