"""Write the simulated tables into docs/scale.md, between its two marks."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.scale.tables import tables
from spotlabel.pipeline.atomic import write_atomically

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- made by `make scale` -->\n", "<!-- end -->\n"


def main() -> None:
    """Replace what stands between the marks."""
    made = tables()
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    text, count = pattern.subn(lambda _: BEGIN + made + END, PAGE.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{PAGE}: expected one part between {BEGIN.strip()} and {END.strip()}")
    write_atomically(PAGE, text.encode())
    print(made)


if __name__ == "__main__":
    main()
