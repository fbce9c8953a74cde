import re
from html.parser import HTMLParser

import pytest

from pdehvd.results.captions import caption
from pdehvd.results.html_page import html_table
from pdehvd.results.report import report

VOID = {"meta", "img"}


class Balanced(HTMLParser):
    """Checks that every element is closed, in order, and keeps the visible text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.sources = [], "", []

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + "\n"


@pytest.fixture
def written(fake, fill, tmp_path):
    """Return the text of the page of a run, parsed, after `change` is applied to the run."""

    def make(change=None, **more):
        fill(tmp_path)
        run = fake("line", **more)
        if change:
            change(run)
        path = report(run)
        assert path == tmp_path / "report.html"
        parser = Balanced()
        parser.feed(path.read_text())
        assert parser.open == []
        return parser, path.read_text()

    return make


def test_the_page_shows_numbers_pictures_and_how_to_reproduce(written, tmp_path):
    page, text = written()
    assert "completed" in page.text and "2,000" in page.text and "123,456" in page.text
    assert "relative L2 error of u" in page.text
    assert f"pdehvd train {tmp_path.resolve()}/config.yaml --np 2" in page.text
    assert "pdehvd train 'a b.yaml'" in page.text
    assert "tensorflow" in page.text and "name: pde" in page.text
    assert text.count("<img") == 4


def test_the_page_needs_nothing_from_elsewhere(written):
    page, text = written()
    assert page.sources and all(each.startswith("data:image/png;base64,") for each in page.sources)
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)


def test_text_from_the_run_cannot_become_markup(written):
    def change(run):
        run.config.name = "<script>alert(1)</script>"
        run.unknowns = {"<b>nu": 1.0}

    page, text = written(change)
    assert "<script>" not in text and "<b>nu" not in text
    assert "<b>nu" in page.text


def captions(text):
    return re.findall(r"<figcaption>(.*?)</figcaption>", text)


def test_a_run_without_reference_says_so_and_names_none_elsewhere(written):
    page, text = written(reference=False)
    assert "has no reference solution" in page.text and "root mean square" not in page.text
    assert captions(text)[0] == "The network&#x27;s solution."
    assert "fresh points" in page.text and "equation: momentum" in page.text


def test_captions_name_the_reference_where_there_is_one(written):
    _, text = written()
    assert captions(text)[0] == "The network&#x27;s solution, the reference, and the error."
    assert "The loss, a weighted sum, and its terms without their weights." in captions(text)


@pytest.mark.parametrize(
    ("name", "with_", "without"),
    [
        ("solution_u", "the reference and their difference", "u: the network's solution."),
        ("slices_u", "and the reference", "u at several times: the network's solution."),
        ("samples", "reference and difference", "Held-out samples: inputs and network."),
    ],
)
def test_a_caption_knows_which_fields_the_reference_has(name, with_, without):
    assert with_ in caption(name, {"u"}, 1)
    assert caption(name, set(), 1) == without
    assert name == "samples" or caption(name, {"v"}, 1) == without


def test_unknowns_without_true_values_have_no_empty_columns(written):
    page, _ = written(lambda run: setattr(run, "unknowns", {"nu": 0.011}))
    assert "0.011" in page.text and "relative error" not in page.text


def test_unknowns_stand_beside_their_true_values(written):
    def change(run):
        run.unknowns = {"nu": 0.011}
        run.reference.unknowns = {"nu": 0.01}

    page, _ = written(change)
    assert "0.011" in page.text and "1.00e-01" in page.text


def test_an_unfinished_run_is_called_so(fake, fill, tmp_path):
    fill(tmp_path)
    (tmp_path / "summary.json").unlink()
    assert ">unfinished<" in report(fake("line")).read_text()


def test_a_summary_may_be_given_before_it_is_written(fake, fill, tmp_path):
    fill(tmp_path)
    assert ">interrupted<" in report(fake("line"), {"status": "interrupted"}).read_text()


def test_an_empty_table_is_nothing():
    assert html_table(("a",), []) == ""


def test_captions_say_where_measured_values_are_drawn():
    assert "measured values" in caption("solution_u", set(), 1, {"u"})
    assert "measured values" in caption("slices_u", set(), 1, {"u"})
    assert "measured values" in caption("solution", set(), 1, {"u"})
    assert "measured" not in caption("solution_v", set(), 1, {"u"})
    assert "measured ones" in caption("fit", set(), 1, {"u"})


def test_one_of_a_kind_is_labelled_in_the_singular(fake, fill, tmp_path):
    fill(tmp_path)
    text = report(fake("line"), {"processes": 1, "steps": 2}).read_text()
    assert "<b>1</b><span>process</span>" in text and "<b>2</b><span>steps</span>" in text
