"""The catalogue's own files, read once."""

import pytest

from sauma.catalogue.files import read_files
from sauma.catalogue.loader import parse_areas, parse_catalogue
from sauma.core.areas import Areas
from sauma.core.purposes import Catalogue


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    return read_files()


@pytest.fixture(scope="session")
def catalogue(files: dict[str, bytes]) -> Catalogue:
    return parse_catalogue(files)


@pytest.fixture(scope="session")
def areas(files: dict[str, bytes]) -> Areas:
    return parse_areas(files)
