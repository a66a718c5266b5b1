"""Disk and processes: datasets, stores, stages, running, the command line."""

if __name__ != "spotlabel.pipeline":  # a second name would make a second class of everything in here
    raise ImportError(
        "import spotlabel.pipeline: spotlabel/ holds a link to this folder (see CONTRIBUTING.md)"
    )
