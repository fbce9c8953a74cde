"""The page of benchmarks shows the stored results, and is rewritten from them."""

from scripts.netlab import __main__ as netlab
from scripts.shared import results


def test_the_page_is_as_the_results_are_stored():
    page = results.PAGE.read_text(encoding="utf-8")
    stored = {path.stem for path in results.STORE.glob("*.json")} - {"nightly"}
    assert set(results.names(page)) == stored and len(stored) >= 7
    assert results.updated(page) == page


def test_results_are_stored_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "STORE", tmp_path)
    monkeypatch.setattr(results, "PAGE", tmp_path / "page.md")
    results.PAGE.write_text("above\n<!-- results: mine -->\n<!-- end of results -->\nbelow\n")
    table = results.Table(["a", "b"], [["1", "2"]], "Numbers:")
    first = results.Results("command", "machine", [table], ["a note"], {"more": [3]})
    results.publish("mine", first)
    text = results.PAGE.read_text()
    assert text.startswith("above\n<!-- results: mine -->\n`command`\n\nmachine\n\nNumbers:\n\n")
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n- a note\n<!-- end" in text
    assert text.endswith("below\n")
    assert results.load("mine").data == {"more": [3]}
    results.publish("mine", results.Results("command", "machine", []))
    assert "a note" not in results.PAGE.read_text()


def test_the_summary_of_links_holds_the_worst_and_both_ends():
    rows = results.load("netlab").data["rows"]["mpi"]
    lines = {line[1]: line for line in netlab.summary("mpi", rows)}
    assert list(lines) == ["none", "100mbit", "1gbit", "10gbit"]
    assert lines["1gbit"][2:] == ["5 of 7", "-31%", "31 (21)", "36526 (35084)"]
