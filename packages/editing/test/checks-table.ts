// CHECKS.md from the checks and the figures that their tests measured.
import { BAD_INPUT } from './bad-input.ts';
import { CHECKS, type TestName } from './checks.ts';
import type { Figure } from './figures.ts';

/** The worst of every figure of one name: the largest error, the smallest share or control. */
export function worstFigures(figures: readonly Figure[]): Figure[] {
  const worst = new Map<string, Figure>();
  for (const figure of figures) {
    const key = `${figure.check} ${figure.what}`;
    const known = worst.get(key);
    const worse =
      !known || (figure.kind === 'error' ? figure.value > known.value : figure.value < known.value);
    if (worse) worst.set(key, figure);
  }
  return [...worst.values()].sort(
    (a, b) => a.check - b.check || (a.what < b.what ? -1 : a.what > b.what ? 1 : 0),
  );
}

export function checksTable(figures: readonly Figure[]): string {
  const rows = CHECKS.map(({ number, what, tolerance, oracle, tests }) => {
    const own = figures.filter(({ check }) => check === number).map(textOf);
    return row([
      String(number),
      what,
      tolerance,
      oracle,
      own.join('; ') || 'exact, nothing to print',
      tests.map(nameOf).join('<br>'),
    ]);
  });
  const bad = BAD_INPUT.map(({ input, code, remedy, test }) =>
    row([input, code, remedy, nameOf(test)]),
  );
  const change = / (relative|1 - cosine)$/;
  const parity = figures.filter(
    ({ what, check }) => [16, 17, 23].includes(check) && change.test(what),
  );
  const names = [
    ...new Set(parity.map(({ what }) => what.replace(/, (relative|1 - cosine)$/, ''))),
  ];
  const deltas = names.map((name) => {
    const of = (kind: string): string =>
      short(parity.find(({ what }) => what === `${name}, ${kind}`)?.value ?? Number.NaN);
    return row([name, of('relative'), of('1 - cosine')]);
  });
  return [
    '# The 32 checks',
    '',
    'Made by `test/write-checks.ts` from `test/checks.ts` and `fixtures/check-figures.json`; do not edit by hand. A test fails when',
    'a number is missing, a title is not in its file, or this page is not what they make. Figures are the worst of all cases of both',
    'tiny models (GPT-2: Conv1D, biases; Llama: gated MLP, grouped heads, BOS) and are measured by the tests themselves:',
    '',
    '```sh',
    'export SAFEINFER_FIGURES=$(mktemp)',
    'pnpm vitest run packages/editing',
    'pnpm --filter @safeinfer/editing checks',
    '```',
    '',
    'A figure after "control" is what a wrong implementation would give.',
    '',
    row(['#', 'check', 'tolerance', 'oracle and control', 'measured', 'test']),
    row(['---', '---', '---', '---', '---', '---']),
    ...rows,
    '',
    '## Changes against float64',
    '',
    'Every editor, whole change of every layer, against `fixtures/` (`tools/parity/make_editing_fixtures.py`, independent numpy and torch',
    'code). Asked: 1e-4 relative and a cosine above 0.99999 (1 - cosine below 1e-5).',
    '',
    row(['editor and model', '\\|ours - golden\\| / \\|golden\\|', '1 - cosine']),
    row(['---', '---', '---']),
    ...deltas,
    '',
    '## Check 32 and gpt2-xl',
    '',
    'gpt2-xl and gpt2-medium were **not** run: their weights were not at hand. Who has them runs, from any directory, with the',
    "authors' statistics of layer 17 (mom2 of Wikipedia, `.npz`) and one text a line as `drift.txt` (ME-PPL-50, two tokens or more each):",
    '',
    '```sh',
    'safeinfer edit --model openai-community/gpt2-xl --preset gpt2-xl --moments layer-17.npz \\',
    '  --prompt "{} plays the sport of" --subject "LeBron James" --target football --truth basketball \\',
    '  --neighbor "Michael Jordan plays the sport of => basketball" --drift drift.txt',
    '```',
    '',
    "It prints p(football) before and after and the likeliest tokens of fact and neighbour before and after; the run's `edit.json` has the",
    'ratio of perplexities as `measures.perplexityRatio` (an alarm is printed from 1.1). Asked are p >= 0.9, an unchanged argmax of the',
    'neighbour, and a ratio within 2 %. On a random checkpoint of the same layout (`n_layer` 5, `n_embd` 32; with `--layer 2 --keys original',
    '--moments identity` for the preset, which names layer 17) the command was run and ends with exit code 0: that shows the mechanics only.',
    '',
    '## Bad input',
    '',
    row(['input', 'code', 'remedy', 'test']),
    row(['---', '---', '---', '---']),
    ...bad,
    '',
  ].join('\n');
}

function textOf({ what, value, kind }: Figure): string {
  return `${kind === 'control' ? 'control: ' : ''}${what}: ${short(value)}`;
}

function short(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(2)));
}

function nameOf({ file, title }: TestName): string {
  return `\`${file}\`: ${title}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll(/(?<!\\)\|/g, '\\|')).join(' | ')} |`;
}
