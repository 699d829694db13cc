"""Identity documents and telephone numbers: what is well formed, and what follows from it. Pure.

`check_identity` judges a document number, `normalize_phone` a telephone number. Both return a frozen
answer whose `problem` is None when all is well. A problem names the rule and the way out, and never
repeats the number itself: messages end up in logs and ledgers, where identity numbers must not be.

Source of the resident number's form and check character: GB 11643-1999 (check by ISO 7064 MOD 11-2,
computed by python-stdnum). Fifteen-digit numbers are the form issued before 1999; they are turned into
their eighteen-digit form, so that both spellings of one person meet in the index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from stdnum.cn import ric

Sex = Literal["M", "F", "O", "U"]

RESIDENT = "resident"
LOCAL = "local"
# What a person may be known by. "local" is a serial of the reporting place (a row number, a case
# code): it names a record within its source, not a person in the world, so it is never indexed.
ID_KINDS: tuple[str, ...] = (
    RESIDENT,
    "passport",
    "permanent_residence",
    "hk_macao_permit",
    "taiwan_permit",
    "birth_certificate",
    "military",
    "other",
    LOCAL,
)

# GB/T 2260 province prefixes; 81-83 are the residence permits of Hong Kong, Macao and Taiwan residents,
# 9x the permanent residence identity card of foreigners (2017 form).
_PROVINCES = frozenset(
    f"{region}{number}"
    for region, last in {1: 5, 2: 3, 3: 7, 4: 6, 5: 4, 6: 5, 7: 1, 8: 3, 9: 9}.items()
    for number in range(0 if region in (5, 9) else 1, last + 1)
)
# Sequence numbers kept for people over a hundred years old in the fifteen-digit form (GB 11643-1989).
_CENTENARIANS = frozenset(["996", "997", "998", "999"])
_LONGEST_LIFE_YEARS = 130

#: 15 or 18 characters (GB 11643), one lost or up to one doubled.
_CARDLIKE = re.compile(r"[0-9]{14,19}|[0-9]{13,18}X")

MESSAGES: Mapping[str, str] = {
    "empty": "There is no identity number.",
    "length": "A resident identity number has 18 characters (15 in the old form); this one has %(length)s.",
    "characters": "A resident identity number is digits only; only the last of 18 may be X.",
    "spreadsheet": "A spreadsheet has rounded this identity number, so its last digits are lost.",
    "place": "The first two digits of the identity number are no province.",
    "birth": "Digits 7 to 14 of the identity number are no calendar date.",
    "birth_future": "The birth date in the identity number lies after %(on)s.",
    "birth_old": "The birth date in the identity number lies more than %(years)s years back.",
    "checksum": "The last character of the identity number does not fit the others (GB 11643).",
    "kind": "Identity document kind %(kind)s is unknown.",
    "document": "A document number is 2 to 40 letters, digits or dashes.",
    "phone_empty": "There is no telephone number.",
    "phone_length": "A telephone number has 7 to 15 digits; this one has %(length)s.",
    "phone_characters": "A telephone number is made of digits, spaces, dashes and a leading +.",
    "phone_mobile": "A mainland mobile number has 11 digits and starts with 13 to 19.",
}
HINTS: Mapping[str, str] = {
    "length": "Compare with the card; nothing is cut off or doubled. Of another document, say its kind.",
    "characters": "Compare with the card. For a passport or a permit choose that document kind.",
    "spreadsheet": "Format the column as text in the source and type the number again.",
    "place": "Compare the first six digits with the card.",
    "birth": "Compare digits 7 to 14 with the card.",
    "birth_future": "Compare digits 7 to 14 with the card.",
    "birth_old": "Compare digits 7 to 14 with the card.",
    "checksum": "One digit is mistyped or two are swapped: compare with the card.",
    "kind": "Choose one of: %(known)s.",
    "document": "Type the number as printed on the document.",
    "phone_length": "Write one complete number, with area code for a fixed line.",
    "phone_characters": "Write one number in the field and remarks elsewhere.",
    "phone_mobile": "Compare with the person; for a number of another country begin with + and its code.",
}


@dataclass(frozen=True)
class Problem:
    """Why a number was refused: `code` of the rule, and what the message needs. Holds no number."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The message in English; translate `MESSAGES[code]` and fill `params` for a page."""
        return MESSAGES[self.code] % self.params

    @property
    def hint(self) -> str:
        """What to do about it, in English; empty when the message says it all."""
        return HINTS.get(self.code, "") % self.params


@dataclass(frozen=True, repr=False)
class Identity:
    """A judged document number.

    `canonical` is the spelling used for the index and the cipher, None when `problem` is set.
    `date_birth` and `sex` are read from a resident number, None / "U" for any other document.
    """

    kind: str
    canonical: str | None
    date_birth: date | None = None
    sex: Sex = "U"
    problem: Problem | None = None

    def __repr__(self) -> str:
        return f"Identity(kind={self.kind!r}, problem={self.problem!r})"


@dataclass(frozen=True, repr=False)
class Phone:
    """A judged telephone number; `canonical` is + country code and national number, or None."""

    canonical: str | None
    kind: Literal["mobile", "fixed", "foreign", ""] = ""
    problem: Problem | None = None

    def __repr__(self) -> str:
        return f"Phone(kind={self.kind!r}, problem={self.problem!r})"


