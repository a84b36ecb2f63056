"""Stage 3: from the prompt table to a pool of synthetic faces (section III of the paper).

An image is a function of its row in the manifest: each has its own seed and its own CPU generator,
so that it can be made again alone (diffusers #612, PR #1718). The pool is written in shards by one
writer each, and nothing is shared but files: a killed run loses at most the batch it was at, and
many machines may work at one pool.
"""

from fer_utils.synthesis.pool import held_out_faces, make_pool
from fer_utils.synthesis.rendering import Renderer, generate
from fer_utils.synthesis.shards import MANIFEST_COLUMNS, load_pool, plan_shards, read_manifest

__all__ = [
    "MANIFEST_COLUMNS",
    "Renderer",
    "generate",
    "held_out_faces",
    "load_pool",
    "make_pool",
    "plan_shards",
    "read_manifest",
]
