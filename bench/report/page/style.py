"""The page's one style sheet. It must hold no ``<``: it stands inside its element as it is."""

CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --quiet: #565656;
  --line: #d0d0d0; --mark: #fff4d6; --note: #3d2f00; --code: #f1f2f4; --focus: #0053b3 }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #15181d;
  --quiet: #b4b4b4; --line: #44484e; --mark: #3a3215; --note: #ffeab0; --code: #24272c;
  --focus: #8ab8ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; line-height: 1.3; text-wrap: balance;
  margin: .4rem 0 .6rem; overflow-wrap: anywhere }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem }
p { margin: .4rem 0; max-width: 46rem; overflow-wrap: anywhere }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px }

.state { display: inline-block; border: 2px solid currentColor; border-radius: .4rem;
  padding: 0 .5rem; margin: 0; font-weight: 700 }
header dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr));
  gap: .4rem 1.5rem; margin: .8rem 0 0; padding-top: .6rem; border-top: 1px solid var(--line) }
dt { color: var(--quiet); font-size: .85rem; overflow-wrap: anywhere }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }

#cautions { background: var(--mark); color: var(--note); border-radius: .5rem;
  padding: .2rem 1rem .6rem; margin-top: 1.2rem }
#cautions h2 { margin: .5rem 0 } #cautions a { color: inherit }
#cautions ul { margin: 0; padding-left: 1.2rem }
#cautions li + li { margin-top: .8rem }
header dd span { display: inline-block; max-width: 100% }
nav { margin-top: 1rem } nav a { display: inline-block; padding: .15rem 0; margin-right: .9rem }
a { color: var(--focus) }
pre { background: var(--code); color: var(--ink); border-radius: .4rem; padding: .5rem .8rem;
  margin: .5rem 0; overflow-x: auto; font: .88rem/1.45 ui-monospace, Menlo, Consolas, monospace }

.command { white-space: pre-wrap; overflow-wrap: anywhere }

.wide { overflow-x: auto; margin: .6rem 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
caption { text-align: left; color: var(--quiet); padding: .2rem 0 }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: nowrap }
thead th { vertical-align: bottom }
th[scope=colgroup] { text-align: left; color: var(--quiet); font-weight: 400 }
th:first-child, .words { text-align: left }
th:first-child { position: sticky; left: 0; background: var(--paper); padding-left: 0 }
th[scope=row], .text td { max-width: 22rem; min-width: 6rem; white-space: normal;
  overflow-wrap: anywhere }
.text th[scope=row] { min-width: 9rem }
th button { font: inherit; color: inherit; background: none; border: 0; border-radius: .2rem;
  padding: .15rem .2rem; margin: 0; cursor: pointer; text-align: inherit; white-space: nowrap }
th:first-child button, .words button { margin-left: -.2rem }
th button::after { content: "\\2195" / ""; color: var(--quiet); padding-left: .25em }
th[aria-sort=ascending] button::after { content: "\\2191" / ""; color: inherit }
th[aria-sort=descending] button::after { content: "\\2193" / ""; color: inherit }

figure { margin: 1rem 0 1.4rem }
img { display: block; max-width: 100%; height: auto; border-radius: .4rem }
.enlarge { display: block; padding: 0; border: 0; background: none; cursor: zoom-in;
  max-width: 100%; border-radius: .4rem }
summary { cursor: pointer; padding: .3rem 0; min-height: 24px }
dialog { width: 96vw; height: 96vh; max-width: none; max-height: none; padding: .8rem;
  border: 1px solid var(--line); border-radius: .6rem; background: var(--paper);
  color: var(--ink) }
dialog[open] { display: flex; flex-direction: column; gap: .6rem }
dialog::backdrop { background: rgb(0 0 0 / 60%) }
dialog button { font: inherit; align-self: flex-end; padding: .3rem .9rem; cursor: pointer;
  border: 1px solid currentColor; border-radius: .4rem; background: none; color: inherit }
.stage { overflow: auto; flex: 1 }
.stage img { width: max(100%, 75rem); max-width: none }

@media (max-width: 30rem) { h1 { font-size: 1.25rem } main { padding: .8rem }
  header dl { grid-template-columns: 1fr; gap: .25rem } header dl div { display: flex; gap: .5rem;
  justify-content: space-between } dd { text-align: right } dt { flex: none; max-width: 45% } }
@media print { @page { margin: 12mm } html { font-size: 10.5px } body { font-size: 1rem }
  nav, th button::after, details:not([open]) { display: none }
  main { max-width: none; padding: 0 } h2 { margin-top: 1.2rem; break-after: avoid }
  figure { display: inline-block; width: 49%; margin: .4rem 0; vertical-align: top }
  figure, tr { break-inside: avoid } img { max-height: 10cm; width: auto }
  pre { white-space: pre-wrap; overflow-wrap: anywhere }
  .wide { overflow: visible; margin: .3rem 0 } caption { break-after: avoid }
  th, td { padding: .12rem .5rem } th:first-child { position: static }
  #cautions { background: none; border: 1px solid currentColor } }
"""
