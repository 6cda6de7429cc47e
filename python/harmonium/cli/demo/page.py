"""The page: one self-contained file of text beside the pictures."""

from html import escape

from harmonium.cli.demo.screen import likelihood_text, seconds_text
from harmonium.cli.demo.section import Comparison, Picture, Section, minus

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #20242b; --soft: #5b6470; --line: #dde1e6; --accent: #21689f;
  --card: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --ink: #e5e8ec; --soft: #9aa4b1; --line: #2d343d; --accent: #8abde6; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.1rem 4rem; max-width: 66rem; background: var(--paper);
  color: var(--ink); font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: clamp(1.8rem, 5vw, 2.6rem); line-height: 1.15; margin: 0 0 1rem; }
h2 { font-size: clamp(1.35rem, 3.5vw, 1.75rem); line-height: 1.25; margin: 0 0 .6rem; }
p { max-width: 44rem; margin: 0 0 1rem; }
a { color: var(--accent); }
section { margin-top: 3.2rem; padding-top: 2.2rem; border-top: 1px solid var(--line); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 1.4rem 0 0; }
.pictures { display: grid; gap: 2rem 1.8rem; margin-top: 1.6rem; align-items: start; }
@media (min-width: 46rem) {
  .pictures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .wide { grid-column: 1 / -1; }
}
figure { margin: 0; }
figure a { display: block; }
figure img {
  display: block; width: 100%; height: auto; background: var(--card); padding: .5rem;
  border: 1px solid var(--line); border-radius: .6rem;
}
figcaption { margin-top: .6rem; color: var(--soft); font-size: .94rem; line-height: 1.5; }
.scroll { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: .94rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid var(--line); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
tbody.block tr:first-child td { border-top: 1px solid var(--line); }
tr.ours td { font-weight: 600; }
td small { color: var(--soft); font-weight: 400; }
footer { margin-top: 3rem; color: var(--soft); font-size: .94rem; }
""".strip()

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
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>harmonium: what the demo found</title>
<link rel="icon" href="data:,">
<style>
{_STYLE}
</style>
</head>
<body>
<header>
<h1>What is behind the data</h1>
{_paragraphs(_INTRODUCTION)}
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
</footer>
</body>
</html>
"""


def _paragraphs(texts: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{text}</p>" for text in texts)


def _section(section: Section, dpi: int) -> str:
    pictures = "\n".join(_picture(p, dpi) for p in section.pictures)
    return f"""<section id="{escape(section.name)}">
<h2>{escape(section.title)}</h2>
{_paragraphs(tuple(escape(text) for text in section.paragraphs))}
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
<thead><tr>{_cells(head, "th")}</tr></thead>
<tbody>
{"".join(f"<tr>{_cells(row, 'td')}</tr>" for row in rows)}
</tbody>
</table></div>
"""


def _cells(row: tuple[str, ...], tag: str) -> str:
    return "".join(
        f"<{tag}{' class=number' if k else ''}>{escape(minus(cell))}</{tag}>"
        for k, cell in enumerate(row)
    )


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
