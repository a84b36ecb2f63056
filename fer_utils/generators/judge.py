"""A judge of generated faces: a small network that reads emotion, person, age, light and glasses from a picture.

The judge of the shipped generators is trained on fresh drawn faces that the generators never saw; how often
it agrees with what the prompt asked for is the generators' mark.
"""

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from fer_utils.emotions import EMOTIONS
from fer_utils.generators.web import CLASSES, PERSON_NAMES, UNKNOWN, Captioned
from fer_utils.prompts import DECADES, GLASSES, LIGHTS

FEATURES = 128


class AttributeNetwork(nn.Module):
    """Convolutions over images or latents [N, C, S, S], one linear head for each attribute of ``CLASSES``."""

    def __init__(self, channels: int, strides: tuple[int, ...], widths: tuple[int, ...]):
        super().__init__()
        self.blocks = nn.ModuleList()
        for stride, width in zip(strides, widths):
            self.blocks.append(nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.SiLU()))
            channels = width
        self.flatten = nn.Sequential(nn.Flatten(), nn.LazyLinear(FEATURES), nn.SiLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleDict({name: nn.Linear(FEATURES, size) for name, size in CLASSES.items()})

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


def image_network() -> AttributeNetwork:
    """For 64x64 RGB pictures in -1..1."""
    return AttributeNetwork(3, (2, 1, 2, 1, 2), (32, 32, 64, 64, 64))


def latent_network(channels: int) -> AttributeNetwork:
    """For 8x8 latents."""
    return AttributeNetwork(channels, (1, 1, 2), (64, 64, 96))


def attribute_loss(logits: dict[str, torch.Tensor], labels: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy over the attributes that are known at all."""
    losses = [functional.cross_entropy(logits[name], labels[name]) for name in CLASSES
              if (labels[name] != UNKNOWN).any()]
    return torch.stack(losses).mean()


def to_model(images: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def train_attributes(network: AttributeNetwork, inputs, labels: dict[str, torch.Tensor], *, epochs: int, seed: int,
                     prepare=lambda batch: batch, batch_size: int = 128, learning_rate: float = 2e-3,
                     device: str = "cpu") -> AttributeNetwork:
    """Teach the network the labels; ``prepare`` turns a slice of ``inputs`` into a batch of tensors."""
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
            attribute_loss({name: value.float() for name, value in logits.items()}, batch).backward()
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def train_judge(web: Captioned, *, epochs: int = 6, seed: int = 0) -> AttributeNetwork:
    """A judge of drawn faces, from pictures that no generator learns from."""
    return train_attributes(image_network(), web.images, web.attributes, epochs=epochs, seed=seed, prepare=to_model)


@torch.no_grad()
def judgements(network: AttributeNetwork, images: np.ndarray, *, batch_size: int = 256) -> dict[str, np.ndarray]:
    """The class the judge reads for each attribute: int64 [N] each."""
    parts = [network(to_model(images[start:start + batch_size])) for start in range(0, len(images), batch_size)]
    return {name: torch.cat([part[name] for part in parts]).argmax(1).numpy() for name in CLASSES}


def agreement_table(prompts: pd.DataFrame, read: dict[str, np.ndarray]) -> pd.DataFrame:
    """How often the judge reads what the prompt states.

    ``prompts`` has the columns of ``fer_utils.prompts.prompt_table``; rows in the order of ``read``. Returns
    one row for each generator and each emotion, and for emotion, person, age (also within one decade), light
    and glasses as a whole: columns generator, attribute, value, n, agreement (share 0..1).
    """
    frame = prompts.reset_index(drop=True).assign(**_agreements(prompts.reset_index(drop=True), read))
    rows = []
    for generator, part in frame.groupby("generator"):
        for emotion in EMOTIONS:
            rows.append((generator, "emotion", emotion, part.loc[part.emotion == emotion, "agree_emotion"]))
        for attribute in ("emotion", "person", "age", "age within a decade", "light", "glasses"):
            rows.append((generator, attribute, "all", part[f"agree_{attribute}"]))
    return pd.DataFrame([(g, a, v, int(s.notna().sum()), float(s.mean())) for g, a, v, s in rows],
                        columns=["generator", "attribute", "value", "n", "agreement"])


def _agreements(prompts: pd.DataFrame, read: dict[str, np.ndarray]) -> dict[str, pd.Series]:
    """For each attribute 1.0 or 0.0 where the prompt states it, else missing."""
    read_person = pd.Series([PERSON_NAMES[i] for i in read["person"]])
    child = prompts.person.isin(["kid", "boy", "girl"])
    person = (read_person == prompts.person) | ((prompts.person == "kid") & read_person.isin(["boy", "girl"]))
    decade = prompts.age.str.rstrip("'s").replace("", np.nan).astype(float)
    read_decade = pd.Series([(0, *DECADES)[i] for i in read["age"]]).astype(float)
    wanted = decade.where(~child, 0.0)
    light = pd.Series([LIGHTS[i] for i in read["light"]]) == prompts.light
    glasses = pd.Series([GLASSES[i] for i in read["glasses"]]) == prompts.glasses
    return {
        "agree_emotion": (prompts.emotion == [EMOTIONS[i] for i in read["emotion"]]).astype(float),
        "agree_person": person.astype(float),
        "agree_age": (wanted == read_decade).astype(float).where(wanted.notna()),
        "agree_age within a decade": _near(wanted, read_decade).astype(float).where(wanted.notna()),
        "agree_light": light.astype(float).where(prompts.light != ""),
        "agree_glasses": glasses.astype(float).where(prompts.template.isin(["portrait", "close_up"])),
    }


def _near(wanted: pd.Series, found: pd.Series) -> pd.Series:
    """Within ten years; a child is only near a child."""
    return ((wanted - found).abs() <= 10) & ((wanted == 0) == (found == 0))
