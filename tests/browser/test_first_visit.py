"""A newcomer at what ``make lab`` opens: a face of another emotion in three clicks."""

import pytest
from notebook_reader import press

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_three_clicks_lead_from_make_lab_to_a_face_of_another_emotion(reader, lab, screenshots):
    reader.page.goto(lab.start_page.as_uri())
    reader.wait_for_kernel()
    reader.run_all()
    before = picture(reader)
    reader.touch(press("Surprise"), "“Portrait of a surprised man")
    assert reader.clicks <= 3 and picture(reader) != before
    reader.photograph(screenshots / "first_visit.png")
    assert reader.problems() == []


def picture(reader):
    """The bytes of the face that is shown."""
    return reader.explorer().locator("img.fer-picture").get_attribute("src")
