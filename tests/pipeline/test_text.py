"""Names and messages on their way out: shown, never obeyed."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.cli.progress import BarWatcher
from spotlabel.pipeline.cluster.submit import JobOptions, SubmitError, sbatch_options
from spotlabel.pipeline.cluster.submit import _slurm_executor as slurm_executor
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.watcher import PlainWatcher
from spotlabel.pipeline.terminal import LineFormatter, SafeConsole, echo, echo_lines, escape
from spotlabel.pipeline.text import acts, csv_cell, failures, few, lines, one_line
from tests.conftest import ROOT

HOSTILE = "a\x1b[31m\nok b: done\r\x07\u202egpj\u2066\x9b2J\u2028\udcff"
SPELT = r"a\x1b[31m\nok b: done\r\x07\u202egpj\u2066\x9b2J\u2028\udcff"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("MVI_20011", "MVI_20011"),
        ("Süd-Ost, Kamera 2", "Süd-Ost, Kamera 2"),
        ("東京\u3000交差点", "東京\u3000交差点"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202eabc", r"\u202eabc"),
        (HOSTILE, SPELT),
        (Path("x\ny"), r"x\ny"),
    ],
)
def test_what_would_act_is_spelt_out(text: object, shown: str) -> None:
    assert one_line(text) == shown
    assert acts(str(text)) == (shown != str(text))


@given(st.text(st.characters()))
def test_a_line_is_one_line_and_stays_one(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in line)
    assert one_line(line) == line
    line.encode()
    assert lines(text).replace("\n", "").replace("\t", "") == one_line(
        text.replace("\n", "").replace("\t", "")
    )


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.none()))
def test_a_cell_is_a_number_or_a_text_that_no_spreadsheet_computes(value: object) -> None:
    out = io.StringIO()
    csv.writer(out).writerow(["x", csv_cell(value)])
    (row,) = csv.reader(io.StringIO(out.getvalue()))
    if isinstance(value, str):
        assert not row[1].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert out.getvalue().count("\n") == 1
    else:
        assert row[1] == ("" if value is None else str(value))


def test_formulas_are_quoted_and_numbers_are_not() -> None:
    assert [csv_cell(v) for v in ("=1+1", "+1", "-x", "@a", "a=b", -1, 0.5)] == [
        "'=1+1", "'+1", "'-x", "'@a", "a=b", -1, 0.5,
    ]  # fmt: skip


def test_echo_shows_names(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"{HOSTILE}: masks")
    echo("[red]no markup[/red]", err=True)
    echo_lines(f"one\n\t{HOSTILE}", nl=False)
    told = capsys.readouterr()
    assert told.out == f"{SPELT}: masks\none\n\t" + SPELT.replace(r"\n", "\n")
    assert told.err == "[red]no markup[/red]\n"


def printed(watch: type[PlainWatcher]) -> str:
    """What a watcher tells of a video with a hostile name."""
    out = io.StringIO()
    console = SafeConsole(file=out, width=400, highlight=False, force_terminal=watch is not PlainWatcher)
    watcher = BarWatcher(console, 2) if watch is BarWatcher else PlainWatcher(console)
    watcher.progress(HOSTILE, "evidence", 1, 9)
    watcher.note(f"{HOSTILE}: note")
    watcher.finished(Outcome(HOSTILE, error=f"{HOSTILE} is bad"))
    watcher.finished(Outcome(HOSTILE, seconds={"masks": 1.0}))
    return out.getvalue()


def test_watchers_show_names() -> None:
    assert printed(PlainWatcher).splitlines() == [
        f"{SPELT}: note",
        f"{SPELT}: FAILED: {SPELT} is bad",
        f"{SPELT}: done (masks 1.0 s)",
    ]
    assert f"{SPELT}: FAILED" in printed(BarWatcher)
    assert "\x1b[31m" not in printed(BarWatcher)


def test_a_bar_shows_names_and_obeys_no_markup() -> None:
    watcher = BarWatcher(SafeConsole(file=io.StringIO(), width=300), 1)
    watcher.progress(f"[bold]{HOSTILE}", "masks", 1, 2)
    shown = SafeConsole(file=io.StringIO(), width=300, record=True)
    shown.print(watcher._bars.make_tasks_table(watcher._bars.tasks))
    assert f"[bold]{SPELT} masks" in shown.export_text()


def test_tables_show_names() -> None:
    from spotlabel.pipeline.cli.options import table

    out = io.StringIO()
    shown = table("sequence", "note")
    shown.add_row(escape(HOSTILE), "raw \x1b[2J")
    SafeConsole(file=out, width=200).print(shown)
    assert SPELT in out.getvalue()
    assert r"raw \x1b[2J" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2


def test_log_records_are_one_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "%s: odd", (HOSTILE,), None)
    assert LineFormatter().format(record) == f"WARNING: {SPELT}: odd"


@pytest.mark.parametrize("word", ["qos=low\n#SBATCH --wrap=x", "comment=a\x1b[2J", "qos\r=low"])
def test_no_setting_adds_a_line_to_a_batch_script(word: str, tmp_path: Path) -> None:
    with pytest.raises(SubmitError, match="line breaks and control characters") as caught:
        sbatch_options([word])
    assert not acts(str(caught.value))
    for options in (JobOptions(partition=word), JobOptions(account=word)):
        with pytest.raises(SubmitError, match=r"--(partition|account) .*: line breaks"):
            slurm_executor(tmp_path, None, options)  # type: ignore[arg-type]


def direct_output(tree: ast.AST) -> list[str]:
    """Calls and imports that reach a terminal, log or table past the functions of this project."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {
                "print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "Console",
                "rich.print", "logging.Formatter", "click.echo_via_pager",
            }:  # fmt: skip
                found.append(called)
            if called == "csv.writer" or called.endswith("DictWriter"):
                found.append(called)
        elif isinstance(node, ast.ImportFrom) and (
            (node.module or "").startswith("rich.markup")
            or (node.module == "click" and {a.name for a in node.names} & {"echo", "secho"})
            or (node.module == "rich" and "print" in {a.name for a in node.names})
        ):
            found.append(f"from {node.module}")
    return found


def test_nothing_is_printed_past_these_functions() -> None:
    files = [
        path
        for room in ("pipeline", "detector", "labelers", "workflows")
        for path in (ROOT / room).rglob("*.py")
    ]
    assert len(files) > 300
    past = {}
    for path in files:
        name = str(path.relative_to(ROOT))
        if found := direct_output(ast.parse(path.read_text(encoding="utf-8"))):
            past[name] = found
    assert past.pop("pipeline/terminal.py") == ["click.echo", "click.echo"]
    assert past.pop("pipeline/compare/report.py") == ["csv.writer"], "its rows pass csv_cell"
    assert past == {}


def test_the_walk_sees_what_it_looks_for() -> None:
    source = "print(1)\nclick.echo(x)\nfrom rich.markup import escape\nConsole()\ncsv.writer(f)\n"
    assert len(direct_output(ast.parse(source))) == 5


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    echo_lines(json.dumps({"name": HOSTILE}, indent=1))
    assert json.loads(capsys.readouterr().out) == {"name": HOSTILE}


@pytest.mark.parametrize(
    ("failed", "count", "told"),
    [
        (1, 3, "1 of 3 videos failed; the others are whole"),
        (2, 2, "2 of 2 videos failed"),
        (1, 1, "1 of 1 videos failed"),
    ],
)
def test_of_others_only_where_there_are_some(failed: int, count: int, told: str) -> None:
    assert failures(failed, count) == told


def test_of_many_names_a_few_are_told_and_how_many_there_are() -> None:
    assert few([]) == ""
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
