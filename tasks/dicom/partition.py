"""The slices of one series sorted into regular stacks: one, several, or one with frames.

What a series holds is decided from geometry first, and from what the headers say second:

- slices of other size, pixel spacing or orientation are stacks of their own;
- slices that lie at the same places equally often, told apart by their headers, are the frames of a
  4-D volume (time, gate, echo), or volumes of their own (kinds of image, CT acquisitions);
- slices that make no regular stack together, but do so by acquisition, are stacks of their own;
- a slice that comes again with the same pixels is a repeat;
- what is left is refused, with the reason why it makes no stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RejectedObjectError
from schemas.geometry import Geometry
from schemas.volume import FrameAxis
from tasks.dicom import tags
from tasks.dicom.frame_order import order_frames, read_slice_time
from tasks.dicom.slices import SliceHeader, time_values, vectors
from tasks.dicom.stack import (
    SAME_POSITION_MM,
    plane_directions,
    same_orientation,
    same_pixel_spacing,
    stack_geometry,
)

Indices = NDArray[np.intp]
#: Tells whether two slices at one place hold the same image.
SameImage = Callable[[int, int], bool]

#: What may name the stacks of a series that do not fit together, in the order of trust.
_SPLITTING: Final = (
    (tags.STACK_ID, "stack"),
    (tags.ACQUISITION_NUMBER, "acquisition"),
    (tags.IMAGE_TYPE, "image type"),
    (tags.ACQUISITION_TIME, "acquisition"),
    (tags.ACQUISITION_DATETIME, "acquisition"),
)
#: What makes volumes of their own even where frames could be had of it.
_KINDS_OF_IMAGE: Final = ((tags.STACK_ID, "stack"), (tags.IMAGE_TYPE, "image type"))
#: Series in more pieces than this are not understood.
_MOST_PARTS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices that make one regular grid.

    Parameters
    ----------
    order : ndarray, (z,) or (t, z), intp
        Indices of the slices, ascending along row direction x column direction.
    geometry : Geometry
        The grid.
    frames : FrameAxis or None
        Of a stack with several frames.
    label : str or None
        What of the series it is; None if it is all of it.
    """

    order: Indices
    geometry: Geometry
    frames: FrameAxis | None = None
    label: str | None = None


@dataclass(slots=True)
class Partition:
    """What the slices of a series are.

    Parameters
    ----------
    stacks : list of Stack
        The largest first.
    rejected : dict
        Why a slice is in none of them, by its index.
    repeated : dict
        Slices that hold the same image as another one: index to index.
    """

    stacks: list[Stack] = field(default_factory=list)
    rejected: dict[int, RejectedObjectError] = field(default_factory=dict)
    repeated: dict[int, int] = field(default_factory=dict)


def partition(headers: Sequence[SliceHeader], same_image: SameImage) -> Partition:
    """Sort the slices of a series into stacks. Never raises for what the headers say.

    Parameters
    ----------
    headers : sequence of SliceHeader
        All slices, in any order.
    same_image : callable
        Asked only about slices at the same place that their headers do not tell apart.
    """
    sorter = _Sorter(headers, same_image)
    groups = list(_groups(headers))
    found = sorter.found
    for members, odd, label in groups:
        if len(groups) > 1 and (len(members) == 1 or len(groups) > _MOST_PARTS):
            found.rejected.update(dict.fromkeys(members.tolist(), odd))
            continue
        try:
            found.stacks += sorter.stacks(members, label if len(groups) > 1 else "")
        except RejectedObjectError as error:
            found.rejected.update(dict.fromkeys(sorter.unrepeated(members), error))
    found.stacks.sort(key=lambda s: (-s.order.size, s.label or "", int(s.order.min())))
    return found


def _groups(headers: Sequence[SliceHeader]) -> Iterator[tuple[Indices, RejectedObjectError, str]]:
    """Slices of one size, spacing and orientation; what is wrong with a lonely one; its label."""
    slices = list(headers)
    sizes = np.array([(s.pixels.rows, s.pixels.columns) for s in slices])
    spacing, orientation = vectors(slices, "pixel_spacing"), vectors(slices, "orientation")
    left = np.arange(len(slices))
    main_direction: int | None = None
    while left.size:
        first = left[0]
        is_sized = (sizes[left] == sizes[first]).all(axis=1)
        is_sized &= same_pixel_spacing(spacing[left], spacing[first])
        is_alike = is_sized & same_orientation(orientation[left], orientation[first])
        main_direction = first if main_direction is None else main_direction
        is_turned = not same_orientation(orientation[[first]], orientation[main_direction])[0]
        label = f"{sizes[first][0]} x {sizes[first][1]}, {_plane_name(slices[first])}"
        yield left[is_alike], _odd(slices[first], is_turned=is_turned), label
        left = left[~is_alike]


def _odd(header: SliceHeader, *, is_turned: bool) -> RejectedObjectError:
    if is_turned:
        return RejectedObjectError("mixed_orientations", "no other slice has its orientation")
    size = f"{header.pixels.rows} x {header.pixels.columns}, {header.pixel_spacing[0]:.4g} mm"
    return RejectedObjectError("mixed_sizes", f"no other slice is of its size and spacing: {size}")


