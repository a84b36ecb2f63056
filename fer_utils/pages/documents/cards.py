"""The numbers of DATA_CARD.md and MODEL_CARD.md: always of the demo profile and of the reference
tables."""

from pathlib import Path

import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.paths import PACKAGE, SHIPPED_GENERATORS, committed_tables
from fer_utils.core.profiles import Profile, load_profile
from fer_utils.core.reference import read_reference
from fer_utils.core.stored import read_table
from fer_utils.datasets import dataset_info
from fer_utils.datasets.demo_faces import demo_counts
from fer_utils.pages.documents.index import section_links
from fer_utils.tables.text import markdown_table

SPLITS = ("train", "validation", "test")


def data_card_blocks() -> dict[str, str]:
    """The blocks of DATA_CARD.md."""
    profile = load_profile("demo")
    return {
        "demo_counts": markdown_table(_demo_counts(profile)),
        "demo_noise": _demo_noise(profile),
        "official_counts": markdown_table(_official_counts()),
        "faults": _faults(),
        "opinions": markdown_table(_opinions()),
    }


def model_card_blocks(root: Path = PACKAGE.parent) -> dict[str, str]:
    """The blocks of MODEL_CARD.md, with the tables that are published below ``root``."""
    profile = load_profile("demo")
    return {
        "classifier": _classifier(profile),
        "weights": markdown_table(_weights()),
        "agreement": _agreement(profile, root),
    }


def _demo_counts(profile: Profile) -> pd.DataFrame:
    counts = {
        (dataset_info(name).title, split): demo_counts(name, split, profile)
        for name in profile.data.sets
        for split in SPLITS
    }
    return _counts_table(counts)


def _demo_noise(profile: Profile) -> str:
    return (
        f"In every split, the test split included, {profile.data.label_noise:.0%} of the labels are"
        " wrong on purpose (setting `data.label_noise`)."
    )


def _official_counts() -> pd.DataFrame:
    train, held_out = (
        read_reference("table_2").query("level == 'original'"),
        read_reference("test_counts"),
    )
    rows = pd.concat([train.assign(split="train"), held_out])
    return _counts_table(
        {
            key: dict(zip(part["emotion"], part["count"]))
            for key, part in rows.groupby(["dataset", "split"], sort=False)
        }
    )


def _counts_table(counts: dict[tuple[str, str], dict[str, int]]) -> pd.DataFrame:
    rows = [
        {
            "data set": title,
            "split": split,
            **{emotion: f"{found[emotion]:,}" for emotion in EMOTIONS},
            "all": f"{sum(found.values()):,}",
        }
        for (title, split), found in counts.items()
    ]
    return pd.DataFrame(rows).sort_values("data set", kind="stable")


def _faults() -> str:
    """What repeats or is doubtful in FER2013, with the faces it is counted among."""
    table = read_reference("data_integrity")
    sizes = table[table["check"] == "faces"].set_index("split")["count"]
    sizes["all splits"] = sizes.sum()
    rows = table[table["check"] != "faces"]
    shown = pd.DataFrame(
        {
            "what": [
                row.check.replace("face in", f"face in {row.of}") for row in rows.itertuples()
            ],
            "in": rows["split"].to_numpy(),
            "faces": [f"{count:,}" for count in rows["count"]],
            "of": [f"{sizes[split]:,}" for split in rows["split"]],
            "share": [
                f"{count / sizes[split]:.1%}" for count, split in zip(rows["count"], rows["split"])
            ],
        }
    )
    link = section_links(["table_a1_data_integrity"], PACKAGE.parent)["table_a1_data_integrity"]
    return f"{markdown_table(shown)}\n\nThe same is counted for the faces of a run in {link}."


def _opinions() -> pd.DataFrame:
    table = read_reference("label_agreement")
    return pd.DataFrame(
        {
            "label": table["emotion"],
            "test faces": table["count"],
            "six of ten votes on another label": table["majority_elsewhere"],
            "share": (table["majority_elsewhere"] / table["count"]).map("{:.1%}".format),
        }
    )


def _classifier(profile: Profile) -> str:
    cost = read_reference("costs").set_index("quantity")["value"]
    links = section_links(["table_3_class_accuracy", "figure_1_resemotenet"], PACKAGE.parent)
    return (
        f"At width 1 it has {int(cost['parameters']):,} parameters and takes"
        f" {cost['forward_flop'] / 1e9:.3f} GFLOP for an image of 64x64 pixels (made in"
        f" {links['figure_1_resemotenet']}); the demo trains it at width {profile.network.width:g}."
        " Accuracy: [Table III](tables/demo/table_3_class_accuracy.md), made in"
        f" {links['table_3_class_accuracy']}."
    )


def _weights() -> pd.DataFrame:
    models = sorted(path.parent for path in SHIPPED_GENERATORS.rglob("model_index.json"))
    judges = sorted(SHIPPED_GENERATORS.rglob("judge.safetensors"))
    sizes = {
        path.relative_to(SHIPPED_GENERATORS).as_posix(): sum(
            file.stat().st_size
            for file in ([path] if path.is_file() else path.rglob("*"))
            if file.is_file()
        )
        for path in [*judges, *models]
    }
    return pd.DataFrame(
        {"weights": sizes.keys(), "MB": [f"{size / 1e6:.1f}" for size in sizes.values()]}
    )


def _agreement(profile: Profile, root: Path) -> str:
    """How often the judge reads the emotion of the prompt, and where that is computed."""
    table = read_table(
        committed_tables(profile.name, root) / "table_a1_generators.csv",
        ["attribute", "value", "generator", "n", "agreement"],
    )
    whole = table[(table["attribute"] == "emotion") & (table["value"] == "all")]
    intervals = [
        wilson_interval(row.agreement * row.n, row.n, profile.evaluation.confidence)
        for row in whole.itertuples()
    ]
    shown = pd.DataFrame(
        {
            "generator": [f"tiny-{name}" for name in whole["generator"]],
            "faces": whole["n"].to_numpy(),
            "judge reads the emotion asked for": whole["agreement"].map("{:.1%}".format).to_numpy(),
            f"{profile.evaluation.confidence:.0%} interval": [
                f"{low:.1%} to {high:.1%}" for low, high in intervals
            ],
        }
    )
    link = section_links(["table_a1_generators"], PACKAGE.parent)["table_a1_generators"]
    return (
        f"{markdown_table(shown)}\n\nMade in {link}. Every emotion: "
        "[table_a1_generators](tables/demo/table_a1_generators.md)."
    )
