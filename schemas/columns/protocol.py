"""Columns of protocols, of what was checked, and of the mass balance that a rule looks at."""

from __future__ import annotations

from schemas.columns.base import Column as C

COLUMNS = (
    C("protocol_id", "string", "Name and version of the protocol; null where none is behind it."),
    C("protocol_digest", "string", "Digest of the protocol's whole content."),
    C("protocol_title", "string", "What the protocol is for."),
    C("protocol_json", "string", "The whole protocol, inherited rules included, as JSON."),
    C("n_rules", "int", "Rules that are evaluated."),
    C("rules_off", "list<string>", "Rules that are switched off, each with its reason."),
    C(
        "checked_digest",
        "string",
        "Digest of everything that the last check with this protocol looked at.",
        volatile=True,
    ),
    C("check_outcome", "string", "passed, info, warn, fail or not_checkable."),
    C("not_checkable_reason", "string", "What was missing, where a rule could not be checked."),
    C(
        "n_studies",
        "int",
        "Studies that the rule is about; each counts once, by its worst outcome.",
    ),
    C("n_passed", "int", "Studies that keep the rule."),
    C("n_info", "int", "Studies with a remark."),
    C("n_warn", "int", "Studies that break the rule, severity warn."),
    C("n_fail", "int", "Studies that break the rule, severity fail."),
    C("n_not_checkable", "int", "Studies in which the rule could not be checked."),
    C("not_checkable_because", "list<string>", "Why, each reason with its number of studies."),
)

MASS_BALANCE = (
    C(
        "body_suv_mean",
        "float",
        "Mean SUVbw over the body: voxels above a fifth of that mean; null for dynamic and gated series.",
        unit="g/ml",
    ),
    C(
        "activity_in_view_percent",
        "float",
        "SUVbw times voxel volume, summed over the image, by weight: part of the injected activity, "
        "decay-corrected, that the image shows.",
        unit="%",
    ),
)
