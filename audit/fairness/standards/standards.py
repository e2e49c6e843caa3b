"""Rules whose tables an audit can be asked for, by the name they are asked for. Loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....models.errors import DataError

if TYPE_CHECKING:
    from ...analysis import Section
    from ..table.context import Context

STANDARDS: dict[str, str] = {
    "nyc-ll144": "New York City Local Law 144 of 2021: bias audits of automated employment decision tools",
}


def section(context: Context) -> Section:
    """The tables of the standard that the plan asks for; nothing where it asks for none.

    Raises:
        DataError: the standard is not known.
    """
    from ...analysis import Section
    from . import local_law_144

    standard = context.plan.standard
    if not standard:
        return Section()
    if standard not in STANDARDS:
        raise DataError(f"standard '{standard}' is not known; ask for one of {', '.join(STANDARDS)}")
    return local_law_144.section(context)
