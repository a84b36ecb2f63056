"""Explorers for the notebooks: controls over pure functions, a still picture where nobody is there
to touch them.

``explorer`` is how one is made; the other modules hold those of one notebook each, where they are
one line.
"""

from fer_utils.widgets.audit import implied_accuracies, implied_accuracy_explorer, implied_sentences
from fer_utils.widgets.confusion import confusion_explorer
from fer_utils.widgets.curves import curve_explorer
from fer_utils.widgets.explorer import (
    Choice,
    Several,
    Slider,
    Toggle,
    View,
    Words,
    explore,
    headless,
)
from fer_utils.widgets.faces import face_explorer, face_page, twin_explorer, twin_page
from fer_utils.widgets.levels import class_target, level_explorer, target_view
from fer_utils.widgets.photo import photo_explorer
from fer_utils.widgets.playground import playground_explorer
from fer_utils.widgets.prompts import marked, prompt_explorer, prompt_view, token_words
