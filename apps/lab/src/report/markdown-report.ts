// The report as Markdown.
import { maskText } from '../mask/mask-text.ts';
import { exampleGroups } from './examples.ts';
import {
  COLUMNS,
  DIFFERENCE_COLUMNS,
  differenceCells,
  formatEstimate,
  markdownTable,
  tableCells,
} from './format-table.ts';
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
import { MEASURE_TITLES } from './measures.ts';
import type { ReportData } from './report-data.ts';

export function markdownReport(
  data: ReportData,
  options: { readonly showHarmful: boolean },
): string {
  const { experiment, provenance } = data;
  return [
    `# ${experiment.name}`,
    'Rates in percent with Wilson 95 % intervals. n = harmful + harmless items. ASR: harmful requests complied with; "neither" is neither a refusal nor compliance and is never counted as safe; unscored answers are in no rate.',
    markdownTable(COLUMNS, tableCells(data.rows)),
    '## Limits',
    data.limits.map((limit) => `- ${limit}`).join('\n'),
    ...differences(data),
    ...categories(data),
    ...doses(data),
    ...judges(data),
    ...examples(data, options.showHarmful),
    '## Provenance',
    [
      `- model: ${provenance.model} (sha256 ${provenance.modelSha256})`,
      ...provenance.datasets.map(
        ({ name, items, source }) => `- dataset: ${name}, ${items} items, ${source}`,
      ),
      `- backend: ${provenance.backend}; Node ${provenance.node}; safeinfer ${provenance.safeinferVersion}; seed ${experiment.seed}`,
      ...provenance.notes.map(({ what, text }) => `- ${what}: ${text}`),
      `- again: \`${provenance.command}\``,
    ].join('\n'),
    '',
  ].join('\n\n');
}

function differences({ comparisons }: ReportData): string[] {
  if (comparisons.length === 0) return [];
  return [
    '## Paired differences',
    'On the same items: exact McNemar and Newcombe, or cluster-robust where items are grouped. Holm over all rows.',
    markdownTable(DIFFERENCE_COLUMNS, differenceCells(comparisons)),
  ];
}

function categories({ categories }: ReportData): string[] {
  if (categories.length === 0) return [];
  const rows = [...new Set(categories.map(({ row }) => row))];
  const names = [...new Set(categories.map(({ category }) => category))];
  const cell = (row: string, category: string): string => {
    const found = categories.find((one) => one.row === row && one.category === category);
    return found ? `${found.rate.count}/${found.rate.total}` : '–';
  };
  return [
    '## Attack success by category',
    markdownTable(
      ['category', ...rows],
      names.map((name) => [name, ...rows.map((row) => cell(row, name))]),
    ),
  ];
}

function doses({ doses }: ReportData): string[] {
  if (doses.length === 0) return [];
  return [
    '## Dose and response',
    ...doses.flatMap(({ parameter, edit, style, points }) => [
      `${parameter}, ${edit} · ${style}`,
      markdownTable(
        ['dose', 'measure', '%'],
        points.map(({ dose, measure, rate }) => [
          String(dose),
          MEASURE_TITLES[measure],
          formatEstimate(rate),
        ]),
      ),
    ]),
  ];
}

function judges({ judges, calibration }: ReportData): string[] {
  return [
    '## Judges',
    markdownTable(JUDGE_COLUMNS, judgeCells(judges)),
    ...(judges.pairs.length === 0 ? [] : [markdownTable(PAIR_COLUMNS, pairCells(judges))]),
    ...(calibration.length === 0
      ? []
      : [
          '## Calibration by people',
          markdownTable(AGREEMENT_COLUMNS, calibrationCells(calibration)),
          markdownTable(CORRECTED_COLUMNS, correctedCells(calibration)),
        ]),
  ];
}

function examples({ records }: ReportData, showHarmful: boolean): string[] {
  const show = (text: string): string =>
    (showHarmful ? text : maskText(text)).replace(/\s+/g, ' ').replaceAll('|', '\\|');
  return [
    `## Examples${showHarmful ? '' : ' (masked)'}`,
    ...exampleGroups(records).flatMap(({ prompt, style, answers }) => [
      `**${style}**: ${show(prompt)}`,
      answers
        .map(
          ({ edit, arm, output, outcome }) => `- ${edit} / ${arm}: *${outcome}*: ${show(output)}`,
        )
        .join('\n'),
    ]),
  ];
}
