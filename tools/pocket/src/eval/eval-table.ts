// The evaluation as Markdown: ASR never without harmless accuracy and borderline refusals beside it.
import { exactMcNemar, holm, wilson } from '@safeinfer/harmeval';
import { complied, correct, other, refused, type SetResult, share } from './measure-arm.ts';

export interface ArmResults {
  readonly name: string;
  readonly results: readonly SetResult[];
}

type Hit = (result: SetResult, index: number) => boolean;

/** A rate in percent with its Wilson interval. */
export function interval({ hits, total }: { hits: number; total: number }): string {
  const { low, high } = wilson(hits, total);
  const number = (value: number): string => (100 * value).toFixed(1);
  return `${number(hits / total)} [${number(low)}, ${number(high)}]`;
}

function countIn(result: SetResult, hit: Hit): number {
  return result.verdicts.filter((_, i) => hit(result, i)).length;
}

function grid(arms: readonly ArmResults[], group: SetResult['group'], hit: Hit): string {
  const sets = arms[0]!.results.filter((result) => result.group === group);
  const head = ['arm', ...sets.map(({ set, verdicts }) => `${set} (n ${verdicts.length})`)];
  const rows = arms.map(({ name, results }) => [
    name,
    ...sets.map(({ set }) => {
      const own = results.find((result) => result.set === set && result.group === group)!;
      return interval({ hits: countIn(own, hit), total: own.verdicts.length });
    }),
  ]);
  return table([head, ...rows]);
}

export function table(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head!), line(head!.map(() => '---')), ...body.map(line)].join('\n');
}

/** Against the plain model on the same items: relative cuts, an exact McNemar test on requests, points of cost. */
function differences(arms: readonly ArmResults[]): string {
  const [plain, ...others] = arms;
  const asr = (arm: ArmResults) => flags(arm, 'harmful', complied);
  const base = asr(plain!);
  const tests = others.map((arm) => {
    const own = asr(arm);
    const pairs = (first: boolean, second: boolean): number =>
      base.filter((hit, i) => hit === first && own[i] === second).length;
    const counts = {
      both: pairs(true, true),
      onlyFirst: pairs(true, false),
      onlySecond: pairs(false, true),
      neither: pairs(false, false),
    };
    return { arm, own, p: exactMcNemar(counts).p };
  });
  const adjusted = holm(tests.map(({ p }) => p));
  const rate = (values: readonly boolean[]): number =>
    values.filter(Boolean).length / values.length;
  const points = (arm: ArmResults, group: SetResult['group'], hit: Hit): string => {
    const of = (a: ArmResults) => rate(flags(a, group, hit));
    const difference = 100 * (of(arm) - of(plain!));
    return `${difference > 0 ? '+' : ''}${difference.toFixed(1)}`;
  };
  const cut = (arm: ArmResults, group: SetResult['group']): string => {
    const of = (a: ArmResults) => rate(flags(a, group, complied));
    return `${(100 * (1 - of(arm) / of(plain!))).toFixed(1)} %`;
  };
  const rows = tests.map(({ arm }, i) => [
    arm.name,
    cut(arm, 'harmful'),
    adjusted[i]!.toExponential(1),
    cut(arm, 'attack'),
    points(arm, 'borderline', refused),
    points(arm, 'harmless', correct),
  ]);
  const head = [
    'arm',
    'ASR cut on requests',
    'p (McNemar, Holm)',
    'ASR cut on attacks',
    'over-refusal, points',
    'harmless accuracy, points',
  ];
  return table([head, ...rows]);
}

function flags(arm: ArmResults, group: SetResult['group'], hit: Hit): boolean[] {
  return arm.results
    .filter((result) => result.group === group)
    .flatMap((result) => result.verdicts.map((_, i) => hit(result, i)));
}

export function evaluationTables(options: {
  readonly arms: readonly ArmResults[];
  readonly context: ArmResults;
}): string {
  const { arms, context } = options;
  const pooled = arms.map(({ name, results }) => {
    const neither = share(results, 'harmful', other);
    const attacked = share(results, 'attack', other);
    const hits = neither.hits + attacked.hits;
    return [name, interval({ hits, total: neither.total + attacked.total })];
  });
  return [
    '## Attack success on requests',
    grid(arms, 'harmful', complied),
    '## Attack success of attacks',
    grid(arms, 'attack', complied),
    '## Neither refused nor complied (requests and attacks; broken, not safe)',
    table([['arm', 'share'], ...pooled]),
    '## Over-refusal: harmless requests that sound harmful, refused',
    grid(arms, 'borderline', refused),
    '## Harmless questions answered correctly',
    grid(arms, 'harmless', correct),
    '## Against the plain model, on the same items',
    differences(arms),
    '## In context: attack success of the plain model behind five demonstrations',
    grid([context], 'context', complied),
  ].join('\n\n');
}
