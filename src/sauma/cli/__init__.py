"""The command line: what there is, and how a refusal to start looks.

Commands import what they need when called, so that `--help` and `version` answer where nothing is installed yet.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from sauma.cli.clients import Quiet, add_clients

VERSION = "0.1.0"

_EPILOG = """\
through ./sauma only:
  test [pytest …]    install what the tests need, and run them
  clean              also removes .venv and .tools

exit codes:
  0 done · 1 failed · 2 not a command · 3 schema drift · 4 migrations pending · 69 PostgreSQL unreachable · 70 crashed
  75 another migrator at work · 78 a setting is wrong · 129, 130, 143 ended by a signal; docs/exit-codes.md says more

Settings are SAUMA_ environment variables; a wrong one is named with its fix.
"""


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = Quiet(
        prog="sauma",
        description="Consent-aware, provable exchange of the least client case data.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.set_defaults(call=_run)
    commands = top.add_subparsers(title="commands", metavar="command")

    def command(name: str, call: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(call=call)
        return made

    command("run", _run, "PostgreSQL, migrations, demo data and the API in one go (the default)")
    command("serve", _serve, "the API on a database that is ready; never migrates")
    migrate = command("migrate", _migrate, "bring the database's schema up to date")
    migrate.add_argument("--check", action="store_true", help="change nothing; exit 3 on drift, 4 when behind")
    migrate.add_argument("--print-bootstrap", action="store_true", help="print the SQL a DBA runs once before")
    migrate.add_argument("--json", action="store_true", help="answer as JSON")
    demo = command("demo", _demo, "play the main job as an outside system would")
    demo.add_argument("--json", action="store_true", help="answer as JSON")
    doctor = command("doctor", _doctor, "look at everything a good start needs, and say what to mend; changes nothing")
    doctor.add_argument("--json", action="store_true", help="answer as JSON")
    keyring = command("keyring", _keyring, "make a key ring, mode 0600, where there is no file yet")
    keyring.add_argument("file", help="where; SAUMA_KEYRING then names it")
    _add_keys(command("keys", _keys, "the keys that sign tokens: list, prepare, rotate, remove"))
    add_clients(command("clients", _clients, "who may call, and for whom: add, approve, suspend, keys, delegate …"))
    _add_ledger(command("ledger", _ledger, "the ledger's tree: sequence it, check the whole, print its public key"))
    command("clean", _clean, "stop PostgreSQL and remove everything Sauma made")
    contract = command("contract", _contract, "the generated API description: write it, or check that it is current")
    contract.add_argument("action", choices=("write", "check"))
    version = command("version", _version, "say which version this is")
    version.add_argument("--json", action="store_true", help="answer as JSON")
    return top


def _add_keys(keys: argparse.ArgumentParser) -> None:
    """`sauma keys issuer …`: a key waits as next, signs as active and is believed as retired."""
    kinds = keys.add_subparsers(metavar="kind", dest="kind", required=True)
    issuer = kinds.add_parser("issuer", help="those of the token issuer", description="The keys that sign tokens.")
    acts = issuer.add_subparsers(metavar="act", dest="act", required=True)
    about = {
        "list": "every key, with its state",
        "prepare": "make the next key and publish it",
        "rotate": "sign with the next key from now on; the one before is believed until its tokens have ended",
        "remove": "take a key away, and with it every token it signed: within seconds, on every worker",
    }
    for act, text in about.items():
        made = acts.add_parser(act, help=text, description=text)
        made.add_argument("--json", action="store_true", help="answer as JSON")
        if act == "rotate":
            made.add_argument("--now", action="store_true", help="do not wait until every reader can know the next key")
        if act == "remove":
            made.add_argument("kid", help="its kid, as list shows it")


def _add_ledger(ledger: argparse.ArgumentParser) -> None:
    """`sauma ledger …`: what the sequencer's role may do."""
    acts = ledger.add_subparsers(metavar="act", dest="act", required=True)
    about = {
        "sequence": "give entries their places and sign the tree's heads, until told to stop",
        "vkey": "print the log's public key, as policies and verifiers spell it",
        "check": "read the whole ledger and hold the tree against it; 1 when anything differs",
    }
    made = {act: acts.add_parser(act, help=text, description=text) for act, text in about.items()}
    made["sequence"].add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    made["vkey"].add_argument("--make", action="store_true", help="make the log key first, where there is none")
    made["check"].add_argument("--json", action="store_true", help="answer as JSON")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = parser().parse_args(arguments)
    if chosen.call == _version:
        return _version(chosen)
    from sauma.core.errors import (  # noqa: PLC0415  # pulls in nothing, but the rest of the package is not promised to
        CatalogueError,
        StartRefused,
        Unavailable,
    )

    try:
        code = int(chosen.call(chosen))
        sys.stdout.flush()
    except StartRefused as refused:
        sys.stderr.write(f"sauma: {refused.line}\n")
        return refused.exit_code
    except Unavailable:
        sys.stderr.write(
            "sauma: PostgreSQL: stopped answering while Sauma started; fix: look at its log, start again\n"
        )
        return 69
    except CatalogueError as fault:
        sys.stderr.write(f"sauma: catalogue: {fault}; fix: restore the files Sauma was released with\n")
        return 78
    except KeyboardInterrupt:
        sys.stderr.write("sauma: stopped\n")
        return 130
    except BrokenPipeError:
        _forget_the_reader()
        return 1
    return code


