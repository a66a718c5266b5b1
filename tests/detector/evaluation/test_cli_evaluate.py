"""``spotlabel evaluate`` as a user runs it, and how ``spotlabel`` finds the detector's commands."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from spotlabel.pipeline.cli import main as entry
from spotlabel.pipeline.cli.main import LAZY, main
from tests.helpers.recipes import environment

UAVDT_TRUTH = "1,1,10,10,20,20,1,1,1\n1,2,50,10,20,20,1,1,3\n2,1,12,10,20,20,1,1,1\n"
UAVDT_FOUND = "1,-1,10,10,20,20,0.9,1,-1\n1,-1,80,80,5,5,0.8,1,-1\n2,-1,12,10,20,20,0.7,1,-1\n"
DETRAC_XML = """<sequence name="{name}"><sequence_attribute camera_state="stable" sence_weather="{weather}"/>
<ignored_region><box left="500" top="100" width="100" height="100"/></ignored_region>
<frame density="1" num="1"><target_list><target id="1">
<box left="10" top="10" width="100" height="80"/></target></target_list></frame></sequence>"""


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def uavdt_folders(tmp_path):
    truth, found = tmp_path / "GT", tmp_path / "found"
    truth.mkdir()
    found.mkdir()
    for name in ("M0205", "M0208"):
        (truth / f"{name}_gt_whole.txt").write_text(UAVDT_TRUTH)
        (truth / f"{name}_gt_ignore.txt").write_text("1,-1,70,70,30,30,-1,-1,-1\n" * (name == "M0208"))
        (found / f"{name}.txt").write_text(UAVDT_FOUND)
    return truth, found


@pytest.fixture
def detrac_folders(tmp_path):
    truth, found = tmp_path / "xml", tmp_path / "found"
    truth.mkdir()
    found.mkdir()
    for name, weather in (("MVI_39031", "sunny"), ("MVI_39051", "night")):
        (truth / f"{name}.xml").write_text(DETRAC_XML.format(name=name, weather=weather))
    (found / "MVI_39031_Det_SpotNet.txt").write_text("1,1,10,10,100,80,0.9\n1,2,510,110,20,20,0.95\n")
    (found / "MVI_39051_Det_SpotNet.txt").write_text("1,1,200,10,100,80,0.95\n")
    return truth, found


def test_uavdt_pools_sequences_and_applies_the_ignore_rectangles(uavdt_folders):
    truth, found = uavdt_folders
    result = run("evaluate", "uavdt", "--truth", truth, "--detections", found, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    # 6 objects; by score: hit hit false hit hit (the false alarm of M0208 lies in its rectangle).
    assert data["overall"]["objects"] == 6
    assert data["overall"]["in_regions"] == 1
    assert data["overall"]["ap"] == pytest.approx(100 * (2 / 6 * 1 + 2 / 6 * 0.8), abs=1e-3)
    assert data["sequence"]["M0208"]["ap"] == pytest.approx(100 * 2 / 3, abs=1e-3)
    assert data["objects"]["bus"]["found"] == 0
    assert len(data["missing"]) == 18
    assert data["published"]["SpotNet"] == {"overall": 52.80}


def test_only_and_the_table(uavdt_folders):
    truth, found = uavdt_folders
    result = run("evaluate", "uavdt", "--truth", truth, "--detections", found, "--only", "M0208")
    assert result.exit_code == 0, result.output
    assert "66.67" in result.stdout
    assert "M0205" not in result.stdout
    assert "19 test sequences have no detections here" in result.stdout


def test_ua_detrac_has_subsets_by_weather_and_by_list(detrac_folders, tmp_path):
    truth, found = detrac_folders
    (tmp_path / "easy.txt").write_text("MVI_39031\n")
    arguments = ("--truth", truth, "--detections", found, "--subset", f"easy={tmp_path / 'easy.txt'}")
    pytest.importorskip("matplotlib", reason="the report's plot needs matplotlib (spotlabel[train])")
    result = run("evaluate", "ua-detrac", *arguments, "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {name: row["ap"] for name, row in data["subset"].items()} == {
        "night": 0,
        "sunny": 100,
        "easy": 100,
    }
    # The surest detection is a false alarm: precision 1/2 at recall 1/2.
    assert data["overall"]["ap"] == 25
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| SpotNet | 86.80 | 97.58 | 92.57 | 76.58 | 89.38 | 89.53 | 80.93 | 91.42 |" in text
    assert "| **here** | 25.00 | 100.00 |  |  |  | 0.00 |  | 100.00 |" in text
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,-1,10,10,20,nan,0.9,1,-1\n", "M0205.txt: line 1: column 6: 'nan', expected a finite number"),
        ("1,-1,10,10,20,20,0.9\n", "M0205.txt: line 1: 7 columns, expected 9 separated by commas"),
    ],
)
def test_bad_detections_get_one_line(uavdt_folders, rows, message):
    truth, found = uavdt_folders
    (found / "M0205.txt").write_text(rows)
    result = run("evaluate", "uavdt", "--truth", truth, "--detections", found)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_missing_files_get_one_line(uavdt_folders, tmp_path):
    truth, found = uavdt_folders
    (truth / "M0208_gt_whole.txt").unlink()
    cases = [
        ((truth, found), "M0208_gt_whole.txt: cannot be read: "),
        ((tmp_path / "none", found), "none: no such folder of annotations"),
        ((truth, truth.parent), "holds no detections files"),
        ((truth, found, "--only", "M0999"), "no detections of sequence M0999"),
    ]
    for (gt, det, *more), message in cases:
        result = run("evaluate", "uavdt", "--truth", gt, "--detections", det, *more)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_other_commands_do_not_import_torch():
    code = (
        "import sys; from click.testing import CliRunner; from spotlabel.pipeline.cli import main\n"
        "for args in (['label', '--help'], ['--help'], ['evaluate', '--help']):\n"
        "    assert CliRunner().invoke(main, args).exit_code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


def test_a_missing_package_gets_one_line(monkeypatch):
    monkeypatch.setitem(LAZY, "evaluate", ("no_such_package.cli:command", "Nothing."))
    result = run("evaluate", "--anything", "x")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: `spotlabel evaluate` needs no_such_package, which is not installed "
        "(pip install spotlabel[train])\n"
    )
    assert "evaluate" in run("--help").stdout
    assert callable(entry)
