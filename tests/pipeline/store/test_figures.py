"""Figures of boxes in evidence stores: written with the frames, read back, checked, part of their content."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.store import EvidenceReader, EvidenceWriter, FrameState
from tests.helpers.stores import flip, info

NAMES = ("network_iou", "seen")
NAN = float("nan")


def write(path: Path, rows: list[list[list[float]] | None], names: tuple[str, ...] = NAMES) -> EvidenceReader:
    """Evidence whose frames have these figures, by name and box; None for a frame that was not read."""
    size = info(len(rows)).size
    with EvidenceWriter.writing(path, info(len(rows)), EvidenceKind.BINARY, 0, names) as writer:
        for index, row in enumerate(rows):
            if row is None:
                writer.mark(index, FrameState.UNREADABLE)
                continue
            figures = {name: np.array(values, np.float32) for name, values in zip(names, row, strict=True)}
            writer.put(index, np.zeros(size, np.bool_), FrameState.OK, figures)
    return EvidenceReader(path)


def test_each_frame_has_its_boxes_figures(tmp_path: Path) -> None:
    reader = write(tmp_path / "e.h5", [[[0.5, NAN], [1, 0.25]], None, [[], []], [[0.75], [0]]])
    assert reader.figure_names == NAMES
    first, last = reader.figures(0, 2), reader.figures(3, 1)
    assert first["network_iou"].tolist() == pytest.approx([0.5, NAN], nan_ok=True)
    assert first["seen"].tolist() == [1, 0.25]
    assert reader.figures(2, 0)["seen"].tolist() == []
    assert (last["network_iou"].tolist(), last["seen"].tolist()) == ([0.75], [0])
    reader.check_frames()


def test_figures_belong_to_what_evidence_says(tmp_path: Path) -> None:
    contents = {
        write(tmp_path / f"{name}.h5", [[[iou], [1.0]]]).content for name, iou in (("a", 0.5), ("b", 0.25))
    }
    contents.add(write(tmp_path / "c.h5", [[]], ()).content)
    assert len(contents) == 3


def test_a_store_without_figures_has_no_table_of_them(tmp_path: Path) -> None:
    reader = write(tmp_path / "e.h5", [[]], ())
    assert reader.figure_names == ()
    assert reader.figures(0, 7) == {}
    assert set(reader.table_crc32 or {}) == {"frame", "state", "crc32"}


def test_figures_of_other_boxes_are_refused(tmp_path: Path) -> None:
    reader = write(tmp_path / "e.h5", [[[0.5], [1.0]]])
    with pytest.raises(
        StoreError, match=r"speaks of 1 boxes in frame \d+, the annotations have 2; run .*label"
    ):
        reader.figures(0, 2)


def test_figures_that_were_not_declared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this labeler declared"):  # noqa: SIM117 - reads better
        with EvidenceWriter.writing(tmp_path / "g.h5", info(1), EvidenceKind.BINARY, 0, ("seen",)) as writer:
            writer.put(0, np.zeros(info(1).size, np.bool_), FrameState.OK)
    assert not (tmp_path / "g.h5").exists()


@pytest.mark.parametrize("name", ["figures/offsets", "figures/seen"])
def test_a_flipped_bit_of_a_figure_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "e.h5"
    write(path, [[[0.5], [1.0]]]).close()
    flip(path, name, 3)
    with pytest.raises(
        DamagedStoreError, match=rf"^{re.escape(str(path))}: damaged: checksum of {name} differs"
    ):
        EvidenceReader(path, sealed=True).check_frames()


def test_an_infinite_figure_is_damage(tmp_path: Path) -> None:
    reader = write(tmp_path / "e.h5", [[[0.5], [np.inf]]])
    with pytest.raises(DamagedStoreError, match="figures/seen of a box is no figure"):
        reader.figures(0, 1)
