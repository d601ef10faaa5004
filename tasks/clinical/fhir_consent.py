"""What a FHIR Consent says about a purpose.

References
----------
HL7 FHIR R4 Consent; Medical Informatics Initiative, module Consent: the outermost provision is the
rule (deny), the inner ones with their codes are the exceptions (permit).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from schemas.errors import RejectedObjectError
from tasks.clinical.dates import parse_fhir_day
from tasks.clinical.fhir_resources import Json, child, codes, objects, text
from tasks.clinical.mapping import ConsentItem

#: Of Consent.status: what is stated is in force.
_IN_FORCE = "active"
_ENDED = frozenset({"rejected", "inactive"})


def consent_decision(consent: Json, item: ConsentItem) -> tuple[str, date | None, date | None]:
    """Decision on one purpose.

    Parameters
    ----------
    consent : dict
        The resource.
    item : ConsentItem
        The purpose and the codes of the provisions that decide on it.

    Returns
    -------
    status : str
        ``permit``, ``deny`` or ``unknown``. One deny among the deciding provisions is a deny; a
        consent that was rejected or has ended is one; drafts are unknown.
    start, end : date or None
        Period of the deciding provision.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if the resource was entered in error.
    """
    status = text(consent, "status")
    if status == "entered-in-error":
        raise RejectedObjectError("invalid_attribute", "the consent was entered in error")
    root = child(consent, "provision")
    deciding = [p for p in _nested(root) if any(c in item.codes for o in _code(p) for c in o)]
    start, end = _period(deciding[0] if deciding else root, root, consent)
    scopes = {code.rpartition("|")[2] for code in codes(child(consent, "scope"))}
    if not deciding and item.purpose not in scopes:
        return "unknown", start, end  # a consent to treatment, say, decides nothing here
    if status in _ENDED:
        return "deny", start, end
    if status != _IN_FORCE:
        return "unknown", start, end
    types = {text(p, "type") for p in deciding or [root]}
    decision = "deny" if "deny" in types else "permit" if "permit" in types else "unknown"
    if not deciding and decision == "permit" and any(_nested(root)):
        # A general permission with exceptions that are not understood may not be one.
        decision = "unknown"
    return decision, start, end


def _nested(provision: Json) -> Iterator[Json]:
    for inner in objects(provision, "provision"):
        yield inner
        yield from _nested(inner)


def _code(provision: Json) -> list[list[str]]:
    return [codes(concept) for concept in objects(provision, "code")]


def _period(deciding: Json, root: Json, consent: Json) -> tuple[date | None, date | None]:
    for provision in (deciding, root):
        period = child(provision, "period")
        if period:
            return parse_fhir_day(period.get("start")), parse_fhir_day(period.get("end"))
    return parse_fhir_day(consent.get("dateTime")), None
