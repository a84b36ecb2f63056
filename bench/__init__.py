"""Speed and memory against the plain way, in one run on one machine: ``python -m bench WHAT``."""
