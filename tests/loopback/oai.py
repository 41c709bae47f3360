"""OAI-PMH as arXiv serves it: pages with offsets for tokens, errors with status 200.

Formats and error texts are those of arXiv's server (https://github.com/arXiv/arxiv-oaipmh, answers
of November 2026): elements, their order and their white space; ' and " come as &#39; and &#34;.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode

from loopback.tex import to_tex
from loopback.world import SETS, Listed, Record, View, World

EARLIEST = date(2007, 5, 23)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ARGUMENTS = {"verb", "metadataPrefix", "from", "until", "set"}
_ILLEGAL = (
    "The request includes illegal arguments, is missing required arguments, includes a repeated argument, "
    "or values for arguments have an illegal syntax."
)
_SAID = {
    "badArgument": _ILLEGAL,
    "badVerb": (
        "Value of the verb argument is not a legal OAI-PMH verb, the verb argument is missing, or the verb "
        "argument is repeated."
    ),
    "badResumptionToken": "The value of the resumptionToken argument is invalid or expired.",
    "cannotDisseminateFormat": (
        "The metadata format identified by the value given for the metadataPrefix argument is not supported "
        "by the item or by the repository."
    ),
    "idDoesNotExist": "The value of the identifier argument is unknown or illegal in this repository.",
    "noRecordsMatch": (
        "The combination of the values of the from, until, set and metadataPrefix arguments results in an "
        "empty list."
    ),
}


class Refused(Exception):
    """One of the protocol's errors; it is told with status 200."""

    def __init__(self, code: str, reason: str = "", asked: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code, self.reason, self.asked = code, reason, asked or {}


class Page(NamedTuple):
    """A page of a list and the token of the next one."""

    listed: list[Listed]
    token: str | None


class Oai:
    """The OAI-PMH service of a world. Tokens are good until the next midnight in UTC."""

    def __init__(self, world: World, page_size: int) -> None:
        self._world = world
        self._page_size = page_size
        self._expires: dict[str, datetime] = {}
        self._rendered: dict[Record, str] = {}

    def answer(self, asked: Mapping[str, str], base: str, now: datetime, fault: str | None = None) -> bytes:
        """The answer to a request; ``fault`` is one of this service's own (loopback.faults)."""
        view = self._world.view("oai", now)
        try:
            if fault == "expired token":
                raise Refused("badResumptionToken", "Token decoding failed or format is invalid.")
            content = self._content(asked, view, now, fault)
            request = _request(asked, base)
        except Refused as refused:
            reason = f" Reason: {refused.reason}" if refused.reason else ""
            said = _escape(f"{_SAID[refused.code]}{reason}")
            content = f"    <error code='{refused.code}'>{said}</error>"
            request = _request(refused.asked, base)
        return _document(content, request, now).encode()

    def _content(self, asked: Mapping[str, str], view: View, now: datetime, fault: str | None) -> str:
        match asked.get("verb"):
            case "ListRecords" | "ListIdentifiers" as verb:
                return self._list(verb, asked, view, now, fault)
            case "GetRecord":
                return self._get(asked, view)
            case "Identify":
                return _IDENTIFY
            case "ListSets":
                return _list_sets()
            case "ListMetadataFormats":
                return _FORMATS
        raise Refused("badVerb")

    # Lists

    def _list(self, verb: str, asked: Mapping[str, str], view: View, now: datetime, fault: str | None) -> str:
        given, skip = self._from_token(verb, asked, now) if "resumptionToken" in asked else (asked, 0)
        start, until, set_spec = _window(given, asked, now)
        listed = [one for one in view.changed_since(start, set_spec) if one.datestamp <= until]
        page = self._page(given, listed, skip, start)
        if not page.listed:
            raise Refused("noRecordsMatch", asked=asked)
        token = asked.get("resumptionToken") if fault == "duplicate token" else page.token
        if fault == "empty list":
            page = Page([], token)
        midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
        if token:
            self._expires[token] = midnight
        show = self._record if verb == "ListRecords" else _header
        shown = "\n".join(show(one) for one in page.listed)
        end = (
            f"\n            <resumptionToken expires='{midnight:%Y-%m-%dT%H:%M:%SZ}'>{_escape(token)}"
            if token
            else ""
        )
        return f"    <{verb}>\n{shown}{end}{'</resumptionToken>' if token else ''}\n\n    </{verb}>"

    def _from_token(self, verb: str, asked: Mapping[str, str], now: datetime) -> tuple[dict[str, str], int]:
        if asked.keys() != {"verb", "resumptionToken"}:
            raise Refused("badArgument", "No other paramters allowed with resumptionToken")
        token = asked["resumptionToken"]
        given = {name: values[0] for name, values in parse_qs(unquote(token)).items()}
        skip = given.pop("skip", "")
        if "verb" not in given or not skip.isdigit() or now >= self._expires.get(token, now + timedelta(1)):
            raise Refused("badResumptionToken", "Token decoding failed or format is invalid.")
        if given["verb"] != verb:
            raise Refused("badResumptionToken", "token from different verb", asked)
        return given, int(skip)

    def _page(self, given: Mapping[str, str], listed: list[Listed], skip: int, start: date) -> Page:
        """A page: the token counts how many records of its last day have been sent. If one of them
        changes in the meantime, it leaves that day, and the one after it is never sent."""
        page = listed[skip : skip + self._page_size]
        if len(listed) <= skip + self._page_size:
            return Page(page, None)
        last = page[-1].datestamp
        sent = len(list(takewhile(lambda one: one.datestamp == last, reversed(listed[: skip + len(page)]))))
        assert last > start or sent == skip + len(page)
        following = {**given, "from": last.isoformat(), "skip": str(sent)}
        return Page(page, quote(urlencode(following)))

    # Records

    def _get(self, asked: Mapping[str, str], view: View) -> str:
        if asked.keys() != {"verb", "identifier", "metadataPrefix"}:
            expected = "identifier, metadataPrefix, verb"
            raise Refused("badArgument", f"Parameters provided did not match expected. Expected: {expected}")
        name = asked["identifier"]
        _check_format(asked)
        if not re.fullmatch(r"oai:arXiv\.org:([a-z-]+(\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})", name):
            raise Refused("idDoesNotExist", "Invalid arXiv_id structure")
        found = view.papers.get(name.removeprefix("oai:arXiv.org:"))
        if found is None:
            raise Refused("idDoesNotExist", "Nothing found for this ID", asked)
        return f"    <GetRecord>\n{self._record(found)}\n\n    </GetRecord>"

    def _record(self, one: Listed) -> str:
        metadata = (
            ""
            if one.deleted
            else f"\n            <metadata>\n{self._raw(one.record)}\n\n            </metadata>"
        )
        return f"                    <record>\n{_header(one)}{metadata}\n        </record>\n"

    def _raw(self, record: Record) -> str:
        if record not in self._rendered:
            self._rendered[record] = _raw(record)
        return self._rendered[record]


def _window(
    given: Mapping[str, str], asked: Mapping[str, str], now: datetime
) -> tuple[date, date, str | None]:
    if "metadataPrefix" not in given:
        raise Refused("badArgument", "metadataPrefix required.")
    if given.keys() - _ARGUMENTS:
        raise Refused(
            "badArgument", f"Unallowed parameter. Allowed parameters: {', '.join(sorted(_ARGUMENTS))}"
        )
    _check_format({**given, **asked})
    today = now.astimezone(UTC).date()
    start, until = _day(given, "from", EARLIEST), _day(given, "until", today)
    set_spec = given.get("set")
    if set_spec is not None and set_spec not in SETS:
        raise Refused("badArgument", "Set does not exist")
    if start > until:
        raise Refused("badArgument", "until date must be greater than or equal to from date")
    if start < EARLIEST:
        raise Refused("badArgument", "start date too early")
    if until > today + timedelta(days=1):
        raise Refused("badArgument", "until date too late")
    return start, until, set_spec


def _day(given: Mapping[str, str], name: str, otherwise: date) -> date:
    if not (text := given.get(name)):
        return otherwise
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused("badArgument", f"{name} date format must be YYYY-MM-DD")


def _check_format(asked: Mapping[str, str]) -> None:
    if asked["metadataPrefix"] != "arXivRaw":
        raise Refused(
            "cannotDisseminateFormat", "Did not recognize requested format", {"verb": asked["verb"]}
        )


# --- the wire -------------------------------------------------------------------------------------


def _escape(text: str) -> str:
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ('"', "&#34;")):
        text = text.replace(letter, entity)
    return text


