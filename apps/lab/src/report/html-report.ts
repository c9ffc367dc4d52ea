// The report as one self-contained HTML page: no script, no remote asset.
import { escapeHtml } from './escape-html.ts';
import { exampleGroups } from './examples.ts';
import { COLUMNS, DIFFERENCE_COLUMNS, differenceCells, tableCells } from './format-table.ts';
import {
  AGREEMENT_COLUMNS,
  CORRECTED_COLUMNS,
  calibrationCells,
  correctedCells,
  JUDGE_COLUMNS,
  judgeCells,
  PAIR_COLUMNS,
  pairCells,
} from './judge-cells.ts';
import { maskedHtml } from './masked-html.ts';
import { PAGE_STYLE } from './page-style.ts';
import { categoryPlot } from './plots/category-plot.ts';
import { differencePlot } from './plots/difference-plot.ts';
import { dosePlot } from './plots/dose-plot.ts';
import { frontierPlot } from './plots/frontier-plot.ts';
import { intervalPlot } from './plots/interval-plot.ts';
import { loadPlots, type Plots } from './plots/plot-svg.ts';
import type { ReportData } from './report-data.ts';

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

/** `showHarmful`: harmful text is in the file, masked until it is clicked; otherwise it is not in the file at all. */
export async function htmlReport(
  data: ReportData,
  options: { readonly showHarmful: boolean },
): Promise<string> {
  const plots = await loadPlots();
  const { experiment, provenance } = data;
  const sections = [
    results(data, plots),
    differences(data, plots),
    categories(data, plots),
    frontierSection(data, plots),
    doses(data, plots),
    judges(data),
    calibration(data),
    examples(data, options.showHarmful),
    provenanceSection(data),
  ].filter((section): section is Section => section !== undefined);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(experiment.name)} · SafeInfer</title><style>${PAGE_STYLE}</style></head><body>
<h1>${escapeHtml(experiment.name)}</h1>
<p class="muted">${escapeHtml(provenance.model)} · ${data.records.length} answers · ${data.rows.length} rows</p>
<nav>${sections.map(({ id, title }) => `<a href="#${id}">${escapeHtml(title)}</a>`).join('')}</nav>
<div class="notice" id="limits"><b>Before you quote a number</b>
<ul>${data.limits.map((limit) => `<li>${withCode(escapeHtml(limit))}</li>`).join('')}</ul></div>
${sections.map(({ id, title, body }) => `<h2 id="${id}">${escapeHtml(title)}</h2>\n${body}`).join('\n')}
</body></html>
`;
}

/** Commands between backticks, as Markdown has them. */
function withCode(html: string): string {
  return html.replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

const LEGEND =
  '<span class="asr"><b>●</b> ASR</span><span class="over"><b>●</b> harmless refused</span>';
const RATES_LEGEND = `<p class="legend">${LEGEND}</p>`;
const MEASURES_LEGEND = `<p class="legend">${LEGEND}<span class="right"><b>●</b> harmless correct</span></p>`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = header.map((cell) => `<th scope="col">${escapeHtml(cell)}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`)
    .join('\n');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

function results(data: ReportData, plots: Plots): Section {
  return {
    id: 'results',
    title: 'Results',
    body: `<p>Rates in percent with Wilson 95 % intervals; n = harmful + harmless items. ASR: harmful requests complied with.
"Neither" is neither a refusal nor compliance and is never counted as safe; unscored answers are in no rate.</p>
${table(COLUMNS, tableCells(data.rows))}
${RATES_LEGEND}
<div class="scroll">${intervalPlot(plots, data.rows)}</div>`,
  };
}

function differences({ comparisons }: ReportData, plots: Plots): Section | undefined {
  if (comparisons.length === 0) return undefined;
  return {
    id: 'differences',
    title: 'Paired differences',
    body: `<p>On the same items, in percentage points. Exact McNemar test and Newcombe's paired interval; where items are grouped, a t test over
groups and a bootstrap of groups. "First only / second only": items on which only the first or only the second arm had
the event. Holm's p is over all rows of this table; "detectable" is the smallest difference that a study of this size
finds four times out of five.</p>
${table(DIFFERENCE_COLUMNS, differenceCells(comparisons))}
${MEASURES_LEGEND}
<div class="scroll">${differencePlot(plots, comparisons)}</div>`,
  };
}

function categories({ categories }: ReportData, plots: Plots): Section | undefined {
  if (categories.length === 0) return undefined;
  const smallest = Math.min(...categories.map(({ rate }) => rate.total));
  return {
    id: 'categories',
    title: 'Attack success by category',
    body: `<p>In percent. The smallest cell has ${smallest} scored item${smallest === 1 ? '' : 's'}: read single cells with care.</p>
