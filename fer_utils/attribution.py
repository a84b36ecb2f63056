"""Where in a face a network finds the evidence for an emotion, by captum.

Three maps of the same question. Grad-CAM weighs each channel of a layer by its gradient's mean over the map; HiResCAM
leaves that mean out (gradient times activation at each place); occlusion covers a patch and looks how far the class
falls, which asks the network itself. All at the SE block, the last map with places to tell apart: 8x8 for an image of
64x64, where the last residual block leaves 1x1.

On this network the mean costs Grad-CAM nearly all it has to say: ReLU, batch statistics and three strided blocks
follow, so the gradient's sign changes from place to place. On 60 drawn test faces read right (aug4, seed 0) its
correlation with occlusion was 0.05 (FER2013's faces) and 0.08 (RAF-DB's), that of HiResCAM 0.34 and 0.41.

Selvaraju et al.: "Grad-CAM", ICCV 2017, arXiv 1610.02391. Draelos, Carin: "Use HiResCAM instead of Grad-CAM",
arXiv 2011.08891. Zeiler, Fergus: "Visualizing and understanding convolutional networks", arXiv 1311.2901.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from fer_utils.faces import FaceSet
from fer_utils.training import as_tensors, normalise

PATCH = 4
"""An occlusion covers a square of a quarter of the image's side, moved by half of that."""


def grad_cam(model, faces: FaceSet, targets: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Grad-CAM at the SE block for each face and its target class.

    Returns float32 [N, H, W] in 0..1, each map divided by its own maximum (all 0 where nothing speaks for the class),
    at ``size`` or by default at the network's image size. ``model`` is put into eval mode.
    """
    from captum.attr import LayerGradCam   # only here and below: captum takes half a second to import

    images, targets = _prepared(model, faces, targets)
    maps = LayerGradCam(model, model.se).attribute(images, targets, relu_attributions=True)
    return _finished(maps, size or images.shape[2:])


def hires_cam(model, faces: FaceSet, targets: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
    """HiResCAM at the SE block; arguments and answer as of ``grad_cam``."""
    from captum.attr import LayerGradientXActivation

    images, targets = _prepared(model, faces, targets)
    maps = LayerGradientXActivation(model, model.se).attribute(images, targets).sum(1, keepdim=True)
    return _finished(maps, size or images.shape[2:])


@torch.no_grad()
def occlusion(model, faces: FaceSet, targets: Sequence[int]) -> np.ndarray:
    """How far the class's logit falls where a patch of the face's mean colour covers it; answer as of ``grad_cam``.

    Costs about fifty passes for each face.
    """
    from captum.attr import Occlusion

    images, targets = _prepared(model, faces, targets)
    patch = max(1, images.shape[2] // PATCH)
    maps = Occlusion(model).attribute(images, target=targets, baselines=images.mean((2, 3), keepdim=True),
                                      sliding_window_shapes=(images.shape[1], patch, patch),
                                      strides=(images.shape[1], max(1, patch // 2), max(1, patch // 2)),
                                      perturbations_per_eval=8)
    return _finished(maps.mean(1, keepdim=True), images.shape[2:])


def agreement(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each map with its counterpart, float [N]; nan where one of the two is constant."""
    first, second = (m.reshape(len(m), -1) - m.reshape(len(m), -1).mean(1, keepdims=True) for m in (maps, others))
    scale = np.sqrt((first ** 2).sum(1) * (second ** 2).sum(1))
    return np.divide((first * second).sum(1), scale, out=np.full(len(maps), np.nan), where=scale > 0)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: a face uint8 [H, W, 1 or 3] in gray, coloured and hidden the more the hotter ``heat`` [H, W]."""
    from matplotlib import colormaps

    gray = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colour = 255 * colormaps["inferno"](heat)[..., :3]
    weight = 0.65 * heat[..., None]
    return np.rint((1 - weight) * gray + weight * colour).astype(np.uint8)


def _prepared(model, faces: FaceSet, targets: Sequence[int]) -> tuple[Tensor, Tensor]:
    device = next(model.parameters()).device
    model.eval()
    images, _ = as_tensors(faces, model.image_size, device)
    return normalise(images), torch.as_tensor(np.asarray(targets)).long().to(device)


def _finished(maps: Tensor, size: tuple[int, int]) -> np.ndarray:
    """[N, 1, h, w] to float32 [N, H, W]: what speaks for the class, as a share of the map's maximum."""
    maps = interpolate(maps.detach().float().clamp(min=0), size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
    highest = maps.amax(dim=(1, 2), keepdim=True)
    return (maps / torch.where(highest > 0, highest, 1)).cpu().numpy()
