"""Helpers of the companion to Roy, Kathania and Sharma (arXiv 2411.10863).

Each notebook in ``notebooks/`` is one stage of the paper and stands on one module here.
"""

import os

__version__ = "0.1.0"

# OpenMP threads that spin while they wait slow each other down many times over as soon as another
# program wants a core too. The OpenMP library reads these once, when torch loads it, so they stand
# here: whatever of this project loads torch has imported fer_utils before. The first is of the
# standard (GNU's library, in PyTorch for Linux, and LLVM's); the second is of Intel's and LLVM's
# own, which MKL and PyTorch for macOS and Windows use.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