def _plane_name(header: SliceHeader) -> str:
    """Plane that an image is closest to."""
    directions = np.reshape(header.orientation, (2, 3))
    normal = np.abs(np.cross(directions[0], directions[1]))
    return ("sagittal", "coronal", "axial")[int(np.argmax(normal))]


class _Sorter:
    """Sorts slices of one size and orientation."""

    def __init__(self, headers: Sequence[SliceHeader], same_image: SameImage) -> None:
        self._headers = headers
        self._same_image = same_image
        self.found = Partition()

    def unrepeated(self, members: Indices) -> list[int]:
        """Those that are no repeats."""
        return [i for i in members.tolist() if i not in self.found.repeated]

    def stacks(self, members: Indices, label: str) -> list[Stack]:
        """Stacks of slices of one size and orientation.

        Raises
        ------
        RejectedObjectError
            Why there is none.
        """
        try:
            order, geometry = stack_geometry([self._headers[i] for i in members])
            return [Stack(members[order], geometry, None, label or None)]
        except RejectedObjectError as error:
            reason = error
        if reason.reason_code == "duplicate_positions":
            return self._repeated_places(members, label)
        return self._split(members, label, _SPLITTING, reason)

    def _repeated_places(self, members: Indices, label: str) -> list[Stack]:
        kept = self._without_repeats(members)
        if len(kept) < len(members):
            return self.stacks(kept, label)
        place = self._places(kept)
        counts = np.bincount(place)
        reason = _repeat_error(counts)
        kinds = _KINDS_OF_IMAGE if self._modality_has_frames(kept) else _SPLITTING
        try:
            return self._split(kept, label, kinds, reason)
        except RejectedObjectError:
            if reason.reason_code == "missing_slices":
                raise
            if counts.min() < counts.max():
                return self._split(kept, label, _SPLITTING, reason)
        return self._frames(kept, place, label, reason)

    def _frames(
        self, members: Indices, place: Indices, label: str, reason: RejectedObjectError
    ) -> list[Stack]:
        times = [read_slice_time(self._headers[i]) for i in members]
        frames = order_frames(place, times)
        if frames is None:
            return self._split(members, label, _SPLITTING, reason)
        # places are numbered along the normal, so that every frame is in slice order
        _, geometry = stack_geometry([self._headers[i] for i in members[frames.order[0]]])
        return [Stack(members[frames.order], geometry, frames.axis, label or None)]

    def _split(
        self,
        members: Indices,
        label: str,
        keys: Sequence[tuple[int, str]],
        reason: RejectedObjectError,
    ) -> list[Stack]:
        """Split by the first attribute whose values name regular stacks."""
        for tag, name in keys:
            values = [time_values(self._headers[i]).get(tag, "") for i in members]
            distinct = sorted(set(values), key=lambda v: (len(v), v))
            if not 1 < len(distinct) <= _MOST_PARTS or "" in distinct:
                continue
            pieces = [members[[v == wanted for v in values]] for wanted in distinct]
            before = dict(self.found.repeated)
            try:
                return [
                    stack
                    for number, piece in enumerate(pieces, start=1)
                    for stack in self.stacks(piece, _joined(label, f"{name} {number}"))
                ]
            except RejectedObjectError:
                self.found.repeated = before
        raise reason

    def _without_repeats(self, members: Indices) -> Indices:
        """Leave out slices that hold the image of another one at their place."""
        place = self._places(members)
        first: dict[tuple[int, str], list[int]] = {}
        kept = []
        for index, where in zip(members.tolist(), place.tolist(), strict=True):
            others = first.setdefault((where, self._headers[index].time_key), [])
            original = next((i for i in others if self._same_image(i, index)), None)
            if original is None:
                others.append(index)
                kept.append(index)
            else:
                self.found.repeated[index] = original
        return np.array(kept, dtype=np.intp)

    def _places(self, members: Indices) -> Indices:
        """Count the places along the normal from 0; give that of each slice."""
        headers = [self._headers[i] for i in members]
        row, column = plane_directions(headers[0].orientation)
        along = vectors(headers, "position") @ np.cross(row, column)
        order = np.argsort(along, kind="stable")
        is_new = np.diff(along[order]) >= SAME_POSITION_MM
        place = np.empty(len(members), dtype=np.intp)
        place[order] = np.concatenate([[0], np.cumsum(is_new)])
        return place

    def _modality_has_frames(self, members: Indices) -> bool:
        """CT acquisitions are volumes of their own, unless they are many (perfusion, 4-D CT)."""
        acquisitions = {
            time_values(self._headers[i]).get(tags.ACQUISITION_NUMBER, "") for i in members
        }
        return self._headers[members[0]].modality != "CT" or len(acquisitions) > 4


def _joined(label: str, more: str) -> str:
    return f"{label}, {more}" if label else more


def _repeat_error(counts: Indices) -> RejectedObjectError:
    """Say why slices at the same places are no frames."""
    n_slices, n_places, most = int(counts.sum()), len(counts), int(counts.max())
    missing = most * n_places - n_slices
    if most > 1 and 0 < missing <= n_places // 2 and np.median(counts) == most:
        return RejectedObjectError(
            "missing_slices", f"{missing} of {most} x {n_places} slices of frames are missing"
        )
    return RejectedObjectError(
        "duplicate_positions", f"{n_slices} slices at {n_places} positions, not told apart"
    )
