"""Which faces to look at when a trained network is looked into. Probabilities are float [N, 7],
labels int [N]."""

import numpy as np

from fer_utils.core.emotions import EMOTIONS


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Positions of at most ``count`` faces read wrong, those with the most confidence in the wrong
    class first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:count]


def surest_hits(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The position of the face read right with the most confidence, one for each emotion that has
    one, in order."""
    right = np.where(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1), -1.0)
    surest = [np.where(labels == label, right, -1.0).argmax() for label in range(len(EMOTIONS))]
    return np.array(
        [
            place
            for label, place in enumerate(surest)
            if labels[place] == label and right[place] >= 0
        ],
        int,
    )


def most_confused(probabilities: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """The two emotions most often taken for each other, as a share of all their faces; the more
    common error first: (label, what it is taken for)."""
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)))
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    totals = counts.sum(axis=1)
    both = (counts + counts.T) / np.maximum(totals[:, None] + totals, 1)
    first, second = map(int, np.unravel_index(np.triu(both, 1).argmax(), both.shape))
    rates = counts / np.maximum(totals, 1)[:, None]
    return (first, second) if rates[first, second] >= rates[second, first] else (second, first)


def mistaken(
    probabilities: np.ndarray, labels: np.ndarray, label: int, taken_for: int
) -> np.ndarray:
    """Positions of the faces of one emotion taken for another, the surest first."""
    place = np.flatnonzero((labels == label) & (probabilities.argmax(axis=1) == taken_for))
    return place[np.argsort(-probabilities[place, taken_for], kind="stable")]
