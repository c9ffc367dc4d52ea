// Loss curves of the two trainers side by side, from the logs in logs/: `tsx compare-curves.ts` writes TRAINING.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type LossLine, readLossLog } from './src/training/loss-log.ts';

interface TorchLine {
  readonly step: number;
  readonly tokens: number;
  readonly short: number;
  readonly long: number;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Losses of train_torch.py's log; the mean of its two micro-batches is what our log holds. */
const torch = (path: string): TorchLine[] =>
  readFileSync(here(path), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TorchLine);
const ours = (path: string): LossLine[] => readLossLog(here(path));

function compared(theirs: readonly TorchLine[], own: readonly LossLine[]): string {
  const rows = own.flatMap((line) => {
    const other = theirs.find(({ step }) => step === line.step);
    if (other === undefined) return [];
    const loss = (other.short + other.long) / 2;
    const ratio = ((100 * (line.loss - loss)) / loss).toFixed(2);
    return [
      `| ${line.step} | ${other.tokens} | ${line.tokens} | ${loss.toFixed(4)} | ${line.loss.toFixed(4)} | ${ratio} % |`,
    ];
  });
  return [
    '| step | tokens, PyTorch | tokens, ours | loss, PyTorch | loss, ours | difference |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const recipe = ours('logs/recipe-ours-ort.jsonl');
const last = recipe.at(-1) as LossLine;
const text = `# Two trainers, one model

Made by \`tsx compare-curves.ts\` in \`tools/pocket\` from the logs in \`tools/pocket/logs\` and \`training-loss.jsonl\`. A line is the mean
loss of the steps since the line before, of the short and the long micro-batch alike.

## The same start, batches and masks

200 steps of the first stage's corpus, rate falling to zero at the end: \`train_torch.py --write-plan\`, then \`train.ts --plan\` on
the backend \`ort\`. Only rounding differs.

${compared(torch('logs/plan-200-pytorch.jsonl'), ours('logs/plan-200-ours-ort.jsonl'))}

## The same recipe, everything our own

\`pnpm pocket:train\` on \`ort\`: the stages of \`recipe.json\` from our own starting weights, in our own order, beside the log of the
shipped weights. The run reached step ${last.step} of 2433. The two saw other documents in another order from other weights.

${compared(torch('../../packages/pocket/training-loss.jsonl'), recipe)}
`;
writeFileSync(here('../../packages/pocket/TRAINING.md'), text);
process.stdout.write(text);
