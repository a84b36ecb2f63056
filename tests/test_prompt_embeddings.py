"""Prompts encoded once, batches halved where memory runs out, and the way from noise to a face."""

import numpy as np
import pytest
import torch
from drawn_images import generate
from random_generators import save_sd2, save_sd3

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.synthesis.generators.batches import with_halving
from fer_utils.synthesis.generators.loading import call_options, load_generator
from fer_utils.synthesis.generators.prompt_embeddings import PromptEmbeddings
from fer_utils.synthesis.generators.trajectory import guidance_grid, trajectory

TEXTS = [
    "A man's face with fear emotion",
    "Sad expression on a kid, studio photo",
    "A man's face with fear emotion",
]
SETTINGS = {"steps": 2, "guidance_scale": 4.0, "size": 64}


@pytest.fixture(scope="module")
def random_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"sd2": save_sd2(folder / "two"), "sd3": save_sd3(folder / "three")}


@pytest.fixture(params=["sd2 shipped", "sd3 shipped", "sd2 random", "sd3 random"])
def pipeline(request, random_models):
    """Both shipped models, without T5, and both of random weights, with T5."""
    generator, kind = request.param.split()
    model = (
        [] if kind == "shipped" else [f"generators.{generator}.model={random_models[generator]}"]
    )
    return load_generator(generator, load_profile("demo", model))


@pytest.fixture(scope="module")
def shipped():
    return {name: load_generator(name, load_profile("demo")) for name in ("sd2", "sd3")}


def drawn(pipeline, words: dict, seeds=(1, 2, 3)) -> np.ndarray:
    images = pipeline(
        **words,
        num_inference_steps=2,
        guidance_scale=4.0,
        height=64,
        width=64,
        output_type="np",
        generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        **call_options(pipeline),
    ).images
    return np.rint(images * 255).astype(int)


@pytest.mark.parametrize("negative_prompt", ["", "old, with glasses"])
def test_kept_embeddings_draw_the_same_pixels_as_the_prompts_themselves(pipeline, negative_prompt):
    embeddings = PromptEmbeddings(pipeline, negative_prompt, batch_size=1)
    plain = drawn(pipeline, {"prompt": TEXTS, "negative_prompt": [negative_prompt] * 3})
    first, again = (drawn(pipeline, embeddings.arguments(TEXTS)) for _ in range(2))
    assert np.abs(first - plain).max() <= 1 and np.array_equal(first, again)
    assert np.abs(plain[0] - plain[1]).max() > 2


def test_the_negative_prompt_counts(shipped):
    images = [
        drawn(shipped["sd3"], PromptEmbeddings(shipped["sd3"], text).arguments(TEXTS))
        for text in ("", "a woman")
    ]
    assert np.abs(images[0] - images[1]).max() > 2


@pytest.mark.parametrize("name", ["sd2", "sd3"])
def test_each_distinct_prompt_is_encoded_once_and_in_batches(shipped, name, monkeypatch):
    encoded, encode = [], type(shipped[name]).encode_prompt
    monkeypatch.setattr(
        type(shipped[name]),
        "encode_prompt",
        lambda self, texts, *rest, **more: (
            encoded.append(texts) or encode(self, texts, *rest, **more)
        ),
    )
    embeddings = PromptEmbeddings(shipped[name], "", batch_size=2)
    embeddings.prepare(["a", "b", "a", "c"])
    embeddings.arguments(["c", "a", "d"])
    embeddings.arguments(["d", "b"])
    assert encoded == [["a", "b"], ["c"], ["d"], [""]]


def test_beyond_the_limit_the_prompts_used_longest_ago_are_forgotten(shipped, monkeypatch):
    pipeline = shipped["sd3"]
    one = (
        sum(part[0].nbytes for part in PromptEmbeddings(pipeline, "").arguments(["a"]).values())
        // 2
    )
    encoded, encode = [], type(pipeline).encode_prompt
    monkeypatch.setattr(
        type(pipeline),
        "encode_prompt",
        lambda self, texts, *rest, **more: (
            encoded.extend(texts) or encode(self, texts, *rest, **more)
        ),
    )
    embeddings = PromptEmbeddings(pipeline, "", limit_bytes=2 * one)
    for prompts in (["a", "b"], ["a"], ["c"], ["a"], ["b"]):
        embeddings.arguments(prompts)
    # '' is the negative prompt
    assert [text for text in encoded if text] == ["a", "b", "c", "b"]
    # more at once than may be kept
    assert embeddings.arguments(["p", "q", "r"])["prompt_embeds"].shape[0] == 3


def test_offloaded_text_encoders_give_the_same_embeddings(random_models):
    pipeline = load_generator(
        "sd3", load_profile("demo", [f"generators.sd3.model={random_models['sd3']}"])
    )
    plain = drawn(pipeline, {"prompt": TEXTS, "negative_prompt": [""] * 3})
    # the hooks of a GPU's offload, with the CPU as the device
    pipeline.enable_model_cpu_offload(device="cpu")
    embeddings = PromptEmbeddings(pipeline, "")
    for _ in range(2):
        assert np.abs(drawn(pipeline, embeddings.arguments(TEXTS)) - plain).max() <= 1


