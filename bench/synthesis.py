"""Making synthetic faces against the loop people write: ``python -m bench synthesis``.

The loop asks the pipeline for one prompt a call and saves a PNG. It is measured with the pipeline's
default steps and guidance, as people write it, and with the profile's, so that what batches and
encoded prompts save is told apart from what fewer steps save. Ours is the whole of ``make_pool``:
guards, shards and manifest.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from bench.measuring import MEDIANS, median_case, plainly, write_benchmark
from fer_utils.core.emotions import EMOTIONS

LOOP_IMAGES, POOL_IMAGES, FEW, MANY = 14, 210, 500, 5_000
"""Images of each case; the last two for how memory grows."""

GENERATORS = ("sd2", "sd3")


def bench_synthesis() -> Iterator[str]:
    """Measure every case in turn; yields lines, and writes ``tables/benchmarks/synthesis``."""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, images in _images().items():
            row = median_case(__name__, name, Path(folder), rounds=1 if images > POOL_IMAGES else 3)
            rows.append({**row, "images": images, "images_per_second": images / row["seconds"]})
            yield (
                f"{name}: {rows[-1]['images_per_second']:,.2f} images/s, {row['seconds']:.1f} s,"
                f" {row['peak_mb']:,.0f} MB"
            )
    table = pd.DataFrame(rows)
    ratios = _ratios(table.set_index("case"))
    write_benchmark("synthesis", table, plainly(table), ratios, about=MEDIANS)
    yield from (f"{name}: {value:.2f}" for name, value in ratios.items())


def _images() -> dict[str, int]:
    """Case -> images it makes, writes or plans."""
    speed = {
        name: LOOP_IMAGES if "loop" in name else POOL_IMAGES
        for name in CASES
        if name.startswith(GENERATORS)
    }
    return {**speed, FEW_CASE: FEW, MANY_CASE: MANY, ROWS_CASE: _paper_rows()}


def _ratios(table: pd.DataFrame) -> dict[str, float]:
    rate = table["images_per_second"]
    ratios = {}
    for generator in GENERATORS:
        ours = rate[f"{generator}: make_pool"]
        ratios[f"{generator}: times as fast as the loop with pipeline defaults"] = (
            ours / rate[_loop(generator, "defaults")]
        )
        ratios[f"{generator}: times as fast as the loop with the same steps"] = (
            ours / rate[_loop(generator, "same steps")]
        )
    ratios[f"peak memory, {MANY:,} images against {FEW:,}"] = (
        table["peak_mb"][MANY_CASE] / table["peak_mb"][FEW_CASE]
    )
    ratios[f"seconds to plan, write and read {_paper_rows():,} rows"] = table["seconds"][ROWS_CASE]
    return ratios


def _paper_rows() -> int:
    from fer_utils.balancing.plan import published_pool
    from fer_utils.core.profiles import load_profile

    return sum(published_pool(load_profile("paper")).values())


def _loop(generator: str, how: str) -> str:
    return f"{generator}: loop of one prompt a call, PNG files, {how}"


def _loop_case(generator: str, how: str) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path):
        from fer_utils.synthesis.generators.loading import load_generator

        profile, prompts = _profile_and_prompts(generator, LOOP_IMAGES)
        pipeline, settings = (
            load_generator(generator, profile),
            getattr(profile.generators, generator),
        )
        options = {"num_inference_steps": settings.steps, "guidance_scale": settings.guidance_scale}
        options = options if how == "same steps" else {}
        pipeline(prompts["prompt"].iloc[0], num_inference_steps=2)

        def loop():
            for number, prompt in enumerate(prompts["prompt"]):
                pipeline(prompt, **options).images[0].save(folder / f"{number}.png")

        return loop

    return prepare


def _pool_case(generators: tuple[str, ...], images: int) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path):
        from fer_utils.synthesis import make_pool
        from fer_utils.synthesis.rendering import Renderer

        profile, prompts = _profile_and_prompts(
            generators[0] if len(generators) == 1 else "", images
        )
        shutil.rmtree(profile.paths.pool, ignore_errors=True)
        # diffusers and the weights come into memory before the work is timed
        for generator in generators:
            Renderer(generator, profile).draw(prompts["prompt"].tolist()[:2], [0, 1])
        return lambda: make_pool(prompts, profile)

    return prepare


def _profile_and_prompts(generator: str, images: int):
    """The demo profile, and so many prompts, all for one generator where one is named."""
    from fer_utils.core.profiles import load_profile
    from fer_utils.prompts import prompt_table

    shares = {name: float(name == generator) for name in GENERATORS} if generator else {}
    profile = load_profile(
        "demo", [f"generators.{name}.share={share}" for name, share in shares.items()]
    )
    return profile, prompt_table(
        dict.fromkeys(EMOTIONS, -(-images // len(EMOTIONS))), profile
    ).head(images)


def _rows(folder: Path) -> Callable[[], object]:
    """The pool of the paper with black images in place of drawn ones: planned, written shard by
    shard, read back."""
    import numpy as np

    from fer_utils.balancing.plan import published_pool
    from fer_utils.core.profiles import load_profile
    from fer_utils.prompts import prompt_table, read_prompts, write_prompts
    from fer_utils.synthesis.generators.identity import identity
    from fer_utils.synthesis.shards import plan_shards, read_manifest, shard_path, write_shard

    profile = load_profile("paper")

    def plan_write_read():
        write_prompts(prompt_table(published_pool(profile), profile), profile)
        prompts = read_prompts(profile)
        for name, rows in plan_shards(prompts, profile).items():
            made_by = identity(rows["generator"].iloc[0], profile)
            whole = rows.assign(
                model="",
                attempt=0,
                rejected="",
                steps=0,
                guidance_scale=0.0,
                size=0,
                sha256="0" * 64,
                **made_by,
            )
            write_shard(
                shard_path(name, profile), np.zeros((len(rows), 64, 64, 3), np.uint8), whole, {}
            )
        found = read_manifest(profile)
        if sorted(found["id"]) != sorted(prompts["id"]):
            raise RuntimeError(f"{len(found)} rows came back of {len(prompts)}")

    return plan_write_read


FEW_CASE, MANY_CASE = (f"both: make_pool of {images:,} images" for images in (FEW, MANY))
ROWS_CASE = "manifest of the paper's pool planned, written with images of its size, read back"
CASES = {
    **{
        _loop(generator, how): _loop_case(generator, how)
        for generator in GENERATORS
        for how in ("defaults", "same steps")
    },
    **{
        f"{generator}: make_pool": _pool_case((generator,), POOL_IMAGES) for generator in GENERATORS
    },
    FEW_CASE: _pool_case(GENERATORS, FEW),
    MANY_CASE: _pool_case(GENERATORS, MANY),
    ROWS_CASE: _rows,
}
