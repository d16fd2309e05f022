"""How two schemas differ, in words: each difference by its path in a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[str]:
    """Name what differs between two snapshots, as deep as both have it.

    The order of columns is no difference: no engine gives a dropped column its place back.

    Args:
        wanted: as it shall be, or was (see ``inspection.snapshot``).
        found: as it is.
        path: where in the snapshot they are.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}, key=str):
            inner = f"{path}.{key}" if path else str(key)
            if key not in found:
                yield f"{inner} is missing"
            elif key not in wanted:
                yield f"{inner} was not there before"
            else:
                yield from differences(wanted[key], found[key], inner)
    elif isinstance(wanted, list) and isinstance(found, list):
        old, new = _named(wanted), _named(found)
        if old == new and wanted != found and not path.endswith(".columns"):
            yield f"{path}: the order was {', '.join(old)} and is {', '.join(new)}"
        yield from differences(old, new, path)
    elif wanted != found:
        yield f"{path} was {wanted!r} and is {found!r}"


def _named(items: list[Any]) -> dict[str, Any]:
    """Return the items by their names; what has none stands for itself."""
    return {str(item.get("name") if isinstance(item, dict) else item): item for item in items}
