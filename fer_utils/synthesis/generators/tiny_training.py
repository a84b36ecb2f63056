"""How the tiny generators are made: words, autoencoder, then one diffusion model for each class of
pipeline.

1. Text encoders learn to tell what a caption states (a stand-in for CLIP's training), then are
frozen.
2. An autoencoder learns the pictures (Rombach et al. 2022, section 3.1), with a perceptual term.
3. tiny-sd2 learns to predict v (Salimans and Ho 2022), tiny-sd3 a rectified flow with logit-normal
times
   (Esser et al. 2024), both in the latents of 2, with a tenth of the captions dropped for guidance.
Every step draws from a generator seeded by its own number, so a killed training continues where it
was.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from fer_utils.core.emotions import EMOTIONS
from fer_utils.prompts import GLASSES, LIGHTS, PEOPLE, REALISM, TEMPLATES, Attributes, compose
from fer_utils.synthesis.generators import tiny_models as tiny
from fer_utils.synthesis.generators.fitting import fit
from fer_utils.synthesis.generators.judge import (
    AttributeNetwork,
    attribute_loss,
    image_network,
    latent_network,
    to_model,
    train_attributes,
)
from fer_utils.synthesis.generators.web import CLASSES, Captioned, stated_labels

CAPTION_DROPOUT = 0.1
FEATURE_WEIGHT = 0.1
"""Weight of the feature term in the diffusion losses: expression moves few latents, and without
this term it is learnt long after identity."""


@dataclass(frozen=True)
class Recipe:
    """Numbers of optimiser steps and the like; the shipped weights were made with the defaults."""

    text_steps: int = 400
    autoencoder_steps: int = 2400
    diffusion_steps: int = 7000
    batch_size: int = 64
    teacher_epochs: int = 4
    learning_rate: float = 1.5e-3
    seed: int = 7
    device: str = "cpu"


def train_text_encoders(tokenizer, recipe: Recipe, folder: Path) -> list:
    """[for tiny-sd2, first for tiny-sd3, second for tiny-sd3], frozen; seen by each: the prompt
    grammar alone."""
    return [_train_text_encoder(tokenizer, position, recipe, folder) for position in range(3)]


def train_autoencoder(
    web: Captioned, recipe: Recipe, folder: Path, *, channels: int = tiny.LATENT_CHANNELS
):
    """The autoencoder of ``web``'s pictures with latents of ``channels``, scaled to unit
    variance."""
    # not made at all when the training is finished already
    teacher = cache(
        lambda: train_attributes(
            image_network(web.known()),
            web.images,
            web.attributes,
            epochs=recipe.teacher_epochs,
            seed=recipe.seed,
            prepare=to_model,
            device=recipe.device,
        )
    )
    torch.manual_seed(recipe.seed)
    autoencoder = tiny.make_autoencoder(channels).to(recipe.device)

    def loss(step: int, generator: torch.Generator) -> torch.Tensor:
        index = web.draw(recipe.batch_size // 2, generator)
        images = to_model(web.images[index.numpy()]).to(recipe.device)
        posterior = autoencoder.encode(images).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(recipe.device)
        decoded = autoencoder.decode(posterior.mean + posterior.std * noise).sample
        return (
            reconstruction_loss(decoded.float(), images, teacher()) + 1e-6 * posterior.kl().mean()
        )

    fit(
        autoencoder,
        loss,
        steps=recipe.autoencoder_steps,
        learning_rate=2 * recipe.learning_rate,
        folder=folder,
        name="autoencoder" if channels == tiny.LATENT_CHANNELS else f"autoencoder_{channels}",
        seed=recipe.seed,
    )
    autoencoder.eval().requires_grad_(False)
    latents = encode(autoencoder, web.images[:2048])
    autoencoder.register_to_config(scaling_factor=float(1 / latents.std()))
    return autoencoder


def reconstruction_loss(
    decoded: torch.Tensor, images: torch.Tensor, teacher: AttributeNetwork
) -> torch.Tensor:
    """L1 on pixels and on their differences (edges), and on what the teacher sees."""
    edges = sum((decoded.diff(dim=axis) - images.diff(dim=axis)).abs().mean() for axis in (2, 3))
    return (
        (decoded - images).abs().mean() + edges + 0.1 * feature_distance(teacher, decoded, images)
    )


def feature_distance(
    network: AttributeNetwork,
    found: torch.Tensor,
    wanted: torch.Tensor,
    weight: torch.Tensor | float = 1.0,
) -> torch.Tensor:
    """Mean squared distance of the network's feature maps, each map scaled to unit variance."""
    with torch.no_grad():
        targets = network.activations(wanted)
    total = 0.0
    for map_found, target in zip(network.activations(found), targets):
        distance = (map_found.float() - target.float()).square().mean(
            dim=(1, 2, 3)
        ) / target.float().var()
        total = total + (weight * distance).mean()
    return total / len(targets)


