"""``boxbg``: background from the whole video and the boxes, for fixed cameras; see ``docs/boxbg.md``.

Two things are known here that a general background subtractor must do without: the boxes say where
background is *not* seen, and the whole video is there, so nothing has to be learnt causally and nothing that
stands still is absorbed. The first pass samples the video and fits background, noise and what objects look
like against it; the second one compares every frame, inside its boxes.
"""
