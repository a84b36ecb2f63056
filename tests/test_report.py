"""The report of a run, made from a run in miniature (tiny_run)."""

import base64
import hashlib
import re
from io import BytesIO

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from bs4 import BeautifulSoup
from tiny_run import OVERALL, png, promised, write_run

from fer_utils import tables
from fer_utils.cli import main
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.pages.report import write_report
from fer_utils.pages.report.pictures import smaller
from fer_utils.pages.report.prose import as_html, as_text
from fer_utils.pages.report.tidy import tidy
from fer_utils.runner import pipeline
from fer_utils.runner.stages import STAGES, units_of

EXTRA = "table_a2_by_hand"
STEPS = len(units_of(STAGES, load_profile("demo")))


@pytest.fixture(scope="module")
def project_root(tmp_path_factory):
    """A project in which the demo profile has run, and a table lies that no stage promises."""
    root = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(root))
        profile = load_profile("demo")
        write_run(profile)
        (profile.paths.tables / f"{EXTRA}.csv").write_text("A\n1\n2\n")
        write_report(profile)
    return root


@pytest.fixture
def profile(project_root, monkeypatch):
    monkeypatch.setenv("FER_ROOT", str(project_root))
    return load_profile("demo")


@pytest.fixture(scope="module")
def page(project_root):
    return BeautifulSoup(
        (project_root / "runs" / "demo" / "report.html").read_text(encoding="utf-8"), "html.parser"
    )


def words(tag):
    return " ".join(tag.get_text(" ").replace("\u00a0", " ").split())


def card(page, name):
    return page.find(id=f"exhibit-{name}")


def facts(tag):
    """Term -> words of a definition list."""
    return {words(term): words(term.find_next_sibling("dd")) for term in tag("dt")}


def test_the_page_asks_for_nothing_outside_itself(page):
    assert {tag.get("src", "")[:11] for tag in page.find_all(src=True)} == {"data:image/"}
    assert not page(["link", "iframe", "object", "embed", "video", "audio", "base"])
    assert [tag.get("src") for tag in page("script")] == [None]
    assert not re.search(r"@import|url\(", "".join(tag.text for tag in page("style")))
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert "elsewhere.example" not in str(page) and "gone" in words(page)


def test_only_the_pages_own_script_may_run(project_root, page):
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    text = (project_root / "runs" / "demo" / "report.html").read_text(encoding="utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy and "addEventListener" in script


def test_no_handler_and_no_address_that_runs_comes_from_a_notebook_into_the_page(
    project_root, page
):
    text = (project_root / "runs" / "demo" / "report.html").read_text(encoding="utf-8")
    assert "hover" in text and "drawn" in text and "lead" in text
    assert "steal" not in text and "<!--" not in text
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]


@pytest.mark.parametrize(
    "html",
    [
        "<img src=x onerror=run()>",
        "<b OnClick='run()'>x</b>",
        "<a href=' JavaScript:run()'>x</a>",
        "<a href='&#106;avascript:run()'>x</a>",
        "<a href='data:text/html,run()'>x</a>",
        "<a href='vbscript:run()'>x</a>",
        "<![CDATA[><img src=x onerror=run()>]]>",
        "<!--><img src=x onerror=run()>-->",
        "<?x ><img src=x onerror=run()>?>",
        "<svg><animate attributeName=href values='javascript:run()'/></svg>",
        "<iframe srcdoc='run()'></iframe>",
        "<math href='javascript:run()'>x</math>",
        "<button formaction='javascript:run()'>x</button>",
    ],
)
def test_whatever_would_run_is_taken_out(html):
    assert "run()" not in tidy(html)


def test_the_banners_text_is_shown_and_is_no_markup(project):
    profile = load_profile("demo", ["stamp=<img src=x onerror=run()> **drawn**"])
    write_run(profile)
    text = write_report(profile).read_text(encoding="utf-8")
    assert "<img src=x" not in text and "&lt;img src=x onerror=run()&gt; **drawn**" in text
    caption = tables.show(pd.DataFrame({"a": ["b"]}), profile, caption="Ours.").data
    assert (
        "<img" not in caption
        and as_text(caption.split("\n")[0]) == "Ours. [<img src=x onerror=run()> **drawn**]"
    )


def test_every_link_leads_to_an_address_in_the_page_and_no_address_is_given_twice(page):
    addresses = [tag["id"] for tag in page.find_all(id=True)]
    assert len(set(addresses)) == len(addresses)
    links = [tag["href"] for tag in page("a", href=True)]
    assert len(links) > 100 and {link[1:] for link in links if link.startswith("#")} <= set(
        addresses
    )
    assert all(link.startswith("#") for link in links)


def test_notebooks_link_to_each_other_and_to_no_file_of_the_checkout(page):
    table = page.find(id="05-training-cell-02")
    assert [link["href"] for link in table("a")] == ["#04-balancing"] and "README" in words(table)
    beside = page.find(id="05-training").find("nav", class_="beside")
    assert [link["href"] for link in beside("a")] == ["#04-balancing", "#06-evaluation"]
    contents = page.find("nav", class_="contents")
    assert [words(link) for link in contents("a")][1:3] == ["1. Stage dataset", "2. Stage prompts"]


