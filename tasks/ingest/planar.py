"""A series of planar images: projections, which are pictures and no volumes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import Geometry
from schemas.records import Row, SuvDerivation
from schemas.volume import WHOLE, Attributes, Part, RawVolume
from tasks.dicom import values
from tasks.dicom.nm_times import frame_angles
from tasks.dicom.pixels import StoredArray
from tasks.dicom.references import only
from tasks.dicom.stack import plane_directions, plane_stack
from tasks.findings.row import series_finding
from tasks.ingest.assembled import require_one_value
from tasks.ingest.context import Context, Conversion
from tasks.ingest.findings import partial_series_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.image import repeated_columns
from tasks.ingest.load import LoadedObject
from tasks.ingest.lossy import lossy_findings
from tasks.ingest.open_planar import PlanarObject, open_planar
from tasks.ingest.open_slice import volume_dtype
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.planar_facts import detector_plane, planar_facts
from tasks.ingest.planar_frames import PooledFrames, pool_frames
from tasks.ingest.series_row import common_row, image_row

#: Distance between slices of a grid that has one slice, mm.
_NOMINAL_STEP_MM: Final = 1.0
_NOMINAL_PIXEL_MM: Final = (1.0, 1.0)
_ONE_VALUE: Final = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "Modality")
#: Image types by which parts are named; what else stands there may be anything.
_FORMS: Final = frozenset({"STATIC", "WHOLE BODY", "DYNAMIC", "GATED", "TOMO", "GATED TOMO"})


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Objects of one size and image type, and their frames."""

    objects: list[PlanarObject]
    frames: PooledFrames

    @property
    def first(self) -> PlanarObject:
        return self.objects[0]

    @property
    def label(self) -> str:
        """What of the series it is, such as ``static, 256 x 256``."""
        rows, columns = self.first.stored.shape[1:]
        form = self.first.form.lower() if self.first.form in _FORMS else "planar"
        return f"{form}, {rows} x {columns}"


