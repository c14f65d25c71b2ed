"""`sauma-verify`, also as `python -m sauma_verify`."""

import sys

from sauma_verify.cli import run


def main() -> None:
    """Run on the arguments of this process and end it with the exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