def test_every_promised_table_and_figure_has_its_card_and_so_has_what_lies_beside_them(
    page, profile
):
    cards = [tag["id"].removeprefix("exhibit-") for tag in page(class_="card")]
    assert sorted(cards) == sorted([*promised(profile), EXTRA])
    for name in promised(profile):
        found = card(page, name)
        assert f"Caption of {name}." in words(found)
        assert (found.find("img") is not None) == name.startswith("figure_")
    assert facts(card(page, EXTRA))["Comes from"] == "no notebook of this run"
    assert facts(card(page, EXTRA))["Ours"] == "2 rows, 1 columns"


def test_cards_name_the_papers_counterpart_and_come_in_its_order(page):
    titles = [words(tag.find("h5")) for tag in page(class_="card")]
    assert titles[:9] == [
        "Table I",
        "Table II",
        "Table II",
        "Table III",
        "Table IV",
        "Figure 1",
        "Figure 2",
        "Figure 3",
        "Figure 4",
    ]
    assert "Confusion matrices" in facts(card(page, "figure_4_confusion_matrices"))["Paper"]
    assert facts(card(page, "figure_a6_calibration"))["Paper"] == "not in the paper"


@pytest.mark.parametrize("name", ["table_3_class_accuracy", "figure_a1_twins", "table_a1_gate"])
def test_a_card_links_to_the_cell_that_saves_its_file_named_in_full_or_by_an_f_string(page, name):
    link = next(tag for tag in card(page, name)("a") if not tag.find("img"))
    cell = page.find(id=link["href"][1:])
    assert ".save(" in cell.pre.get_text() and cell["class"] == ["cell", "code"]
    assert words(link) == f"{'06_evaluation' if '3' in name else '01_dataset_analysis'}, cell 12"


def test_overall_accuracies_stand_beside_the_papers_with_interval_images_seeds_and_difference(page):
    rows = [
        [words(cell) for cell in row(["th", "td"])] for row in page.find(class_="headline")("tr")
    ]
    paper, ours, low, high, n = OVERALL["demo_fer2013", "original"]
    assert rows[1] == [
        "Table III, Demo faces after FER2013: Original",
        f"{paper:.2f}",
        f"{ours:.1f} [{low:.1f}, {high:.1f}]",
        f"{ours - paper:+.1f}",
        f"{n}, 2",
        "06_evaluation, cell 12",
    ]
    assert rows[3][:4] == [
        "Table IV, FER2013: ResEmoteNet (With augmentation)",
        "96.47",
        "55.2 [51.5, 58.8]",
        "-41.3",
    ]
    assert len(rows) == 4
    assert facts(card(page, "table_3_class_accuracy"))["Difference"] == "-41.8 to -34.5 points"


def test_counts_and_prompts_are_compared_with_the_printed_ones(page):
    # only disgust has 436
    assert facts(card(page, "table_2_paper_scale"))["Difference"] == "1 of 7 cells equal"
    assert facts(card(page, "table_2_distribution"))["Difference"] == "0 of 7 cells equal"
    assert (
        facts(card(page, "table_1_prompts"))["Difference"]
        == "1 of the 4 printed ones composed word for word"
    )


def test_every_picture_is_described_by_its_words_else_by_its_caption_else_by_the_prose_above(page):
    assert all(picture["alt"].strip() for picture in page("img"))
    told = {
        cell: page.find(id=f"06-evaluation-cell-{cell}").find("img")["alt"]
        for cell in ("05", "06", "07")
    }
    assert told == {
        "05": "What f0 the picture shows.",
        "06": "Caption of figure_1_resemotenet. It goes on.",
        "07": 'Bars "of" 7 emotions',
    }


def test_a_picture_shown_again_is_a_link_to_the_first(page):
    sources = [picture["src"] for picture in page("img") if "small" not in picture["alt"]]
    assert len(set(sources)) == len(sources)
    again = page.find(id="06-evaluation-cell-08")
    assert again.find("img") is None and again.find("a")["href"] == "#01-dataset-analysis-cell-08"


