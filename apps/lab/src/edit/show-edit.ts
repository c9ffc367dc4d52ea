// An edit's result in words: the tokens it was looked up at, answers before and after, alarms, metrics, hashes.
import type { CounterFactSummary, EditCase } from '@safeinfer/editing';
import { checkRequest, locatePrompt, tokenTable } from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import { textTable } from '../report/format-table.ts';
import { METHOD_NEEDS } from './edit-choice.ts';
import type { EditSettings } from './edit-settings.ts';
import { isWanted, type ProbeResult } from './probe-prompts.ts';
import { alarmLines, type EditOutcome } from './run-edit.ts';
import type { TopToken } from './top-tokens.ts';

/** Facts whose tokens are shown; the JSON has all. */
const TOKEN_TABLES = 3;
/** Rows of the table of answers; the JSON has all. */
const SHOWN_PROBES = 40;

/** Every token of the fact's prompt; the one the key is read at stands in brackets with an arrow. */
function tokenLine(model: Transformer, one: EditCase, settings: EditSettings): string {
  const { prompt, subject } = checkRequest(one.request);
  const { factToken } = settings;
  const located = locatePrompt({ model, template: prompt, subject, factToken });
  return tokenTable(model, located.tokens)
    .map(({ position, text }) => {
      const piece = `${position}:${JSON.stringify(text)}`;
      return position === located.lookup ? `>>${piece}<<` : piece;
    })
    .join(' ');
}

/** CounterFact's scores, in the order they are shown; a score of prompts that the facts lack is left out. */
const SCORES = [
  { name: 'efficacy', key: 'efficacyScore' },
  { name: 'paraphrase', key: 'paraphraseScore' },
  { name: 'neighbourhood', key: 'neighborhoodScore' },
  { name: 'score', key: 'score' },
] as const;

export function showEdit(options: {
  readonly model: Transformer;
  readonly outcome: EditOutcome;
  readonly cases: readonly EditCase[];
  readonly settings: EditSettings;
  readonly how: string;
}): string {
  const { model, outcome, cases, settings, how } = options;
  const alarms = alarmLines(outcome.records);
  const shown = outcome.probes.slice(0, SHOWN_PROBES);
  const hidden = outcome.probes.length - shown.length;
  const lines = [
    how,
    '',
    METHOD_NEEDS[settings.method].moments === 'none'
      ? 'tokens (the object follows >><<):'
      : 'tokens (the key is read at >><<):',
    ...cases.slice(0, TOKEN_TABLES).map((one) => `  ${one.id}: ${tokenLine(model, one, settings)}`),
    ...(cases.length > TOKEN_TABLES ? [`  … and ${cases.length - TOKEN_TABLES} more facts`] : []),
    '',
    textTable([
      ['', 'prompt', 'before', 'after', 'as wanted'],
      ...shown.map((probe) => [
        probe.kind,
        probe.prompt,
        likeliest(probe.before),
        likeliest(probe.after),
        verdict(probe),
      ]),
    ]),
    ...(hidden > 0 ? [`… and ${hidden} more prompts in edit.json`] : []),
    '',
    ...outcome.records.map(
      ({ id, losses, targetProbability }) =>
        `${id}: ` +
        losses
          .map((list, i) => {
            const { before, after } = targetProbability[i]!;
            return `loss ${list[0]?.toFixed(2)} to ${list.at(-1)?.toFixed(3)} in ${list.length} steps, p(target) ${before.toPrecision(2)} to ${after.toPrecision(2)}`;
          })
          .join('; '),
    ),
    ...(outcome.counterFact ? ['', ...summaryLines(outcome.counterFact)] : []),
    '',
    ...(alarms.length === 0 ? ['no alarm'] : alarms.map((line) => `ALARM ${line}`)),
    ...outcome.weights.map(
      ({ name, before, after }) =>
        `changed ${name}: sha256 ${before.slice(0, 12)} to ${after.slice(0, 12)}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function likeliest(tokens: readonly TopToken[]): string {
  return tokens
    .map(
      ({ text, probability }) => `${text.trim() || JSON.stringify(text)} ${probability.toFixed(2)}`,
    )
    .join(', ');
}

function verdict(probe: ProbeResult): string {
  return `${isWanted(probe, probe.before) ? 'yes' : 'no'} -> ${isWanted(probe, probe.after) ? 'yes' : 'no'}`;
}

function summaryLines(summaries: {
  readonly before: CounterFactSummary;
  readonly after: CounterFactSummary;
}): string[] {
  const percent = (x: number): string => (100 * x).toFixed(1);
  const shown = SCORES.flatMap(({ name, key }) => {
    const [before, after] = [summaries.before[key], summaries.after[key]];
    if (before === undefined || after === undefined) return [];
    return [`${name} ${percent(before)} to ${percent(after)} %`];
  });
  return [`CounterFact: ${shown.join(', ')}`];
}
