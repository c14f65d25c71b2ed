"""Loads the texts of the problem codes."""

from importlib import resources

import msgspec

from sauma.core.errors import CatalogueError
from sauma.core.problems import ProblemTexts


def load_problem_texts() -> ProblemTexts:
    """The texts of `problems.toml`, one per code of the closed list, in Finnish, Swedish and English.

    Raises:
        CatalogueError: the file is not TOML, misses a code or language, or has one too many.
    """
    raw = resources.files("sauma.catalogue").joinpath("problems.toml").read_bytes()
    return read_problem_texts(raw)


def read_problem_texts(raw: bytes) -> ProblemTexts:
    """The texts in the bytes of a TOML file of that shape.

    Raises:
        CatalogueError: as `load_problem_texts`.
    """
    try:
        return msgspec.toml.decode(raw, type=ProblemTexts)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"problems.toml: {error}"
        raise CatalogueError(message) from error
