"""What labelers are taken to cost: the table, its page, and networks that are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlabel.labelers.learned.settings import BoxbgTeacherSettings, TeacherSettings
from spotlabel.labelers.registry import load
from spotlabel.pipeline.forecast.costs import MASKS, OTHER_LABELER, RATES, TIMES, Rate, evidence_rate
from spotlabel.pipeline.stages.asking import U2NET, asking

PAGE = Path(__file__).parents[3] / "docs" / "cluster.md"


def page() -> dict[str, list[float]]:
    """The page's table: forecast and seen seconds, forecast and seen megabytes of each labeler."""
    rows = PAGE.read_text().split("| labeler | seconds a frame and megapixel |")[1].split("\n\n")[0]
    found: dict[str, list[float]] = {}
    for line in rows.splitlines()[2:]:
        names, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found |= {name: [float(cell) if cell else 0.0 for cell in cells] for name in names.split(", ")}
    return found


def test_the_page_says_what_the_table_says() -> None:
    rates = {**RATES, "mask stage": MASKS, "a labeler of another package": OTHER_LABELER}
    table = {name: (rate.seconds, rate.megabytes) for name, rate in rates.items()}
    assert {name: (cells[0], cells[2]) for name, cells in page().items()} == table


def test_forecasts_are_about_three_times_what_was_seen() -> None:
    seen = {name: cells for name, cells in page().items() if cells[1]}
    assert len(seen) >= 15
    for name, (seconds, measured, megabytes, held) in seen.items():
        assert 2.5 <= seconds / measured <= 5 or seconds <= 0.05, name
        assert megabytes >= 1.5 * held, name


def test_a_file_is_counted_as_u2net_and_a_folder_by_its_weights(tmp_path: Path) -> None:
    (tmp_path / "u2net.onnx").write_bytes(b"whatever")
    assert asking(TeacherSettings(network=tmp_path / "u2net.onnx")) is U2NET
    assert asking(TeacherSettings(network=tmp_path / "nothing")) is U2NET
    assert U2NET.seconds(10, 3) == 14
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(500_000_000)
    told = asking(TeacherSettings(network=tmp_path))
    assert (told.network, told.megabytes) == (str(tmp_path), 2500)
    assert told.seconds(10, 3) == pytest.approx(10 * 0.12 + 3 * 20)


def test_a_folder_below_home_is_counted_by_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is found there when it is opened."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sam").mkdir()
    (tmp_path / "sam" / "model.safetensors").write_bytes(b"weights")
    assert asking(TeacherSettings(network=Path("~/sam"))).network == "~/sam"


def test_a_labeler_that_asks_about_every_box_takes_what_its_network_takes(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(500_000_000)
    own = RATES["boxbg-teacher"]
    u2net = evidence_rate("boxbg-teacher", BoxbgTeacherSettings())
    assert u2net == Rate(own.seconds + TIMES * 20 * 1.4, own.megabytes, 0.0, 1500)
    sam = evidence_rate("boxbg-teacher", BoxbgTeacherSettings(network=tmp_path))
    assert sam == Rate(own.seconds + TIMES * 20 * 0.12, own.megabytes, 0.0, 2500, TIMES * 20)
    assert sam.per_frame(0.5) == pytest.approx(0.5 * sam.seconds + 60)


@pytest.mark.parametrize("beside", ["", "-student", "-teacher"])
@pytest.mark.parametrize(
    ("labeler", "more", "times"),
    [
        ("boxbg", {"samples": 256}, 2),
        ("egoflow-cut", {"far": 132}, 65 / 33),
        ("egoflow-cut", {"reach": 36}, 73 / 33),
    ],
)
def test_memory_grows_with_the_frames_that_are_kept(
    labeler: str, more: dict[str, int], times: float, beside: str
) -> None:
    name = labeler + beside
    made = load(name).settings_type
    settings = made(**({labeler.replace("-", "_"): more} if beside else more))
    assert evidence_rate(name, made()).megabytes == RATES[name].megabytes
    assert evidence_rate(name, settings).megabytes == pytest.approx(times * RATES[name].megabytes)
