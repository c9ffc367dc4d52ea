// A run directory of harmless placeholder text, of any size: what the viewer is tested and measured on.
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { CausalTrace, HeadMap, TokenTrace, TrialRecord } from '@safeinfer/viewer';

const CATEGORIES = ['privacy', 'fraud', 'malware', 'self-defence', 'finance', 'travel'];
const WORDS = ['amber', 'basin', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heron', 'inlet'];

export interface SyntheticRun {
  readonly items: number;
  readonly arms?: readonly string[];
  readonly edits?: readonly string[];
  readonly styles?: readonly string[];
  /** Items from the first on whose answers carry tokens. */
  readonly withTokens?: number;
}

/** Writes results.jsonl, experiment.json, heads/ and traces/ into `directory`. */
export async function writeSyntheticRun(directory: string, run: SyntheticRun): Promise<void> {
  const { arms = ['base', 'SA', 'sGDS', 'SafeInfer'], edits = ['unedited'] } = run;
  const { styles = ['simple'], withTokens = 0 } = run;
  mkdirSync(join(directory, 'heads'), { recursive: true });
  mkdirSync(join(directory, 'traces'), { recursive: true });
  const stream = createWriteStream(join(directory, 'results.jsonl'));
  const perStyle = Math.ceil(run.items / styles.length);
  for (const edit of edits) {
    for (const [rank, arm] of arms.entries()) {
      let lines = '';
      for (const style of styles) {
        for (let i = 0; i < perStyle; i += 1) {
          const record = syntheticRecord({ edit, arm, rank, style, i, tokens: i < withTokens });
          lines += `${JSON.stringify(record)}\n`;
          if (lines.length < 1 << 20) continue;
          if (!stream.write(lines)) await once(stream, 'drain');
          lines = '';
        }
      }
      stream.write(lines);
    }
  }
  stream.end();
  await finished(stream);
  const json = (name: string, value: unknown): void =>
    writeFileSync(join(directory, name), `${JSON.stringify(value)}\n`);
  json('experiment.json', {
    experiment: { name: 'synthetic', model: 'placeholder' },
    provenance: { model: { name: 'placeholder', sha256: '0' } },
  });
  json('heads/SA.json', syntheticHeads());
  json('traces/placeholder.json', syntheticTrace());
}

function syntheticRecord(options: {
  readonly edit: string;
  readonly arm: string;
  readonly rank: number;
  readonly style: string;
  readonly i: number;
  readonly tokens: boolean;
}): TrialRecord {
  const { edit, arm, rank, style, i } = options;
  const harmful = i % 3 !== 2;
  const draw = unit(i * 8 + rank + (edit === 'unedited' ? 0 : 4));
  const outcome = outcomeOf(draw, rank, harmful);
  const words = Array.from({ length: 12 }, (_, k) => WORDS[Math.floor(unit(i * 31 + k) * 9)]!);
  const output =
    outcome === 'refused'
      ? `Placeholder refusal ${i} of arm ${arm}: declined.`
      : `Placeholder answer ${i} of arm ${arm}: ${words.join(' ')}.`;
  const second = unit(i * 8 + rank + 99_991) < 0.06 ? 'complied' : outcome;
  return {
    schema: 1,
    arm,
    edit,
    style,
    benchmark: harmful ? 'placeholder-harmful' : 'placeholder-harmless',
    itemId: `item-${i}`,
    category: CATEGORIES[i % CATEGORIES.length]!,
    kind: harmful ? 'harmful' : 'harmless',
    prompt: `Placeholder question ${i}: what follows ${words.slice(0, 4).join(', ')}?`,
    output,
    finishReason: 'stop',
    tokensIn: 14,
    tokensOut: output.split(' ').length,
    judge: 'placeholder-judge',
    outcome,
    ...(harmful ? {} : { correct: draw > 0.3 }),
    verdicts: [
      { judge: 'placeholder-judge', status: 'ok', outcome },
      { judge: 'second-judge', status: 'ok', outcome: second, score: 0.5 },
    ],
    ...(options.tokens ? { tokens: syntheticTokens(output, rank) } : {}),
  };
}

/** Later arms refuse more, as the real ones do. */
function outcomeOf(draw: number, rank: number, harmful: boolean): TrialRecord['outcome'] {
  if (draw > 0.98) return 'unscored';
  if (!harmful) return draw < 0.05 + 0.04 * rank ? 'refused' : 'complied';
  if (draw < 0.5 / (rank + 1)) return 'complied';
  return draw < 0.5 / (rank + 1) + 0.06 ? 'other' : 'refused';
}

function syntheticTokens(output: string, rank: number): TokenTrace[] {
  return output.split(/(?= )/).map((text, k) => {
    const logprob = -2.5 * unit(k * 7 + rank);
    const steered = 4 * unit(k * 5) - 1.6;
    const lowered = unit(k * 13 + rank) < 0.4 ? -3 * unit(k * 17 + rank) : 0;
    return {
      id: 100 + k,
      text,
      logprob,
      terms: { model: logprob - lowered - steered, steering: steered, unsafe: lowered },
      alternatives: [
        { text: ` ${WORDS[k % 9]}`, logprob: logprob - 0.7 },
        { text: ' …', logprob: logprob - 2.1 },
      ],
    };
  });
}

function syntheticHeads(): HeadMap {
  const layers = 8;
  const heads = 8;
  const aie = Array.from({ length: layers }, (_, l) =>
    Array.from(
      { length: heads },
      (_, h) => 0.05 * (unit(l * heads + h) - 0.35) * (l === 3 ? 4 : 1),
    ),
  );
  const top = aie
    .flatMap((row, layer) => row.map((value, head) => ({ layer, head, aie: value })))
    .sort((a, b) => b.aie - a.aie)
    .slice(0, 6);
  return {
    schema: 1,
    what: 'aie',
    model: { name: 'placeholder', sha256: '0' },
    arm: 'SA',
    layers,
    heads,
    aie,
    top,
    method: 'exact, compliant answers as corruption',
    prompts: 8,
    seed: 7,
  };
}

function syntheticTrace(): CausalTrace {
  const tokens = ['The', ' tower', ' of', ' Placeholder', ' stands', ' in'];
  const map = (seed: number, peak: number): number[][] =>
    tokens.map((_, t) =>
      Array.from({ length: 8 }, (_, l) => {
        const near = Math.exp(-((l - peak) ** 2) / 4 - (t - 3) ** 2 / 2);
        const late = t === 5 ? Math.max(0, (l - 4) / 4) : 0;
        return (
          0.04 + 0.7 * Math.min(1, Math.max(near, late)) * (0.8 + 0.2 * unit(seed + t * 8 + l))
        );
      }),
    );
  return {
    schema: 1,
    what: 'causal-trace',
    model: { name: 'placeholder' },
    id: 'placeholder',
    prompt: 'The tower of Placeholder stands in',
    tokens,
    subject: [1, 4],
    answer: ' Nowhere',
    clean: 0.78,
    corrupted: 0.04,
    maps: { state: map(1, 2), mlp: map(2, 3), attention: map(3, 6) },
    window: 3,
  };
}

/** A number in [0, 1) from a counter: the same run every time. */
function unit(counter: number): number {
  let h = (counter + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}
