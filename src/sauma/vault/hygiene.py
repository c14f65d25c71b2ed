"""What keeps key material from leaving a process sideways: no core file, no ptrace, no /proc/<pid>/mem for equals."""

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """Set RLIMIT_CORE to 0 and, on Linux, PR_SET_DUMPABLE to 0 (prctl(2)); call first thing in every process.

    Raises:
        OSError: the kernel refused, so a crash could write keys to disk: refuse to start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) refused")
