"""Columns of what came with the images as numbers: reports and real world value maps."""

from __future__ import annotations

from schemas.columns.base import Column as C

_CONTENT = "Content Sequence (0040,A730)"

REPORTS = (
    C(
        "report_series_uid",
        "string",
        "Series of the report, pseudonymised.",
        source="SeriesInstanceUID (0020,000E)",
    ),
    C("measurement_index", "int", "Position of the value among those of the report series."),
    C("evaluation_index", "int", "Position of the answer among those of the report series."),
    C(
        "group_index",
        "int",
        "Measurement group of the report series; null for evaluations outside of groups.",
        source="Measurement Group (125007, DCM)",
    ),
    C(
        "tracking_label",
        "string",
        "What the group is about, cleaned to allow-listed words.",
        source="Tracking Identifier (112039, DCM)",
    ),
    C(
        "tracking_uid",
        "string",
        "The same lesion over time and reports, pseudonymised.",
        source="Tracking Unique Identifier (112040, DCM)",
    ),
    C(
        "time_point",
        "string",
        "Time point of the reader: up to two digits or allow-listed words.",
        source="Time Point (C2348792, UMLS)",
    ),
    C(
        "time_point_order",
        "int",
        "Position of the time point among those of the patient.",
        source="Time Point Order (126073, DCM)",
    ),
    C(
        "reading_session",
        "string",
        "Reading session: up to two digits or allow-listed words.",
        source="Activity Session (C67447, NCIt)",
    ),
    C("finding_category_code", "string", "Coded category scheme:value.", source=_CONTENT),
    C("finding_code", "string", "Coded finding scheme:value.", source="Finding (121071, DCM)"),
    C(
        "finding_site_code",
        "string",
        "Coded site scheme:value.",
        source="Finding Site (363698007, SCT)",
    ),
    C(
        "laterality_code",
        "string",
        "Coded side scheme:value.",
        source="Laterality (272741003, SCT)",
    ),
    C(
        "topographical_modifier_code",
        "string",
        "Coded modifier of the site scheme:value.",
        source="Topographical modifier (106233006, SCT)",
    ),
    C(
        "quantity_code",
        "string",
        "Coded quantity scheme:value, such as DCM:126401 (SUVbw).",
        source="Concept Name Code Sequence (0040,A043) or Quantity (246205007, SCT)",
    ),
    C("quantity_name", "string", "Name of the quantity in DICOM PS3.16; null for other codes."),
    C(
        "derivation_code",
        "string",
        "Coded statistic scheme:value, such as SCT:56851009 (maximum).",
        source="Derivation (121401, DCM)",
    ),
    C("derivation_name", "string", "Name of the statistic in DICOM PS3.16; null for other codes."),
    C(
        "measurement_method_codes",
        "list<string>",
        "Coded methods scheme:value.",
        source="Measurement Method (370129005, SCT)",
    ),
    C(
        "measurement_modifiers",
        "list<string>",
        "Other coded modifiers, concept=value.",
        source=_CONTENT,
    ),
    C(
        "unit_code",
        "string",
        "Unit as its UCUM code.",
        source="Measurement Units Code Sequence (0040,08EA)",
    ),
    C(
        "value_qualifier_code",
        "string",
        "Why there is no usual value, scheme:value.",
        source="Numeric Value Qualifier Code Sequence (0040,A301)",
    ),
    C(
        "measured_series_uid",
        "string",
        "Image series the value was measured on, pseudonymised; null if the report does not say.",
        source=_CONTENT,
    ),
    C(
        "region_kind",
        "string",
        "What was measured: segment, segmentation_frame, roi (of an RTSTRUCT), surface or region; "
        "null for none.",
        source=_CONTENT,
    ),
    C(
        "question_code",
        "string",
        "What was asked, scheme:value.",
        source="Concept Name Code Sequence (0040,A043)",
    ),
    C("question_name", "string", "Name of the question in DICOM PS3.16; null for other codes."),
    C(
        "answer_code",
        "string",
        "The reader's answer, scheme:value.",
        source="Concept Code Sequence (0040,A168)",
    ),
    C("answer_name", "string", "Name of the answer in DICOM PS3.16; null for other codes."),
)

VALUE_MAPS = (
    C(
        "mapping_series_uid",
        "string",
        "Series of the Real World Value Mapping, pseudonymised.",
        source="SeriesInstanceUID (0020,000E)",
    ),
    C("mapping_index", "int", "Position of the mapping in its series."),
    C(
        "mapped_series_uid",
        "string",
        "Image series that the mapping is for, pseudonymised; null if the object does not say.",
        source="ReferencedSeriesSequence (0008,1115)",
    ),
    C("n_mapped_instances", "int", "Images of that series that the mapping is for."),
    C("n_mapped_frames", "int", "Frames named one by one; null where whole images are mapped."),
    C(
        "real_world_slope",
        "float",
        "Real world value of one stored unit, in unit_code; null for a lookup table.",
        source="RealWorldValueSlope (0040,9225)",
    ),
    C(
        "real_world_intercept",
        "float",
        "Real world value of stored value 0, in unit_code.",
        source="RealWorldValueIntercept (0040,9224)",
    ),
    C(
        "first_value_mapped",
        "float",
        "Smallest stored value that is mapped.",
        source="RealWorldValueFirstValueMapped (0040,9216)",
    ),
    C(
        "last_value_mapped",
        "float",
        "Largest stored value that is mapped.",
        source="RealWorldValueLastValueMapped (0040,9211)",
    ),
    C(
        "is_lookup_table",
        "bool",
        "True if values are mapped by a table instead of slope and intercept.",
        source="RealWorldValueLUTData (0040,9212)",
    ),
    C(
        "lut_label",
        "string",
        "Label of the mapping, cleaned to allow-listed words.",
        source="LUTLabel (0040,9210)",
    ),
)
