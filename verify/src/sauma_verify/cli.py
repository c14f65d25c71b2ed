"""The command: what it takes, how it tells, and its exit codes."""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Sequence

from sauma_verify.source import Unreadable, open_source
from sauma_verify.texts import CHECKS, FINDINGS, LANGUAGES, STATES, VERDICTS, said
from sauma_verify.verdict import Check, State
from sauma_verify.verify import Asked, Verification

VERIFIED, WRONG, USAGE, NOT_ALL, UNREADABLE = 0, 1, 2, 3, 69

EPILOG = (
    "exit codes: 0 all was checked and is in order; 1 something is wrong; 2 usage; "
    "3 nothing wrong was found, but not all could be checked; 69 the source cannot be read"
)


def run(arguments: Sequence[str]) -> int:
    """Verify what the arguments name and tell it on standard output; the exit code."""
    given = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        verification = Verification(open_source(given.source), _asked(given))
        checks = verification.run()
    except (Unreadable, OSError) as error:
        sys.stderr.write(f"sauma-verify: {error}\n")
        return UNREADABLE
    seconds = time.monotonic() - began
    overall = _overall(checks)
    if given.json:
        sys.stdout.write(_as_json(verification, checks, overall) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(checks, overall, given.language)) + "\n")
    if given.speed and verification.size:
        sys.stderr.write(f"{verification.size} entries in {seconds:.2f} s: {verification.size / seconds:,.0f}/s\n")
    return {State.OK: VERIFIED, State.WRONG: WRONG}.get(overall, NOT_ALL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sauma-verify", description="Checks Sauma's ledger from outside.", epilog=EPILOG)
    parser.add_argument("source", help="an exported directory, a zip of one, or the address of a running server")
    parser.add_argument("--vkey", help="the log's verifier key, or a file that holds it, had from elsewhere")
    parser.add_argument("--policy", type=pathlib.Path, help="a tlog-policy file: whose cosignatures are needed")
    parser.add_argument("--older", type=pathlib.Path, action="append", default=[], help="a checkpoint kept from before")
    parser.add_argument("--receipt-key", type=pathlib.Path, help="the JWK or JWK set of the receipt key")
    parser.add_argument("--minimum-index", type=int, default=0, help="entries below may have been pruned by the policy")
    parser.add_argument("--max-age", type=float, help="seconds the newest entry may be old")
    parser.add_argument("--language", choices=LANGUAGES, default=_language(), help="of what is told")
    parser.add_argument("--json", action="store_true", help="tell it as JSON, with codes in place of sentences")
    parser.add_argument("--speed", action="store_true", help="entries per second on standard error")
    return parser


def _asked(given: argparse.Namespace) -> Asked:
    vkey: str | None = given.vkey
    if vkey is not None and "+" not in vkey:
        vkey = pathlib.Path(vkey).read_text(encoding="utf-8")
    return Asked(
        vkey=vkey,
        policy=given.policy.read_bytes() if given.policy else None,
        older=tuple((str(path), path.read_bytes()) for path in given.older),
        receipt_keys=given.receipt_key.read_bytes() if given.receipt_key else None,
        minimum=given.minimum_index,
        max_age=given.max_age,
        now=time.time(),  # noqa: TID251  # the edge of this program
    )


def _language() -> str:
    variables = os.environ  # noqa: TID251  # the edge of this program
    spoken = variables.get("LC_ALL") or variables.get("LANG") or ""
    return spoken[:2] if spoken[:2] in LANGUAGES else "en"


def _overall(checks: list[Check]) -> State:
    """Wrong where anything is; a warning where anything could not be looked at that was there to be."""
    if any(check.state is State.WRONG for check in checks):
        return State.WRONG
    doubtful = any(check.state in {State.WARN, State.SKIP} for check in checks)
    return State.WARN if doubtful else State.OK


def _lines(checks: list[Check], overall: State, language: str) -> list[str]:
    lines: list[str] = []
    for check in checks:
        counted = f" ({check.looked_at})" if check.looked_at else ""
        lines.append(f"{said(CHECKS[check.name], language)}: {said(STATES[check.said], language)}{counted}")
        for finding in check.findings:
            where = f": {finding.where}" if finding.where else ""
            lines.append(f"  - {said(FINDINGS[finding.code], language)}{where}")
        if check.count > len(check.findings):
            lines.append(f"  - … {check.count}")
    return [*lines, said(VERDICTS[overall], language)]


def _as_json(verification: Verification, checks: list[Check], overall: State) -> str:
    told = [
        {
            "check": check.name,
            "state": check.said.value,
            "lookedAt": check.looked_at,
            "count": check.count,
            "findings": [{"code": finding.code.value, "where": finding.where} for finding in check.findings],
        }
        for check in checks
    ]
    verdict = {"verdict": overall.value, "origin": verification.origin, "size": verification.size, "checks": told}
    return json.dumps(verdict, ensure_ascii=False)
