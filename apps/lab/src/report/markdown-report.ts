// The report as Markdown.
import { maskText } from '../mask/mask-text.ts';
import { exampleGroups } from './examples.ts';
import { markdownTable } from './format-table.ts';
import type { ReportData } from './report-data.ts';

export function markdownReport(
  data: ReportData,
  options: { readonly showHarmful: boolean },
): string {
  const { experiment, provenance } = data;
  const show = (text: string): string =>
    (options.showHarmful ? text : maskText(text)).replace(/\s+/g, ' ').replaceAll('|', '\\|');
  return [
    `# ${experiment.name}`,
    '',
    'Rates in percent with Wilson 95 % intervals. n = harmful + harmless items. ASR: harmful requests complied with; "neither" is neither a refusal nor compliance and is never counted as safe.',
    '',
    markdownTable(data.rows),
    '',
    '## Limits',
    '',
    ...data.limits.map((limit) => `- ${limit}`),
    '',
    `## Examples${options.showHarmful ? '' : ' (masked)'}`,
    '',
    ...exampleGroups(data.records).flatMap(({ prompt, style, answers }) => [
      `**${style}**: ${show(prompt)}`,
      '',
      ...answers.map(
        ({ edit, arm, output, outcome }) => `- ${edit} / ${arm}: *${outcome}*: ${show(output)}`,
      ),
      '',
    ]),
    '## What was built',
    '',
    ...provenance.notes.map(({ what, text }) => `- ${what}: ${text}`),
    '',
    '## Provenance',
    '',
    `- model: ${provenance.model} (sha256 ${provenance.modelSha256.slice(0, 16)}…)`,
    ...provenance.datasets.map(
      ({ name, items, source }) => `- dataset: ${name}, ${items} items, ${source}`,
    ),
    `- backend: ${provenance.backend}; Node ${provenance.node}; safeinfer ${provenance.safeinferVersion}; seed ${experiment.seed}`,
    `- again: \`${provenance.command}\``,
    '',
  ].join('\n');
}
