"""The table says who works, who does not and why, and replaces the one before."""

from __future__ import annotations

from pathlib import Path

from tests.interop.results import BEGIN, END, Results, Row, main


def test_the_page_gets_the_table_of_the_last_run(tmp_path: Path) -> None:
    page, source = tmp_path / "interop.md", tmp_path / "interop.json"
    page.write_text(f"# Title\n\n{BEGIN}\nan old table\n{END}\n\nAfter.\n")
    rows = Results()
    rows.add(Row("One", "1.2", "VP8"), states=["warming_up", "warming_up", "not_enrolled", "warming_up"])
    rows.add(Row("Two", "3", "H.264", "a|b"), failed="no candidate\nmore of it")
    rows.write(source)
    main(source, page)
    text = page.read_text()
    assert "| One | 1.2 | VP8 | none | yes | `warming_up`, `not_enrolled` |" in text
    assert "| Two | 3 | H.264 | a\\|b | no: no candidate |  |" in text
    assert "an old table" not in text
    assert text.startswith("# Title\n\n" + BEGIN)
    assert text.endswith(END + "\n\nAfter.\n")