<div class="scroll">${categoryPlot(plots, categories)}</div>`,
  };
}

function frontierSection({ frontier }: ReportData, plots: Plots): Section | undefined {
  if (frontier.length < 2) return undefined;
  const places = [...new Set(frontier.map(({ edit, style }) => `${edit} · ${style}`))];
  const pictures = places.map((place) => {
    const points = frontier.filter(({ edit, style }) => `${edit} · ${style}` === place);
    return `<figure><figcaption>${escapeHtml(place)}</figcaption>${frontierPlot(plots, points)}</figure>`;
  });
  return {
    id: 'frontier',
    title: 'Safety and usefulness',
    body: `<p>Down is safer, left is more useful. Filled: no other arm under the same edit and style is at least as good on ASR,
over-refusal and correctness, and better on one of them.</p>
<div class="multiples">${pictures.join('\n')}</div>`,
  };
}

function doses({ doses }: ReportData, plots: Plots): Section | undefined {
  if (doses.length === 0) return undefined;
  return {
    id: 'doses',
    title: 'Dose and response',
    body: `${MEASURES_LEGEND}${doses
      .map(
        (series) =>
          `<h3>${escapeHtml(`${series.parameter}: ${series.edit} · ${series.style}`)}</h3><div class="scroll">${dosePlot(plots, series)}</div>`,
      )
      .join('\n')}`,
  };
}

function judges({ judges }: ReportData): Section | undefined {
  if (judges.judges.length === 0) return undefined;
  const pairs =
    judges.pairs.length === 0
      ? ''
      : `<h3>Agreement of judges</h3>${table(PAIR_COLUMNS, pairCells(judges))}`;
  return {
    id: 'judges',
    title: 'Judges',
    body: `<p>Every judge over all rows together.</p>${table(JUDGE_COLUMNS, judgeCells(judges))}${pairs}`,
  };
}

function calibration({ calibration }: ReportData): Section {
  const body =
    calibration.length === 0
      ? '<p>No answer of this run was labelled by a person, so the judges are not calibrated.</p>'
      : `<p>Judges against people: "complied" on harmful items, "refused" on harmless ones. The corrected rate (Rogan and
Gladen) carries the uncertainty of the labelled sample.</p>${table(AGREEMENT_COLUMNS, calibrationCells(calibration))}
<h3>Corrected attack success</h3>${table(CORRECTED_COLUMNS, correctedCells(calibration))}`;
  return { id: 'calibration', title: 'Calibration by people', body };
}

function examples({ records }: ReportData, showHarmful: boolean): Section | undefined {
  const groups = exampleGroups(records);
  if (groups.length === 0) return undefined;
  const list = groups
    .map(
      ({ prompt, style, answers }) =>
        `<dt>${escapeHtml(style)}: ${maskedHtml(prompt, showHarmful)}</dt>${answers
          .map(
            ({ edit, arm, outcome, output }) =>
              `<dd>${escapeHtml(edit)} / ${escapeHtml(arm)}: <b class="${outcome}">${outcome}</b> ${maskedHtml(output, showHarmful)}</dd>`,
          )
          .join('')}`,
    )
    .join('\n');
  const note = showHarmful
    ? 'Masked; a click shows the text.'
    : 'Masked. <code>safeinfer report --show-harmful</code> writes a page that can show them.';
  return {
    id: 'examples',
    title: 'Examples',
    body: `<p class="muted">${note}</p><dl>${list}</dl>`,
  };
}

function provenanceSection({ experiment, provenance }: ReportData): Section {
  const items = [
    `model: ${escapeHtml(provenance.model)}, sha256 <code>${escapeHtml(provenance.modelSha256)}</code>`,
    ...provenance.datasets.map(
      ({ name, items, source }) =>
        `dataset: ${escapeHtml(name)}, ${items} items, ${escapeHtml(source)}`,
    ),
    `backend: ${escapeHtml(provenance.backend)}; Node ${escapeHtml(provenance.node)}; safeinfer ${escapeHtml(provenance.safeinferVersion)}; seed ${experiment.seed}`,
    ...provenance.notes.map(({ what, text }) => `${escapeHtml(what)}: ${escapeHtml(text)}`),
    `again: <code>${escapeHtml(provenance.command)}</code>`,
  ];
  return {
    id: 'provenance',
    title: 'Where it comes from',
    body: `<ul>${items.map((item) => `<li>${item}</li>`).join('\n')}</ul>`,
  };
}
