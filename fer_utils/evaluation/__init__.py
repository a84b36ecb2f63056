"""What the predictions on the test sets amount to: Tables III and IV, Figure 4 (section V of the
paper), and how far each number can be trusted.

- ``predictions``: what stage 5 left, one row per test image and run.
- ``accuracy``:    Tables III and IV with Wilson intervals.
- ``comparison``:  one level against another on the same images, and Holm's correction of the one
family that has it.
- ``two_way``:     the model behind every interval of faces and runs, and behind every p.
- ``priors``:      answers read for other class shares (logit adjustment); ``prior_table``: every
set read so.
- ``oracle``:      unseen real faces in the place of synthetic ones.
- ``stopping``:    whether networks were kept before their learning rate first dropped, and what
they reached after it.
- ``bootstrap``:   the resampling behind the intervals of scores that are no shares.
- ``scoring``:     macro-F1, balanced accuracy, calibration error and Brier score of whole test
sets.
- ``calibration``: confidence against accuracy.
- ``subsets``:     test faces without twins in the training set, and labels by a second opinion.
- ``confusion``:   which emotions are taken for which.
"""

from fer_utils.evaluation.accuracy import (
    OVERALL,
    PAPER,
    TABLE_4_ROWS,
    class_accuracy,
    printed_precision,
    table_3,
    table_4,
)
from fer_utils.evaluation.bootstrap import FACES, FACES_AND_RUNS
from fer_utils.evaluation.calibration import reliability
from fer_utils.evaluation.comparison import (
    BETTER,
    EXPLORATORY,
    MIN_SEEDS,
    OPEN,
    PREFIXES,
    PRIMARY,
    SIGNIFICANT,
    TOO_FEW,
    VERDICTS,
    WORSE,
    compare,
    decisive_p,
    in_families,
    right_answers,
    verdict,
)
from fer_utils.evaluation.confusion import confusion_counts, confusion_rates, confusion_table
from fer_utils.evaluation.predictions import (
    all_predictions,
    expected_runs,
    finished_predictions,
    missing_runs,
    read_predictions,
)
from fer_utils.evaluation.prior_table import prior_table
from fer_utils.evaluation.scoring import ACCURACY, BALANCED, BRIER, ECE, MACRO_F1, scores
from fer_utils.evaluation.stopping import after_the_drop, around_the_drop
from fer_utils.evaluation.subsets import ALL, SECOND_OPINION, WITHOUT_TWINS, subset_accuracy

__all__ = [
    "ACCURACY",
    "ALL",
    "BALANCED",
    "BETTER",
    "BRIER",
    "ECE",
    "EXPLORATORY",
    "FACES",
    "FACES_AND_RUNS",
    "MACRO_F1",
    "MIN_SEEDS",
    "OPEN",
    "OVERALL",
    "PAPER",
    "PREFIXES",
    "PRIMARY",
    "SECOND_OPINION",
    "SIGNIFICANT",
    "TABLE_4_ROWS",
    "TOO_FEW",
    "VERDICTS",
    "WITHOUT_TWINS",
    "WORSE",
    "after_the_drop",
    "all_predictions",
    "around_the_drop",
    "class_accuracy",
    "compare",
    "confusion_counts",
    "confusion_rates",
    "confusion_table",
    "decisive_p",
    "expected_runs",
    "finished_predictions",
    "in_families",
    "missing_runs",
    "printed_precision",
    "prior_table",
    "read_predictions",
    "reliability",
    "right_answers",
    "scores",
    "subset_accuracy",
    "table_3",
    "table_4",
    "verdict",
]
