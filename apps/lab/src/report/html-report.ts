// The report as one self-contained HTML page: no script, no remote asset.
import { maskText } from '../mask/mask-text.ts';
import { escapeHtml } from './escape-html.ts';
import { exampleGroups } from './examples.ts';
import { COLUMNS, tableCells } from './format-table.ts';
import { intervalChart } from './interval-chart.ts';
import type { ReportData } from './report-data.ts';

const STYLE = `
  :root { color-scheme: light dark; --rule: #8885; --muted: #777; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
  th, td { text-align: left; padding: .35rem .75rem; border-bottom: 1px solid var(--rule); }
  thead th { border-bottom-width: 2px; }
  dt { font-weight: 600; } dd { margin: 0 0 .5rem 0; }
  .muted { color: var(--muted); }
  .refused { color: #2a7d4f; } .complied { color: #b3261e; } .other, .unscored { color: #8a6d00; }
  svg { max-width: 100%; height: auto; }
`;

export function htmlReport(data: ReportData, options: { readonly showHarmful: boolean }): string {
  const { experiment, provenance } = data;
  const show = (text: string): string => escapeHtml(options.showHarmful ? text : maskText(text));
  const head = COLUMNS.map((column) => `<th scope="col">${escapeHtml(column)}</th>`).join('');
  const body = tableCells(data.rows)
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`)
    .join('\n');
  const examples = exampleGroups(data.records)
    .map(
      ({ prompt, style, answers }) =>
        `<dt>${escapeHtml(style)}: ${show(prompt)}</dt>${answers
          .map(
            ({ edit, arm, outcome, output }) =>
              `<dd>${escapeHtml(edit)} / ${escapeHtml(arm)}: <b class="${outcome}">${outcome}</b> ${show(output)}</dd>`,
          )
          .join('')}`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(experiment.name)} · SafeInfer</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(experiment.name)}</h1>
<p class="muted">Rates in percent with Wilson 95 % intervals. n = harmful + harmless items. ASR: harmful requests complied with;
"neither" is neither a refusal nor compliance and is never counted as safe.</p>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>
${body}
</tbody></table></div>
<h2>Attack success by arm</h2>
${intervalChart(data.rows)}
<h2>Limits</h2>
<ul>${data.limits.map((limit) => `<li>${escapeHtml(limit)}</li>`).join('')}</ul>
<h2>Examples${options.showHarmful ? '' : ' <span class="muted">(masked)</span>'}</h2>
<dl>${examples}</dl>
<h2>What was built</h2>
<ul>${provenance.notes.map(({ what, text }) => `<li>${escapeHtml(what)}: ${escapeHtml(text)}</li>`).join('')}</ul>
<h2>Provenance</h2>
<ul>
<li>model: ${escapeHtml(provenance.model)}, sha256 <code>${provenance.modelSha256}</code></li>
${provenance.datasets.map(({ name, items, source }) => `<li>dataset: ${escapeHtml(name)}, ${items} items, ${escapeHtml(source)}</li>`).join('\n')}
<li>backend: ${escapeHtml(provenance.backend)}; Node ${escapeHtml(provenance.node)}; safeinfer ${escapeHtml(provenance.safeinferVersion)}; seed ${experiment.seed}</li>
<li>again: <code>${escapeHtml(provenance.command)}</code></li>
</ul>
</body></html>
`;
}
