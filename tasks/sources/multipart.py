"""The one part of a ``multipart/related`` answer (RFC 2046, RFC 2387)."""

from __future__ import annotations

import re
from typing import Final

#: boundary="..." or boundary=token
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)


def only_part(content_type: str, body: bytes) -> bytes:
    r"""Return the content of the single part of a multipart body.

    Parameters
    ----------
    content_type : str
        Of the answer; one that is not multipart says that the body itself is the content.
    body : bytes
        The answer.

    Raises
    ------
    ValueError
        If there is no such part, it is cut off, or there are several.

    Examples
    --------
    >>> only_part("multipart/related; boundary=x", b"--x\r\nA: b\r\n\r\ntext\r\n--x--")
    b'text'
    """
    if not content_type.lower().startswith("multipart/"):
        return body
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("a multipart answer without boundary")
    line = b"--" + (found[1] or found[2]).encode("latin-1")
    start = 0 if body.startswith(line) else body.find(b"\r\n" + line) + 2
    head_end = body.find(b"\r\n\r\n", start)
    # From the end: pixel data is long, and the closing line is within its last bytes.
    end = body.rfind(b"\r\n" + line + b"--")
    first = head_end + 4
    if not body.startswith(line, start) or head_end < 0 or end < first:
        raise ValueError("a multipart answer that is cut off")
    if body.find(b"\r\n" + line, first, end) >= 0:
        raise ValueError("a multipart answer of several parts")
    return body[first:end]
