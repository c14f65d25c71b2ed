"""`python -m sauma`."""

import sys

from sauma.cli import main

if __name__ == "__main__":
    sys.exit(main())
