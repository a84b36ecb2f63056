"""What real faces would give in the place of synthetic ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fer_utils.evaluation.bootstrap import FACES_AND_RUNS
from fer_utils.figures.describing import described
from fer_utils.figures.style import PAGE, interval_mark, new_figure, styled

CURVES = {"unseen real faces": (("original", "unseen_25", "unseen_50", "unseen"), "o-", "#1a5f96"),
          "synthetic faces": (("original", "synthetic_25", "synthetic_50", "aug1"), "D--", "#ffffff"),
          "repeated faces": (("original", "oversampling"), "s:", "#c9c9c9")}
"""Name -> its sets from the part alone to all that is added, marker and line, filling."""

_APART = 0.012
"""Of the faces added: how far curves are moved sideways, so that no interval hides another."""


@styled
def figure_a7_oracle(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Balanced accuracy against the number of faces added to a part of the data set, a panel for each part.

    ``tables``: title of a part -> ``evaluation.oracle_table`` of it; sets that it lacks are not drawn.
    """
    figure = new_figure(PAGE, 2.6)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    said, marks = [], {}
    for axes, letter, (title, table) in zip(panels, "abcdefgh", tables.items()):
        rows = table.set_index("level")
        for place, (name, (levels, shape, filling)) in enumerate(CURVES.items()):
            found = rows.loc[[level for level in levels if level in rows.index]]
            if len(found) > 1:
                lengths = np.abs(found[["low", "high"]].sub(found["balanced"], axis=0).to_numpy(float).T)
                shift = (place - 1) * _APART * rows["added"].max()
                marks[name] = axes.errorbar(found["added"] + shift, found["balanced"], yerr=lengths,
                                            **interval_mark(shape, filling) | {"linewidth": 0.8})
                said.append(f"{title}, {name}: " + ", ".join(
                    f"{row.balanced:.1f} % with {row.added:,.0f} added" for row in found.itertuples()) + ".")
        axes.set_title(f"({letter}) {title}", loc="left")
        axes.set_xlabel("faces added")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y")
    panels[0].set_ylabel(f"balanced accuracy (%), read for\nequal shares [{FACES_AND_RUNS}]")
    figure.legend(handles=list(marks.values()), labels=list(marks), loc="outside upper center", ncols=len(CURVES))
    return described(figure, "Lines with intervals: balanced accuracy against the number of faces added to a part of FER2013's "
                             "training faces.", *said)
