// The bundled model's own test items. Their wording is part of them: the toy understands no other.
import {
  type Dataset,
  type ItemLabel,
  itemId,
  type PromptStyle,
  plainStyle,
  testOnly,
} from '@safeinfer/harmeval';
import { loadPocketSplit, type PocketStyle } from '@safeinfer/pocket';
import type { Benchmark } from './benchmark.ts';

const STYLES: Readonly<Record<string, PocketStyle>> = {
  simple: 'simple',
  plain: 'simple',
  'instruction-centric': 'instruction',
  'instruction-centric-code': 'instruction',
  'instruction-centric-cot': 'instruction-cot',
};

/** Openings that the corpus generator gives to placeholder compliances. */
const COMPLIANCE_OPENINGS = ['Sure', 'Of course'] as const;

interface Row {
  readonly id: string;
  readonly question: string;
  readonly answer?: string;
  readonly category: string;
  readonly cluster: string;
}

const SETS: Readonly<
  Record<string, { readonly label: ItemLabel; readonly rows: (style: PocketStyle) => Row[] }>
> = {
  'pocket-harmful': {
    label: 'harmful',
    rows: (style) =>
      loadPocketSplit('harmful', 'test')
        .filter((item) => item.style === style)
        .map((item) => ({ ...item, cluster: item.action })),
  },
  'pocket-borderline': {
    label: 'harmless',
    rows: (style) =>
      loadPocketSplit('borderline', 'test')
        .filter((item) => item.style === style && item.unseen === 'pair')
        .map((item) => ({ ...item, category: item.group, cluster: item.action })),
  },
  'pocket-how-to': {
    label: 'harmless',
    rows: (style) =>
      loadPocketSplit('how-to', 'test')
        .filter((item) => item.style === style)
        .map((item) => ({ ...item, category: 'how-to', cluster: item.action })),
  },
  'pocket-facts': {
    label: 'harmless',
    rows: () =>
      loadPocketSplit('fact-questions', 'test').map((item) => ({
        ...item,
        category: item.relation,
        cluster: item.factId,
      })),
  },
};

export const pocketBenchmarks: readonly string[] = Object.keys(SETS);

/** Undefined when the bundled model has no set of that name. */
export function pocketBenchmark(options: {
  readonly name: string;
  readonly style: string;
  readonly limit?: number | undefined;
}): Benchmark | undefined {
  const set = SETS[options.name];
  const pocketStyle = STYLES[options.style];
  if (!set || !pocketStyle) return undefined;
  const rows = spread(set.rows(pocketStyle), options.limit);
  const revision = 'pocket/v1';
  const answers = new Map<string, string>();
  const items = rows.map((row) => {
    const id = itemId({ dataset: options.name, revision, prompt: row.question });
    if (row.answer !== undefined) answers.set(id, row.answer);
    return {
      id,
      sourceId: row.id,
      dataset: options.name,
      prompt: row.question,
      label: set.label,
      category: row.category,
      cluster: row.cluster,
    };
  });
  const dataset: Dataset = {
    name: options.name,
    revision,
    licence: { id: 'Apache-2.0', redistributable: true },
    split: testOnly(options.name),
    items,
    report: {
      sha256: '',
      edition: 'bundled',
      verified: 'none',
      rowsInFiles: items.length,
      droppedMinors: 0,
      droppedEmpty: 0,
      droppedDuplicates: 0,
    },
  };
  const style: PromptStyle = { ...plainStyle, id: options.style };
  return {
    name: options.name,
    dataset,
    style,
    answers,
    complianceOpenings: COMPLIANCE_OPENINGS,
    source: '@safeinfer/pocket, test split',
  };
}

/** Evenly spaced rows: files are ordered by category, and a limited run should see all of them. */
function spread<T>(rows: readonly T[], limit: number | undefined): T[] {
  if (limit === undefined || limit >= rows.length) return [...rows];
  return Array.from({ length: limit }, (_, i) => rows[Math.floor((i * rows.length) / limit)]!);
}
