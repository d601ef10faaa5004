"""An archive that speaks DIMSE: C-FIND says what is there, C-MOVE brings it to our port."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pydicom.dataset import Dataset

from schemas.errors import SourceUnavailableError
from schemas.records import ObjectRef
from schemas.sources import DimseSettings
from tasks.sources.retrieved import Connections
from tasks.sources.retry import PassingError, persist
from tasks.sources.selection import is_selected, study_dates
from tasks.sources.storage_scp import NotExpectedError, StorageScp, silence
from tasks.sources.uris import DIMSE, instance_uids, is_uid, make_instance_uri, parse_remote_uri

_log = logging.getLogger(__name__)

#: C-MOVE: "Refused: Move Destination unknown" (PS3.4 C.4.2.1.5).
_DESTINATION_UNKNOWN: Final = 0xA801
#: After so many series in a row of which nothing arrived, the archive is not asked any more.
_GIVE_UP: Final = 3
_PENDING: Final = frozenset({0xFF00, 0xFF01})


@dataclass(frozen=True, slots=True)
class DimseSource:
    """Studies in the date window, their selected series, all instances of these.

    Listing asks for every level (the hierarchical model, which every archive supports) and fetches
    nothing. `retrieve` moves whole series, but only those with instances that are wanted.

    Parameters
    ----------
    settings : DimseSettings
        The declared source.
    name : str
        Its name.
    connections : Connections
        Where retrieved objects are put.
    """

    settings: DimseSettings
    name: str = "dimse"
    connections: Connections = field(default_factory=Connections)

    def objects(self) -> Iterator[ObjectRef]:
        """All selected instances; see `tasks.sources.base.Source.objects`.

        Raises
        ------
        SourceUnavailableError
            If the archive does not answer or refuses.
        """
        with closing(DimseLink(self.settings)) as link:
            for study in self._studies(link):
                if not is_uid(study):
                    yield self._ref(study)
                    continue
                for series in self._series(link, study):
                    yield from self._instances(link, study, series)

    def retrieve(self, refs: Sequence[ObjectRef], advance: Callable[[int], None]) -> None:
        """Bring objects to where readers look for them.

        What does not arrive is left out: reading it says ``source_unavailable``, and the next run
        asks for it again.

        Parameters
        ----------
        refs : sequence of ObjectRef
            Objects that this source has listed.
        advance : callable
            Told how many objects are done.

        Raises
        ------
        SourceUnavailableError
            If the archive does not answer, or does not know us as a move destination.
        InvalidInputError
            If our port is taken.
        """
        wanted = self._by_series(refs)
        if not wanted:
            return
        uris = {uids[2]: uri for group in wanted.values() for uids, uri in group}

        def keep(instance_uid: str, data: bytes) -> None:
            if instance_uid not in uris:
                raise NotExpectedError
            self.connections.keep(uris[instance_uid], data)

        ours = self.settings
        server = StorageScp(
            keep, ae_title=ours.own_ae_title, host=ours.own_host, port=ours.own_port
        )
        failed_in_a_row = 0
        with server, closing(DimseLink(ours)) as link:
            for (study, series), group in wanted.items():
                arrived = self._move(link, study, series, [uri for _, uri in group])
                failed_in_a_row = 0 if arrived else failed_in_a_row + 1
                if failed_in_a_row == min(_GIVE_UP, len(wanted)):
                    raise SourceUnavailableError(self._nothing_arrives())
                advance(len(group))

    def _by_series(
        self, refs: Sequence[ObjectRef]
    ) -> dict[tuple[str, str], list[tuple[tuple[str, str, str], str]]]:
        groups: dict[tuple[str, str], list[tuple[tuple[str, str, str], str]]] = {}
        for ref in refs:
            place = parse_remote_uri(ref.uri)
            if len(place.parts) == 6 and all(is_uid(uid) for uid in place.parts[1::2]):
                uids = instance_uids(place)
                groups.setdefault(uids[:2], []).append((uids, ref.uri))
        return groups

    def _nothing_arrives(self) -> str:
        ours = self.settings
        return (
            f"{ours.ae_title} at {ours.host}:{ours.port} delivers nothing; check that it knows "
            f"{ours.own_ae_title} as a move destination with this machine's address and port "
            f"{ours.own_port}, and that it can reach it"
        )

    def _move(self, link: DimseLink, study: str, series: str, uris: Sequence[str]) -> bool:
        """Move a series until all of it is here or the attempts are used up.

        Returns
        -------
        bool
            Whether any of it is here.
        """

        def attempt() -> None:
            if all(map(self.connections.has, uris)):
                return
            link.move(study, series)
            missing = sum(not self.connections.has(uri) for uri in uris)
            if missing:
                raise PassingError(f"{missing} of {len(uris)} objects of a series did not arrive")

        try:
            persist(attempt, self.settings.retry)
        except PassingError as error:
            _log.warning("given up for this run: %s", error)
        return any(map(self.connections.has, uris))

    def _studies(self, link: DimseLink) -> list[str]:
        dates = study_dates(self.settings, date.today())  # noqa: DTZ011  StudyDate is local too
        found: set[str] = set()
        for modality in self.settings.modalities or ("",):
            keys = {
                "StudyInstanceUID": "",
                "StudyDate": dates or "",
                "ModalitiesInStudy": modality,
            }
            found |= {_text(match, "StudyInstanceUID") for match in link.find("STUDY", keys)}
        return sorted(found)

    def _series(self, link: DimseLink, study: str) -> list[str]:
        keys = {
            "StudyInstanceUID": study,
            "SeriesInstanceUID": "",
            "Modality": "",
            "SeriesDescription": "",
        }
        return sorted(
            _text(match, "SeriesInstanceUID")
            for match in link.find("SERIES", keys)
            if is_selected(
                self.settings, _text(match, "Modality"), _text(match, "SeriesDescription")
            )
        )

    def _instances(self, link: DimseLink, study: str, series: str) -> Iterator[ObjectRef]:
        if not is_uid(series):
            yield self._ref(study, series)
            return
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
        found = link.find("IMAGE", keys)
        for instance in sorted({_text(match, "SOPInstanceUID") for match in found}):
            yield self._ref(study, series, instance)

    def _ref(self, *uids: str) -> ObjectRef:
        """Make a reference; size and time are unknown, an invalid UID is refused when read."""
        return ObjectRef(make_instance_uri(DIMSE, self.name, *uids), 0, 0)


class DimseLink:
    """An association with the archive, made anew whenever it has broken.

    Parameters
    ----------
    settings : DimseSettings
        The declared source.
    """

    def __init__(self, settings: DimseSettings) -> None:
        from pynetdicom import AE
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelMove,
        )

        silence()
        self._find_model = StudyRootQueryRetrieveInformationModelFind
        self._move_model = StudyRootQueryRetrieveInformationModelMove
        self._settings = settings
        self._association: Any = None
        self._entity = AE(settings.own_ae_title)
        self._entity.acse_timeout = settings.retry.timeout_s
        self._entity.connection_timeout = settings.retry.timeout_s
        self._entity.network_timeout = settings.idle_timeout_s
        self._entity.dimse_timeout = settings.idle_timeout_s
        self._entity.add_requested_context(self._find_model)
        self._entity.add_requested_context(self._move_model)

    def close(self) -> None:
        """End the association."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def find(self, level: str, keys: Mapping[str, str]) -> list[Dataset]:
        """Ask C-FIND at one level, with retry.

        Raises
        ------
        SourceUnavailableError
            If the archive does not answer, or refuses the query.
        """
        try:
            return persist(lambda: self._find(level, keys), self._settings.retry)
        except PassingError as error:
            raise SourceUnavailableError(f"{self._place}: {error}") from None

    def _find(self, level: str, keys: Mapping[str, str]) -> list[Dataset]:
        matches: list[Dataset] = []
        query = _identifier(level, keys)
        for status, match in self._associated().send_c_find(query, self._find_model):
            code = status.get("Status")
            if code in _PENDING and match is not None:
                matches.append(match)
            elif code != 0x0000:
                self.close()
                raise PassingError(f"a query ended with {_shown(code)}")
        return matches

    def move(self, study: str, series: str) -> None:
        """Ask for a series to be sent to us; returns when the archive says that it is done.

        Raises
        ------
        PassingError
            If it failed; some objects may have arrived.
        SourceUnavailableError
            If the archive does not know where to send them.
        """
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
        request = _identifier("SERIES", keys)
        code: int | None = None
        ours = self._settings.own_ae_title
        for status, _ in self._associated().send_c_move(request, ours, self._move_model):
            code = status.get("Status")
        if code == _DESTINATION_UNKNOWN:
            raise SourceUnavailableError(
                f"{self._place} does not know the move destination {ours}; have it set up "
                f"there with this machine's address and port {self._settings.own_port}"
            )
        if code != 0x0000:
            self.close()
            raise PassingError(f"a retrieval ended with {_shown(code)}")

    @property
    def _place(self) -> str:
        return f"{self._settings.ae_title} at {self._settings.host}:{self._settings.port}"

    def _associated(self) -> Any:
        if self._association is None or not self._association.is_established:
            peer = self._settings
            self._association = self._entity.associate(peer.host, peer.port, ae_title=peer.ae_title)
            if not self._association.is_established:
                why = "it refused us" if self._association.is_rejected else "it does not answer"
                raise PassingError(f"no association, {why}")
        return self._association


def _identifier(level: str, keys: Mapping[str, str]) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def _text(match: Dataset, keyword: str) -> str:
    return str(match.get(keyword) or "").strip("\0 ")


def _shown(code: int | None) -> str:
    return "a lost association" if code is None else f"status 0x{code:04X}"
