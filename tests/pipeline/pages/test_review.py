"""The review without a browser: its queue, what it shows, and that decisions stand on the disk at once."""

from __future__ import annotations

import base64
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.audit.proposal import proposal_path
from spotlabel.pipeline.cli import review as command
from spotlabel.pipeline.manual import Correction, Decision, put_manual, read_manual
from spotlabel.pipeline.pages.review.app import Review
from spotlabel.pipeline.pages.review.disagreement import disagreement
from spotlabel.pipeline.pages.review.queue import Asked, boxes_by_key, doubtful, from_list, stratified
from spotlabel.pipeline.pages.serving.answer import Answer, ChangedError, RequestError
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items, one_item
from tests.helpers.recipes import spotlabel, started
from tests.helpers.tuning import copied, fetched, made_masks, parts, street_recipe, told

EASY = {"min_fill": 0.02, "min_believability": 0.1}
"""So small a scene gives mog2 little to go by."""


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks by mog2, and evidence of another labeler."""
    return street_recipe(tmp_path_factory.mktemp("review"), "mog2", "filled-box", masks=EASY)


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own, to be changed."""
    path = copied(street, tmp_path / "own")
    made_masks(load_recipe(str(path)))
    return path


def video(path: Path) -> Item:
    return one_item(load_recipe(str(path)), "street")


def opened(path: Path, count: int = 30) -> Review:
    recipe = load_recipe(str(path))
    queue = stratified([doubtful(0, MaskReader(video(path).mask_path))], count)
    return Review("street", recipe, items(recipe), queue)


