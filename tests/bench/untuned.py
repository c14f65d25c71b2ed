"""The product served with CPython's default garbage collection: what `gc.freeze` and the raised thresholds are worth."""

import gc
import sys

from sauma.__main__ import main

gc.freeze = lambda: None
gc.set_threshold = lambda *_: None
sys.argv = ["sauma", "serve"]
sys.exit(main())
