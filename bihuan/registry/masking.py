"""What of a person is shown to whom does not need the whole. Pure.

Masks keep enough to recognize somebody one already knows of, and too little to find a stranger. They
never grow with what they hide, except for Chinese names, whose length is public custom (周*明).
"""

from __future__ import annotations

import re

from bihuan.registry import names


def mask_name(name: str) -> str:
    """周小明 → 周*明, 李明 → 李*, 欧阳小明 → 欧阳*明, 买买提·艾力 → 买**, Ana Pérez → A*** P***.

    An empty name stays empty.
    """
    text = names.clean(name)
    if not text:
        return ""
    if not names.is_han(text):
        return " ".join(f"{word[0]}***" for word in text.split())
    cut = names.surname_length(text)
    if not cut or not all(names.is_han(c) for c in text):
        return f"{text[0]}**"
    if len(text) == 1:
        return "*"
    hidden = len(text) - cut
    return text[:cut] + ("*" if hidden == 1 else "*" * (hidden - 1) + text[-1])


def mask_phone(phone: str) -> str:
    """+8613812341234 → 138****1234; other numbers keep their last two digits (+502…78 → ****78)."""
    mainland = re.fullmatch(r"(?:\+?86)?(1\d{2})\d{4}(\d{4})", phone.strip())
    if mainland:
        return f"{mainland[1]}****{mainland[2]}"
    digits = re.sub(r"\D", "", phone)
    return f"****{digits[-2:]}" if digits else ""


def mask_id(number: str) -> str:
    """420302198001010011 → 4203************11; other documents keep their last two characters."""
    text = number.strip()
    if re.fullmatch(r"\d{17}[\dXx]", text):
        return f"{text[:4]}{'*' * 12}{text[-2:]}"
    return f"****{text[-2:]}" if len(text) > 4 else "****" if text else ""


def mask_address(address: str) -> str:
    """The address down to the street, house and room hidden: 张湾区汉江路12号3单元 → 张湾区汉江路**.

    What follows the first street, town or village (else the last county) is hidden; without any, all is.
    """
    text = address.strip()
    if not text:
        return ""
    found = re.match(r".*?(?:街道|大道|路|街|巷|镇|乡|村)(?=.|$)", text) or re.match(r".*[省市县区]", text)
    return f"{found[0]}**" if found else "**"