def shown(review: Review, at: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts of a box, and its candidates as planes of what is shown."""
    facts, data = parts(review.box({"at": str(at)}))
    x0, y0, x1, y1 = facts["place"]
    planes = np.frombuffer(data, np.uint8).reshape(-1, y1 - y0, x1 - x0)
    return facts, dict(zip(facts["names"], planes, strict=True))


def decide(review: Review, at: int, decision: str, mask: Any = None) -> Answer:
    facts, _ = shown(review, at)
    more = {}
    if mask is not None:
        more = {"place": facts["place"], "mask": base64.b64encode(np.packbits(mask).tobytes()).decode()}
    return review.decide({"at": at, "edition": facts["edition"], "decision": decision, **more})


def test_the_queue_is_of_doubtful_boxes_the_same_each_time(own: Path) -> None:
    masks = MaskReader(video(own).mask_path)
    found = doubtful(0, masks)
    assert found == doubtful(0, MaskReader(video(own).mask_path))
    assert [box.doubt for box in found] == sorted((box.doubt for box in found), reverse=True)
    frame = np.repeat(np.arange(24), np.diff(masks.boxes.offsets))
    assert {int(masks.state[frame[box.row]]) for box in found} == {FrameState.OK}
    near = [box for box in found if box.why == "threshold"]
    score = masks.quality["believability"]
    assert near
    for box in near:
        assert box.doubt == pytest.approx(1 - abs(float(score[box.row]) - 0.1) / 0.25, abs=1e-6)
    jumps = [box for box in found if box.why == "jump"]
    assert jumps
    assert all(box.doubt == pytest.approx(1 - float(masks.quality["temporal"][box.row])) for box in jumps)


def test_labelers_that_do_not_agree(own: Path) -> None:
    recipe, item = load_recipe(str(own)), video(own)
    apart = disagreement(recipe, item, 24)
    assert apart is not None
    masks, boxes = MaskReader(item.mask_path), item.sequence.load().boxes
    looked = np.flatnonzero(np.isfinite(apart))
    assert len(looked) > 20
    # The other labeler fills the box: what is not filled is where they are apart.
    unhidden = looked[masks.quality["overlap"][looked] == 0]
    assert np.allclose(apart[unhidden], 1 - masks.quality["fill"][unhidden], atol=0.12)
    few = disagreement(recipe, item, 2)
    assert few is not None
    assert np.count_nonzero(np.isfinite(few)) < len(looked)
    known = np.isfinite(few)
    assert np.array_equal(few[known], apart[known])
    found = [one for one in doubtful(0, masks, apart) if one.why == "labelers"]
    assert found
    assert all(one.doubt == apart[one.row] for one in found)
    assert len(boxes.xyxy) == len(apart)
    one_item(recipe, "street").evidence_path.parent.with_name("filled-box").joinpath("street.h5").unlink()
    assert disagreement(recipe, item, 24) is None


def box(video: int, track: int, doubt: float, frame: int = 1) -> Asked:
    return Asked(video, frame, 0, (frame, track, ()), "jump", doubt, (0.0, 0.0, 9.0, 9.0))


def test_videos_and_tracks_take_turns() -> None:
    first = [box(0, 1, 0.9), box(0, 1, 0.8, 2), box(0, 2, 0.3), box(0, 1, 0.2, 3)]
    second = [box(1, 7, 0.5), box(1, 8, 0.4)]
    order = stratified([first, second], 99)
    assert [(one.video, one.key[1], one.doubt) for one in order] == [
        (0, 1, 0.9), (1, 7, 0.5), (1, 8, 0.4), (0, 2, 0.3), (0, 1, 0.8), (0, 1, 0.2),
    ]  # fmt: skip
    assert stratified([first, second], 3) == order[:3]
    assert stratified([], 3) == []


def test_a_list_is_gone_through_in_its_own_order(own: Path) -> None:
    masks = MaskReader(video(own).mask_path)
    keys = [one.key for one in doubtful(0, masks)][:3]
    asked = [("street", keys[2]), ("other", keys[0]), ("street", (999, 1, ())), ("street", keys[0])]
    found = from_list(asked, {"street": boxes_by_key(0, masks)})
    assert [one.key for one in found] == [keys[2], keys[0]]
    assert {one.why for one in found} == {"proposed"}


def test_boxes_that_no_correction_tells_apart_are_not_asked_about(own: Path) -> None:
    masks = MaskReader(video(own).mask_path)
    first, *_, last = doubtful(0, masks)
    table = masks.boxes
    frame = masks.index_of(first.frame)
    other = next(row for row in range(len(table.xyxy))[table.rows(frame)] if row != first.row)
    track, xyxy = table.track_id.copy(), table.xyxy.copy()
    track[[first.row, last.row]] = -1
    masks.boxes = replace(table, track_id=track, xyxy=xyxy)
    alone = {one.row for one in doubtful(0, masks)}
    assert {first.row, last.row} <= alone
    track[other], xyxy[other] = -1, xyxy[first.row]
    masks.boxes = replace(table, track_id=track, xyxy=xyxy)
    assert {one.row for one in doubtful(0, masks)} == alone - {first.row, other}
    named = {one.row for one in boxes_by_key(0, masks).values()}
    assert named == set(range(len(table.xyxy))) - {first.row, other}


def test_a_box_is_shown_with_the_masks_it_could_have(own: Path) -> None:
    recipe, masks = load_recipe(str(own)), MaskReader(video(own).mask_path)
    found = doubtful(0, masks)
    queue = [*found[:5], *(one for one in found if masks.believed[one.row])]
    review = Review("street", recipe, items(recipe), queue)
    start = told(review.start({}))
    assert 10 < len(start["boxes"]) == len(start["decided"]) == len(queue)
    seen = set()
    for at, one in enumerate(start["boxes"]):
        facts, planes = shown(review, at)
        x0, y0, x1, y1 = facts["place"]
        left, top, right, bottom = facts["rect"]
        picture = cv2.imdecode(
            np.frombuffer(review.picture({"at": str(at)}).body, np.uint8), cv2.IMREAD_COLOR
        )
        assert picture is not None
        assert picture.shape == (y1 - y0, x1 - x0, 3)
        index = masks.index_of(one["frame"])
        inside = np.zeros(masks.size, np.bool_)
        inside[top:bottom, left:right] = True
        for plane in planes.values():
            assert plane.any()
            assert not (plane.astype(np.bool_) & ~inside[y0:y1, x0:x1]).any()
        if "present" in planes:
            row = next(
                r for r in range(99) if masks.boxes.track_id[masks.boxes.rows(index)][r] == one["track"]
            )
            assert np.array_equal(planes["present"], masks.instance(index, row)[y0:y1, x0:x1])
        seen |= planes.keys()
    assert seen >= {"present", "filled-box"}


def test_decisions_stand_on_the_disk_and_relabel_takes_them(own: Path) -> None:
    review, path = opened(own), video(own).manual_path
    facts, planes = shown(review, 0)
    painted = np.zeros_like(next(iter(planes.values())))
    left, top, _, bottom = facts["rect"]
    x0, y0 = facts["place"][:2]
    painted[top - y0 : bottom - y0, left - x0 : left - x0 + 2] = 1
    assert told(decide(review, 0, "mask", painted)) == {"decided": "mask"}
    assert told(decide(review, 1, "unknown")) == {"decided": "unknown"}
    assert told(decide(review, 2, "background")) == {"decided": "background"}
    with pytest.raises(RequestError, match="mask: has no pixel"):
        decide(review, 3, "mask", _empty(review, 3))
    found = read_manual(path)
    assert sorted(one.decision for one in found.values()) == [1, 2, 3]
    assert told(review.start({}))["decided"][:4] == ["mask", "unknown", "background", None]
    assert next(iter(shown(review, 0)[1])) == "decided"
    assert np.array_equal(shown(review, 0)[1]["decided"], painted)
    made_masks(load_recipe(str(own)))
    masks = MaskReader(video(own).mask_path)
    asked = told(review.start({}))["boxes"][0]
    index = masks.index_of(asked["frame"])
    row = int(np.flatnonzero(masks.boxes.track_id[masks.boxes.rows(index)] == asked["track"])[0])
    x1, y1 = facts["place"][2:]
    assert np.array_equal(masks.instance(index, row)[y0:y1, x0:x1], painted)
    with pytest.raises(ChangedError):  # the masks were made again: look again first
        review.box({"at": "5"})
    review.reload({"at": 5})
    assert shown(review, 5)


def _empty(review: Review, at: int) -> Any:
    x0, y0, x1, y1 = shown(review, at)[0]["place"]
    return np.zeros((y1 - y0, x1 - x0), np.uint8)


def test_undo_brings_back_what_was_decided_before(own: Path) -> None:
    review, path = opened(own), video(own).manual_path
    decide(review, 0, "unknown")
    decide(review, 0, "background")
    decide(review, 1, "unknown")
    assert told(review.undo({})) == {"at": 1, "decided": None}
    assert told(review.undo({})) == {"at": 0, "decided": "unknown"}
    assert [one.decision for one in read_manual(path).values()] == [Decision.UNKNOWN]
    assert told(review.undo({})) == {"at": 0, "decided": None}
    assert not path.exists()
    with pytest.raises(RequestError, match="nothing was decided"):
        review.undo({})


def test_undo_does_not_take_back_what_came_from_elsewhere(own: Path) -> None:
    review, path = opened(own), video(own).manual_path
    decide(review, 0, "unknown")
    decide(review, 1, "unknown")
    (later,) = (one for key, one in read_manual(path).items() if key == review._queue[1].key)
    put_manual(path, "street", [Correction(later.frame, later.track, later.box, Decision.BACKGROUND)])
    with pytest.raises(RequestError, match="box 2 was decided anew from elsewhere: that stays"):
        review.undo({})
    assert read_manual(path)[later.key].decision == Decision.BACKGROUND
    assert told(review.undo({})) == {"at": 0, "decided": None}
    assert [*read_manual(path)] == [later.key]


def test_what_was_decided_before_a_box_moved_is_asked_again(own: Path) -> None:
    review, path = opened(own), video(own).manual_path
    first = review._queue[0]
    moved = np.array(first.box, np.float32) + np.float32(1)
    put_manual(path, "street", [Correction.of(first.frame, first.key[1], moved, np.ones((108, 192)))])
    assert told(review.start({}))["decided"][0] is None
    facts, planes = shown(review, 0)
    assert facts["decided"] is None
    assert "decided" not in planes
    decide(review, 0, "unknown")
    assert told(review.start({}))["decided"][0] == "unknown"
    assert told(review.undo({})) == {"at": 0, "decided": None}
    assert [one.box.tolist() for one in read_manual(path).values()] == [moved.tolist()]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"decision": "maybe"}, "decision: expected mask, unknown or background"),
        ({"decision": "mask"}, "place: expected a list"),
        ({"decision": "mask", "place": [0, 0, 9, 999], "mask": ""}, "place: leads out of the image"),
        ({"decision": "mask", "place": [0, 0, 9, 1.5], "mask": ""}, "place: expected four whole numbers"),
        ({"decision": "mask", "place": [0, 0, 8, 8], "mask": "AAA"}, "mask: "),
        ({"decision": "mask", "place": [0, 0, 8, 8], "mask": "AAAA"}, "mask: 3 bytes for 64 pixels"),
    ],
)
def test_what_makes_no_sense_is_refused(own: Path, more: dict[str, Any], line: str) -> None:
    review = opened(own)
    edition = shown(review, 0)[0]["edition"]
    with pytest.raises(RequestError, match=line):
        review.decide({"at": 0, "edition": edition, **more})
    with pytest.raises(RequestError, match="at: expected a whole number"):
        review.box({"at": "99999"})
    assert not video(own).manual_path.exists()


def test_a_page_of_another_state_decides_nothing(own: Path) -> None:
    review = opened(own)
    shown(review, 0)
    with pytest.raises(ChangedError):
        review.decide({"at": 0, "edition": "another", "decision": "unknown"})
    assert not video(own).manual_path.exists()


def test_two_writers_lose_nothing_of_each_other(own: Path) -> None:
    """Another page, or an import, decides about another box meanwhile."""
    review, path = opened(own), video(own).manual_path
    decide(review, 0, "unknown")
    other = Correction(17, 10**6, np.array([1, 2, 9, 9], np.float32), Decision.BACKGROUND)
    put_manual(path, "street", [other])
    decide(review, 1, "unknown")
    assert len(read_manual(path)) == 3
    assert other.key in read_manual(path)


def test_a_killed_server_loses_no_decision_and_goes_on(own: Path) -> None:
    with started("review", own, "--no-browser", "--count", "9") as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("review: ").strip()
        opened_twin = opened(own, 9)
        edition = shown(opened_twin, 0)[0]["edition"]
        for at in range(3):
            fetched(address, "decide", {"at": at, "edition": edition, "decision": "unknown"})
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert len(read_manual(video(own).manual_path)) == 3
    assert told(opened(own, 9).start({}))["decided"][:4] == ["unknown"] * 3 + [None]


def test_drawn_boxes_that_are_gone_are_told(own: Path) -> None:
    assert spotlabel("audit", own, "--propose", "6").returncode == 0
    path = proposal_path(load_recipe(str(own)).out)
    drawn = json.loads(path.read_text())
    for box in drawn["boxes"][:2]:
        box["track"] += 10**6
    path.write_text(json.dumps(drawn))
    with started("review", own, "--no-browser", "--proposed") as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("review: ").strip()
        assert len(fetched(address, "start")["boxes"]) == 4
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.startswith("2 of 6 drawn boxes are left out: no masks have them now")


def test_masks_of_one_video_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be more videos than files that a process may open."""
    names = ["a", "b", "c"]
    scenes = [{"name": name, "frames": 3, "width": 64, "height": 48} for name in names]
    recipe = build_recipe(
        {"out": str(tmp_path), "dataset": {"reader": "synthetic", "scenes": scenes}, "labeler": "filled-box"}
    )
    for name in names:
        assert not run_sequence(recipe, name, False, lambda *_: None).failed
    readers: list[MaskReader] = []

    class Counted(MaskReader):
        def __init__(self, path: Path) -> None:
            assert all(one._file is None for one in readers)
            super().__init__(path)
            readers.append(self)

    monkeypatch.setattr(command, "MaskReader", Counted)
    assert {one.video for one in command._doubtful(recipe, items(recipe), 99)} <= {0, 1, 2}
    assert len(readers) == 3


def test_what_the_command_says_where_there_is_nothing(own: Path) -> None:
    found = spotlabel("review", own, "--no-browser", "--proposed")
    assert found.returncode == 2
    assert "proposal.json: is not there; run `spotlabel audit --propose 200`" in found.stderr
    video(own).mask_path.unlink()
    found = spotlabel("review", own, "--no-browser")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].endswith("no box to ask about: no masks, or none that is doubtful")
