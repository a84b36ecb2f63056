"""The tiny generators: words, sizes, training that continues, and the two models that are
shipped."""

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusion3Pipeline, StableDiffusionPipeline
from drawn_images import generate

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import SHIPPED_GENERATORS
from fer_utils.core.profiles import load_profile
from fer_utils.prompts import prompt_table
from fer_utils.synthesis.generators import making
from fer_utils.synthesis.generators import tiny_models as tiny
from fer_utils.synthesis.generators.fitting import fit
from fer_utils.synthesis.generators.judge import agreement_table, judgements
from fer_utils.synthesis.generators.making import load_judge
from fer_utils.synthesis.generators.tiny_training import Recipe, random_captions
from fer_utils.synthesis.generators.web import CLASSES, UNKNOWN, draw_web, from_faces

SHIPPED = {
    "sd2": (StableDiffusionPipeline, {}),
    "sd3": (StableDiffusion3Pipeline, {"text_encoder_3": None, "tokenizer_3": None}),
}


@pytest.fixture(scope="module")
def prompts():
    return prompt_table(dict.fromkeys(EMOTIONS, 12), load_profile("demo"))


def test_every_word_of_the_grammar_is_one_token_and_no_prompt_is_cut():
    tokenizer = tiny.make_tokenizer()
    many = prompt_table(dict.fromkeys(EMOTIONS, 500), load_profile("demo"))["prompt"]
    pieces = [tokenizer.tokenize(prompt) for prompt in many]
    letters = [
        piece for tokens in pieces for piece in tokens if len(piece.removesuffix("</w>")) == 1
    ]
    assert set(letters) <= {"a", "'", "s</w>", ",</w>"}
    assert max(map(len, pieces)) + 2 <= tiny.MAX_TOKENS


def test_words_the_models_never_learnt_are_spelt_in_letters_instead_of_lost():
    tokenizer = tiny.make_tokenizer()
    assert tokenizer.tokenize("melancholic")[0] == "m"
    assert tokenizer.unk_token_id not in tokenizer("melancholic").input_ids[1:-1]


def test_captions_state_what_their_labels_say():
    captions, labels = random_captions(300, np.random.default_rng(0))
    for caption, glasses in zip(captions, labels["glasses"].tolist()):
        assert ("glasses" in caption) == (glasses == 1)
    assert (labels["age"] == UNKNOWN).any() and (labels["emotion"] != UNKNOWN).all()


def some_faces(labels) -> FaceSet:
    count = len(labels)
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 48, 1), np.uint8)
    return FaceSet(
        images, np.asarray(labels), np.array([f"{k}" for k in range(count)]), np.full(count, "x")
    )


def test_a_real_training_split_is_captioned_with_its_emotion_alone():
    web = from_faces(some_faces([0, 1, 2, 3]))
    assert all((web.attributes[name] == UNKNOWN).all() for name in CLASSES if name != "emotion")
    captions = web.captions([1] * 40, np.random.default_rng(0))
    assert all("disgust" in caption.lower() for caption in captions)
    assert any("woman" in caption for caption in captions) and any(
        "man's" in caption for caption in captions
    )


def test_real_faces_are_learnt_both_ways_round_and_rare_emotions_by_the_root_of_their_counts():
    web = from_faces(some_faces([0] * 90 + [1] * 10))
    assert web.images.shape == (200, 64, 64, 3)
    assert np.array_equal(web.images[100:], web.images[:100, :, ::-1])
    drawn = web.attributes["emotion"][web.draw(20_000, torch.Generator().manual_seed(0))]
    assert (drawn == 1).float().mean().item() == pytest.approx(
        10**0.5 / (90**0.5 + 10**0.5), abs=0.02
    )
    everywhere = draw_web(20, seed=0).draw(5_000, torch.Generator().manual_seed(0))
    assert everywhere.unique().tolist() == list(range(20))


def test_a_training_killed_between_checkpoints_ends_in_the_same_weights(tmp_path):
    def train(folder, stop_at=None):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)

        def loss(step, generator):
            if step == stop_at:
                raise KeyboardInterrupt
            return model(torch.randn(8, 3, generator=generator)).float().square().mean()

        fit(
            model,
            loss,
            steps=30,
            learning_rate=0.1,
            folder=folder,
            name="line",
            seed=1,
            checkpoint_every=10,
        )
        return model.weight

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", stop_at=17)
    assert torch.equal(train(tmp_path / "killed"), whole)


def test_both_shipped_models_together_take_no_more_than_20_megabytes():
    size = sum(
        path.stat().st_size
        for name in SHIPPED
        for path in (SHIPPED_GENERATORS / f"tiny-{name}").rglob("*")
    )
    assert 0 < size <= 20_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_loads_with_plain_diffusers_and_follows_the_emotion(name, prompts):
    kind, options = SHIPPED[name]
    pipeline = DiffusionPipeline.from_pretrained(SHIPPED_GENERATORS / f"tiny-{name}", **options)
    assert type(pipeline) is kind
    pipeline.set_progress_bar_config(disable=True)
    settings = getattr(load_profile("demo").generators, name)
    images = generate(
        pipeline,
        prompts["prompt"].tolist(),
        negative_prompt="",
        seeds=prompts["seed"].tolist(),
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        size=64,
    )
    table = agreement_table(
        prompts.assign(generator=name),
        judgements(load_judge(SHIPPED_GENERATORS / "judge.safetensors"), images),
    )
    whole = table[table["value"] == "all"].set_index("attribute")["agreement"]
    # 84 images: the full table has more
    assert whole["emotion"] >= 0.8 and whole["person"] >= 0.6


def test_the_shipped_judge_reads_fresh_drawn_faces():
    web = draw_web(280, seed=31337)
    read = judgements(load_judge(SHIPPED_GENERATORS / "judge.safetensors"), web.images)
    assert (read["emotion"] == web.attributes["emotion"].numpy()).mean() >= 0.95


def test_agreement_falls_to_chance_when_the_prompts_are_shuffled(prompts):
    web = draw_web(len(prompts), seed=5)
    read = {name: values.numpy() for name, values in web.attributes.items()}
    table = agreement_table(prompts.assign(generator="x"), read)
    assert table.set_index("value").loc["anger", "agreement"] < 0.5
    assert (
        (table["low"] <= table["agreement"]) & (table["agreement"] <= table["high"])
        | (table["n"] == 0)
    ).all()
    assert (table["low"] < table["high"])[table["n"] > 0].all()


def test_the_command_that_trains_the_shipped_models_leaves_folders_that_load_and_draw(
    project, monkeypatch
):
    monkeypatch.setattr(making, "WEB_SIZE", 256)
    monkeypatch.setattr(making, "JUDGE_SIZE", 256)
    recipe = Recipe(
        text_steps=2, autoencoder_steps=2, diffusion_steps=2, batch_size=8, teacher_epochs=1
    )
    made = making.make_shipped(recipe, target=project / "made")
    for path, (pipeline_class, without) in zip(made, SHIPPED.values()):
        pipeline = DiffusionPipeline.from_pretrained(path, **without)
        assert isinstance(pipeline, pipeline_class)
        images = generate(
            pipeline,
            ["A man's face with fear emotion"],
            negative_prompt="",
            seeds=[1],
            steps=1,
            guidance_scale=2.0,
            size=64,
        )
        assert images.shape == (1, 64, 64, 3)
    assert judgements(load_judge(made[2]), images)["emotion"].shape == (1,)
