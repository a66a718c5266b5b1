"""The state of a run, written in the background while the run goes on.

Weights, averages and moments change in one place, the optimiser's step (and right after it). On a CPU the
writer therefore takes them from where they are, and a step that comes before it is done waits for it: forward
and backward passes and the validation go on meanwhile, and no second state stands in memory. On a GPU a step
is shorter than the writing, and the host has no copy yet: it gets one first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training.state import Progress, State, Trained, write_state
from spotlabel.pipeline.atomic import NO_SPACE, room


@contextmanager
def enough_disk(folder: Path) -> Iterator[None]:
    """Say which folder has no room for what is written into it, and what to do.

    Args:
        folder: of the run.

    Raises:
        TrainingError: the disk is full, or will not take more from this user.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise TrainingError(
            f"{folder}: could not be written to ({error.strerror}; {room(folder)}); the last saved state is "
            "kept; free some space, then run the same command again"
        ) from error


class StateWriter:
    """Writes states of one run, one at a time; as a context it ends when the last one is written.

    Args:
        path: the state's file.
        trained: what changes; its optimiser's steps wait where they have to.
        tell: told that a state could not be written where another error ends the run.
    """

    def __init__(self, path: Path, trained: Trained, tell: Callable[[str], None]) -> None:
        self._path, self._trained, self._tell = path, trained, tell
        self._lends = all(parameter.device.type == "cpu" for parameter in trained.network.parameters())
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._hook = trained.optimiser.register_step_pre_hook(self._before_step)

    def save(self, progress: Progress) -> None:
        """Begin to write the present state, once the one before is written.

        Raises:
            TrainingError: the one before could not be written.
        """
        self.wait()
        state = self._still(State.of(self._trained, progress))
        # A daemon: a second signal ends the process at once, and the state before stays what it was.
        self._thread = threading.Thread(target=self._write, args=(state,), name="state", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the last state is written.

        Raises:
            TrainingError: it could not be.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> StateWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait, after an error too; after an interrupt do not."""
        self._hook.remove()
        if error is None:
            self.wait()
        elif isinstance(error, Exception):
            try:
                self.wait()
            except Exception as own:
                self._tell(str(own))

    def _write(self, state: State) -> None:
        try:
            write_state(self._path, state)
        except BaseException as error:  # whatever it is, it belongs to the run
            self._error = error

    def _before_step(self, *_: Any) -> None:
        if self._lends or self._error is not None:
            self.wait()

    def _still(self, state: State) -> State:
        """A state that stays what it is until the optimiser's next step; one from a GPU, for good."""
        passing = {f"network.{name}" for name, _ in self._trained.network.named_buffers()}

        def held(name: str, tensor: Tensor) -> Tensor:
            # Statistics change in forward passes already.
            return tensor if self._lends and name not in passing else tensor.detach().to("cpu", copy=True)

        return State(state.facts, {name: held(name, tensor) for name, tensor in state.tensors.items()})
