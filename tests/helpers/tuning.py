"""Pages served in this process, for tests."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from spotlabel.pipeline.pages.serving.answer import Answer, Routes
from spotlabel.pipeline.pages.serving.server import PageServer
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import run_sequence

STREET = {"name": "street", "frames": 24, "width": 192, "height": 108, "density": 0.9}


def street_recipe(root: Path, *labelers: str, **more: Any) -> Path:
    """A recipe file for a rendered street, with evidence of some labelers, masks by the first."""
    for labeler in reversed(labelers or ("mog2",)):
        tree: dict[str, Any] = {
            "out": str(root / "out"),
            "dataset": {"reader": "synthetic", "scenes": [STREET]},
            "labeler": labeler,
            "evidence": {"mog2": {"warm_up_frames": 4}},
            **more,
        }
        path = root / "street.yaml"
        path.write_text("# a street\n" + yaml.safe_dump(tree))
        outcome = run_sequence(load_recipe(str(path)), "street", False, lambda *_: None)
        assert not outcome.failed, outcome.error
    return path


def copied(recipe: Path, folder: Path) -> Path:
    """The same recipe with everything beside it in a folder of its own, to be changed."""
    shutil.copytree(recipe.parent, folder)
    path = folder / recipe.name
    path.write_text(path.read_text().replace(str(recipe.parent), str(folder)))
    return path


def made_masks(recipe: Recipe, name: str = "street") -> None:
    """Bring the masks of a recipe up to date."""
    outcome = run_sequence(recipe, name, True, lambda *_: None)
    assert not outcome.failed, outcome.error


@contextmanager
def served(routes: Routes) -> Iterator[str]:
    """The address of a page; it ends with the block."""
    server = PageServer(0)
    thread = threading.Thread(target=server.serve, args=(routes,), daemon=True)
    thread.start()
    try:
        yield server.guard.address
    finally:
        server.shutdown()
        thread.join(20)


def told(answer: Answer) -> Any:
    """Plain data of an answer."""
    assert answer.kind == "application/json", answer.kind
    return json.loads(answer.body)


def parts(answer: Answer) -> tuple[dict[str, Any], bytes]:
    """Facts and arrays of an answer."""
    assert answer.kind == "application/octet-stream", answer.body
    length = int.from_bytes(answer.body[:4], "little")
    return json.loads(answer.body[4 : 4 + length]), answer.body[4 + length :]


def planes(answer: Answer) -> tuple[list[dict[str, Any]], npt.NDArray[np.uint8]]:
    """Panes of an answer about masks, and the masks: uint8 (n, H, W)."""
    facts, data = parts(answer)
    return facts["panes"], np.frombuffer(data, np.uint8).reshape(-1, *facts["size"])


def fetched(address: str, name: str, body: Mapping[str, Any] | None = None) -> Any:
    """Plain data that a served page gives."""
    origin = "/".join(address.split("/")[:3])
    data = None if body is None else json.dumps(body).encode()
    headers = {"Origin": origin, "Content-Type": "application/json"} if body is not None else {}
    with urllib.request.urlopen(urllib.request.Request(address + name, data, headers), timeout=60) as answer:
        return json.loads(answer.read())


def until(done: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something holds; what it gave."""
    import time

    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, "did not come"
        time.sleep(0.05)
    return found
