"""How far apart requests must be, and to whom that applies; light, for the configuration asks it too."""

from __future__ import annotations

LEAST_GAP = 3.0
"""Seconds between requests that arXiv asks for."""


def is_loopback(url: str) -> bool:
    """Does the address stay on this machine?"""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
