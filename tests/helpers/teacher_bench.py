"""A small video whose labeler ``teacher`` is made of a network of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_item
from tests.helpers.recipes import tree


class TeacherBench:
    """The video ``a`` below a folder, and the network beside it.

    Args:
        root: the folder.
        network: a file, or a folder.
        video: of :func:`tests.helpers.recipes.tree`.
    """

    def __init__(self, root: Path, network: Path, **video: Any) -> None:
        self.network = network
        self.tree: dict[str, Any] = tree(root / "data", root / "out", "a", **video)
        self.tree |= {"labeler": "teacher", "evidence": {"teacher": {"network": str(network)}}}

    def plan(self, masks_only: bool = False, **changes: Any) -> Plan:
        recipe = build_recipe({**self.tree, **changes})
        return plan_item(recipe, items(recipe)[0], masks_only)

    def run(self, masks_only: bool = False, **changes: Any) -> Outcome:
        recipe = build_recipe({**self.tree, **changes})
        return run_sequence(recipe, "a", masks_only, lambda stage, done, total: None)

    def make(self) -> None:
        """Label it for the first time."""
        outcome = self.run()
        assert (outcome.error, outcome.evidence, outcome.masks) == ("", "made", "made")
