"""Tensors: what trains on the masks, and how it is measured."""

if __name__ != "spotlabel.detector":  # a second name would make a second class of everything in here
    raise ImportError(
        "import spotlabel.detector: spotlabel/ holds a link to this folder (see CONTRIBUTING.md)"
    )