def check_identity(number: str, *, kind: str = RESIDENT, on: date) -> Identity:
    """Judge an identity document number as it was typed.

    `kind` is one of `ID_KINDS`; `on` is the local date of the judgement (births after it are refused).
    Width, case, spaces and dashes do not matter. Only resident numbers are checked in depth.
    """
    if kind not in ID_KINDS:
        return _refused(kind, "kind", kind=kind, known=", ".join(ID_KINDS))
    text = compact(number)
    if not text:
        return _refused(kind, "empty")
    if kind == LOCAL:
        return Identity(kind, unicodedata.normalize("NFKC", number).strip())
    if kind != RESIDENT:
        return _other_document(text, kind)
    return _resident(text, on)


def guess_kind(number: str) -> str:
    """The document kind a bare number most likely has: `resident` by its form, else `other`.

    Also a number that is a few digits short or long looks like a resident's: taken for another document, the
    slip would stand unseen. Whoever means another document says so.
    """
    return RESIDENT if _CARDLIKE.fullmatch(compact(number)) else "other"


def compact(number: str) -> str:
    """A number without width, case, spaces, dashes or the apostrophe that marks text in spreadsheets."""
    text = unicodedata.normalize("NFKC", number).upper()
    return re.sub(r"[\s'`‘’·\-–—_]", "", text)


def _refused(kind: str, code: str, /, **params: object) -> Identity:
    return Identity(kind, None, problem=Problem(code, params))


def _other_document(text: str, kind: str) -> Identity:
    if not re.fullmatch(r"[0-9A-Z()./]{2,40}", text):
        return _refused(kind, "document")
    return Identity(kind, text)


def _resident(text: str, on: date) -> Identity:
    if re.fullmatch(r"\d(\.\d+)?E\+?\d+", text) or (re.fullmatch(r"\d{15}000", text) and not _fits(text)):
        return _refused(RESIDENT, "spreadsheet")
    if len(text) not in (15, 18):
        return _refused(RESIDENT, "length", length=len(text))
    if not re.fullmatch(r"[0-9]{15}|[0-9]{17}[0-9X]", text):
        return _refused(RESIDENT, "characters")
    if text[:2] not in _PROVINCES:
        return _refused(RESIDENT, "place")
    full = _eighteen(text) if len(text) == 15 else text
    born = _calendar_date(full[6:14])
    if born is None:
        return _refused(RESIDENT, "birth")
    if born > on:
        return _refused(RESIDENT, "birth_future", on=on.isoformat())
    if on.year - born.year > _LONGEST_LIFE_YEARS:
        return _refused(RESIDENT, "birth_old", years=_LONGEST_LIFE_YEARS)
    if not _fits(full):
        return _refused(RESIDENT, "checksum")
    return Identity(RESIDENT, full, date_birth=born, sex="M" if int(full[16]) % 2 else "F")


def _fits(full: str) -> bool:
    return bool(ric.calc_check_digit(full) == full[-1])


def _eighteen(old: str) -> str:
    """The eighteen-digit form of a fifteen-digit number."""
    century = "18" if old[12:] in _CENTENARIANS else "19"
    body = old[:6] + century + old[6:]
    return body + ric.calc_check_digit(body + "0")


def _calendar_date(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


_MOBILE = re.compile(r"(\+86)?(1[3-9][0-9]{9})")  # as most are written, and as they are kept


def normalize_phone(text: str, *, country: str = "86") -> Phone:
    """Judge one telephone number; `country` is the calling code of numbers written without one.

    Mainland mobiles become +86 and 11 digits, fixed lines +86, area code without its 0, and number.
    Other countries: + and 7 to 15 digits (ITU-T E.164), no deeper check.
    """
    mobile = _MOBILE.fullmatch(text)
    if mobile and (mobile[1] or country == "86"):
        return Phone("+86" + mobile[2], "mobile")
    raw = unicodedata.normalize("NFKC", text).strip()
    if not raw:
        return Phone(None, problem=Problem("phone_empty"))
    if re.search(r"[^\d\s+\-–—().'*#]", raw) or raw.count("+") > 1 or not re.search(r"\d", raw):
        return Phone(None, problem=Problem("phone_characters"))
    raw = re.sub(r"\.0+$", "", raw)
    digits = re.sub(r"\D", "", raw)
    if raw.lstrip("( '").startswith("+") or digits.startswith("00"):
        return _international(digits.removeprefix("00"))
    if country == "86":
        return _mainland(digits.removeprefix("86") if re.fullmatch(r"861[3-9]\d{9}", digits) else digits)
    return _international(country + digits.lstrip("0"))


def find_phones(text: str, *, country: str = "86") -> tuple[Phone, ...]:
    """Every well-formed number in a cell that may hold several ("138…/139…", "138…、0719-…")."""
    parts = re.split(r"[/,，;；、|\n]|\s{2,}", unicodedata.normalize("NFKC", text))
    judged = [normalize_phone(part, country=country) for part in parts if part.strip()]
    return tuple(phone for phone in judged if phone.problem is None)


def _international(digits: str) -> Phone:
    if digits.startswith("86"):
        return _mainland(digits[2:])
    if not 7 <= len(digits) <= 15:
        return Phone(None, problem=Problem("phone_length", {"length": len(digits)}))
    return Phone("+" + digits, "foreign")


def _mainland(digits: str) -> Phone:
    if re.fullmatch(r"1[3-9]\d{9}", digits):
        return Phone("+86" + digits, "mobile")
    if re.fullmatch(r"1\d{6,}", digits) and not re.fullmatch(r"10\d{8}", digits):
        return Phone(None, problem=Problem("phone_mobile"))
    if not 7 <= len(digits) <= 12:
        return Phone(None, problem=Problem("phone_length", {"length": len(digits)}))
    return Phone("+86" + digits.lstrip("0"), "fixed")
