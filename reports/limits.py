"""How much room a chart's names may take, left out where none needs it: a limit has every text measured again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

WIDTH = 8  # pixels of a letter: more than a letter takes on average in the report's type and size
USUAL = {"axis": 180, "legend": 160, "header": 180}  # pixels that a label may take where a chart names no limit


def unlimited(spec: dict[str, Any]) -> dict[str, Any]:
    """The Vega-Lite chart without the limits that none of its names reaches. It looks the same and is drawn sooner.

    >>> unlimited({"data": {"values": [{"name": "sex"}]}, "axis": {"labelLimit": 170}})["axis"]
    {'labelLimit': 0}
    """
    longest = WIDTH * max(map(len, _texts(spec)), default=0)
    config = dict(spec.get("config", {}))
    for part in (part for part, limit in USUAL.items() if longest < limit):
        config[part] = {"labelLimit": 0, **config.get(part, {})}
    return _lifted({**spec, "config": config}, longest)


def _texts(spec: Any) -> Iterator[str]:
    """The texts of a chart's rows, of which its names are."""
    if isinstance(spec, dict):
        for key, part in spec.items():
            if key == "values":
                yield from (v for row in part if isinstance(row, dict) for v in row.values() if isinstance(v, str))
            else:
                yield from _texts(part)
    elif isinstance(spec, list | tuple):
        for part in spec:
            yield from _texts(part)


def _lifted(spec: Any, longest: int) -> Any:
    """The specification with 0, which is none, for each limit above the longest name; rows are left as they are."""
    if isinstance(spec, dict):
        return {
            key: 0 if _idle(key, v, longest) else v if key == "values" else _lifted(v, longest)
            for key, v in spec.items()
        }
    return [_lifted(part, longest) for part in spec] if isinstance(spec, list | tuple) else spec


def _idle(key: str, limit: Any, longest: int) -> bool:
    return key == "labelLimit" and longest < limit
