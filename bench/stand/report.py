"""Rows of the result: what was measured, beside what, against which bar; as a table for people and as JSON."""

from dataclasses import dataclass, field
from statistics import median

HEAD = ("figure", "Stowage", "peer", "ratio", "min–max", "bar", "")


@dataclass
class Row:
    """One figure. With `theirs` the bar is on the ratio ours / theirs, pair by pair; without, on our value itself."""

    case: str
    what: str
    unit: str
    ours: list[float]
    theirs: list[float] = field(default_factory=list)
    peer: str = ""
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2  # of the bar and of what is compared with it

    def compared(self) -> list[float]:
        if self.theirs:
            return [a / b if b else float("inf") for a, b in zip(self.ours, self.theirs)]
        return self.ours

    def passes(self) -> bool | None:
        """None where there is no bar: the row informs."""
        value = round(median(self.compared()), self.digits)
        if self.at_least is not None:
            return value >= self.at_least
        if self.at_most is not None:
            return value <= self.at_most
        return None

    def cells(self) -> list[str]:
        values = self.compared()
        mark = {True: "✓", False: "✗", None: ""}[self.passes()]
        bar = ""
        if self.at_least is not None:
            bar = f"≥ {self.at_least:g}"
        elif self.at_most is not None:
            bar = f"≤ {self.at_most:g}"
        if self.theirs:
            peer = f"{self.peer} {amount(median(self.theirs))}"
            ratio = f"{median(values):.{self.digits}f}"
            span = f"{min(values):.{self.digits}f}–{max(values):.{self.digits}f}"
        else:
            peer = self.peer
            ratio = ""
            span = f"{amount(min(values))}–{amount(max(values))}"
            bar += f" {self.unit}" if bar else ""
        return [self.what, f"{amount(median(self.ours))} {self.unit}".strip(), peer, ratio, span, bar, mark]

    def as_json(self) -> dict:
        return {
            "case": self.case,
            "figure": self.what,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "theirs": self.theirs,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "passes": self.passes(),
        }


def amount(value: float) -> str:
    """Three significant digits, thousands set apart."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", "\u202f")
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def table(rows: list[Row]) -> str:
    """A Markdown table that also reads well in a terminal."""
    lines = [list(HEAD), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]

    def show(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([show(lines[0]), rule, *(show(line) for line in lines[1:])])
