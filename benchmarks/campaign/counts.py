"""How often each fault is injected: as promised, or a few times to see that the campaign works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Numbers of injections; the defaults are those of the promises."""

    kills: int = 200
    """R1: half at any instant of the run, half while a store is being written."""
    videos: int = 10
    """R1: videos of the run that is killed."""
    stops: int = 40
    """R2: half SIGTERM, half SIGINT."""
    lost_workers: int = 20
    """R3."""
    crashes: int = 5
    """R4."""
    disks: int = 40
    """R5: sizes of the full disk."""
    every_call: int = 1
    """R1, R5: system calls that are made to fail: every one, or one in so many."""
    whole_runs: int = 6
    """R1, R5: failing calls of each kind that are tried through the command line, too."""
    flips: int = 1000
    """R6: in each kind of sealed file."""
    rebuilds: int = 20
    """R6, R7: damaged files of each kind that a next run rebuilds."""
    pairs: int = 30
    """R8: times that two writers make one video at once."""
    replacements: int = 500
    """R9."""
    orders: int = 8
    """R10: shuffled orders for each number of jobs."""
    broken_frames: int = 2000
    """R12."""
    clocks: int = 20
    """R14: of each kind."""
    names: int = 2000
    """R17."""
    checkpoint_kills: int = 100
    """R18."""
    resumes: int = 10
    """R19."""
    workers: int = 8
    """R20."""
    long_video: int = 10_000
    """R21: frames."""
    races: int = 500
    """R23: edits for each kind of labeler and each stage."""
    fuzzed: int = 100_000
    """R13, R25, R31: mutated files of all kinds together."""


QUICK = Counts(
    kills=4, videos=3, stops=2, lost_workers=1, crashes=1, disks=4, every_call=25, whole_runs=1, flips=40,
    rebuilds=1, pairs=3, replacements=20, orders=1, broken_frames=40, clocks=1,
    names=100, checkpoint_kills=5, resumes=1, workers=2, long_video=600, races=60, fuzzed=2000,
)  # fmt: skip
