"""The page's one style sheet. It must hold no ``<``: it stands inside its element as it is."""

CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --quiet: #565656;
  --line: #d0d0d0; --mark: #fff4d6; --note: #3d2f00 }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #16181b; --quiet: #b4b4b4;
  --line: #44484e; --mark: #3a3215; --note: #ffeab0 } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: .2rem 0 .6rem; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere }
header p { margin: .2rem 0; color: var(--quiet); overflow-wrap: anywhere }
.state { display: inline-block; border: 2px solid currentColor; border-radius: .4rem;
  padding: 0 .5rem; font-weight: 700; color: var(--ink) }
header p.state { color: var(--ink) }
.cautions { background: var(--mark); color: var(--note); border-radius: .5rem;
  padding: .2rem 1rem .6rem; margin-top: 1rem }
.cautions h2 { margin: .5rem 0 }
.cautions ul { margin: 0; padding-left: 1.2rem; overflow-wrap: anywhere }
.wide { overflow-x: auto; margin: .6rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
caption { text-align: left; color: var(--quiet); padding: .2rem 0 }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top }
th:first-child { text-align: left; padding-left: 0 }
td { max-width: 34rem; overflow-wrap: anywhere }
figure { margin: 1rem 0 }
img { max-width: 100%; height: auto; background: #fff; border-radius: .4rem }
figcaption { color: var(--quiet); font-size: .92rem }
summary { cursor: pointer; padding: .3rem 0 }
@media print { main { max-width: none; padding: 0 } figure, tr { break-inside: avoid }
  img { max-height: 11cm } .wide { overflow: visible } body { font-size: 11px } }
"""
