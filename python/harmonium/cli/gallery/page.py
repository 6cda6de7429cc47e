"""The gallery's page: every picture with what theory says beside what came out."""

from html import escape
from typing import Any

from harmonium.cli.web_page import cells, document, paragraphs

_INTRODUCTION = (
    "The figures of M. Sokoloski, <em>A Unified Theory of Exact Inference and Learning in "
    "Exponential Family Latent Variable Models</em>, made anew by harmonium. Under each stands "
    "what theory says, found in another way (brute force, quadrature, the law that the data were "
    "drawn from), beside what came out.",
)
_SIGNS = {"equal": "", "at least": "≥ ", "at most": "≤ "}


def page(records: list[dict[str, Any]], version: str) -> str:
    """Return the page as HTML, from the records that stand beside the pictures."""
    links = "".join(f'<a href="#{escape(r["figure"])}">{escape(r["title"])}</a>\n' for r in records)
    body = "\n".join(_section(record) for record in records)
    return document(
        "harmonium: gallery",
        f"""<header>
<h1>Gallery</h1>
{paragraphs(_INTRODUCTION)}
<nav>
{links}</nav>
</header>
<main>
{body}
</main>
<footer>
<p>harmonium {escape(version)}</p>
</footer>""",
    )


def comparison_cells(comparison: dict[str, Any]) -> list[str]:
    """Return quantity, theory, what came out, and whether that is as it should be, as texts."""
    quantity = f"{comparison['what']} ({comparison['by']})"
    theory = _SIGNS[comparison["relation"]] + _number(comparison["theory"])
    return [
        quantity,
        theory,
        _number(comparison["found"]),
        "yes" if comparison["holds"] else "no",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _section(record: dict[str, Any]) -> str:
    picture = record["picture"]
    file = escape(picture["file"])
    size = "the paper's sizes" if record["full"] else "made quickly"
    rows = "".join(f"<tr>{cells(comparison_cells(c), 'td')}</tr>\n" for c in record["comparisons"])
    head = cells(("what (theory by)", "theory", "found", "as it should"), "th")
    return f"""<section id="{escape(record["figure"])}">
<h2>{escape(record["title"])}</h2>
{paragraphs(escape(text) for text in record["paragraphs"])}
<div class="pictures">
<figure class="wide">
<a href="{file}"><img src="{file}" width="{picture["width"]}" height="{picture["height"]}"
 loading="lazy" alt="{escape(record["alternative"])}"></a>
<figcaption>Figure {record["number_in_the_paper"]} of the paper; {size}, seed {record["seed"]},
{record["seconds"]:.1f} seconds.
<a href="{file.removesuffix("png")}json">All its numbers</a>.</figcaption>
</figure>
</div>
<div class="scroll"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</section>"""
