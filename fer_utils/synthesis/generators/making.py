"""Making the tiny generators: the two shipped ones from drawn faces, or one for a real data set
from its training split."""

import json
import shutil
import time
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save

from fer_utils.core.devices import choose_device
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.machine import hardware
from fer_utils.core.paths import SHIPPED_GENERATORS, atomic_write, shipped_work_folder
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info, stored_splits
from fer_utils.synthesis.generators import tiny_training as training
from fer_utils.synthesis.generators.addresses import made_here
from fer_utils.synthesis.generators.judge import AttributeNetwork, image_network, train_judge
from fer_utils.synthesis.generators.tiny_models import LATENT_CHANNELS, make_tokenizer
from fer_utils.synthesis.generators.web import CLASSES, draw_web, from_faces

WEB_SIZE = 24_000
JUDGE_SIZE = 12_000
LOG = "trained_with.json"
JUDGE_SEED = 99_991
"""The judge's faces are drawn from another seed than the web: the generators never see them."""

RECIPE = training.Recipe()
"""How the shipped generators were trained."""


def train_generators(profile: Profile) -> list[Path]:
    """What ``python -m fer_utils train-generators`` does: the profile's own generators, or the
    shipped ones."""
    return make_for_profile(profile) if profile.tiny_generators.train else make_shipped()


def make_shipped(
    recipe: training.Recipe = RECIPE, *, target: Path = SHIPPED_GENERATORS
) -> list[Path]:
    """Train both tiny generators on drawn faces, and their judge, and write them to ``target``.

    Checkpoints lie in the work folder of ``paths.py``; a killed training continues, a finished one
    is not repeated.
    """
    work = shipped_work_folder()
    web = draw_web(WEB_SIZE, seed=recipe.seed)
    tokenizer = make_tokenizer()
    autoencoder = training.train_autoencoder(web, recipe, work)
    text_encoders = training.train_text_encoders(tokenizer, recipe, work)
    sd3 = training.train_sd3(web, autoencoder, tokenizer, text_encoders[1:], recipe, work)
    sd2 = training.train_sd2(web, autoencoder, tokenizer, text_encoders[0], recipe, work)
    # after both are trained: it halves the autoencoder that they share
    save_half(sd3, target / "tiny-sd3")
    save_half(sd2, target / "tiny-sd2")
    save_judge(train_judge(draw_web(JUDGE_SIZE, seed=JUDGE_SEED)), target / "judge.safetensors")
    return [target / name for name in ("tiny-sd2", "tiny-sd3", "judge.safetensors")]


def make_for_profile(profile: Profile) -> list[Path]:
    """Train the generators named in ``tiny_generators.train`` on the profile's own training split.

    Only the words come from elsewhere: the text encoders are the shipped ones, which know the
    prompt grammar and no picture. Validation and test are never seen. Returns the folders written,
    each with a log of the training beside the model; finished ones are kept.
    """
    made = []
    for generator in profile.tiny_generators.train:
        folder = made_here(f"tiny-{generator}", profile)
        if not (folder / "model_index.json").is_file():
            began = time.perf_counter()
            save_half(_train_on_faces(generator, profile), folder)
            write_log(folder, profile, hours=(time.perf_counter() - began) / 3600)
        made.append(folder)
    return made


def write_log(folder: Path, profile: Profile, *, hours: float) -> None:
    """Beside a generator: on how many faces it was trained, with which settings, how long (since
    the last start) and on what."""
    log = {
        "training_faces": len(training_faces(profile)),
        "settings": vars(profile.tiny_generators),
        "hours": round(hours, 2),
        "hardware": hardware(),
        "torch": torch.__version__,
    }
    with atomic_write(folder / LOG, "w", encoding="utf-8") as file:
        json.dump(log, file, indent=1, sort_keys=True)


def judge_for(profile: Profile) -> AttributeNetwork:
    """The judge of the profile's pool: the shipped one for drawn faces, else one trained on the
    real training split."""
    if all(dataset_info(name).is_demo for name in profile.data.sets):
        return load_judge(SHIPPED_GENERATORS / "judge.safetensors")
    path = made_here("judge", profile) / "judge.safetensors"
    if not path.is_file():
        web = from_faces(training_faces(profile))
        save_judge(train_judge(web, epochs=profile.tiny_generators.teacher_epochs), path)
    return load_judge(path)


def training_faces(profile: Profile) -> FaceSet:
    """The training splits of all the profile's data sets, as 64x64 RGB."""
    return concatenate(
        *(stored_splits(name, profile).train.resize(64, channels=3) for name in profile.data.sets)
    )


def recipe_of(profile: Profile) -> training.Recipe:
    """The recipe in the profile's section ``tiny_generators``."""
    section = profile.tiny_generators
    return training.Recipe(
        autoencoder_steps=section.autoencoder_steps,
        diffusion_steps=section.diffusion_steps,
        batch_size=section.batch_size,
        teacher_epochs=section.teacher_epochs,
        learning_rate=section.learning_rate,
        seed=section.seed,
        device=choose_device(profile.run.device).type,
    )


def save_half(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Write the pipeline in half precision to a temporary folder and rename it: a folder is a whole
    model or none."""
    pipeline = pipeline.to("cpu", torch.float16)
    partial = folder.with_name(f".{folder.name}.partial")
    pipeline.save_pretrained(partial, safe_serialization=True)
    for config in partial.glob("text_encoder*/config.json"):
        # transformers loads in the precision named here, diffusers in single: plain from_pretrained
        # must not mix them.
        config.write_text(
            config.read_text(encoding="utf-8").replace('"float16"', '"float32"'), encoding="utf-8"
        )
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def save_judge(judge: AttributeNetwork, path: Path) -> None:
    """Write the judge's weights in half precision."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in judge.cpu().state_dict().items()
    }
    with atomic_write(path) as file:
        file.write(save(weights))


def load_judge(path: Path) -> AttributeNetwork:
    """The judge that ``save_judge`` wrote."""
    weights = {
        name: value.float() if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }
    judge = image_network([name for name in CLASSES if f"heads.{name}.weight" in weights])
    judge(torch.zeros(2, 3, 64, 64))  # the size of its lazy layer
    judge.load_state_dict(weights)
    return judge.eval().requires_grad_(False)


def _train_on_faces(generator: str, profile: Profile) -> DiffusionPipeline:
    recipe, work = recipe_of(profile), made_here("checkpoints", profile)
    web = from_faces(training_faces(profile))
    channels = (
        profile.tiny_generators.sd2_latent_channels if generator == "sd2" else LATENT_CHANNELS
    )
    autoencoder = training.train_autoencoder(web, recipe, work, channels=channels)
    words = DiffusionPipeline.from_pretrained(
        SHIPPED_GENERATORS / f"tiny-{generator}",
        torch_dtype=torch.float32,
        **({"text_encoder_3": None, "tokenizer_3": None} if generator == "sd3" else {}),
    )
    if generator == "sd3":
        encoders = [words.text_encoder.to(recipe.device), words.text_encoder_2.to(recipe.device)]
        return training.train_sd3(web, autoencoder, words.tokenizer, encoders, recipe, work)
    return training.train_sd2(
        web, autoencoder, words.tokenizer, words.text_encoder.to(recipe.device), recipe, work
    )
