"""The reader: a ResEmoteNet that learnt from the real training faces of one data set and saw no
synthetic one.

It says which emotion it reads in a face, and its features are the space in which faces are
compared: the layer ``pool``, the pooled output of the last residual block, before the fully
connected layers of the classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from fer_utils.core.devices import choose_device
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import Profile
from fer_utils.datasets import Splits, dataset_info
from fer_utils.training import as_tensors, load_model, normalise, train_model
from fer_utils.training.resemotenet import ResEmoteNet

FEATURES = "reader"
_FACES_AT_ONCE = 256


@dataclass(frozen=True)
class Readings:
    """What a network made of faces; the arrays share their first axis.

    features:      float32 [N, D]. probabilities: float32 [N, 7] in the order of ``EMOTIONS``; None
    from a network that reads no emotions.
    """

    ids: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, index) -> "Readings":
        """The readings at ``index`` (integers or a boolean mask), in that order."""
        chosen = None if self.probabilities is None else self.probabilities[index]
        return Readings(self.ids[index], self.labels[index], self.features[index], chosen)

    def scaled(self, factor: float) -> "Readings":
        """The same with every feature multiplied by ``factor``."""
        return Readings(
            self.ids, self.labels, (self.features * factor).astype(np.float32), self.probabilities
        )

    @property
    def predicted(self) -> np.ndarray:
        """The label read in each face: int64 [N]."""
        return self.probabilities.argmax(axis=1)


def reader_of(
    dataset: str,
    profile: Profile,
    splits: Splits,
    *,
    on_epoch: Callable[[dict], None] | None = None,
) -> ResEmoteNet:
    """The reader of a data set, in ``profile.paths.reader``; the recipe is the profile's, but for
    what ``quality.reader`` says. Whether one that is there stands, is ``train_model``'s matter: it
    knows settings, faces and code."""
    folder = profile.paths.reader(dataset)
    recipe = {**profile.values["training"], **profile.values["quality"]["reader"]}
    train_model(
        splits.train,
        splits.validation,
        replace(profile, values={**profile.values, "training": recipe}),
        seed=profile.quality.seed,
        folder=folder,
        on_epoch=on_epoch,
    )
    return load_model(folder, profile)


def in_form_of(dataset: str, faces: FaceSet, profile: Profile) -> FaceSet:
    """The faces as the network is shown those of the data set: gray or colour,
    ``network.image_size`` pixels wide."""
    return faces.resize(profile.network.image_size, channels=dataset_info(dataset).channels)


@torch.no_grad()
def read_faces(reader: ResEmoteNet, faces: FaceSet, *, device: str = "auto") -> Readings:
    """Features of the layer ``pool`` and class probabilities of each face, without flips or
    dropout."""
    device = choose_device(device)
    reader = reader.to(device, memory_format=torch.channels_last).eval()
    features, probabilities = [], []
    hook = reader.pool.register_forward_hook(
        lambda *step: features.append(step[-1].flatten(1).float().cpu())
    )
    try:
        for start in range(0, len(faces), _FACES_AT_ONCE):
            part = faces.select(slice(start, start + _FACES_AT_ONCE))
            logits = reader(normalise(as_tensors(part, reader.image_size, device)[0]))
            probabilities.append(logits.float().softmax(1).cpu())
    finally:
        hook.remove()
    empty = torch.empty(0, reader.fc1.in_features), torch.empty(0, len(EMOTIONS))
    return Readings(
        faces.ids,
        faces.labels,
        *(
            torch.cat([none, *parts]).numpy()
            for none, parts in zip(empty, (features, probabilities))
        ),
    )
