"""Stands in for ``srun``: two "nodes" of this machine run the command; SIGTERM goes to all their processes.

Slurm signals every process of a step, those included that torchrun has started in sessions of their own.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil


def main() -> int:
    command = sys.argv[1:]
    while command[0].startswith("--"):  # options of srun itself
        command.pop(0)
    nodes = [subprocess.Popen(command) for _ in range(2)]

    def spread(number: int, _frame: object) -> None:
        for node in nodes:
            family = psutil.Process(node.pid)
            for process in [family, *family.children(recursive=True)]:
                process.send_signal(number)

    signal.signal(signal.SIGTERM, spread)
    return max(node.wait() for node in nodes)


if __name__ == "__main__":
    sys.exit(main())
