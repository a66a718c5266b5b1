"""Subsets of sequences: by what the annotations say of them, or from a benchmark's list files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from spotlabel.detector.evaluation.average_precision import Evaluation, EvaluationError, evaluate
from spotlabel.detector.evaluation.matching import Matches
from spotlabel.detector.evaluation.records import Truth
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.regular import regular_bytes


def by_attribute(truths: Iterable[Truth], attribute: str) -> dict[str, list[str]]:
    """Sequence names by the value of one of their attributes; sequences without it are in no subset."""
    subsets: dict[str, list[str]] = {}
    for truth in truths:
        if attribute in truth.attributes:
            subsets.setdefault(truth.attributes[attribute], []).append(truth.name)
    return dict(sorted(subsets.items()))


def read_list(path: Path) -> list[str]:
    """Sequence names of a list file, one per line, such as UA-DETRAC's ``testlist-easy.txt``.

    Raises:
        DatasetError: the file cannot be read, is empty, repeats a name or has more than a name on a line.
    """
    try:
        lines = regular_bytes(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError.at(path, "", f"cannot be read: {error}") from error
    names: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line.split()) != 1 or line.strip() in names:
            problem = f"{line.strip()[:60]!r}: expected one sequence name, each once"
            raise DatasetError.at(path, f"line {number}", problem)
        names.append(line.strip())
    if not names:
        raise DatasetError.at(path, "", "no sequence names in the file")
    return names


def evaluate_subsets(
    matches: Mapping[str, Matches], subsets: Mapping[str, Sequence[str]]
) -> dict[str, Evaluation]:
    """One pooled curve per subset of sequences.

    Args:
        matches: by sequence name.
        subsets: sequence names by subset name.

    Returns:
        By subset name.

    Raises:
        EvaluationError: a subset names a sequence that has no matches.
    """
    for subset, names in subsets.items():
        missing = [name for name in names if name not in matches]
        if missing:
            problem = f"subset {subset!r}: no results for {', '.join(missing)}"
            raise EvaluationError(f"{problem} (evaluate all of its sequences)")
    return {subset: evaluate(matches[name] for name in names) for subset, names in subsets.items()}
