"""Labelers and mask rules: pixels in, evidence and masks out. Arrays only."""

if __name__ != "spotlabel.labelers":  # a second name would make a second class of everything in here
    raise ImportError(
        "import spotlabel.labelers: spotlabel/ holds a link to this folder (see CONTRIBUTING.md)"
    )
