"""``python -m fer_utils``."""

import os
import sys

from fer_utils.cli import INTERRUPTED, TERMINATED, main

code = main()
if code in (INTERRUPTED, TERMINATED):      # at once: a thread in which papermill still waits must not hold the terminal
    sys.stdout.flush()
    os._exit(code)
sys.exit(code)
