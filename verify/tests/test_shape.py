"""The verifier keeps to the budgets the server keeps to."""

import pathlib

from shape import budgets

SOURCE = pathlib.Path(__file__).parents[1] / "src" / "sauma_verify"


def test_nothing_is_too_big_to_be_read_at_once_and_nothing_bears_an_empty_name() -> None:
    assert budgets.too_big(SOURCE) == []
    assert budgets.empty_names(SOURCE) == []
