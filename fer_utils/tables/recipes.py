"""The table of the two recipes for readers."""

import pandas as pd


def table_a5_recipes(table: pd.DataFrame) -> pd.DataFrame:
    """``recipes.recipe_table`` for readers: setting, paper, here, authors' code, and where each was
    read."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        [
            {
                "Setting": f"{row['setting']}{' *' if row['switch'] else ''}",
                "Paper": "not stated" if row["paper"] is None else _value(row["paper"]),
                "Here": _value(row["chosen"]),
                "Authors' code": (
                    "–" if row["authors_code"] is None else _value(row["authors_code"])
                ),
                "Where in the paper": row["place"],
                "Where in the code": row["source"],
            }
            for row in rows
        ]
    )


def _value(value) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
