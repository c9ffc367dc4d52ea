// The look of the page: paper, one accent, figures that line up; dark where the reader's system is.

export const PAGE_STYLE = `
:root { color-scheme: light; --paper: #fdfcfa; --ink: #1f2328; --muted: #667; --rule: #e2ded6; --soft: #f4f1ea;
  --asr: #b3261e; --refused: #2563a8; --correct: #2a7d4f; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .35rem; }
p, li { max-width: 48rem; } .muted { color: var(--muted); }
nav { margin: 1rem 0 0; font-size: .9rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
a { color: var(--refused); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; white-space: nowrap; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--rule); }
thead th { font-weight: 600; color: var(--muted); border-bottom: 2px solid var(--rule); white-space: normal; vertical-align: bottom; }
tbody tr:hover { background: var(--soft); }
td:first-child, th:first-child { padding-left: 0; }
.notice { background: var(--soft); border-left: 3px solid var(--asr); padding: .6rem 1rem; margin: 1rem 0; max-width: 50rem; }
.legend span { margin-right: 1.25rem; } .legend b { font-weight: 600; }
.asr, .complied { color: var(--asr); } .over { color: var(--refused); } .right, .refused { color: var(--correct); }
.other, .unscored { color: #8a6d00; }
svg { display: block; max-width: 100%; height: auto; }
.multiples { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { font-size: .9rem; font-weight: 600; }
dl { margin: 0; } dt { font-weight: 600; margin-top: 1.25rem; } dd { margin: .15rem 0 .15rem 1rem; }
details.mask { display: inline; } details.mask > summary { display: inline; cursor: pointer; color: var(--muted);
  border-bottom: 1px dashed var(--muted); list-style: none; }
details.mask[open] > summary { display: none; } details.mask > div { display: inline; white-space: pre-wrap; }
code { font: .85em ui-monospace, monospace; background: var(--soft); padding: .1em .35em; border-radius: 3px; overflow-wrap: anywhere; }
@media print { nav { display: none; } body { padding: 0; } }
`;
