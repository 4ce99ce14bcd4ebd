"""Medians and ratios of the rows that count."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """What `results.json` holds."""

    told: Mapping[str, Any]

    @property
    def rows(self) -> list[Row]:
        """Every row, also those that do not count."""
        return list(self.told["rows"])

    def select(self, **where: Any) -> Iterator[Row]:
        """The rows with these values, also those that do not count."""
        return (row for row in self.rows if all(row.get(name) == value for name, value in where.items()))

    def median(self, figure: str, **where: Any) -> float | None:
        """The median over the rounds; None where no row counts."""
        values = [row[figure] for row in self.select(**where) if not row["invalid"] and figure in row]
        return statistics.median(values) if values else None

    def ratio(self, figure: str, one: Row, other: Row) -> float | None:
        """The median over the rounds of one's figure divided by the other's in the same round."""
        ones, others = self._by_round(figure, one), self._by_round(figure, other)
        ratios = [ones[number] / others[number] for number in ones if others.get(number)]
        return statistics.median(ratios) if ratios else None

    def _by_round(self, figure: str, where: Row) -> dict[int, float]:
        return {row["round"]: row[figure] for row in self.select(**where) if not row["invalid"] and figure in row}

    def why(self, **where: Any) -> str:
        """Why there is no figure: the first reason that a row gives, or that nothing was measured."""
        case_and_target = {name: where[name] for name in ("case", "target") if name in where}
        rows = [*self.select(**where), *self.select(kind="failed", **case_and_target)]
        return next((row["invalid"] for row in rows if row["invalid"]), "not measured")

    def targets(self, **where: Any) -> list[str]:
        """The targets that have such rows, or failed to, in the order of their turns."""
        found = {row["target"] for row in [*self.select(**where), *self.select(kind="failed")]}
        return [name for name in self.told["servers"] if name in found]


def closed(case: str, target: str, connections: int = 64, body: str = "row") -> dict[str, Any]:
    """Which rows a closed loop wrote."""
    return {"kind": "closed", "case": case, "target": target, "connections": connections, "body": body}
