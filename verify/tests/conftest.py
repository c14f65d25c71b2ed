"""The command as a person runs it."""

import json
import pathlib

import pytest

from sauma_verify.cli import run
from verifying import Told, Verify


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    def verified(source: pathlib.Path | str, *options: str) -> Told:
        code = run([str(source), "--json", *options])
        return Told(code, json.loads(capsys.readouterr().out))

    return verified
