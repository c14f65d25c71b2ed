"""`sauma keyring`: the key ring of a production installation, which is never made by a start."""

import errno
from pathlib import Path

from sauma import app
from sauma.cli.database import say
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG


def make(file: str) -> int:
    """Write a new ring; back it up apart from the database before the first record is deposited.

    Raises:
        StartRefused: exit 78, there is a file already, or it cannot be written.
    """
    try:
        app.make_keyring(Path(file))
    except FileExistsError:
        line = "file: there is one already, and a key ring is never overwritten; fix: name another place"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    except OSError as fault:
        name = errno.errorcode.get(fault.errno or 0, "OSError")
        line = f"file: cannot be written ({name}); fix: name a place in a directory of this user's"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    say("key ring made; back it up now, apart from the database: what is sealed under it opens with nothing else")
    return 0
