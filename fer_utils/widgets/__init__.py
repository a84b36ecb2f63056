"""Explorers for the notebooks: controls over pure functions, a still picture where nobody is there to touch them.

``explorer`` is how one is made; the other modules hold those of one notebook each, where they are one line.
"""

from fer_utils.widgets.audit import implied_accuracies, implied_accuracy_explorer, implied_sentences
from fer_utils.widgets.explorer import Choice, Slider, Toggle, View, Words, explore, headless
