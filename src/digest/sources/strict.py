"""XML read strictly: a page that was cut, or is no XML, is an error and never a shorter page.

No DTD, so neither external entities nor entities that grow (https://cwe.mitre.org/data/definitions/776.html);
no network; nothing is repaired.
"""

from __future__ import annotations

from typing import Any

from digest.errors import NotAnAnswer

Element = Any  # lxml has no types

# What XML 1.0 forbids and databases hold all the same; without it a page of 2,000 papers is lost to
# one letter. A multi-byte letter of UTF-8 holds none of these bytes.
_FORBIDDEN = bytes(set(range(32)) - {9, 10, 13})


def root_of(body: bytes, *names: str) -> Element:
    """The root element, whose name without namespace must be one of ``names``.

    Raises NotAnAnswer: empty, not XML, cut, with a DTD, or another kind of document.
    """
    from lxml import etree

    if not body.strip():
        raise NotAnAnswer("the answer is empty")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        recover=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body.translate(None, _FORBIDDEN), parser)
    except (etree.LxmlError, ValueError) as error:
        raise NotAnAnswer(f"the answer is not XML, or cut: {error}"[:300]) from error
    if root.getroottree().docinfo.doctype:
        raise NotAnAnswer("the answer has a document type: not read")
    found = etree.QName(root).localname
    if found not in names:
        raise NotAnAnswer(f"the answer is a document <{found}>, not <{'> or <'.join(names)}>")
    return root


def text_of(parent: Element, name: str) -> str | None:
    """The text of the first child of this name ("{namespace}name"), elements inside it included;
    None where there is no such child."""
    child = parent.find(name)
    return None if child is None else "".join(child.itertext())


def shown(parent: Element, name: str) -> str:
    """As ``text_of`` on one line, for messages; empty where there is none."""
    return " ".join((text_of(parent, name) or "").split())[:300]
