"""A plan as a row of text, as ``status`` and ``--dry-run`` show it."""

from __future__ import annotations

from rich.table import Table

from spotlabel.pipeline.cli.options import table
from spotlabel.pipeline.terminal import escape
from spotlabel.pipeline.upkeep.plan import Plan


def plan_row(plan: Plan) -> dict[str, str]:
    """One sequence's plan, all values as text."""
    item = plan.item
    return {
        "sequence": item.sequence.name,
        "camera": str(item.sequence.camera),
        "labeler": item.labeler.name,
        "evidence": f"UNUSABLE: {plan.problem}" if plan.problem else str(plan.evidence),
        "masks": "" if plan.problem else str(plan.masks),
    }


def plan_table(plans: list[Plan]) -> Table:
    """All plans of a recipe as a table."""
    shown = table("sequence", "camera", "labeler", "evidence", "masks")
    for plan in plans:
        shown.add_row(*(escape(value) for value in plan_row(plan).values()))
    return shown