def _request(asked: Mapping[str, str], base: str) -> str:
    order = ("verb", "identifier", "resumptionToken", "metadataPrefix", "from", "until", "set")
    mark = "'" if "resumptionToken" in asked else '"'
    given = "".join(f" {name}={mark}{_escape(asked[name])}{mark}" for name in order if name in asked)
    return f"<request{given}>{_escape(base)}</request>"


def _document(content: str, request: str, now: datetime) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" \n'
        '         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
        '         xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ '
        'http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">\n'
        f"    <responseDate>{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</responseDate>\n"
        f"                {request}\n\n\n{content}\n</OAI-PMH>"
    )


def _header(one: Listed) -> str:
    status = ' status="deleted"' if one.deleted else ""
    sets = "".join(f"            <setSpec>{spec}</setSpec>\n" for spec in one.sets)
    return (
        f"                <header{status}>\n"
        f"        <identifier>oai:arXiv.org:{one.record.id}</identifier>\n"
        f"        <datestamp>{one.datestamp}</datestamp>\n{sets}    </header>\n"
    )


def _raw(record: Record) -> str:
    lines = [
        f"                        {_RAW}",
        f"        <id>{record.id}</id>",
        f"        <submitter>{_escape(to_tex(record.submitter or 'A. Submitter'))}</submitter>",
        *(_version(record, number) for number in range(len(record.versions))),
        f"        <title>{_escape(to_tex(record.title))}</title>",
        f"        <authors>{_escape(to_tex(record.authors or ''))}</authors>",
        f"        <categories>{record.categories}</categories>",
    ]
    further = {
        "comments": to_tex(record.comments or ""),
        "report-no": record.report_no,
        "journal-ref": to_tex(record.journal_ref or ""),
        "doi": record.doi,
        "license": record.license,
        "abstract": to_tex(record.abstract),
    }
    lines += [f"            <{name}>{_escape(text)}</{name}>" for name, text in further.items() if text]
    return "\n".join([*lines, "    </arXivRaw>"])


