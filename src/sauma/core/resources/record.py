"""What every resource Struct can say about itself without its values leaving it."""

import datetime as dt

from sauma.core.people import Confidential


class Record(Confidential, frozen=True):
    """The content of one record: every member optional, each a sealed field."""

    @property
    def reference_day(self) -> dt.date | None:
        """The day by which a query's period finds the record; None: it is found in every period."""
        return None

    @property
    def identity_codes(self) -> tuple[tuple[str, str], ...]:
        """JSON pointer and text of every personal identity code inside the values."""
        return ()
