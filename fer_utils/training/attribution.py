"""Where in a face a network finds the evidence for an emotion, by captum.

Three maps of the same question. Grad-CAM weighs each channel of a layer by its gradient's mean over
the map; HiResCAM leaves that mean out (gradient times activation at each place); occlusion covers a
patch and looks how far the class falls, which asks the network itself. All at the SE block, the
last map with places to tell apart: 8x8 for an image of 64x64, where the last residual block leaves
1x1.

On this network the mean costs Grad-CAM nearly all it has to say: ReLU and three strided blocks
follow the layer, so the gradient's sign changes from place to place. Measured by the correlation
with occlusion over the test faces read right (248 to 426 of each of eight networks of the demo run:
two data sets, original and aug4, two seeds), Grad-CAM has -0.02 to 0.12 and HiResCAM 0.27 to 0.55.
So photos are explained by HiResCAM, and notebook 05 shows all three.

Selvaraju et al.: "Grad-CAM", ICCV 2017, arXiv 1610.02391. Draelos, Carin: "Use HiResCAM instead of
Grad-CAM", arXiv 2011.08891. Zeiler, Fergus: "Visualizing and understanding convolutional networks",
arXiv 1311.2901.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from fer_utils.core.faces import FaceSet
from fer_utils.training import as_tensors, normalise

PATCH = 4
"""An occlusion covers a square of a quarter of the image's side, moved by half of that."""


def grad_cam(
    model, faces: FaceSet, targets: Sequence[int], *, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Grad-CAM at the SE block for each face and its target class.

    Returns float32 [N, H, W] in 0..1, each map divided by its own maximum (all 0 where nothing
    speaks for the class), at ``size`` or by default at the network's image size. ``model`` is put
    into eval mode.
    """
    from captum.attr import (
        LayerGradCam,  # only here and below: captum takes half a second to import
    )

    cam = LayerGradCam(model, model.se)
    return _maps(
        lambda images, targets: cam.attribute(images, targets, relu_attributions=True),
        model,
        faces,
        targets,
        size,
    )


def hires_cam(
    model, faces: FaceSet, targets: Sequence[int], *, size: tuple[int, int] | None = None
) -> np.ndarray:
    """HiResCAM at the SE block; arguments and answer as of ``grad_cam``."""
    from captum.attr import LayerGradientXActivation

    products = LayerGradientXActivation(model, model.se)
    return _maps(
        lambda images, targets: products.attribute(images, targets).sum(1, keepdim=True),
        model,
        faces,
        targets,
        size,
    )


@torch.no_grad()
def occlusion(model, faces: FaceSet, targets: Sequence[int]) -> np.ndarray:
    """How far the class's logit falls where a patch of the face's mean colour covers it; answer as
    of ``grad_cam``.

    Costs about fifty passes for each face.
    """
    from captum.attr import Occlusion

    def covered(images, targets):
        patch = max(1, model.image_size // PATCH)
        step = max(1, patch // 2)
        return (
            Occlusion(model)
            .attribute(
                images,
                target=targets,
                baselines=images.mean((2, 3), keepdim=True).expand_as(images),
                sliding_window_shapes=(images.shape[1], patch, patch),
                strides=(images.shape[1], step, step),
                perturbations_per_eval=8,
            )
            .mean(1, keepdim=True)
        )

    return _maps(covered, model, faces, targets, None)


def agreement(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each map with its counterpart, float [N]; nan where one of the two
    is constant."""
    first, second = (
        m.reshape(len(m), -1) - m.reshape(len(m), -1).mean(1, keepdims=True) for m in (maps, others)
    )
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide(
        (first * second).sum(1), scale, out=np.full(len(maps), np.nan), where=scale > 0
    )


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: a face uint8 [H, W, 1 or 3] in gray, coloured and hidden the more the hotter
    ``heat`` [H, W]."""
    from matplotlib import colormaps

    gray = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colour = 255 * colormaps["inferno"](heat)[..., :3]
    weight = 0.65 * heat[..., None]
    return np.rint((1 - weight) * gray + weight * colour).astype(np.uint8)


def _maps(
    attribute: Callable[[Tensor, Tensor], Tensor],
    model,
    faces: FaceSet,
    targets: Sequence[int],
    size: tuple[int, int] | None,
) -> np.ndarray:
    """What speaks for the classes, [N, 1, h, w] by ``attribute``, as shares of each map's maximum
    at ``size``."""
    size = size or (model.image_size, model.image_size)
    if not len(faces):
        return np.empty((0, *size), np.float32)
    device = next(model.parameters()).device
    images = normalise(as_tensors(faces, model.image_size, device)[0])
    model.eval()
    maps = (
        attribute(images, torch.as_tensor(np.asarray(targets)).long().to(device))
        .detach()
        .float()
        .clamp(min=0)
    )
    maps = interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
    highest = maps.amax(dim=(1, 2), keepdim=True)
    return (maps / torch.where(highest > 0, highest, 1)).cpu().numpy()
