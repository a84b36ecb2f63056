"""``python -m fer_utils``."""

import os
import sys

from fer_utils.cli import INTERRUPTED, TERMINATED, main

code = main()
# at once: a thread in which papermill still waits must not hold the terminal
if code in (INTERRUPTED, TERMINATED):
    sys.stdout.flush()
    os._exit(code)
sys.exit(code)
