"""Worker side of ingestion: look at headers; turn one series into stored volumes and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lake.volumes import write_mask, write_raw
from schemas.records import ConvertedSeries, ObjectRef, Row, ScannedObject, SeriesGroup
from schemas.sources import Selection
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.dicom.scan import HeaderScanner
from tasks.ingest.convert import Limits, convert_series
from tasks.protocol.evaluate import Protocols, findings_at_ingestion
from tasks.protocol.mass_balance import mass_balance
from tasks.sources.reading import ObjectReader
from tasks.sources.retrieved import Connections
from tasks.sources.settled import SettledReader


@dataclass(frozen=True)
class IngestContext:
    """What a worker needs to know; travels with each job.

    Parameters
    ----------
    volumes_root : str
        Where volumes are written.
    pseudonymiser : Pseudonyms
        Holds the secret; stays in memory.
    limits : Limits
        Sizes beyond which an object is refused.
    deidentify : bool
        False only for phantoms and public data.
    centre : str or None
        Centre code of everything in this run; None: as the objects say.
    connections : Connections
        How to reach objects of declared sources.
    protocols : Protocols or None
        What series are held to; None: nothing, as in tests of conversion alone.
    """

    volumes_root: str
    pseudonymiser: Pseudonyms
    limits: Limits
    deidentify: bool
    centre: str | None = None
    connections: Connections = field(default_factory=Connections)
    protocols: Protocols | None = None


@dataclass(frozen=True)
class StoredSeries:
    """Rows of a converted series whose volumes are on disk but not yet published.

    Parameters
    ----------
    leaves_series : bool
        What the lake has of the series stays as it is; `rows` hold only ``files``.
    """

    series_instance_uid: str
    rows: Mapping[str, list[Row]]
    leaves_series: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)


def scan_batch(
    connections: Connections,
    secondary_capture: str,
    selection: Selection | None,
    refs: tuple[ObjectRef, ...],
) -> list[ScannedObject]:
    """Look at the headers of a batch of objects."""
    with ObjectReader(connections) as reader:
        scanner = HeaderScanner(reader, secondary_capture=secondary_capture, selection=selection)
        return [scanner.scan(ref) for ref in refs]


def convert_and_store(context: IngestContext, group: SeriesGroup) -> StoredSeries:
    """Convert one series and write its volumes; what is already there is reused."""
    with ObjectReader(context.connections) as reader:
        converted = convert_series(
            group,
            reader=SettledReader(reader, (item.ref for item in group.objects)),
            pseudonymiser=context.pseudonymiser,
            limits=context.limits,
            deidentify=context.deidentify,
        )
    return _store(context, converted)


def _store(context: IngestContext, converted: ConvertedSeries) -> StoredSeries:
    uid, root = converted.series_instance_uid, context.volumes_root
    rows = {name: list(table) for name, table in converted.rows.items()}
    volumes = [write_raw(root, uid, volume) for volume in converted.raw]
    if context.centre is not None:
        rows["series"] = [{**row, "centre": context.centre} for row in rows.get("series", [])]
    _add_mass_balance(rows, converted)
    rows["findings"] = [*rows.get("findings", []), *_protocol_findings(context, rows, volumes)]
    for mask in converted.masks:
        row = write_mask(root, uid, mask)
        _link_segments(rows.get("segments", []), mask.attributes.get("segment_numbers"), row)
        volumes.append(row)
    rows["volumes"] = volumes
    return StoredSeries(uid, rows, converted.leaves_series, converted.identity)


def _add_mass_balance(rows: dict[str, list[Row]], converted: ConvertedSeries) -> None:
    """Measure the first volume of a series while its voxels are in memory."""
    if converted.raw and converted.raw[0].suv_factor is not None:
        rows["series"] = [
            {**row, **mass_balance(converted.raw[0], row.get("patient_weight_kg"))}
            for row in rows.get("series", [])
        ]


def _protocol_findings(
    context: IngestContext, rows: Mapping[str, list[Row]], volumes: list[Row]
) -> list[Row]:
    if context.protocols is None:
        return []
    return [
        finding
        for series in rows.get("series", [])
        for finding in findings_at_ingestion(
            context.protocols, series, volumes[0] if volumes else None
        )
    ]


def _link_segments(segments: list[Row], numbers: object, volume: Row) -> None:
    """Name the mask volume in the rows of the segments that it holds."""
    held = set(numbers) if isinstance(numbers, (list, tuple)) else set()
    for segment in segments:
        if segment["segment_number"] in held:
            segment["volume_id"] = volume["volume_id"]
