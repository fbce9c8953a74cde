"""Pieces of a web page that stands alone: everything escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from pdehvd.results.plot_style import DPI

# Pictures that a slider may hold.
FRAMES = 9
STYLE = (
    """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: #222;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1020px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .8rem; }
.status { display: inline-block; margin-left: .6rem; padding: .1rem .65rem; border-radius: 1rem;
  font-size: .85rem; vertical-align: .25rem; color: #fff; background: #5b6470; }
.status.completed { background: #00704f; } .status.diverged { background: #a83a00; }
.status.stalled, .status.interrupted { background: #7a5c00; }
.place { color: #667; margin: .2rem 0 1.4rem; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .7rem; }
.card, .box, figure { background: #fff; border: 1px solid #e1e4e8; border-radius: 8px; }
.card { padding: .7rem .9rem; }
.card b { display: block; font-size: 1.3rem; font-weight: 600; }
.card span { color: #667; font-size: .85rem; }
.box { padding: .3rem .9rem; overflow-x: auto; }
figure { margin: 0 0 .9rem; padding: .9rem; text-align: center; }
figure img { max-width: 100%; height: auto; }
.slider img { display: none; }
.slider input { margin: 0 .3rem 0 .8rem; vertical-align: middle; }
.slider label { font-size: .85rem; font-variant-numeric: tabular-nums; }
figcaption { color: #667; font-size: .85rem; margin-top: .4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem 1.2rem .35rem 0; border-top: 1px solid #eceef1;
  vertical-align: top; overflow-wrap: anywhere; }
tr:first-child th, tr:first-child td { border-top: 0; }
thead th { color: #667; font-weight: 500; font-size: .85rem; }
tbody th { font-weight: 500; }
pre { margin: .6rem 0; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
details summary { cursor: pointer; padding: .4rem 0; }
"""
    + "".join(
        f".slider input:nth-of-type({n}):checked ~ img:nth-of-type({n}) {{ display: inline; }}\n"
        for n in range(1, FRAMES + 1)
    )
    + """@media print { body { background: #fff; } figure, .card { break-inside: avoid; } }
"""
)


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page; `body` is HTML, `title` is text."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def html_section(title: str, content: str) -> str:
    """Return a headed section of HTML; nothing where there is no content."""
    return f"<h2>{escape(title)}</h2>\n{content}" if content else ""


def cards(facts: Sequence[tuple[str, str]]) -> str:
    """Return key numbers as cards of (label, value)."""
    inner = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for label, value in facts
    )
    return f'<div class="cards">{inner}</div>'


def note(text: str) -> str:
    """Return a quiet sentence; what stands between backquotes is code."""
    parts = escape(text).split("`")
    marked = [f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts)]
    return f'<p class="place">{"".join(marked)}</p>'


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first cell of a row names it. Empty without rows."""
    if not rows:
        return ""
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    top = f"<thead><tr>{top}</tr></thead>" if heads else ""
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="box"><table>{top}<tbody>{body}</tbody></table></div>'


def listed(texts: Sequence[str]) -> str:
    """Return texts as the items of a list. Empty without texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<div class="box"><ul>{items}</ul></div>' if items else ""


def code(text: str) -> str:
    """Return text as it is, in fixed width."""
    return f'<div class="box"><pre>{escape(text)}</pre></div>'


def collapsible(label: str, content: str) -> str:
    """Return content that opens with a click; nothing where there is none."""
    return f"<details><summary>{escape(label)}</summary>{content}</details>" if content else ""


def slider(name: str, frames: Sequence[tuple[str, bytes]]) -> str:
    """Return pictures in one place, with a row of buttons that chooses one of at most `FRAMES`.

    It needs no script: the style sheet shows the picture whose button is chosen.
    """
    group = escape(name, quote=True)
    buttons = "".join(
        f'<input type="radio" name="{group}" id="{group}-{number}"{" checked" * (not number)}>'
        f'<label for="{group}-{number}">{escape(label)}</label>'
        for number, (label, _) in enumerate(frames)
    )
    pictures = "".join(
        f'<img alt="{escape(label, quote=True)}" width="{_width(png)}" src="{_embedded(png)}">'
        for label, png in frames
    )
    return f'<figure class="slider">{buttons}<br>{pictures}</figure>'


def picture(png: bytes, caption: str) -> str:
    """Return a picture inside the page, as wide as its pixels say, so that all texts look alike."""
    text = escape(caption, quote=True)
    return (
        f'<figure><img alt="{text}" width="{_width(png)}" src="{_embedded(png)}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _width(png: bytes) -> int:
    return int.from_bytes(png[16:20], "big") * 96 // DPI
