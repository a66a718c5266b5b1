"""The family of Faster R-CNN: proposals of regions, then a second look at each (Ren et al., NIPS 2015)."""