def convert_planar(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the objects of a planar series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Planar objects of one series, each instance once.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Returns
    -------
    Conversion
        Volumes (t, 1, y, x) on a nominal grid: one, or one for each size and image type. Their
        attributes say what each frame is (see docs/explanation/objects-and-geometry.md).

    Raises
    ------
    RejectedObjectError
        Why none of the objects can be used.
    """
    opened = _opened(objects, context, book)
    if not opened:
        raise RejectedObjectError("missing_attribute", "no planar object of the series can be used")
    require_one_value([o.dataset for o in opened], _ONE_VALUE)
    pools = _pools(opened)
    clean = [context.clean(pool.first.dataset) for pool in pools]
    row = _row(opened, pools[0], clean[0], context)
    parts = [Part(i, p.label) for i, p in enumerate(pools, start=1)] if len(pools) > 1 else [WHOLE]
    return Conversion(
        rows={"series": [row], "findings": _findings(row, opened, pools, book)},
        raw=tuple(
            _volume(pool, row, part, context) for pool, part in zip(pools, parts, strict=True)
        ),
        identity=identity_of(pools[0].first.dataset, row),
    )


def _opened(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> list[PlanarObject]:
    opened: list[PlanarObject] = []
    seen: set[bytes] = set()
    room = context.limits.max_series_bytes
    for loaded in objects:
        try:
            found = open_planar(loaded, context.limits)
            _require_room(found, room)
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
            continue
        fingerprint = found.fingerprint()
        if fingerprint in seen:
            book.duplicate(loaded.item)
            continue
        seen.add(fingerprint)
        room -= found.stored.nbytes
        opened.append(found)
    return opened


def _require_room(planar: PlanarObject, n_bytes: int) -> None:
    if planar.stored.nbytes > n_bytes:
        raise RejectedObjectError("oversized", "the series has more bytes of pixels than the limit")


def _pools(opened: list[PlanarObject]) -> list[_Pool]:
    """Objects of one size, pixel spacing and image type together, the largest first."""
    members: dict[tuple[object, ...], list[PlanarObject]] = {}
    for found in opened:
        spacing = found.pixel_spacing and tuple(round(v, 3) for v in found.pixel_spacing)
        key = (found.form, found.stored.shape[1:], spacing, found.has_counts)
        members.setdefault(key, []).append(found)
    pools = [
        _Pool(_by_time(objects), pool_frames(_by_time(objects))) for objects in members.values()
    ]
    return sorted(pools, key=lambda p: (-sum(o.stored.size for o in p.objects), p.label))


def _by_time(objects: list[PlanarObject]) -> list[PlanarObject]:
    """Order of acquisition if it is known, otherwise that of the series."""
    times = [o.acquired for o in objects]
    if any(t is None for t in times):
        return objects
    return sorted(objects, key=lambda o: o.acquired)  # type: ignore[arg-type,return-value]


def _row(opened: list[PlanarObject], main: _Pool, clean: Dataset, context: Context) -> Row:
    original = main.first.dataset
    digests = {o.loaded.item.ref.uri: o.loaded.digest for o in opened}
    row = common_row(original, clean, "planar", digests.values(), context)
    return image_row(original, [clean], SuvDerivation("not_applicable", _unit(main.first)), row)


def _unit(planar: PlanarObject) -> str:
    return "CNTS" if planar.has_counts else "1"


def _volume(pool: _Pool, row: Row, part: Part, context: Context) -> RawVolume:
    frames = pool.frames
    sizes = [len(o.stored) for o in pool.objects]
    geometry, is_patient = _geometry(pool)
    order = frames.order
    return RawVolume(
        stored=_stored(pool.objects)[order][:, None],
        rescale_slope=np.repeat([o.slope for o in pool.objects], sizes)[order][:, None],
        rescale_intercept=np.repeat([o.intercept for o in pool.objects], sizes)[order][:, None],
        geometry=geometry,
        value_unit=_unit(pool.first),
        attributes=_attributes(pool, row, context, is_patient=is_patient),
        frames=frames.axis,
        part=part,
    )


def _stored(objects: Sequence[PlanarObject]) -> StoredArray:
    """(frame, y, x): all frames, one object after the other."""
    dtype = volume_dtype([o.stored for o in objects])
    return np.concatenate([o.stored.astype(dtype, copy=False) for o in objects])


def _geometry(pool: _Pool) -> tuple[Geometry, bool]:
    """Grid of the frames, and whether it lies where they do.

    Only if all frames were seen by detectors at one place does one affine hold for them. Otherwise
    the grid is nominal: origin 0, x to the right and y down; the detectors' places are attributes.
    """
    first = pool.first
    spacing = first.pixel_spacing or _NOMINAL_PIXEL_MM
    plane = only(plane for o in pool.objects for plane in _frame_planes(o))
    position, orientation = plane or ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    row, column = plane_directions(orientation)
    rows, columns = first.stored.shape[1:]
    step = np.cross(row, column) * _NOMINAL_STEP_MM
    geometry = plane_stack(rows, columns, spacing, (row, column), np.array(position), step, 1)
    return geometry, plane is not None and first.pixel_spacing is not None


def _frame_planes(planar: PlanarObject) -> set[tuple[tuple[float, ...], tuple[float, ...]] | None]:
    """Places of the detectors that saw the frames; in rotation they are not where they began."""
    if "TOMO" in planar.form.split():
        return {None}
    detectors = values.items(planar.dataset, "DetectorInformationSequence")
    used = set(planar.counts.get("detector", np.ones(1, dtype=np.int64)).tolist())
    return {detector_plane(detectors[n - 1]) if n <= len(detectors) else None for n in used}


def _attributes(pool: _Pool, row: Row, context: Context, *, is_patient: bool) -> Attributes:
    first, frames = pool.first, pool.frames
    found: Attributes = {
        **repeated_columns(row),
        "is_planar": True,
        "has_patient_geometry": is_patient,
        "has_pixel_spacing": first.pixel_spacing is not None,
        "frame_indices": {
            name: counts.tolist()
            for name, counts in frames.indices.items()
            if name != "image" or len(pool.objects) > 1
        },
        **_facts(pool),
        "sop_instance_uids": [context.uid(o.loaded.item.sop_instance_uid) for o in pool.objects],
    }
    if first.form in _FORMS:
        found["image_type"] = first.form
    if values.text(first.dataset, "PhotometricInterpretation") == "MONOCHROME1":
        found["is_inverted"] = True  # low values are meant to be shown bright
    angles = [frame_angles(o.dataset, o.counts, len(o.stored)) for o in pool.objects]
    known = [a for a in angles if a is not None]
    if len(known) == len(angles):
        found["frame_angles_deg"] = np.concatenate(known)[frames.order].tolist()
    return found


def _facts(pool: _Pool) -> Attributes:
    """How the frames were measured: once, or object by object where they differ."""
    facts = [planar_facts(o.dataset) for o in pool.objects]
    return facts[0] if all(f == facts[0] for f in facts) else {"images": facts}


def _findings(
    row: Row, opened: list[PlanarObject], pools: list[_Pool], book: OutcomeBook
) -> list[Row]:
    found = partial_series_findings(row, book.reasons(), None, 0)
    found += lossy_findings(row, [o.dataset for o in opened])
    captures = sum(o.is_secondary_capture for o in opened)
    if captures:
        found.append(
            series_finding(
                row, "ingest.secondary_capture", "warn",
                f"Secondary Capture, kept by the setting secondary_capture: {captures} objects; "
                "look whether identity is burned into their pixels before anyone else does.",
                observed_value=float(captures), limit_text="0 objects",
            )
        )  # fmt: skip
    if any(not pool.frames.is_told_apart for pool in pools):
        found.append(
            series_finding(
                row, "ingest.frame_vectors", "warn",
                "The header does not tell all frames apart by window, detector or time; they are "
                "kept in the order they came in.",
                source="DICOM PS3.3 C.8.4.8, Frame Increment Pointer (0028,0009)",
            )
        )  # fmt: skip
    if len(pools) > 1:
        text = "; ".join(f"{len(p.frames.order)} frames: {p.label}" for p in pools)
        found.append(
            series_finding(
                row, "ingest.split_series", "info",
                f"The series holds planar images of {len(pools)} kinds, each a volume of its own "
                f"({text}).",
                observed_value=float(len(pools)), limit_text="1 kind",
            )
        )  # fmt: skip
    return found
