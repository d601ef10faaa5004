"""Pseudonyms: stable, keyed, and of the promised form."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import re

import pytest

from schemas.errors import InvalidInputError, RejectedObjectError
from tasks.deidentify import IdentityPseudonymiser, Pseudonymiser, Pseudonyms

SECRET = b"0123456789abcdef0123456789abcdef"
ONE = Pseudonymiser(SECRET, {"Uniklinik Musterstadt": "centre-a"})
OTHER = Pseudonymiser(SECRET[::-1])


def test_patient_key_is_an_hmac_over_length_prefixed_parts() -> None:
    message = b"\0\0\0\x07patient\0\0\0\x044711\0\0\0\0"
    expected = hmac.new(SECRET, message, hashlib.sha256).hexdigest()[:16]
    assert ONE.patient_key("4711") == f"P-{expected}"


def test_patient_key_depends_on_secret_id_and_issuer_but_not_on_spacing() -> None:
    keys = {ONE.patient_key("1"), ONE.patient_key("1", "A"), ONE.patient_key("2")}
    assert len(keys | {OTHER.patient_key("1")}) == 4
    assert ONE.patient_key("a  b") == ONE.patient_key(" a b\0 ")
    assert ONE.patient_key("1", "") == ONE.patient_key("1")
    assert ONE.patient_key("1A", "B") != ONE.patient_key("1", "AB")


@pytest.mark.parametrize("pseudonyms", [ONE, IdentityPseudonymiser()])
def test_no_patient_id_is_refused_and_a_study_can_stand_in(pseudonyms: Pseudonyms) -> None:
    with pytest.raises(RejectedObjectError, match="missing_attribute"):
        pseudonyms.patient_key("  ")
    with pytest.raises(RejectedObjectError, match="missing_attribute"):
        pseudonyms.study_patient_key("")
    assert re.fullmatch("P-[0-9a-f]{16}", pseudonyms.study_patient_key("1.2.3"))


def test_shift_is_whole_weeks_within_ten_years() -> None:
    shifts = {ONE.shift_days(ONE.patient_key(str(n))) for n in range(3000)}
    assert all(s % 7 == 0 for s in shifts)
    assert min(shifts) >= -3650
    assert max(shifts) <= -30
    assert len(shifts) > 500  # of 517 possible ones


def test_uid_form_and_exceptions() -> None:
    mapped = ONE.uid("1.2.3.4")
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", mapped)
    assert len(mapped) <= 64
    assert ONE.uid("1.2.3.4\0") == mapped != OTHER.uid("1.2.3.4")
    for kept in ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.1.2.1", "1.2.840.10008.1.4.1.1", ""):
        assert ONE.uid(kept) == kept  # PET storage, explicit VR, Talairach brain atlas frame


def test_centre() -> None:
    assert ONE.centre(" uniklinik  MUSTERSTADT ") == "centre-a"
    assert ONE.centre("centre-a") == "centre-a"
    assert re.fullmatch("site-[0-9a-f]{6}", ONE.centre("Elsewhere"))
    assert ONE.centre("elsewhere") == ONE.centre("Elsewhere ")
    assert ONE.centre(None) == ONE.centre(" ") == "unknown"


def test_file_and_record_keys() -> None:
    assert ONE.file_key("file:///a") != ONE.file_key("file:///b")
    assert re.fullmatch("[0-9a-f]{32}", ONE.file_key("file:///M\udcfcller"))
    # RFC 2104 over both parts with their lengths (4 bytes, big-endian) before them
    message = b"\0\0\0\x04file" + b"\0\0\0\x09file:///a"
    expected = hmac.digest(ONE.secret, message, "sha256").hex()[:32]
    assert [ONE.file_key("file:///a") for _ in range(2)] == [expected] * 2
    assert ONE.record_key("redcap", "1", "2") != ONE.record_key("redcap", "12", "")


def test_the_secret_is_not_shown_but_travels() -> None:
    assert "0123" not in repr(ONE)
    assert pickle.loads(pickle.dumps(ONE)).uid("1.2") == ONE.uid("1.2")
    assert ONE.key_id != OTHER.key_id
    with pytest.raises(InvalidInputError, match="16 bytes or more, got 5"):
        Pseudonymiser(b"short")


def test_identity_keeps_everything_but_paths() -> None:
    identity = IdentityPseudonymiser({"X": "centre-x"})
    assert identity.patient_key(" A  B ") == "A B"
    assert identity.patient_key("1", "H") == "H:1"
    assert identity.uid("1.2.3\0") == "1.2.3"
    assert identity.shift_days("A B") == 0
    assert (identity.centre("x"), identity.centre("Y"), identity.centre("")) == (
        "centre-x", "Y", "unknown",
    )  # fmt: skip
    assert identity.file_key("file:///a") == hashlib.sha256(b"file:///a").hexdigest()[:32]
    assert (identity.replaces, ONE.replaces) == (False, True)
    assert identity.record_key("redcap", "1").startswith("R-")
    assert identity.key_id == "none"
