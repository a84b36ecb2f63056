"""Features of torchvision's Inception v3, where its weights are at hand; nothing is ever
downloaded.

These are the ImageNet weights of torchvision, not the ones converted from TensorFlow that published
FIDs rest on: a figure in these features compares with other figures of this project only. Put the
file that ``torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.url`` names into the folder of
``paths.hub_checkpoint``.
"""

import numpy as np
import torch
from torch import nn
from torchvision.models import Inception_V3_Weights, inception_v3

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import hub_checkpoint
from fer_utils.synthesis.quality.reader import Readings

FEATURES = "inception"
WEIGHTS = Inception_V3_Weights.IMAGENET1K_V1
_FACES_AT_ONCE = 32


def load_inception() -> nn.Module | None:
    """The network up to its 2048 pooled features, or None where torch's hub cache has no weights of
    it."""
    path = hub_checkpoint(WEIGHTS.url)
    if not path.is_file():
        return None
    network = inception_v3(weights=None, init_weights=False, transform_input=True)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as problem:
        raise CompanionError(
            f"{path} does not hold the weights of Inception v3 ({type(problem).__name__}). Delete"
            f" it, or replace it by the file at {WEIGHTS.url}."
        ) from problem
    network.fc = nn.Identity()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def read_with_inception(network: nn.Module, faces: FaceSet, *, device: str = "auto") -> Readings:
    """Features float32 [N, 2048]; faces are resized to 299x299 as the weights ask for."""
    device, prepare = choose_device(device), WEIGHTS.transforms(crop_size=299, resize_size=299)
    network, features = network.to(device), [torch.empty(0, 2048)]
    for start in range(0, len(faces), _FACES_AT_ONCE):
        images = torch.from_numpy(faces.images[start : start + _FACES_AT_ONCE]).permute(0, 3, 1, 2)
        features.append(network(prepare(images.expand(-1, 3, -1, -1)).to(device)).float().cpu())
    return Readings(faces.ids, faces.labels, np.asarray(torch.cat(features)))
