"""Cast shadows as dark as objects, told by where they lie to the boxes of a video.

Boxes are drawn around objects alone, so that cast shadows cross their border (``crossing``), or around
objects and cast shadows, which they then enclose (``enclosed``). Which of the two a video has, and to which
side its shadows fall, its boxes vote on (``vote``); ``detection`` applies the outcome to a patch. Attached
shadow, on the object itself, stays object.
"""
