"""Work on the owners of frames in the tuner: none of it outlives the page."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.pages.serving.videos import OpenVideo
from spotlabel.pipeline.pages.tune import owners
from spotlabel.pipeline.pages.tune.owners import OwnerTasks, Task


def test_the_end_waits_for_frames_that_nobody_asks_for_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    closing, ended = threading.Event(), []

    def work(task: Task, _source: Any, index: int) -> None:
        assert task.stop.wait(30)
        if index == 0:  # made room for the others, and is still in a library when the page ends
            assert closing.wait(30)
            time.sleep(0.3)
        closing.set()
        ended.append(index)
        task.ended.set()

    monkeypatch.setattr(owners, "_work", work)
    monkeypatch.setattr(owners, "_PATIENCE", 0)
    monkeypatch.setattr(owners, "MaskSource", lambda *_: None)
    video = cast(OpenVideo, SimpleNamespace(reader=lambda _labeler: None, annotations=None))
    tasks = OwnerTasks()
    asked = [tasks.asked(str(index), video, "mog2", MaskSettings(), index) for index in range(5)]
    assert [task.stop.is_set() for task in asked] == [True, False, False, False, False]
    tasks.close()
    assert sorted(ended) == [0, 1, 2, 3, 4]
