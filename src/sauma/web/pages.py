"""Pages for a reader with a browser: when one is wanted, what it may load, and a problem code's page."""

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from sauma.core.problems import LANGUAGES, ProblemText, ProblemTexts, in_language, quality
from sauma.core.purposes import Text

HTML = "text/html"  # Litestar adds the charset to what is text
_NOTHING_ELSE = "connect-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
READING = f"default-src 'none'; style-src 'self'; img-src 'self'; {_NOTHING_ELSE}"
"""Content-Security-Policy of a page without script."""
BROWSING = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; {_NOTHING_ELSE}".replace(
    "connect-src 'none'", "connect-src 'self'"
)
"""Content-Security-Policy of the page at `/docs`: our own files, and pictures that stand in its style sheet."""

_NAMES = {"fi": "Suomeksi", "sv": "På svenska", "en": "In English"}
_ABOVE = Text(fi="Virhekoodi", sv="Felkod", en="Problem code")
_LABELS = (
    Text(fi="Mitä tapahtui", sv="Vad som hände", en="What happened"),
    Text(fi="Miten tähän päädytään", sv="Hur det uppstår", en="How it comes about"),
    Text(fi="Mitä tehdä", sv="Vad man gör", en="What to do"),
    Text(fi="Kuka toimii", sv="Vem som agerar", en="Who acts"),
    Text(fi="Voiko yrittää uudelleen", sv="Kan man försöka på nytt", en="May it be tried again"),
)
_PROBLEM = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{code}: {title} (Sauma)</title>
<link rel="icon" href="../../docs/sauma.svg" type="image/svg+xml">
<link rel="stylesheet" href="../../docs/sauma.css">
</head>
<body>
<main class="problem">
<p>{above}, HTTP {status}</p>
<h1><code>{code}</code></h1>
<nav aria-label="{above}">{links}</nav>
{sections}
</main>
</body>
</html>
"""


def page_headers(policy: str) -> Mapping[str, str]:
    """Headers of a page under a Content-Security-Policy; where the reader came from is told to nobody."""
    return MappingProxyType(
        {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
    )


def prefers_html(accept: str | None) -> bool:
    """Whether an Accept header likes text/html better than JSON (RFC 9110 section 12.5.1); `*/*` does not."""
    return _liking(accept, "text/html") > _liking(accept, "application/json")


def problem_page(texts: ProblemTexts, code: str, said: ProblemText, *, status: int, language: str) -> bytes:
    """The page of a code in three languages, the reader's first; everything in it is constant for the code."""
    order = sorted(LANGUAGES, key=lambda one: one != language)
    links = " ".join(f'<a href="#{one}" lang="{one}" hreflang="{one}">{_NAMES[one]}</a>' for one in order)
    return _PROBLEM.format(
        language=language,
        code=escape(code),
        title=escape(in_language(said.title, language)),
        above=in_language(_ABOVE, language),
        status=status,
        links=links,
        sections="\n".join(_section(texts, said, one) for one in order),
    ).encode()


def _section(texts: ProblemTexts, said: ProblemText, language: str) -> str:
    title = said.texts()[0]
    rest = (*said.texts()[1:], texts.actors[said.actor], texts.retries[said.retry])
    rows = "".join(
        f"<dt>{escape(in_language(label, language))}</dt><dd>{escape(in_language(text, language))}</dd>\n"
        for label, text in zip(_LABELS, rest, strict=True)
    )
    heading = escape(in_language(title, language))
    return f'<section id="{language}" lang="{language}"><h2>{heading}</h2>\n<dl>\n{rows}</dl>\n</section>'


def _liking(accept: str | None, media_type: str) -> float:
    """The quality of the most specific range that names the type; without a header everything is liked alike."""
    ranges = [media_type, media_type.partition("/")[0] + "/*", "*/*"]
    found: dict[str, float] = {}
    for choice in (accept or "*/*").split(",")[:50]:
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        weight = next((p for p in parameters if p.startswith("q=")), "")
        if name in ranges:
            found[name] = max(found.get(name, 0.0), quality(weight))
    return next((found[name] for name in ranges if name in found), 0.0)
