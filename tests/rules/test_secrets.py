"""Field encryption and keyed hashes."""

from __future__ import annotations

import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry.secrets import Keyring, SecretsError, load_keyring, new_key_line, parse_keys

ONE = Keyring({1: b"1" * 32})
TWO = Keyring({1: b"1" * 32, 2: b"2" * 32})


@given(st.text(), st.text())
def test_what_was_encrypted_opens_at_its_place(text, place):
    assert ONE.decrypt(ONE.encrypt(text, place=place), place=place) == text


def test_the_same_text_never_gives_the_same_cipher():
    assert ONE.encrypt("a", place="p") != ONE.encrypt("a", place="p")


def test_a_cipher_moved_to_another_person_does_not_open():
    with pytest.raises(SecretsError, match=r"person\.id:P-2"):
        ONE.decrypt(ONE.encrypt("a", place="person.id:P-1"), place="person.id:P-2")


@given(st.integers(0, 40), st.integers(1, 255))
def test_an_altered_cipher_does_not_open(position, change):
    cipher = bytearray(ONE.encrypt("420399", place="p"))
    cipher[position % len(cipher)] ^= change
    with pytest.raises(SecretsError):
        ONE.decrypt(bytes(cipher), place="p")


def test_after_a_rotation_old_ciphers_open_and_new_ones_use_the_new_key():
    old = ONE.encrypt("a", place="p")
    assert TWO.decrypt(old, place="p") == "a"
    moved = TWO.reencrypt(old, place="p")
    assert (old[1], moved[1]) == (1, 2)
    assert TWO.decrypt(moved, place="p") == "a"
    assert TWO.reencrypt(moved, place="p") == moved


def test_a_rotation_leaves_the_index_as_it_was():
    assert ONE.index("phone", "+86138") == TWO.index("phone", "+86138")


def test_kinds_never_meet_in_the_index():
    assert ONE.index("phone", "1") != ONE.index("id.passport", "1")


def test_a_missing_key_is_named_by_its_id():
    with pytest.raises(SecretsError, match="field key 2"):
        ONE.decrypt(TWO.encrypt("a", place="p"), place="p")


def test_neither_repr_nor_pickle_gives_keys_away():
    assert repr(TWO) == "Keyring(ids=[1, 2], active=2)"
    with pytest.raises(SecretsError):
        pickle.dumps(ONE)


def test_the_key_file_is_made_once_and_for_the_owner_only(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: load_keyring(tmp_path, environ={}), range(16)))
    assert len({ring.fingerprint for ring in rings}) == 1
    path = tmp_path / "secrets" / "field.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["field.key"]


def test_a_key_file_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path):
    load_keyring(tmp_path, environ={})
    path = tmp_path / "secrets" / "field.key"
    os.chmod(path, 0o644)
    with pytest.raises(SecretsError, match="chmod 600"):
        load_keyring(tmp_path, environ={})


def test_the_environment_comes_before_the_file(tmp_path):
    line = new_key_line()
    ring = load_keyring(tmp_path, environ={"BIHUAN_FIELD_KEY": line})
    assert ring.fingerprint == Keyring(parse_keys([line])).fingerprint
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize(
    "lines", [["1:x"], ["a:" + new_key_line()[2:]], [new_key_line(), new_key_line()], [""]]
)
def test_malformed_keys_are_refused(lines):
    with pytest.raises(SecretsError):
        Keyring(parse_keys(lines))
