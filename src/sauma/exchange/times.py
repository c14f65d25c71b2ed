"""Helsinki days: the law counts days in Finland, the machine in UTC."""

import datetime as dt
import zoneinfo

_HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")


def day_of(moment: dt.datetime) -> dt.date:
    """The calendar day in Finland at a moment."""
    return moment.astimezone(_HELSINKI).date()


def rfc3339(moment: dt.datetime) -> str:
    """A moment as RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
