"""A site's own pseudonyms: every form they come in, and what is refused."""

from __future__ import annotations

import json
import pickle

import pytest

from schemas.errors import InvalidInputError, RejectedObjectError
from tasks.deidentify.listed import ListedPseudonymiser
from tasks.deidentify.pseudonym_list import read_pseudonym_list
from tasks.deidentify.pseudonyms import Pseudonymiser

PLAIN = Pseudonymiser(bytes(range(32)), {"Klinik B": "B"})

GPAS_XML = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<ns2:listPSNsResponse xmlns:ns2="http://psn.ttp.ganimed.icmvc.emau.org/">
<return><psns>
 <domainName>study</domainName><originalValue>4711</originalValue><pseudonym>S-1</pseudonym>
</psns><psns>
 <domainName>study</domainName><originalValue>0815</originalValue><pseudonym>S-2</pseudonym>
</psns></return></ns2:listPSNsResponse></soap:Body></soap:Envelope>"""
GPAS_MAP = """<return><entry><key>4711</key><value>S-1</value></entry>
<entry><key>0815</key><value>S-2</value></entry></return>"""


def _fhir(as_identifier: bool) -> str:
    def part(name: str, value: str) -> dict[str, object]:
        if as_identifier:
            return {"name": name, "valueIdentifier": {"system": "https://gpas/x", "value": value}}
        return {"name": name, "valueString": value}

    rows = [
        {"name": "pseudonym", "part": [part("original", original), part("target", "study"),
                                       part("pseudonym", pseudonym)]}
        for original, pseudonym in (("4711", "S-1"), ("0815", "S-2"))
    ]  # fmt: skip
    return json.dumps({"resourceType": "Parameters", "parameter": rows})


@pytest.mark.parametrize(
    "text",
    [
        "patient_id,pseudonym\n4711,S-1\n0815,S-2\n",
        "\ufeffpatient_id;pseudonym\r\n4711;S-1\r\n\r\n0815;S-2\r\n",
        "pseudonym\tPatient ID\nS-1\t 4711 \nS-2\t0815\n",
        '"Originalwert";"Pseudonym";"Domain"\n"4711";"S-1";"study"\n"0815";"S-2";"study"\n',
        "original value,pseudonym\n4711,S-1\n0815,S-2\n4711,S-1\n",
        GPAS_XML,
        GPAS_MAP,
        _fhir(as_identifier=True),
        _fhir(as_identifier=False),
        '[{"patient_id": "4711", "pseudonym": "S-1"}, {"patient_id": "0815", "pseudonym": "S-2"}]',
    ],
)
def test_forms(text: str) -> None:
    assert read_pseudonym_list(text.encode()) == {("4711", ""): "S-1", ("0815", ""): "S-2"}


def test_issuers_and_domains() -> None:
    text = b"patient_id,issuer,pseudonym\n4711,A,S-1\n4711,B,S-2\n4711,,S-3\n"
    assert read_pseudonym_list(text) == {
        ("4711", "A"): "S-1", ("4711", "B"): "S-2", ("4711", ""): "S-3",
    }  # fmt: skip
    assert read_pseudonym_list(b"patient_id,pseudonym\n1,S-1\n", issuer="A") == {("1", "A"): "S-1"}
    two = b"originalvalue,pseudonym,domain\n1,S-1,x\n1,S-2,y\n"
    assert read_pseudonym_list(two, domain="y") == {("1", ""): "S-2"}
    with pytest.raises(InvalidInputError, match=r"several domains; set pseudonyms\.domain"):
        read_pseudonym_list(two)
    with pytest.raises(InvalidInputError, match="no entries of domain 'z'"):
        read_pseudonym_list(two, domain="z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header line"),
        ("name,birth\nDoe,1\n", "header line"),
        ("patient_id,pseudonym\n", "no entries"),
        ("patient_id,pseudonym\n4711,\n", "line 2: patient ID or pseudonym is empty"),
        ("patient_id,pseudonym\n,S-1\n", "line 2: patient ID or pseudonym is empty"),
        ("patient_id,pseudonym\n4711,S 1\n", "line 2: the pseudonym may have"),
        ("patient_id,pseudonym\n4711,../x\n", "line 2: the pseudonym may have"),
        (f"patient_id,pseudonym\n4711,{'x' * 65}\n", "line 2: the pseudonym may have"),
        ("patient_id,pseudonym\n4711,4711\n", "line 2: the pseudonym is the patient ID"),
        ("patient_id,pseudonym\n4711,a12\nA12,S-2\n", "line 2: the pseudonym is the patient ID"),
        ("patient_id,pseudonym\n1,S-1\n2,s-1\n", "line 3: the pseudonym belongs to another"),
        ("patient_id,pseudonym\n1,S-1\n1,S-2\n", "line 3: the patient has another pseudonym"),
        ("patient_id,pseudonym\n1,P-0123456789abcdef\n", "form of tracerlake's own keys"),
        ('patient_id,pseudonym\n"4711,S-1\n', "damaged near line"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x/>', "document type"),
        ("<x><y></x>", "mismatched tag"),
        ("<x/>", "no entries"),
        ("{nonsense", "line 1 is no JSON"),
        ('{"resourceType": "Parameters", "parameter": 7}', "no entries"),
    ],
)
def test_refused_without_naming_an_identifier(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_pseudonym_list(text.encode())
    assert "4711" not in str(caught.value)


def test_not_utf8() -> None:
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_pseudonym_list("patient_id,pseudonym\nMüller,S-1\n".encode("latin-1"))


LISTED = {("4711", "A"): "S-1", ("4711", ""): "S-3", ("0815", ""): "S-2"}


def test_the_key_of_the_list_by_id_and_issuer_then_by_id() -> None:
    both = ListedPseudonymiser.with_list(PLAIN, LISTED)
    assert both.patient_key(" 4711 ", "A") == "S-1"
    assert both.patient_key("4711", "B") == both.patient_key("4711") == "S-3"
    assert both.patient_key("0815", "C") == "S-2"
    assert both.patient_key("12") == PLAIN.patient_key("12")
    assert both.study_patient_key("1.2.3") == PLAIN.study_patient_key("1.2.3")


def test_all_else_stays_keyed() -> None:
    both = ListedPseudonymiser.with_list(PLAIN, LISTED)
    assert both.uid("1.2.3") == PLAIN.uid("1.2.3")
    assert both.centre("klinik b") == "B"
    assert both.key_id == PLAIN.key_id
    assert both.shift_days("S-1") == PLAIN.shift_days("S-1") != both.shift_days("S-2")


def test_who_is_not_listed_can_be_refused() -> None:
    strict = ListedPseudonymiser.with_list(PLAIN, LISTED, is_required=True)
    assert strict.patient_key("4711") == "S-3"
    for ask, text in ((strict.patient_key, "12"), (strict.study_patient_key, "1.2.12")):
        with pytest.raises(RejectedObjectError) as caught:
            ask(text)
        assert caught.value.reason_code == "pseudonym_missing"
        assert "12" not in str(caught.value)
    with pytest.raises(RejectedObjectError, match="missing_attribute"):
        strict.patient_key("")


def test_no_patient_id_travels_with_it() -> None:
    both = ListedPseudonymiser.with_list(PLAIN, {("Zwiebel 4711", "Klinik"): "S-1"})
    data = pickle.dumps(both)
    assert b"Zwiebel" not in data
    assert b"Zwiebel" not in repr(both).encode()
    assert pickle.loads(data).patient_key("Zwiebel 4711", "Klinik") == "S-1"


def test_a_list_is_known_again() -> None:
    one = ListedPseudonymiser.with_list(PLAIN, LISTED)
    other = ListedPseudonymiser.with_list(PLAIN, dict(reversed(LISTED.items())))
    assert one.list_id == other.list_id
    for changed in ({**LISTED, ("1", ""): "S-9"}, {}):
        assert ListedPseudonymiser.with_list(PLAIN, changed).list_id != one.list_id
