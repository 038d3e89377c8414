"""A plugin of pytest, `-p tests.blocked`: packages named in the variable BLOCKED are not there."""

import os
import sys

for name in os.environ.get("BLOCKED", "").split():
    sys.modules[name] = None  # type: ignore[assignment]
