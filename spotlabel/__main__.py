"""``python -m spotlabel``: the command ``spotlabel``."""

from spotlabel.pipeline.cli import main

if __name__ == "__main__":
    main(prog_name="spotlabel")
