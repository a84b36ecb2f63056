"""The path of the paper profile with models of Stable Diffusion's real component types and random
weights."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from drawn_images import generate
from random_generators import save_lora, save_other, save_sd2, save_sd3

from fer_utils import synthesis
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.prompts import prompt_table
from fer_utils.synthesis.generators.identity import digest, identity
from fer_utils.synthesis.generators.loading import load_generator, revision
from fer_utils.synthesis.generators.prompt_embeddings import PromptEmbeddings
from fer_utils.synthesis.generators.schedulers import DIFFUSION, FLOW, exchange_scheduler
from fer_utils.synthesis.generators.settings import check_generators

NO_T5 = "generators.sd3.without=[text_encoder_3,tokenizer_3]"
TEXTS = ["A man's sad face", "A smiling kid, studio photo", "A man's sad face"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"sd2": save_sd2(folder / "two"), "sd3": save_sd3(folder / "three")}


@pytest.fixture
def paper(models, project):
    """The paper profile with nothing overridden but what a CPU and tiny models need, and what a
    test adds."""

    def with_settings(*more: str):
        return load_profile(
            "paper",
            [
                "synthesis.dtype=float32",
                "run.device=cpu",
                "synthesis.shard_size=3",
                *(
                    f"generators.{name}.{setting}"
                    for name, address in models.items()
                    for setting in (f"model={address}", "size=64", "steps=2", "batch_size=2")
                ),
                *more,
            ],
        )

    return with_settings


def drawn(pipeline, *, texts=TEXTS, negative_prompt="cartoon", steps=2) -> np.ndarray:
    return generate(
        pipeline,
        texts,
        negative_prompt=negative_prompt,
        seeds=list(range(len(texts))),
        steps=steps,
        guidance_scale=5.0,
        size=64,
    ).astype(int)


@pytest.mark.parametrize("without", [(), (NO_T5,)], ids=["with T5", "without T5"])
def test_the_paper_profile_makes_a_pool_with_both_models(paper, without):
    profile = paper(*without)
    prompts = prompt_table({"fear": 4, "happy": 3}, profile)
    manifest = synthesis.make_pool(prompts, profile)
    pool, _ = synthesis.load_pool(profile)
    assert sorted(manifest["id"]) == sorted(prompts["id"]) and set(manifest["generator"]) == {
        "sd2",
        "sd3",
    }
    assert pool.images.shape == (7, 64, 64, 3) and pool.images.std(axis=(1, 2, 3)).min() > 1
    assert set(manifest["negative_prompt"]) == {profile.synthesis.negative_prompt}


def test_without_t5_it_is_not_loaded_and_the_other_encoders_draw_another_image(paper):
    whole, lean = load_generator("sd3", paper()), load_generator("sd3", paper(NO_T5))
    assert (
        whole.text_encoder_3 is not None
        and lean.text_encoder_3 is None
        and lean.tokenizer_3 is None
    )
    assert np.abs(drawn(whole) - drawn(lean)).max() > 2


@pytest.mark.parametrize(
    ("generator", "name"),
    [
        ("sd2", "DPMSolverMultistepScheduler"),
        ("sd2", "EulerDiscreteScheduler"),
        ("sd3", "DPMSolverMultistepScheduler"),
    ],
)
def test_another_scheduler_takes_over_the_models_settings(paper, generator, name):
    own, other = (
        load_generator(generator, paper()),
        load_generator(generator, paper(f"generators.{generator}.scheduler={name}")),
    )
    assert type(other.scheduler).__name__ == name
    assert np.abs(drawn(own, steps=4) - drawn(other, steps=4)).max() > 2
    if generator == "sd2":
        assert (
            other.scheduler.config.prediction_type == "v_prediction"
            and other.scheduler.config.beta_end == 0.012
        )
    else:
        assert other.scheduler.config.use_flow_sigmas and other.scheduler.config.flow_shift == 3.0


@pytest.mark.parametrize(("generator", "names"), [("sd2", DIFFUSION), ("sd3", FLOW)])
def test_every_scheduler_offered_makes_an_image_again_from_its_seed_alone(generator, names):
    pipeline = load_generator(generator, load_profile("demo"))
    own, settings = (
        pipeline.scheduler,
        {
            "negative_prompt": "",
            "steps": 3,
            "guidance_scale": 4.0,
            "size": 64,
        },
    )
    for name in names:
        pipeline.scheduler = own
        exchange_scheduler(pipeline, name)
        together = generate(pipeline, TEXTS[:2], seeds=[5, 6], **settings)
        alone = generate(pipeline, TEXTS[1:2], seeds=[6], **settings)
        assert np.abs(together[1].astype(int) - alone[0]).max() <= 2, name
        assert together.std() > 20, name


@pytest.mark.parametrize("generator", ["sd2", "sd3"])
def test_a_lora_changes_the_images_and_may_be_a_folder_or_a_file(
    paper, models, tmp_path, generator
):
    pytest.importorskip("peft")
    lora = save_lora(models[generator], tmp_path / "lora")
    plain = drawn(load_generator(generator, paper()))
    file = next(lora.glob("*.safetensors"))
    tuned = [
        drawn(load_generator(generator, paper(f"generators.{generator}.lora={address}")))
        for address in (lora, file)
    ]
    assert np.abs(tuned[0] - plain).max() > 2 and np.array_equal(*tuned)
    save_lora(models[generator], tmp_path / "weak", scale=0.0)
    nothing_added = drawn(
        load_generator(generator, paper(f"generators.{generator}.lora={tmp_path / 'weak'}"))
    )
    assert np.abs(nothing_added - plain).max() <= 2


def test_a_lora_of_another_class_of_model_is_refused(paper, models, tmp_path):
    pytest.importorskip("peft")
    lora = save_lora(models["sd3"], tmp_path / "lora")
    with pytest.raises(CompanionError, match="sd2.lora .*StableDiffusionPipeline"):
        load_generator("sd2", paper(f"generators.sd2.lora={lora}"))


def test_a_lora_without_peft_says_what_to_install(paper, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CompanionError, match=r"peft.*fer_utils\[lora\]"):
        load_generator("sd2", paper(f"generators.sd2.lora={tmp_path}"))


@pytest.mark.parametrize("generator", ["sd2", "sd3"])
def test_slicing_leaves_the_images_as_they_are(paper, generator):
    whole = drawn(load_generator(generator, paper()))
    pipeline = load_generator(
        generator, paper("synthesis.attention_slicing=true", "synthesis.vae_slicing=true")
    )
    assert pipeline.vae.use_slicing
    if generator == "sd2":
        assert any(
            "Sliced" in type(processor).__name__
            for processor in pipeline.unet.attn_processors.values()
        )
    assert np.abs(drawn(pipeline) - whole).max() <= 2


def test_compile_is_asked_of_the_denoiser_alone(paper, monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda module, **_: asked.append(type(module).__name__)
    )
    load_generator("sd2", paper("synthesis.compile=true"))
    load_generator("sd3", paper("synthesis.compile=true"))
    assert asked == ["UNet2DConditionModel", "SD3Transformer2DModel"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["synthesis.offload=model"], "on the CPU; use synthesis.offload=none"),
        (["synthesis.offload=models"], "did you mean 'model'"),
        (["synthesis.dtype=float16"], "use synthesis.dtype=float32"),
        (["synthesis.dtype=half"], "Valid names: float32, float16, bfloat16"),
        (
            ["generators.sd3.scheduler=DPMSolverMultistepSheduler"],
            "did you mean 'DPMSolverMultistepScheduler'",
        ),
        (["generators.sd3.scheduler=DDIMScheduler"], "made for FlowMatchEulerDiscreteScheduler"),
        (["generators.sd3.without=[text_encoder3]"], "did you mean 'text_encoder_3'"),
        (["generators.sd3.without=[vae]"], "cannot do without"),
        (["generators.sd3.without=[text_encoder_3]"], "together"),
        (["generators.sd3.lora=/no/such/file.safetensors"], "no such folder or file"),
        ([f"generators.sd3.revision='{COMMIT}'"], "is a folder; a revision is a commit"),
        (
            ["generators.sd3.model=owner/name", "generators.sd3.revision=main"],
            "40 hexadecimal digits",
        ),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_any_weights_are_read(
    paper, settings, message, monkeypatch
):
    monkeypatch.setattr(
        DiffusionPipeline, "from_pretrained", lambda *_, **__: pytest.fail("weights were read")
    )
    with pytest.raises(CompanionError, match=message):
        load_generator("sd3", paper(*settings))


def test_the_settings_of_both_generators_are_checked_before_the_first_one_works(paper, monkeypatch):
    profile = paper("generators.sd2.lora=/no/such/file")
    monkeypatch.setattr(
        "fer_utils.synthesis.rendering.load_generator",
        lambda *_: pytest.fail("a generator was loaded"),
    )
    with pytest.raises(CompanionError, match="generators.sd2.lora"):
        synthesis.make_pool(prompt_table({"fear": 4}, profile), profile)
    check_generators(
        paper(
            "generators.sd2.lora=/no/such/file", "generators.sd2.share=0", "generators.sd3.share=1"
        )
    )


def test_a_pipeline_of_another_class_that_knows_no_negative_prompt_draws_too(paper, tmp_path):
    profile = paper(f"generators.sd2.model={save_other(tmp_path)}")
    pipeline = load_generator("sd2", profile)
    rows = prompt_table({"fear": 4}, profile)
    rows = rows[rows["generator"] == "sd2"]
    images, finite = synthesis.Renderer("sd2", profile).draw(
        rows["prompt"].tolist(), rows["seed"].tolist()
    )
    assert images.shape[1:] == (64, 64, 3) and images.std() > 1 and finite.all()
    assert PromptEmbeddings(pipeline, "cartoon").arguments(["a face"]) == {"prompt": ["a face"]}


def test_whatever_changes_pixels_changes_the_identity(paper, models, tmp_path):
    plain = identity("sd3", paper())
    save_lora(models["sd3"], tmp_path / "lora")
    for change in (
        "generators.sd3.scheduler=DPMSolverMultistepScheduler",
        NO_T5,
        "synthesis.dtype=bfloat16",
        f"generators.sd3.lora={tmp_path / 'lora'}",
        f"generators.sd3.model={models['sd2']}",
        "generators.sd3.model=owner/name",
    ):
        assert identity("sd3", paper(change)) != plain, change
    for same in (
        "generators.sd3.batch_size=1",
        "synthesis.vae_slicing=true",
        "synthesis.offload=model",
    ):
        assert identity("sd3", paper(same)) == plain, same
    hub = [
        identity(
            "sd3", paper("generators.sd3.model=owner/name", f'generators.sd3.revision="{commit}"')
        )
        for commit in ("", COMMIT)
    ]
    assert hub[0]["weights"] == "owner/name" and hub[1]["weights"] == f"owner/name@{COMMIT}"


def test_one_changed_weight_or_setting_of_a_folder_changes_its_identity_and_moving_it_does_not(
    paper, models, tmp_path
):
    copy = shutil.copytree(models["sd2"], tmp_path / "elsewhere")
    moved = paper(f"generators.sd2.model={copy}")
    before = identity("sd2", moved)
    assert before == identity("sd2", paper())
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.012", "0.013"))
    changed = identity("sd2", moved)
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert len({before["weights"], changed["weights"], identity("sd2", moved)["weights"]}) == 3


def test_a_large_file_is_sampled_from_its_first_byte_to_its_last(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_utils.synthesis.generators.identity.READ_WHOLE", 1000)
    monkeypatch.setattr("fer_utils.synthesis.generators.identity.SAMPLE_BYTES", 100)
    found = []
    for place in (None, 0, 19_999):
        content = bytearray(20_000)
        if place is not None:
            content[place] = 1
        (tmp_path / f"{place}.safetensors").write_bytes(content)
        found.append(digest(tmp_path / f"{place}.safetensors"))
    assert len(set(found)) == 3


def test_a_model_of_the_hub_comes_from_its_cache_and_the_manifest_names_the_commit(
    paper, models, tmp_path, monkeypatch
):
    snapshot = tmp_path / "models--owner--some-model" / "snapshots" / COMMIT
    shutil.copytree(models["sd3"], snapshot)
    asked, read_index = [], DiffusionPipeline.load_config

    def ask_the_hub(address, revision=None, **without):
        asked.append((address, revision, sorted(without)))
        return snapshot

    monkeypatch.setattr(DiffusionPipeline, "download", ask_the_hub)
    monkeypatch.setattr(
        DiffusionPipeline,
        "load_config",
        lambda address, **commit: read_index(
            ask_the_hub(address, **commit) if address == "owner/some-model" else address
        ),
    )
    settings = ("generators.sd3.model=owner/some-model", f"generators.sd3.revision={COMMIT}", NO_T5)
    assert revision(load_generator("sd3", paper(*settings))) == f"owner/some-model@{COMMIT}"
    left_out = ["feature_extractor", "image_encoder", "text_encoder_3", "tokenizer_3"]
    assert asked == [("owner/some-model", COMMIT, []), ("owner/some-model", COMMIT, left_out)]


def test_a_model_too_large_for_the_gpu_ends_in_what_lowers_memory(paper, monkeypatch):
    def to(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DiffusionPipeline, "to", to)
    with pytest.raises(CompanionError, match="synthesis.offload=model"):
        load_generator("sd2", paper())