def _version(record: Record, at: int) -> str:
    version = record.versions[at]
    gone = record.is_withdrawn and at == len(record.versions) - 1
    size, kind = ("0", "I") if gone else (str(100 + len(record.abstract)), "D")
    return (
        f'            <version version="{version.version}">\n'
        f"                <date>{version.created}</date>\n"
        f"                <size>{size}kb</size>\n"
        f"                    <source_type>{kind}</source_type>\n"
        "            </version>"
    )


def _list_sets() -> str:
    sets = "".join(
        f"                <set>\n        <setSpec>{spec}</setSpec>\n"
        f"        <setName>{spec.rpartition(':')[2]}</setName>\n    </set>\n\n"
        for spec in SETS
    )
    return f"    <ListSets>\n{sets}    </ListSets>"


_RAW = (
    '<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://arxiv.org/OAI/arXivRaw/ http://arxiv.org/OAI/arXivRaw.xsd">'
)
_IDENTIFY = f"""    <Identify>
        <repositoryName>arXiv</repositoryName>
        <baseURL>https://arxiv.org/oai</baseURL>
        <protocolVersion>2.0</protocolVersion>
        <adminEmail>help@arxiv.org</adminEmail>
        <earliestDatestamp>{EARLIEST}</earliestDatestamp>
        <deletedRecord>persistent</deletedRecord>
        <granularity>YYYY-MM-DD</granularity>
    </Identify>"""
_FORMATS = """    <ListMetadataFormats>
                <metadataFormat>
    <metadataPrefix>arXivRaw</metadataPrefix>
    <schema>http://arxiv.org/OAI/arXivRaw.xsd</schema>
    <metadataNamespace>http://arxiv.org/OAI/arXivRaw/</metadataNamespace>
</metadataFormat>

    </ListMetadataFormats>"""
