"""An archive that speaks DICOMweb: QIDO-RS says what is there, WADO-RS brings it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Final

from schemas.errors import SourceUnavailableError
from schemas.records import ObjectRef
from schemas.sources import DicomwebSettings
from tasks.sources.selection import is_selected, study_dates
from tasks.sources.uris import DICOMWEB, is_uid, make_instance_uri
from tasks.sources.web import WebClient

_STUDY_UID: Final = "0020000D"
_SERIES_UID: Final = "0020000E"
_INSTANCE_UID: Final = "00080018"
_MODALITY: Final = "00080060"
_DESCRIPTION: Final = "0008103E"
_N_SERIES: Final = "00201206"
_N_INSTANCES: Final = "00201209"

#: One match: values by tag, in DICOM JSON (PS3.18 F.2).
_Match = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DicomwebSource:
    """Studies in the date window, their selected series, all instances of these.

    Nothing is fetched to list them: an instance never changes under its UID, so what the lake has
    an outcome for is known by its URI alone. Size and time are therefore 0, unknown.

    Parameters
    ----------
    settings : DicomwebSettings
        The declared source.
    name : str
        Its name.
    """

    settings: DicomwebSettings
    name: str = "dicomweb"

    def objects(self) -> Iterator[ObjectRef]:
        """All selected instances; see `tasks.sources.base.Source.objects`.

        Raises
        ------
        SourceUnavailableError
            If the server does not answer or refuses.
        InvalidInputError
            If the secret is not where the settings say.
        """
        with closing(WebClient(self.settings)) as client:
            for study, about in sorted(self._studies(client).items(), key=itemgetter(0)):
                yield from self._study(client, study, about)

    def _studies(self, client: WebClient) -> dict[str, _Match]:
        dates = study_dates(self.settings, date.today())  # noqa: DTZ011  StudyDate is local too
        keys = {} if dates is None else {"StudyDate": dates}
        found: dict[str, _Match] = {}
        for modality in self.settings.modalities or (None,):
            narrowed = keys if modality is None else {**keys, "ModalitiesInStudy": modality}
            found |= self._search(client, ("studies",), narrowed, _STUDY_UID)
        return found

    def _study(self, client: WebClient, study: str, about: _Match) -> Iterator[ObjectRef]:
        if not is_uid(study):
            yield self._ref(study)
            return
        path = ("studies", study, "series")
        query = {"includefield": _DESCRIPTION}
        n_series = _value(about, _N_SERIES)
        found = self._search(client, path, query, _SERIES_UID, n_series)
        for series, match in sorted(found.items(), key=itemgetter(0)):
            selected = is_selected(
                self.settings, _value(match, _MODALITY), _value(match, _DESCRIPTION)
            )
            if selected:
                yield from self._series(client, (*path, series), _value(match, _N_INSTANCES))

    def _series(
        self, client: WebClient, path: tuple[str, ...], n_instances: str | None
    ) -> Iterator[ObjectRef]:
        study, series = path[1], path[3]
        if not is_uid(series):
            yield self._ref(study, series)
            return
        below = (*path, "instances")
        for instance in sorted(self._search(client, below, {}, _INSTANCE_UID, n_instances)):
            yield self._ref(study, series, instance)

    def _ref(self, *uids: str) -> ObjectRef:
        """Make a reference; one with an invalid UID is refused, with its reason, when read."""
        return ObjectRef(make_instance_uri(DICOMWEB, self.name, *uids), 0, 0)

    def _search(
        self,
        client: WebClient,
        path: tuple[str, ...],
        query: Mapping[str, str],
        uid_tag: str,
        n_expected: str | None = None,
    ) -> dict[str, _Match]:
        """All pages, by UID.

        Servers may cap a page below what was asked for, so the end is a page without anything new
        (which also ends the dialogue with servers that ignore the offset), or a page that is not
        full once there are as many matches as the level above says.
        """
        found: dict[str, _Match] = {}
        offset = 0
        while True:
            paging = {"limit": str(self.settings.page_size), "offset": str(offset)}
            page = client.search(path, {**query, **paging})
            before = len(found)
            found |= {self._uid(match, uid_tag): match for match in page}
            offset += len(page)
            is_last = len(page) < self.settings.page_size and str(len(found)) == n_expected
            if is_last or len(found) == before:
                return found

    def _uid(self, match: _Match, tag: str) -> str:
        uid = _value(match, tag)
        if uid is None:
            raise SourceUnavailableError(
                f"{self.settings.url} answers a search with a match that has no UID"
            )
        return uid


def _value(match: _Match, tag: str) -> str | None:
    """Single text value of an attribute; archives leave out what they do not know."""
    element = match.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list) or not values or values[0] is None:
        return None
    return str(values[0]).strip("\0 ")
