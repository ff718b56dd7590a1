"""The table of features in docs/strategies.md is the catalog."""

from engine.features.catalog import features_table
from engine.features.normalised import NORMAL_FORMS
from tests.house.test_docs import ROOT


def rows() -> list[str]:
    """The table as it has to be."""
    normal = [
        {"call": f"f.{form.name}{form.signature}", "unit": form.unit, "reads": "that feature's", "about": form.about}
        for form in NORMAL_FORMS.values()
    ]
    cells = [f"| `{row['call']}` | {row['unit']} | {row['reads']} | {row['about']} |" for row in [*features_table(), *normal]]
    return ["| feature | unit | reads | value |", "| --- | --- | --- | --- |", *cells]


def test_the_table_of_features_is_the_catalog() -> None:
    """Call, defaults, unit, inputs and meaning of each feature, in the catalog's order; a new one is a new row."""
    part = (ROOT / "docs" / "strategies.md").read_text().split("## Features\n")[1].split("\n## ")[0]
    assert [line for line in part.splitlines() if line.startswith("|")] == rows()
