"""The page: one self-contained file of text beside the pictures."""

from html import escape

from harmonium.cli.demo.screen import likelihood_text, seconds_text
from harmonium.cli.demo.section import Comparison, Picture, Section
from harmonium.cli.text import minus
from harmonium.cli.web_page import cells, document, paragraphs

_INTRODUCTION = (
    "Much of what we measure has causes we do not see: the variety of a wine, a few properties "
    "behind many numbers, the digit that someone meant to write. A <em>harmonium</em> is a model "
    "that says how hidden causes make data, built so that the way back, from data to causes, is "
    "a mere addition. So nothing here is sampled or approximated: the learning below is exact.",
    "Each part fits such a model to real data and shows what it found. Everything was computed "
    "on this machine a moment ago.",
)
_COMPARISON = (
    "Where scikit-learn has the same model, both fitted the same rows, on one thread for linear "
    "algebra. Higher log-likelihood is better. Mixtures began at the same point; with tight "
    "tolerance scikit-learn goes on until an iteration gains less than 10⁻¹² nats a row "
    "(mixtures) or 10⁻⁸ nats in all (factor analysis), without its regularisation. With its "
    "defaults it begins elsewhere and stops early. harmonium’s "
    "factor analysis begins at the solution of a direct method, which counts as one iteration. "
    "“Stood still”: whether the fit reached its own tolerance before its limit of iterations."
)


def page(sections: list[Section], version: str, seconds: float, dpi: int) -> str:
    """Return the page as HTML; pictures are files of their names beside it."""
    links = (
        "".join(f'<a href="#{escape(s.name)}">{escape(s.title)}</a>\n' for s in sections)
        + '<a href="#comparison">Beside scikit-learn</a>\n'
    )
    body = "\n".join(_section(s, dpi) for s in sections)
    comparisons = [c for s in sections for c in s.comparisons]
    return document(
        "harmonium: what the demo found",
        f"""<header>
<h1>What is behind the data</h1>
{paragraphs(_INTRODUCTION)}
<nav>
{links}</nav>
</header>
<main>
{body}
<section id="comparison">
<h2>Beside scikit-learn</h2>
<p>{_COMPARISON}</p>
{_comparison(comparisons)}
</section>
</main>
<footer>
<p>harmonium {escape(version)}; {seconds:.0f} seconds.
All numbers: <a href="results.json">results.json</a>.</p>
</footer>""",
    )


def _section(section: Section, dpi: int) -> str:
    pictures = "\n".join(_picture(p, dpi) for p in section.pictures)
    return f"""<section id="{escape(section.name)}">
<h2>{escape(section.title)}</h2>
{paragraphs(tuple(escape(text) for text in section.paragraphs))}
<div class="pictures">
{pictures}
</div>
{_table(section)}</section>"""


def _picture(picture: Picture, dpi: int) -> str:
    width, height = (round(dpi * side) for side in picture.figure.get_size_inches())
    file = escape(f"{picture.name}.png")
    kind = ' class="wide"' if picture.wide else ""
    return f"""<figure{kind}>
<a href="{file}"><img src="{file}" width="{width}" height="{height}" loading="lazy"
 alt="{escape(picture.alternative)}"></a>
<figcaption>{escape(picture.caption)}</figcaption>
</figure>"""


def _table(section: Section) -> str:
    if not section.table:
        return ""
    head, *rows = section.table
    return f"""<div class="scroll"><table>
<thead><tr>{cells(head, "th")}</tr></thead>
<tbody>
{"".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)}
</tbody>
</table></div>
"""


def _comparison(comparisons: list[Comparison]) -> str:
    head = (
        "<th>model and data</th><th>fitted by</th><th class=number>log-likelihood a row</th>"
        "<th class=number>iterations</th><th>stood still</th><th class=number>seconds</th>"
    )
    blocks = []
    for comparison in comparisons:
        rows = []
        for k, run in enumerate(comparison.runs):
            what = ""
            if k == 0:
                what = (
                    f'<td rowspan="{len(comparison.runs)}">{escape(comparison.model)}<br>'
                    f"<small>{escape(comparison.data)}</small></td>"
                )
            rows.append(
                f"<tr{' class=ours' if k == 0 else ''}>{what}<td>{escape(run.library)}</td>"
                f"<td class=number>{minus(likelihood_text(run))}</td>"
                f"<td class=number>{run.iterations}</td>"
                f"<td>{'yes' if run.converged else 'no'}</td>"
                f"<td class=number>{seconds_text(run)}</td></tr>"
            )
        blocks.append(f"<tbody class=block>{''.join(rows)}</tbody>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>{"".join(blocks)}</table></div>'
    )
