"""Runs one part in a process of its own: a card that fails it cannot take the others along."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

from benchmarks.gpu.setting import Record, Setting


def main(name: str, out: Path, setting: Setting) -> None:
    """Run a part; whatever it raises stands in its record."""
    record = Record(out / f"{name}.json")
    record.write()
    try:
        importlib.import_module(f"benchmarks.gpu.{name}").run(setting, record)
    except BaseException:
        record.close("failed", traceback.format_exc())
        raise
    record.close("done")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    folder = Path(given["out"])
    main(
        given["part"],
        folder,
        Setting(given["device"], given["quick"], Path(given["data"]), folder / "work" / given["part"]),
    )
