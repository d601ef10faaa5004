"""Measurement groups of a report as rows: codes, numbers and mapped UIDs, never free text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from schemas.records import Row
from tasks.deidentify.descriptors import UNKNOWN_LABEL, clean_label
from tasks.dicom import values
from tasks.dicom.terminology import concept_name
from tasks.ingest import report_concepts as concepts
from tasks.ingest.context import Context
from tasks.ingest.report_content import Codes, ContentItem
from tasks.ingest.report_references import References

_GROUPS = (concepts.MEASUREMENT_GROUP, concepts.DERIVED_MEASUREMENTS)


@dataclass(slots=True)
class ReportRows:
    """Rows of the reports of one series as they grow, object by object.

    Parameters
    ----------
    context : Context
        Maps UIDs.
    """

    context: Context
    measurements: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)
    _groups: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, root: ContentItem, codes: Codes, references: References, key: Row) -> bool:
        """Add the measurement groups of one report; False if it has none.

        Parameters
        ----------
        root : ContentItem
            Its content tree.
        codes : Codes
            Reads its codes.
        references : References
            Finds what its items refer to.
        key : Row
            Columns that all its rows share.
        """
        before = len(self.measurements) + len(self.evaluations)
        for item in root.walk():
            if item.concept in _GROUPS:
                self._add_group(item, codes, references, key)
            elif item.concept == concepts.QUALITATIVE_EVALUATIONS:
                self._add_evaluations(item, codes, key)
        return len(self.measurements) + len(self.evaluations) > before

    def _add_group(
        self, group: ContentItem, codes: Codes, references: References, key: Row
    ) -> None:
        shared = {**key, "group_index": next(self._groups), **self._finding(group, codes)}
        stated = references.columns(group)
        methods = _methods(group, codes)
        for item in group.children:
            if item.value_type == "NUM" and item.is_content:
                row = {**shared, **stated, **references.columns(item), **_number(item, codes)}
                row["measurement_method_codes"] = _methods(item, codes) or methods or None
                row["measurement_index"] = len(self.measurements) + 1
                row |= _finding_site(item, codes)
                self.measurements.append(row)
        self._add_evaluations(group, codes, shared)

    def _add_evaluations(self, holder: ContentItem, codes: Codes, shared: Row) -> None:
        for item in holder.children:
            answer = item.coded(codes) if item.value_type == "CODE" else None
            is_known = item.concept is None or item.concept in concepts.DESCRIPTIVE
            if answer is None or is_known or not item.is_content:
                continue
            self.evaluations.append(
                {
                    **shared,
                    "evaluation_index": len(self.evaluations) + 1,
                    "question_code": item.concept,
                    "question_name": concept_name(item.concept),
                    "answer_code": answer,
                    "answer_name": concept_name(answer),
                }
            )

    def _finding(self, group: ContentItem, codes: Codes) -> Row:
        label = next((i.text for i in group.named(concepts.TRACKING_IDENTIFIER)), None)
        uid = next((i.uid for i in group.named(concepts.TRACKING_UID)), None)
        return {
            "tracking_label": clean_label(label) if label else None,
            "tracking_uid": self.context.uid(uid),
            "time_point_order": _order(group),
            "time_point": _short_text(group, concepts.TIME_POINT),
            "reading_session": _short_text(group, concepts.ACTIVITY_SESSION),
            "finding_category_code": _coded(group, concepts.FINDING_CATEGORY, codes),
            "finding_code": _coded(group, concepts.FINDING, codes),
            **_finding_site(group, codes),
        }


def _finding_site(item: ContentItem, codes: Codes) -> Row:
    """Site with its modifiers, which stand below it or (older writers) beside it."""
    site = next(iter(item.named(concepts.FINDING_SITE)), None)
    if site is None:
        return {}
    side = _coded(site, concepts.LATERALITY, codes) or _coded(item, concepts.LATERALITY, codes)
    return {
        "finding_site_code": site.coded(codes),
        "laterality_code": side,
        "topographical_modifier_code": _coded(site, concepts.TOPOGRAPHICAL_MODIFIER, codes),
    }


def _number(item: ContentItem, codes: Codes) -> Row:
    """Say what was measured, how, and give the value.

    References
    ----------
    DICOM PS3.3 C.18.1 (Numeric Measurement Macro); PS3.16 TID 300.
    """
    measured = values.first_item(item.dataset, "MeasuredValueSequence")
    value = values.number(measured, "FloatingPointValue")
    derivation = _coded(item, concepts.DERIVATION, codes)
    return {
        "quantity_code": item.concept,
        "quantity_name": concept_name(item.concept),
        "derivation_code": derivation,
        "derivation_name": concept_name(derivation),
        "measurement_modifiers": _modifiers(item, codes) or None,
        "value": values.number(measured, "NumericValue") if value is None else value,
        "unit_code": codes.unit(measured, "MeasurementUnitsCodeSequence"),
        "value_qualifier_code": codes.first(item.dataset, "NumericValueQualifierCodeSequence"),
    }


def _modifiers(item: ContentItem, codes: Codes) -> list[str]:
    return [
        f"{child.concept}={value}"
        for child in item.children
        if child.value_type == "CODE" and child.concept not in concepts.DESCRIPTIVE
        if (value := child.coded(codes)) and child.concept
    ]


def _methods(item: ContentItem, codes: Codes) -> list[str]:
    found = (method.coded(codes) for method in item.named(concepts.MEASUREMENT_METHOD))
    return [code for code in found if code]


def _order(group: ContentItem) -> int | None:
    for item in group.named(concepts.TIME_POINT_ORDER):
        measured = values.first_item(item.dataset, "MeasuredValueSequence")
        value = values.number(measured, "NumericValue")
        return None if value is None else int(value)
    return None


def _coded(item: ContentItem, concept: str, codes: Codes) -> str | None:
    return next((value for i in item.named(concept) if (value := i.coded(codes))), None)


def _short_text(item: ContentItem, concept: str) -> str | None:
    """Up to two digits, or allowed words: ``1``, ``baseline``; nothing else may stay."""
    text = next((i.text for i in item.named(concept)), "")
    if text.isdecimal() and len(text) <= 2:
        return text
    label = clean_label(text)
    return None if label == UNKNOWN_LABEL else label
