"""What a developer opens in a browser: the description as served bytes, the page that shows it, and the page's files.

Every file is one of a closed list; a name in the path only chooses among them. Links are relative, so that the pages
also work behind a gateway that puts a prefix before the path.
"""

import functools
import hashlib
from importlib import resources
from types import MappingProxyType

from litestar import Response
from litestar.params import FromPath

from sauma.core.errors import BadRequest
from sauma.core.people import Confidential
from sauma.web.context import AnyRequest
from sauma.web.gate import get
from sauma.web.pages import BROWSING, HTML, page_headers
from sauma.web.published import openapi_bytes

OPEN = {"open": True}
PAGE = {"open": True, "page": True}
"""Open to all, and for people: a page is no operation of the interface and does not stand in its description."""
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_NOW = "public, max-age=300"
FILES = MappingProxyType(
    {
        "swagger-ui-5.35.0.js": ("text/javascript", FOR_GOOD),
        "swagger-ui-5.35.0.css": ("text/css", FOR_GOOD),
        "sauma.js": ("text/javascript", FOR_NOW),
        "sauma.css": ("text/css", FOR_NOW),
        "sauma.svg": ("image/svg+xml", FOR_NOW),
    }
)
"""Media type and caching of each file of the page; a name that holds a version never changes its content."""


class Document(Confidential, frozen=True, kw_only=True):
    """Bytes to serve as they are, with their entity tag."""

    body: bytes
    etag: str
    media_type: str


@get("/openapi.json", opt=OPEN)
async def show_description(request: AnyRequest) -> Response[bytes]:
    """The description of the interface (OpenAPI 3.1), byte for byte as it is committed and reviewed."""
    return served(request, _description(), {"Cache-Control": FOR_NOW})


@get("/docs", opt=PAGE)
async def show_documentation(request: AnyRequest) -> Response[bytes]:
    """The description as a page to browse; it loads nothing from anywhere else."""
    return served(request, _file("docs.html", HTML), {"Cache-Control": FOR_NOW, **page_headers(BROWSING)})


@get("/docs/{file:str}", opt=PAGE)
async def show_documentation_file(request: AnyRequest, file: FromPath[str]) -> Response[bytes]:
    """One of the page's own files."""
    if file not in FILES:
        raise BadRequest("not-found")
    media_type, caching = FILES[file]
    headers = {"Cache-Control": caching, "Cross-Origin-Resource-Policy": "same-origin"}
    return served(request, _file(file, media_type), headers)


@functools.cache
def _description() -> Document:
    return document(openapi_bytes(), "application/json")


@functools.cache
def _file(name: str, media_type: str) -> Document:
    """A file beside this package, read once; `name` is one of ours, never what a caller sent."""
    return document(resources.files("sauma.web").joinpath("static", name).read_bytes(), media_type)


def document(body: bytes, media_type: str) -> Document:
    """The bytes with an entity tag that changes when they do."""
    return Document(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"', media_type=media_type)


def served(request: AnyRequest, document: Document, headers: dict[str, str]) -> Response[bytes]:
    """The document, or 304 where the reader's copy is the same (RFC 9110 section 13.1.2)."""
    stated = ",".join(request.headers.getall("if-none-match", []))
    known = {tag.strip().removeprefix("W/") for tag in stated.split(",")}
    fresh = document.etag in known or "*" in known
    return Response(
        b"" if fresh else document.body,
        status_code=304 if fresh else 200,
        media_type=document.media_type,
        headers={"ETag": document.etag, **headers},
    )


ROUTES = (show_description, show_documentation, show_documentation_file)
