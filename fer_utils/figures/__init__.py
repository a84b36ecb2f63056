"""All figures: one function for each, ``save`` to write it and ``show`` to look at it in a
notebook.

Every function takes data and returns a matplotlib Figure that carries its own description for
readers who can't see it (``alt_text``); none reads a file. Names follow the paper
(``figure_1_resemotenet``, ...).
"""

from fer_utils.figures.accuracies import class_accuracy_intervals
from fer_utils.figures.audit import figure_a3_implied_accuracy
from fer_utils.figures.calibration import figure_a6_calibration
from fer_utils.figures.controls import figure_a2_controls
from fer_utils.figures.counts import class_distribution, class_target
from fer_utils.figures.curves import compared_curves
from fer_utils.figures.data import label_noise, mean_faces, pixel_statistics, twin_pairs
from fer_utils.figures.denoising import figure_a4_guidance, figure_a4_trajectory
from fer_utils.figures.describing import alt_text, described
from fer_utils.figures.examples import captioned_faces
from fer_utils.figures.faces import figure_3_synthetic_examples, sample_grid, sample_grids
from fer_utils.figures.learning import learning_curves
from fer_utils.figures.matrices import figure_4_confusion_matrices
from fer_utils.figures.network import figure_1_resemotenet
from fer_utils.figures.oracle import figure_a7_oracle, figure_a8_trade_off
from fer_utils.figures.pipeline import figure_2_pipeline
from fer_utils.figures.quality import figure_a4_nearest, figure_a4_quality
from fer_utils.figures.reading import read_photo
from fer_utils.figures.real_faces import figure_a6_real_faces
from fer_utils.figures.saving import FORMATS, render, save, show
from fer_utils.figures.sheets import Cell, contact_sheet
from fer_utils.figures.style import EMOTION_COLOURS

__all__ = [
    "Cell",
    "EMOTION_COLOURS",
    "FORMATS",
    "alt_text",
    "captioned_faces",
    "class_accuracy_intervals",
    "class_distribution",
    "class_target",
    "compared_curves",
    "contact_sheet",
    "described",
    "figure_1_resemotenet",
    "figure_2_pipeline",
    "figure_3_synthetic_examples",
    "figure_4_confusion_matrices",
    "figure_a2_controls",
    "figure_a3_implied_accuracy",
    "figure_a4_guidance",
    "figure_a4_nearest",
    "figure_a4_quality",
    "figure_a4_trajectory",
    "figure_a6_calibration",
    "figure_a6_real_faces",
    "figure_a7_oracle",
    "figure_a8_trade_off",
    "label_noise",
    "learning_curves",
    "mean_faces",
    "pixel_statistics",
    "read_photo",
    "render",
    "sample_grid",
    "sample_grids",
    "save",
    "show",
    "twin_pairs",
]