def test_headings_go_down_one_level_at_a_time_below_one_title(page):
    levels = [int(tag.name[1]) for tag in page(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in zip(levels, levels[1:]))
    assert levels.count(2) == 2 + len(STAGES)


def test_the_page_has_landmarks_a_skip_link_and_headers_that_say_what_they_head(page):
    assert page.html["lang"] == "en" and page.find("a")["href"] == f"#{page.main['id']}"
    assert all(page.find(name) for name in ("header", "nav", "main", "footer"))
    names = [tag.get("aria-label") for tag in page("nav")]
    assert all(names) and len(set(names)) == len(names)
    assert all(cell.get("scope") and words(cell) for cell in page("th"))
    assert all(
        table.parent.get("tabindex") == "0" and table.parent["aria-label"]
        for table in page("table")
    )


def test_equations_are_mathml_with_their_number_and_no_latex_is_left(page):
    cell = page.find(id="05-training-cell-09")
    assert (
        cell.find("math")["display"] == "block"
        and words(cell.find(class_="equation-number")) == "(1)"
    )
    assert cell.find("msub") and "$" not in words(page.find(id="05-training"))
    assert "<code>" in as_html(r"$\frac{1}{$") and "<math" in as_html("$f_0$")


def test_training_shows_the_notebook_as_written_and_all_its_runs_in_a_table(page, profile):
    notebook = page.find(id="05-training")
    assert 'level = "aug1"' in words(notebook.find("details", class_="inside"))
    rows = page.find(id="trainings")("tr")[1:]
    assert len(rows) == sum(bool(unit.parameters) for unit in units_of(STAGES, profile))
    assert [words(cell) for cell in rows[0]("td")] == [
        "Demo faces after FER2013",
        "Original",
        "0",
        "2",
        "2",
        "1.750",
        "30.0",
        "75.0 [30.1, 95.4]",
        "4",
    ] + [""]
    assert "seed = 1" not in words(notebook.find(id="05-training-cell-03"))


def test_provenance_is_readable(page):
    section = page.find(id="provenance")
    assert {
        "Git commit": "0123abcd",
        "torch": "2.11.0",
        "training.seeds": "0, 1",
        "data.seed": "7",
        "Machine": "Linux, 2 CPU cores",
    }.items() <= facts(section).items()
    assert "f" * 64 in words(section) and "figure_1_resemotenet.svg" in words(section)


def test_a_run_that_is_only_partly_fresh_says_so_and_a_fresh_one_does_not(
    page, profile, monkeypatch
):
    notice = words(page.find(id="freshness"))
    assert (
        f"{STEPS} of {STEPS} steps" in notice
        and "05_training_demo_rafdb_aug4_1 : never run" in notice
    )
    assert "python -m fer_utils reproduce --profile demo" in notice and "demo faces" in words(
        page.header
    )
    monkeypatch.setattr(pipeline, "status", lambda profile: [])
    assert 'id="freshness"' not in write_report(profile).read_text()


def test_reproduce_ends_with_where_the_report_lies_and_how_large_it_is(
    profile, monkeypatch, capsys
):
    profile.paths.report.unlink()
    monkeypatch.setattr(pipeline, "reproduce", lambda *_, **__: 0)
    assert main(["reproduce"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"report +runs/demo/report\.html \(\d+\.\d MB, one file for a browser\)", last
    )
    assert profile.paths.report.is_file() and not list(profile.paths.run.glob(".*.tmp"))
    assert main(["report"]) == 0 and capsys.readouterr().out.strip() == last


def test_a_notebook_that_was_not_executed_is_an_error_that_names_what_to_run(project, profile):
    with pytest.raises(CompanionError, match=rf"{STEPS} of {STEPS} .*--set data.scale=0.5 first"):
        write_report(load_profile("demo", ["data.scale=0.5"]))
    path = profile.paths.executed("06_evaluation")
    text = path.read_text()
    try:
        path.unlink()
        with pytest.raises(
            CompanionError,
            match=rf"1 of {STEPS} notebooks .*: 06_evaluation .*reproduce --profile demo first",
        ):
            write_report(profile)
        path.write_text("{not a notebook")
        with pytest.raises(CompanionError, match="06_evaluation.ipynb is not a notebook"):
            write_report(profile)
    finally:
        path.write_text(text)


def test_a_profile_with_settings_of_its_own_has_its_report_in_its_own_folder(project):
    profile = load_profile("demo", ["data.scale=0.5"])
    write_run(profile)
    (profile.paths.figures / "figure_4_confusion_matrices.png").unlink()
    path = write_report(profile)
    assert (
        path == project / "runs" / profile.run_name / "report.html" and profile.run_name != "demo"
    )
    page = BeautifulSoup(path.read_text(), "html.parser")
    assert "data.scale=0.5" in words(page.header)
    assert (
        facts(card(page, "figure_4_confusion_matrices"))["Ours"]
        == "not there: its step has not run"
    )


def test_pictures_lose_bytes_but_no_pixel():
    few = png((10, 20, 30), size=(300, 200))
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    buffer = BytesIO()
    PIL.Image.fromarray(noise).save(buffer, "PNG")
    packed = smaller(few)
    assert len(packed) < len(few) and smaller(buffer.getvalue()) == buffer.getvalue()
    before, after = (
        PIL.Image.open(BytesIO(picture)).convert("RGB").tobytes() for picture in (few, packed)
    )
    assert before == after


def test_code_that_scrolls_can_be_reached_by_keyboard_and_plain_text_is_wrapped():
    assert tidy("<pre>x</pre>") == '<pre tabindex="0">x</pre>'
    assert tidy('<pre class="text">x</pre>') == '<pre class="text">x</pre>'
