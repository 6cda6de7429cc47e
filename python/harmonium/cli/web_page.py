"""One self-contained page of text and tables beside pictures, light or dark as its reader likes."""

from collections.abc import Iterable
from html import escape

from harmonium.cli.text import minus

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


def document(title: str, body: str) -> str:
    """Return a whole page of HTML that asks nothing of the network."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{_STYLE}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def paragraphs(texts: Iterable[str]) -> str:
    """Return paragraphs of HTML."""
    return "\n".join(f"<p>{text}</p>" for text in texts)


def cells(row: Iterable[str], tag: str) -> str:
    """Return the cells of a table's row: text first, then numbers."""
    return "".join(
        f"<{tag}{' class=number' if k else ''}>{escape(minus(cell))}</{tag}>"
        for k, cell in enumerate(row)
    )
