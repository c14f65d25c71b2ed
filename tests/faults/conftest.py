"""The faults are met on the same ground as the attacks."""

from attacks.conftest import scene  # noqa: F401  # the fixture
