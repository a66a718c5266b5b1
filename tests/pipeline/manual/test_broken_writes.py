"""Corrections under kill -9, full and failing disks, at system calls all over a write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.campaign.shim import KILLING, Mode, NoShimError, build
from spotlabel.pipeline.manual import Corrections
from tests.helpers.manual_child import NEW, OLD
from tests.helpers.recipes import environment


def test_whatever_call_is_the_last_the_store_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    try:
        library = build(tmp_path)
    except NoShimError as why:
        pytest.skip(str(why))
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.manual_child", str(tmp_path)],
        capture_output=True, text=True, check=False, env=environment(LD_PRELOAD=str(library)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    whole = {False: Corrections(NEW).digest, True: Corrections([*OLD, *NEW]).digest}
    assert {one["mode"] for one in found if one["over"]} == {mode.name for mode in Mode}
    assert {one["mode"] for one in found if not one["over"]} >= {mode.name for mode in KILLING}
    for one in found:
        assert one["old"] or one["found"] == whole[one["over"]], one
        assert one["next"] == [0, "", whole[one["over"]]], one
        assert one["left"] == [".a.h5.lock", "a.h5"], one
        if Mode[one["mode"]] in KILLING:
            assert one["code"] == -9, one
        elif one["code"]:
            assert "a.h5" in one["error"], one
            assert "TRACEBACK" not in one["error"], one
        else:
            assert one["found"] == whole[one["over"]], one
    assert sum(one["old"] for one in found) > len(found) / 2
