"""A judge of generated faces: a small network that reads emotion, person, age, light and glasses
from a picture.

The judge of the shipped generators is trained on fresh drawn faces that the generators never saw;
how often it agrees with what the prompt asked for is the generators' mark.
"""

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.datasets.population import PERSONS
from fer_utils.prompts import GLASSES, LIGHTS, TEMPLATES
from fer_utils.synthesis.generators.web import AGES, CLASSES, UNKNOWN, Captioned

FEATURES = 128


class AttributeNetwork(nn.Module):
    """Convolutions over images or latents [N, C, S, S], one linear head for each attribute it is
    taught."""

    def __init__(
        self, channels: int, strides: tuple[int, ...], widths: tuple[int, ...], attributes
    ):
        super().__init__()
        self.blocks = nn.ModuleList()
        for stride, width in zip(strides, widths):
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.SiLU()
                )
            )
            channels = width
        self.flatten = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(FEATURES), nn.SiLU(), nn.Dropout(0.2)
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(FEATURES, CLASSES[name]) for name in attributes}
        )

    def activations(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps after each block."""
        maps = []
        for block in self.blocks:
            inputs = block(inputs)
            maps.append(inputs)
        return maps

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits for each attribute."""
        features = self.flatten(self.activations(inputs)[-1])
        return {name: head(features) for name, head in self.heads.items()}


def image_network(attributes=tuple(CLASSES)) -> AttributeNetwork:
    """For 64x64 RGB pictures in -1..1."""
    return AttributeNetwork(3, (2, 1, 2, 1, 2), (32, 32, 64, 64, 64), attributes)


def latent_network(channels: int, attributes=tuple(CLASSES)) -> AttributeNetwork:
    """For 8x8 latents."""
    return AttributeNetwork(channels, (1, 1, 2), (64, 64, 96), attributes)


def attribute_loss(
    logits: dict[str, torch.Tensor], labels: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Mean cross-entropy over the attributes that some row of the batch knows."""
    losses = [
        functional.cross_entropy(values, labels[name])
        for name, values in logits.items()
        if (labels[name] != UNKNOWN).any()
    ]
    return torch.stack(losses).mean()


def to_model(images: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def train_attributes(
    network: AttributeNetwork,
    inputs,
    labels: dict[str, torch.Tensor],
    *,
    epochs: int,
    seed: int,
    prepare=lambda batch: batch,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    device: str = "cpu",
) -> AttributeNetwork:
    """Teach the network the labels; ``prepare`` turns a slice of ``inputs`` into a batch of
    tensors."""
    # a small share of a data set may be less than one batch
    batch_size = min(batch_size, len(inputs))
    torch.manual_seed(seed)
    network(prepare(inputs[:2]))
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.02)
    steps = epochs * (len(inputs) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    rng = np.random.default_rng(seed)
    network.train()
    for _ in range(epochs):
        order = rng.permutation(len(inputs))[: len(inputs) // batch_size * batch_size]
        for index in order.reshape(-1, batch_size):
            batch = {name: values[index].to(device) for name, values in labels.items()}
            with torch.autocast(device, torch.bfloat16):
                logits = network(prepare(inputs[index]).to(device))
            optimizer.zero_grad()
            attribute_loss(
                {name: value.float() for name, value in logits.items()}, batch
            ).backward()
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def train_judge(web: Captioned, *, epochs: int = 6, seed: int = 0) -> AttributeNetwork:
    """A judge that reads whatever is known of the pictures in ``web``."""
    return train_attributes(
        image_network(web.known()),
        web.images,
        web.attributes,
        epochs=epochs,
        seed=seed,
        prepare=to_model,
    )


@torch.no_grad()
def judgements(
    network: AttributeNetwork, images: np.ndarray, *, batch_size: int = 256
) -> dict[str, np.ndarray]:
    """The class the judge reads for each attribute it was taught: int64 [N] each."""
    parts = [
        network(to_model(images[start : start + batch_size]))
        for start in range(0, len(images), batch_size)
    ]
    return {
        name: torch.cat([part[name] for part in parts]).argmax(1).numpy() for name in network.heads
    }


@torch.no_grad()
def emotion_shares(network: AttributeNetwork, images: np.ndarray) -> np.ndarray:
    """How probable the judge finds each emotion, float32 [N, 7]; ``images`` as for
    ``judgements``."""
    return network(to_model(images))["emotion"].softmax(1).numpy()


def agreement_table(prompts: pd.DataFrame, read: dict[str, np.ndarray]) -> pd.DataFrame:
    """How often the judge reads what the prompt states.

    ``prompts`` has the columns of ``fer_utils.prompts.prompt_table``; rows in the order of
    ``read``. Returns one row for each generator and each emotion, and one for each attribute the
    judge was taught (age also within one decade) as a whole: columns generator, attribute, value,
    n, agreement (share 0..1), low, high (its 95 % Wilson interval).
    """
    prompts = prompts.reset_index(drop=True)
    agreements = pd.DataFrame(_agreements(prompts, read))
    rows = []
    for generator, index in prompts.groupby("generator").groups.items():
        part, emotions = agreements.loc[index], prompts.loc[index, "emotion"]
        rows += [
            (generator, "emotion", emotion, part.loc[emotions == emotion, "emotion"])
            for emotion in EMOTIONS
        ]
        rows += [(generator, attribute, "all", part[attribute]) for attribute in agreements]
    return pd.DataFrame(
        [
            (
                g,
                a,
                v,
                int(s.notna().sum()),
                float(s.mean()),
                *wilson_interval(s.sum(), int(s.notna().sum())),
            )
            for g, a, v, s in rows
        ],
        columns=["generator", "attribute", "value", "n", "agreement", "low", "high"],
    )


def _agreements(prompts: pd.DataFrame, read: dict[str, np.ndarray]) -> dict[str, pd.Series]:
    """For each attribute that was read 1.0 or 0.0 where the prompt states it, else missing."""
    found = {"emotion": (prompts.emotion == [EMOTIONS[i] for i in read["emotion"]]).astype(float)}
    if "person" in read:
        person = pd.Series([PERSONS[i] for i in read["person"]])
        kid = (prompts.person == "kid") & person.isin(["boy", "girl"])
        found["person"] = ((person == prompts.person) | kid).astype(float)
    if "age" in read:
        found |= _age_agreements(prompts, read["age"])
    if "light" in read:
        light = pd.Series([LIGHTS[i] for i in read["light"]]) == prompts.light
        found["light"] = light.astype(float).where(prompts.light != "")
    if "glasses" in read:
        glasses = pd.Series([GLASSES[i] for i in read["glasses"]]) == prompts.glasses
        found["glasses"] = glasses.astype(float).where(
            prompts.template.map(TEMPLATES).str.contains("{glasses}", regex=False)
        )
    return found


def _age_agreements(prompts: pd.DataFrame, read: np.ndarray) -> dict[str, pd.Series]:
    """The decade itself, and within ten years; a child counts as age 0 and is only near a child."""
    child = prompts.person.isin(["kid", "boy", "girl"])
    wanted = prompts.age.str.removesuffix("'s").replace("", np.nan).astype(float).where(~child, 0.0)
    found = pd.Series([AGES[i] for i in read]).astype(float)
    near = ((wanted - found).abs() <= 10) & ((wanted == 0) == (found == 0))
    return {
        "age": (wanted == found).astype(float).where(wanted.notna()),
        "age within a decade": near.astype(float).where(wanted.notna()),
    }