@pytest.mark.parametrize("name", ["sd2", "sd3"])
def test_a_trajectory_goes_from_noise_to_the_image_that_synthesis_makes(shipped, name):
    images = trajectory(shipped[name], TEXTS[0], 5, steps=6, guidance_scale=4.0, size=64)
    final = generate(
        shipped[name],
        TEXTS[:1],
        negative_prompt="",
        seeds=[5],
        steps=6,
        guidance_scale=4.0,
        size=64,
    )
    assert images.shape == (7, 64, 64, 3) and images.dtype == np.uint8
    assert np.abs(images[-1].astype(int) - final[0]).max() <= 1
    distances = np.abs(images.astype(float) - images[-1]).mean(axis=(1, 2, 3))
    assert distances[0] > 10 and distances[0] > distances[-2] and distances[-1] == 0


def test_a_trajectory_starts_at_the_schedulers_own_amount_of_noise(random_models):
    profile = load_profile(
        "demo",
        [
            f"generators.sd2.model={random_models['sd2']}",
            "generators.sd2.scheduler=EulerAncestralDiscreteScheduler",
        ],
    )
    pipeline = load_generator("sd2", profile)
    images = trajectory(pipeline, TEXTS[0], 5, negative_prompt="cartoon", **SETTINGS)
    final = generate(pipeline, TEXTS[:1], negative_prompt="cartoon", seeds=[5], **SETTINGS)
    # the noise of each step is the image's own too
    assert np.abs(images[-1].astype(int) - final[0]).max() <= 1
    noise = pipeline.scheduler.init_noise_sigma * torch.randn(
        (1, 4, 8, 8), generator=torch.Generator().manual_seed(5)
    )
    with torch.no_grad():
        pixels = (
            pipeline.vae.decode(noise / pipeline.vae.config.scaling_factor)
            .sample[0]
            .permute(1, 2, 0)
        )
    assert np.abs(images[0] - (127.5 + 127.5 * pixels.numpy()).clip(0, 255)).max() <= 1


def test_a_trajectory_undoes_the_shift_of_the_latents(random_models):
    pipeline = load_generator(
        "sd3", load_profile("demo", [f"generators.sd3.model={random_models['sd3']}"])
    )
    pipeline.vae.register_to_config(shift_factor=2.0)
    final = generate(pipeline, TEXTS[:1], negative_prompt="", seeds=[5], **SETTINGS)
    assert (
        np.abs(trajectory(pipeline, TEXTS[0], 5, **SETTINGS)[-1].astype(int) - final[0]).max() <= 1
    )


def test_a_guidance_grid_holds_one_image_for_each_scale_and_number_of_steps(shipped):
    grid = guidance_grid(
        shipped["sd2"], TEXTS[0], 5, guidance_scales=[1.0, 4.0], steps=[1, 2, 3], size=64
    )
    alone = generate(
        shipped["sd2"],
        TEXTS[:1],
        negative_prompt="",
        seeds=[5],
        steps=2,
        guidance_scale=4.0,
        size=64,
    )
    assert grid.shape == (2, 3, 64, 64, 3)
    assert np.abs(grid[1, 1].astype(int) - alone[0]).max() <= 1


def test_batches_are_halved_until_they_fit_and_stay_so():
    tried = []

    def make(part):
        tried.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return [item * 10 for item in part]

    found = list(with_halving(make, list(range(9)), 8))
    assert tried == [8, 4, 2, 2, 2, 2, 1]
    assert [item for part, _ in found for item in part] == list(range(9))
    assert [item for _, made in found for item in made] == [item * 10 for item in range(9)]


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator"
            ": not enough memory: you tried to allocate 99 bytes."
        ),
    ],
)
def test_when_not_even_one_image_fits_the_settings_that_help_are_named(problem):
    def make(part):
        raise problem

    with pytest.raises(CompanionError, match=r"(?s)one image.*offload=model.*"):
        list(with_halving(make, [1, 2], 2))


def test_any_other_error_passes_through():
    def make(part):
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(with_halving(make, [1], 1))


def test_an_unknown_or_absent_device_is_explained(monkeypatch):
    with pytest.raises(CompanionError, match="did you mean 'cuda'"):
        choose_device("cudas")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CompanionError, match="finds no CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


def test_what_is_prepared_takes_the_place_of_what_was_kept_and_shared_prompts_stay(shipped):
    embeddings = PromptEmbeddings(shipped["sd3"], "")
    embeddings.prepare(["a sad man", "a happy man"])
    size, encoded = embeddings._bytes, []
    encode = embeddings._encode
    embeddings._encode = lambda texts: encoded.append(texts) or encode(texts)
    embeddings.prepare(["a happy man", "an angry man"])
    assert encoded == [["an angry man"]], "a prompt of both shards is encoded once"
    assert list(embeddings._kept) == ["a happy man", "an angry man"] and embeddings._bytes == size
