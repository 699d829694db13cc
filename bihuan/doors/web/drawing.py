"""Rings, bars and curves as SVG, drawn on the server: they print, need no script and no inline style.

A ring has one arc a stage. An arc is filled (done) as far as its stage has come; what is left open is what is
still owed, amber when due soon and vermilion when late. Every drawing says in words what it shows.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

FULL: Final = 360.0
SMALLEST_ARC: Final = 5.0  # degrees: one late duty among thousands must still be seen


@dataclass(frozen=True, slots=True)
class RingStage:
    """One arc. `open` counts everything still owed; `soon` and `late` are parts of it."""

    label: str
    done: int = 0
    open: int = 0
    soon: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        return self.done + self.open

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0

    def in_words(self) -> str:
        if not self.total:
            return _("%(stage)s: not begun") % {"stage": self.label}
        words = _("%(stage)s: %(done)s of %(total)s done") % {
            "stage": self.label,
            "done": self.done,
            "total": self.total,
        }
        if self.late:
            words += _(", %(n)s late") % {"n": self.late}
        if self.soon:
            words += _(", %(n)s due soon") % {"n": self.soon}
        return words


def ring(
    stages: Sequence[RingStage], *, size: int = 38, number: str = "", under: str = "", fresh: bool = False
) -> SafeString:
    """Return the ring as an SVG of `size` CSS pixels, with `number` and `under` in its middle."""
    width = 12.0 if size >= 100 else 15.0 if size >= 60 else 18.0
    gap = 7.0 if size >= 100 else 10.0 if size >= 60 else 13.0
    radius = 50 - width / 2 - 0.5
    stages = list(stages) or [RingStage("")]
    if len(stages) == 1:
        gap = 0.0
    step = FULL / len(stages)
    parts = []
    for index, stage in enumerate(stages):
        start = index * step + gap / 2
        parts.extend(_arc_of_stage(stage, start, step - gap, radius, width))
    closed = all(stage.total and not stage.open for stage in stages)
    title = "; ".join(stage.in_words() for stage in stages if stage.label)
    return format_html(
        '<svg class="ring{}{}" role="img" width="{}" height="{}" viewBox="0 0 100 100" aria-label="{}">'
        "<title>{}</title>{}{}</svg>",
        " closed" if closed else "",
        " fresh" if fresh else "",
        size,
        size,
        title or _("loop"),
        title or _("loop"),
        format_html_join("", '<path class="{}" d="{}" fill="none" stroke-width="{}" pathLength="1"/>', parts),
        _middle(number, under),
    )


def _arc_of_stage(
    stage: RingStage, start: float, length: float, radius: float, width: float
) -> list[tuple[str, str, float]]:
    arcs = [("t", _arc(start, start + length, radius), width)]
    if not stage.total:
        return arcs
    late, soon = (_visible(n, stage.total, length) for n in (stage.late, stage.soon))
    done = max(0.0, min(length * stage.share, length - late - soon))
    at = start
    for kind, part in (("d", done), ("l", late), ("s", soon)):
        if part > 0:
            arcs.append((kind, _arc(at, at + part, radius), width))
            at += part
    return arcs


def _visible(n: int, total: int, length: float) -> float:
    return min(length, max(SMALLEST_ARC, length * n / total)) if n > 0 else 0.0


def _arc(start: float, end: float, radius: float) -> str:
    """A path from `start` to `end` degrees, clockwise from the top."""
    if end - start >= FULL - 0.01:
        top, bottom = 50 - radius, 50 + radius
        half = f"A{radius:.2f} {radius:.2f} 0 1 1 50"
        return f"M50 {top:.2f}{half} {bottom:.2f}{half} {top:.2f}"
    (x0, y0), (x1, y1) = _point(start, radius), _point(end, radius)
    large = 1 if end - start > 180 else 0
    return f"M{x0:.2f} {y0:.2f}A{radius:.2f} {radius:.2f} 0 {large} 1 {x1:.2f} {y1:.2f}"


def _point(degrees: float, radius: float) -> tuple[float, float]:
    angle = degrees * pi / 180
    return 50 + radius * sin(angle), 50 - radius * cos(angle)


def _middle(number: str, under: str) -> SafeString:
    if not number:
        return SafeString("")
    size = 21 if len(number) <= 5 else 17 if len(number) <= 7 else 14
    if not under:
        return format_html('<text x="50" y="57" font-size="{}">{}</text>', size, number)
    return format_html(
        '<text x="50" y="52" font-size="{}">{}</text>'
        '<text class="under" x="50" y="67" font-size="9">{}</text>',
        size,
        number,
        under,
    )


def bar(parts: Sequence[tuple[str, float]], *, total: float, title: str, thick: bool = False) -> SafeString:
    """Return a bar whose `parts` are (state, amount) from the left; the rest of `total` stays track."""
    at = 0.0
    rects = []
    for state, amount in parts:
        if amount > 0 and total > 0:
            width = min(100.0 - at, max(0.8, 100.0 * amount / total))
            rects.append((state, f"{at:.2f}", f"{width:.2f}"))
            at += width
    return format_html(
        '<svg class="bar{}" role="img" viewBox="0 0 100 8" preserveAspectRatio="none" aria-label="{}">'
        "{}</svg>",
        " thick" if thick else "",
        title,
        format_html_join("", '<rect class="f-{}" x="{}" y="0" width="{}" height="8"/>', rects),
    )


@dataclass(frozen=True, slots=True)
class CurveDay:
    """One bar of a curve. `faint`: reports for it are still coming in. `href`: the records that make it."""

    label: str
    value: int
    faint: bool = False
    href: str = ""


CURVE_WIDTH: Final = 420
CURVE_HEIGHT: Final = 150


def curve(days: Sequence[CurveDay], *, title: str) -> SafeString:
    """Return an epidemic curve: one bar a day, the highest value and three dates named."""
    top = max((day.value for day in days), default=0) or 1
    step = CURVE_WIDTH / max(len(days), 1)
    height = CURVE_HEIGHT - 24
    bars = []
    for index, day in enumerate(days):
        tall = height * day.value / top
        bars.append(
            (
                day.href,
                _("%(day)s: %(n)s") % {"day": day.label, "n": day.value},
                f"{index * step:.2f}",
                f"{step:.2f}",
                height + 4,
                "faint" if day.faint else "fact",
                f"{index * step + step * 0.12:.2f}",
                f"{4 + height - tall:.2f}",
                f"{step * 0.76:.2f}",
                f"{tall:.2f}",
            )
        )
    marks = sorted({0, len(days) // 2, len(days) - 1}) if days else []
    anchors = {0: "start", len(days) - 1: "end"}
    labels = [
        (
            f"{index * step + (0 if index == 0 else step if index == len(days) - 1 else step / 2):.1f}",
            CURVE_HEIGHT - 2,
            anchors.get(index, "middle"),
            days[index].label,
        )
        for index in marks
    ]
    return format_html(
        '<svg class="curve" role="img" viewBox="0 0 {} {}" aria-label="{}">'
        '<line class="gridline" x1="0" y1="4" x2="{}" y2="4"/><text x="{}" y="0" text-anchor="end">{}</text>'
        '{}<line class="axis" x1="0" y1="{}" x2="{}" y2="{}"/>{}</svg>',
        CURVE_WIDTH,
        CURVE_HEIGHT,
        title,
        CURVE_WIDTH,
        CURVE_WIDTH,
        top,
        format_html_join(
            "",
            '<a href="{}"><g class="bar-g"><title>{}</title>'
            '<rect class="hit" x="{}" y="0" width="{}" height="{}"/>'
            '<rect class="f-{}" x="{}" y="{}" width="{}" height="{}" rx="1"/></g></a>',
            bars,
        ),
        height + 4,
        CURVE_WIDTH,
        height + 4,
        format_html_join("", '<text x="{}" y="{}" text-anchor="{}">{}</text>', labels),
    )


ICONS: Final = {
    "gate": '<path d="M4 21V5.5A1.5 1.5 0 0 1 5.5 4h9A1.5 1.5 0 0 1 16 5.5V21M2.5 21h19M12 12.5h.01"/>'
    '<path d="M16 12h5m-2-2 2 2-2 2"/>',
    "duties": '<path d="M12 3.5a8.5 8.5 0 1 1-8 5.6"/><path d="m8.5 12 2.5 2.5 4.5-5"/>',
    "board": '<path d="M5 4h4a1.5 1.5 0 0 1 1.5 1.5v4A1.5 1.5 0 0 1 9 11H5a1.5 1.5 0 0 1-1.5-1.5v-4'
    "A1.5 1.5 0 0 1 5 4zM15 4h4a1.5 1.5 0 0 1 1.5 1.5v2H13.500v-2A1.5 1.5 0 0 1 15 4zM3.5 14h7v6h-7z"
    'M13.5 11.500h7V20h-7z"/>',
    "people": '<circle cx="9" cy="8.5" r="3.5"/><path d="M2.8 19.5c.6-3.4 3-5.2 6.2-5.2s5.6 1.8 6.2 5.2'
    'M15.5 5.3a3.5 3.5 0 0 1 0 6.4M17.5 14.7c2 .6 3.3 2.2 3.7 4.8"/>',
    "me": '<circle cx="12" cy="8.5" r="4"/><path d="M4.5 20.5c.8-4 3.6-6 7.5-6s6.7 2 7.5 6"/>',
}


def icon(name: str) -> SafeString:
    """Return a line drawing for the tabs of a phone; the word always stands beside it."""
    return format_html(
        '<svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" '
        'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        SafeString(ICONS[name]),
    )


LOGO_STAGES: Final = (
    RingStage("", done=1),
    RingStage("", done=1),
    RingStage("", done=1),
    RingStage("", done=3, open=2),
    RingStage("", done=2, open=3, late=1),
)


def logo(size: int = 28) -> SafeString:
    """The mark: a ring almost closed, the last arc still owed."""
    return ring(LOGO_STAGES, size=size)


def scannable(text: str) -> str:
    """A text as a picture for scanners (a QR code), as the address of an image."""
    import qrcode  # type: ignore[import-untyped]
    from qrcode.image.svg import SvgPathImage  # type: ignore[import-untyped]

    drawn = qrcode.make(text, image_factory=SvgPathImage, border=2)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.to_string()).decode()
