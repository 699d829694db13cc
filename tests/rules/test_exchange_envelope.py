"""A message between installations opens for one reader, is proven by one sender, and yields to no change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.peers import envelope, keys
from bihuan.tracing.peers.envelope import Envelope, EnvelopeError

ASKING, ASKED = keys.new_pair(), keys.new_pair()
CONTENT = {"request": {"told": {"fields": {"name": "欧阳晓岚", "phone": "+8613871234567"}}}, "note": ""}


def sealed(content: dict[str, Any] | None = None, **changed: Any) -> Envelope:
    bare = Envelope(
        sender="N-0000000001",
        receiver="N-0000000002",
        key=ASKING.id,
        sealed_for=ASKED.id,
        message="0" * 32,
        thread="R-0000000001",
        kind="request",
        sequence=1,
        created_at="2020-02-14T04:00:00Z",
    )
    bare = replace(bare, **changed)
    text = envelope.seal(content or CONTENT, reader=keys.raw(ASKED.public["seal"]), outside=bare.open_part())
    made = replace(bare, sealed=text)
    return replace(made, signature=envelope.sign(ASKING.signing, "envelope", made.signed_part()))


def opened(given: Envelope, key: X25519PrivateKey = ASKED.sealing) -> dict[str, Any]:
    return envelope.unseal(given.sealed, key=key, outside=given.open_part())


def signed(given: Envelope) -> bool:
    return envelope.is_signed(
        keys.raw(ASKING.public["sign"]), "envelope", given.signed_part(), given.signature
    )


def test_what_was_sealed_opens_for_its_reader_and_for_nobody_else() -> None:
    made = sealed()
    assert opened(made) == CONTENT
    with pytest.raises(EnvelopeError, match="does-not-open"):
        opened(made, ASKING.sealing)


def test_nothing_of_the_content_stands_on_the_wire() -> None:
    raw = sealed().as_bytes()
    assert b"13871234567" not in raw
    assert "欧阳".encode() not in raw
    assert b"name" not in raw


def test_it_reads_back_from_the_wire_as_it_was() -> None:
    made = sealed()
    assert envelope.read(made.as_bytes()) == made
    assert signed(envelope.read(made.as_bytes()))


@given(st.sampled_from(["thread", "message", "sequence", "created_at", "kind", "receiver"]))
def test_whoever_changes_the_outside_breaks_signature_and_seal(name: str) -> None:
    made = sealed()
    other = {
        "thread": "R-0000000009", "message": "f" * 32, "sequence": 2, "created_at": "2021-01-01T00:00:00Z",
        "kind": "answer", "receiver": "N-0000000003",
    }[name]  # fmt: skip
    changed = replace(made, **{name: other})
    assert not signed(changed)
    with pytest.raises(EnvelopeError):
        opened(changed)


@given(st.data())
def test_whoever_changes_one_letter_of_the_seal_breaks_it(data: st.DataObject) -> None:
    made = sealed()
    at = data.draw(st.integers(0, len(made.sealed) - 5))
    letter = "A" if made.sealed[at] != "A" else "B"
    changed = replace(made, sealed=made.sealed[:at] + letter + made.sealed[at + 1 :])
    assert not signed(changed)
    with pytest.raises(EnvelopeError):
        opened(changed)


def test_two_seals_of_the_same_content_differ_and_short_texts_have_one_length() -> None:
    assert sealed().sealed != sealed().sealed
    assert len(sealed({"note": "是"}).sealed) == len(sealed({"note": "不是，电话无人接听"}).sealed)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_rubbish_is_malformed_and_never_a_crash(raw: bytes) -> None:
    with pytest.raises(EnvelopeError, match="malformed"):
        envelope.read(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(sealed().signed_part())), _JSON)
def test_a_field_of_another_form_is_malformed_or_unsigned(name: str, value: Any) -> None:
    data = json.loads(sealed().as_bytes())
    if data[name] == value:
        return
    data[name] = value
    try:
        found = envelope.read(json.dumps(data).encode())
    except EnvelopeError:
        return
    assert not signed(found)


def test_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(EnvelopeError, match="too-large"):
        envelope.read(b" " * (envelope.MOST_BYTES + 1))


def test_a_receipt_is_for_exactly_one_envelope_and_by_its_receiver() -> None:
    made, other = sealed(), sealed()
    answer = envelope.receipt(
        made, key=ASKED.signing, key_id=ASKED.id, kept="new", received_at="2020-02-14T04:00:01Z"
    )
    known = {ASKED.id: keys.raw(ASKED.public["sign"])}
    assert envelope.is_receipt(answer, made, keys=known)
    assert not envelope.is_receipt(answer, other, keys=known), (
        "the same message sealed anew is another envelope"
    )
    assert not envelope.is_receipt({**answer, "kept": "known"}, made, keys=known)
    assert not envelope.is_receipt(answer, made, keys={ASKED.id: keys.raw(ASKING.public["sign"])})
    assert not envelope.is_receipt({}, made, keys=known)
    assert not envelope.is_receipt(None, made, keys=known)


def test_a_signature_of_one_kind_does_not_pass_as_another() -> None:
    made = sealed()
    as_receipt = envelope.sign(ASKING.signing, "receipt", made.signed_part())
    assert not signed(replace(made, signature=as_receipt))


def test_a_card_is_proven_by_the_key_it_shows() -> None:
    own = keys.Identity("N-0000000001", "十堰疾控", "https://a.example", ("4203",), 1, (ASKING,))
    card = keys.card_of(own)
    assert keys.is_card(card)
    assert not keys.is_card({**card, "url": "https://evil.example"})
    assert not keys.is_card({**card, "key": ASKED.public})
    assert not keys.is_card({**card, "serves": "4203"})
    assert not keys.is_card(None)


def test_the_fingerprint_is_short_enough_to_be_read_aloud_and_differs() -> None:
    one, other = keys.fingerprint(ASKING.public), keys.fingerprint(ASKED.public)
    assert len(one) == 39
    assert one != other
