"""Helpers of the companion to Roy, Kathania and Sharma (arXiv 2411.10863).

Each notebook in ``notebooks/`` is one stage of the paper and stands on one module here.
"""

__version__ = "0.1.0"