@torch.no_grad()
def encode(autoencoder, images: np.ndarray, *, batch_size: int = 128) -> torch.Tensor:
    """Latents [N, C, 8, 8] of uint8 images, not yet scaled, on the CPU."""
    parts, device = [], autoencoder.device
    with torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(images), batch_size):
            batch = to_model(images[start : start + batch_size]).to(device)
            parts.append(autoencoder.encode(batch).latent_dist.mode().float().cpu())
    return torch.cat(parts)


@torch.no_grad()
def reconstruct(autoencoder, images: np.ndarray, *, batch_size: int = 128) -> np.ndarray:
    """uint8 images [N, 64, 64, 3] after a way through the latents and back."""
    parts = [
        autoencoder.decode(
            autoencoder.encode(to_model(images[start : start + batch_size])).latent_dist.mode()
        ).sample
        for start in range(0, len(images), batch_size)
    ]
    pixels = torch.cat(parts).clamp(-1, 1).add(1).mul(127.5).round()
    return pixels.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def train_sd2(web: Captioned, autoencoder, tokenizer, text_encoder, recipe: Recipe, folder: Path):
    """The StableDiffusionPipeline of the class of Stable Diffusion 2."""
    torch.manual_seed(recipe.seed)
    pipeline = tiny.assemble_sd2(
        autoencoder, text_encoder, tokenizer, tiny.make_unet(autoencoder.config.latent_channels)
    ).to(recipe.device)
    alphas = pipeline.scheduler.alphas_cumprod

    def diffuse(latents, tokens, generator):
        times = torch.randint(1000, (len(latents),), generator=generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        alpha = alphas[times].view(-1, 1, 1, 1).to(latents)
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
        predicted = pipeline.unet(
            noisy, times.to(latents.device), text_encoder(tokens).last_hidden_state
        ).sample.float()
        clean = alpha.sqrt() * noisy - (1 - alpha).sqrt() * predicted
        return predicted, velocity, clean, alpha.flatten()

    _train_diffusion(
        pipeline.unet, diffuse, web, autoencoder, tokenizer, recipe, folder, name="sd2"
    )
    return pipeline


def train_sd3(web: Captioned, autoencoder, tokenizer, text_encoders, recipe: Recipe, folder: Path):
    """The StableDiffusion3Pipeline (no T5) of the class of Stable Diffusion 3 Medium."""
    torch.manual_seed(recipe.seed)
    pipeline = tiny.assemble_sd3(autoencoder, text_encoders, tokenizer, tiny.make_transformer()).to(
        recipe.device
    )

    def diffuse(latents, tokens, generator):
        sigma = (
            torch.randn(len(latents), generator=generator).sigmoid().view(-1, 1, 1, 1).to(latents)
        )
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        noisy = (1 - sigma) * latents + sigma * noise
        encoded = [encoder(tokens, output_hidden_states=True) for encoder in text_encoders]
        predicted = pipeline.transformer(
            hidden_states=noisy,
            timestep=1000 * sigma.flatten(),
            encoder_hidden_states=torch.cat([e.hidden_states[-2] for e in encoded], dim=-1),
            pooled_projections=torch.cat([e.text_embeds for e in encoded], dim=-1),
        ).sample.float()
        return predicted, noise - latents, noisy - sigma * predicted, 1 - sigma.flatten()

    _train_diffusion(
        pipeline.transformer, diffuse, web, autoencoder, tokenizer, recipe, folder, name="sd3"
    )
    return pipeline


def _train_diffusion(
    model,
    diffuse,
    web: Captioned,
    autoencoder,
    tokenizer,
    recipe: Recipe,
    folder: Path,
    *,
    name: str,
):
    """Fit ``model``; ``diffuse`` gives (prediction, target, estimate of the clean latents, share of
    signal)."""
    latents = cache(lambda: encode(autoencoder, web.images) * autoencoder.config.scaling_factor)
    teacher = cache(
        lambda: train_attributes(
            latent_network(autoencoder.config.latent_channels, web.known()),
            latents(),
            web.attributes,
            epochs=recipe.teacher_epochs,
            seed=recipe.seed,
            device=recipe.device,
        )
    )

    def loss(step: int, generator: torch.Generator) -> torch.Tensor:
        index = web.draw(recipe.batch_size, generator)
        rng = np.random.default_rng([recipe.seed, step])
        captions = [
            caption if rng.random() >= CAPTION_DROPOUT else ""
            for caption in web.captions(index, rng)
        ]
        wanted, tokens = (
            latents()[index].to(recipe.device),
            tokenize(tokenizer, captions).to(recipe.device),
        )
        predicted, target, clean, signal = diffuse(wanted, tokens, generator)
        features = feature_distance(teacher(), clean, wanted, weight=signal)
        return functional.mse_loss(predicted, target) + FEATURE_WEIGHT * features

    with sdpa_kernel(SDPBackend.MATH):  # flash attention's backward is slow on CPUs
        fit(
            model,
            loss,
            steps=recipe.diffusion_steps,
            learning_rate=recipe.learning_rate,
            folder=folder,
            name=name,
            seed=recipe.seed,
        )
    model.eval().requires_grad_(False)


def tokenize(tokenizer, captions: list[str]) -> torch.Tensor:
    """Token numbers [N, MAX_TOKENS], padded as the pipelines pad them."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=tiny.MAX_TOKENS,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def _train_text_encoder(tokenizer, position: int, recipe: Recipe, folder: Path):
    torch.manual_seed(recipe.seed + position)
    encoder = tiny.make_text_encoder(tokenizer, projected=position > 0)
    heads = torch.nn.ModuleDict(
        {name: torch.nn.Linear(2 * tiny.TEXT_WIDTH, size) for name, size in CLASSES.items()}
    )

    def loss(step: int, generator: torch.Generator) -> torch.Tensor:
        captions, labels = random_captions(
            4 * recipe.batch_size, np.random.default_rng([recipe.seed, position, step])
        )
        encoded = encoder(tokenize(tokenizer, captions), output_hidden_states=True)
        pooled = encoded.text_embeds if position else encoded.pooler_output
        tokens = encoded.hidden_states[-2] if position else encoded.last_hidden_state
        features = torch.cat([pooled, tokens.mean(dim=1)], dim=1)
        return attribute_loss(
            {name: head(features).float() for name, head in heads.items()}, labels
        )

    fit(
        torch.nn.ModuleList([encoder, heads]),
        loss,
        steps=recipe.text_steps,
        learning_rate=recipe.learning_rate,
        folder=folder,
        name=f"text_encoder_{position}",
        seed=recipe.seed,
    )
    return encoder.eval().requires_grad_(False)


def random_captions(
    count: int, rng: np.random.Generator
) -> tuple[list[str], dict[str, torch.Tensor]]:
    """Prompts of the grammar and, for each attribute, what they state."""
    captions, labels = [], []
    for _ in range(count):
        template = list(TEMPLATES)[rng.integers(len(TEMPLATES))]
        person, decade = PEOPLE[rng.integers(len(PEOPLE))]
        attributes = Attributes(
            EMOTIONS[rng.integers(7)],
            person,
            decade,
            LIGHTS[rng.integers(len(LIGHTS))],
            REALISM[rng.integers(len(REALISM))],
            GLASSES[rng.integers(2)],
        )
        captions.append(compose(template, attributes))
        labels.append(stated_labels(template, attributes))
    return captions, {name: torch.tensor([label[name] for label in labels]) for name in CLASSES}
