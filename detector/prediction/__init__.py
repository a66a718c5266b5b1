"""Detection: a network and images to boxes, and boxes to the benchmarks' files and to pictures."""
