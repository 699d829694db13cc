"""Columns of answers that may hold no row: name to what stands in it, as the rows have them."""

from __future__ import annotations

from datetime import date

from bihuan.epi.tables.writing import Schema

Q_VALUE: Schema = {"q_value": float}
MARKED: Schema = {"note": str, "warning": str}
EXPLAINED: Schema = {"explained": str}
ALARMS: Schema = {
    "series": str, "date": date, "observed": float, "expected": float, "upper": float, "score": float,
    "p_value": float, "alarm": bool, "reason": str, "method": str,
}  # fmt: skip
CLUSTERS: Schema = {
    "cluster": int, "members": str, "center": str, "radius": float, "first": date, "last": date,
    "observed": int, "expected": float, "ratio": float, "relative_risk": float, "llr": float,
    "p_value": float, "p_method": str, "recurrence_days": float, "method": str,
}  # fmt: skip
DELAYS: Schema = {
    "delay": str, "family": str, "quantity": str, "value": float, "low": float, "high": float, "aic": float,
    "weight": float, "n": int, "settled": bool,
}  # fmt: skip
CASES: Schema = {
    "case": str, "onset": str, "generation": int, "chain": int, "infected": int, "infector": str,
    "support": float, "territory": str, "setting": str, "classification": str,
}  # fmt: skip
LINKS: Schema = {
    "infector": str, "infectee": str, "interval": int, "support": float, "declared": bool, "tree": bool,
    "odd": str, "kind": str, "setting": str, "source": str,
}  # fmt: skip
INFECTORS: Schema = {
    "case": str, "onset": date, "rank": int, "infector": str, "support": float, "imported": bool,
    "infected_from": date, "infected_to": date,
}  # fmt: skip
MARKS: Schema = {
    "mark": int, "case": str, "n": int, "day": str, "last": str, "lane": int, "parent": int,
    "generation": int,
}  # fmt: skip
_NAME: Schema = {"order": int, "rank": int, "person": int, "keyed_number": str}
CANDIDATES: Schema = {
    **_NAME, "score": float, "encounters": int, "minutes": int, "cases": int, "first": str, "last": str,
    "score_minutes": float, "score_encounters": float, "score_cases": float, "status": str,
}  # fmt: skip
CANDIDATES_BY_DAY: Schema = {
    **_NAME, "case_days": int, "cases": int, "first": str, "last": str, "precision": str, "status": str
}  # fmt: skip
PRESENT: Schema = {"person": int, "keyed_number": str, "from": str, "to": str}
_CHANCE: Schema = {"n_cases": int, "cases": str, "stays": int, "expected": float, "p": float, "q": float}
COMMON: Schema = {"place": str, "from": str, "to": str, **_CHANCE}
COMMON_BY_DAY: Schema = {"place": str, "day": str, **_CHANCE, "precision": str}
RECALLED: Schema = {
    "of": str, "class": str, "contacts": int, "known": int, "share": float, "median_minutes": float
}  # fmt: skip
DRAWN: Schema = {"place": str, "n_cases": int, "cases": str, "days": int, "first": str, "last": str}