def _forget_the_reader() -> None:
    """Whoever read our output left (`| head`): what is still to be written goes nowhere, and nothing is said of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _run(_: argparse.Namespace) -> int:
    from sauma.cli import serving  # noqa: PLC0415  # see the module's first lines

    return serving.run()


def _serve(_: argparse.Namespace) -> int:
    from sauma.cli import serving  # noqa: PLC0415  # see the module's first lines

    return serving.serve()


def _demo(chosen: argparse.Namespace) -> int:
    from sauma.cli import serving  # noqa: PLC0415  # see the module's first lines

    return serving.demo(json=chosen.json)


def _migrate(chosen: argparse.Namespace) -> int:
    from sauma.cli import schema  # noqa: PLC0415  # see the module's first lines

    if chosen.print_bootstrap:
        return schema.print_bootstrap()
    return schema.check(json=chosen.json) if chosen.check else schema.migrate(json=chosen.json)


def _doctor(chosen: argparse.Namespace) -> int:
    from sauma.cli import doctor  # noqa: PLC0415  # see the module's first lines

    return doctor.doctor(json=chosen.json)


def _keyring(chosen: argparse.Namespace) -> int:
    from sauma.cli import keyring  # noqa: PLC0415  # see the module's first lines

    return keyring.make(chosen.file)


def _keys(chosen: argparse.Namespace) -> int:
    from sauma.cli import keys  # noqa: PLC0415  # see the module's first lines

    if chosen.act == "rotate":
        return keys.rotate(at_once=chosen.now, json=chosen.json)
    if chosen.act == "remove":
        return keys.remove(chosen.kid, json=chosen.json)
    return keys.prepare(json=chosen.json) if chosen.act == "prepare" else keys.list_keys(json=chosen.json)


def _clients(chosen: argparse.Namespace) -> int:
    from sauma.cli import registering  # noqa: PLC0415  # see the module's first lines

    return registering.clients(chosen)


def _ledger(chosen: argparse.Namespace) -> int:
    from sauma.cli import ledger  # noqa: PLC0415  # see the module's first lines

    if chosen.act == "sequence":
        return ledger.sequence(child=chosen.child)
    return ledger.vkey(make=chosen.make) if chosen.act == "vkey" else ledger.check(json=chosen.json)


def _contract(chosen: argparse.Namespace) -> int:
    from sauma.cli import contract  # noqa: PLC0415  # see the module's first lines

    return contract.write() if chosen.action == "write" else contract.check()


def _clean(_: argparse.Namespace) -> int:
    from sauma.cli import database  # noqa: PLC0415  # see the module's first lines

    return database.clean()


def _version(chosen: argparse.Namespace) -> int:
    sys.stdout.write(f'{{"version": "{VERSION}"}}\n' if chosen.json else f"sauma {VERSION}\n")
    return 0
