"""Third-party extensions, found through entry points."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

_log = logging.getLogger("spotlabel")


def load_plugins(group: str) -> dict[str, object]:
    """Import everything that installed distributions offer in an entry point group.

    One that fails to import is reported in one warning of the logger ``spotlabel`` and left out, so that
    a broken extension never stops the rest. So is a second one of the same name.

    Args:
        group: ``spotlabel.labelers`` or ``spotlabel.datasets``.

    Returns:
        The imported objects by entry point name, in order of their names.
    """
    loaded: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if point.name in loaded:
            _log.warning("%s: %r offered twice; %s is left out", group, point.name, point.value)
            continue
        try:
            loaded[point.name] = point.load()
        # A plugin's import runs anyone's code; whatever it raises must not stop the others. Not only errors:
        # sys.exit would end the run with its code and no word. The user's interrupt is not the plugin's.
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            reason = " ".join(str(error).split()) or "no reason given"
            name, value, kind = point.name, point.value, type(error).__name__
            _log.warning("%s: cannot load %r (%s): %s: %s; left out", group, name, value, kind, reason)
    return loaded
