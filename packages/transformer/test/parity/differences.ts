// Largest absolute differences between our numbers and Hugging Face's, setting by setting.
import * as tf from '@tensorflow/tfjs-core';
import { dependsOnLength } from '../../src/config/rope-table.ts';
import type { HookName } from '../../src/hooks/hook-name.ts';
import { parseHookName } from '../../src/hooks/points.ts';
import type { Transformer } from '../../src/model/transformer.ts';
import type { Fixture } from './fixture.ts';

/** What each setting compares. */
export const settings = {
  logits: 'logits of every token of prompts of 7, 11 and 15 tokens, each alone',
  long: 'logits of every token of a prompt of 22 tokens, nearly three windows',
  ragged: 'last logits of the four prompts in one pass, against left- and right-padded batches',
  cached: 'last four tokens of the long prompt fed one by one after a prefill',
  residuals: 'embeddings, every block input and output, contributions, final norm',
  inner: 'q, k, v, z, norm outputs, MLP activations of one deep block, raw module outputs',
  pattern: 'attention maps of two blocks',
  gradient:
    'gradients of a logit difference at three points, divided by their largest entry if above 1',
} as const;

export type Setting = keyof typeof settings;

/** Largest |ours - theirs| over both arrays, which must have the same shape; NaN counts as infinite. */
export async function largestDifference(
  ours: tf.Tensor,
  theirs: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
): Promise<number> {
  if (ours.shape.join() !== theirs.shape.join()) {
    throw new Error(`shape [${ours.shape}] for [${theirs.shape}]`);
  }
  const values = await ours.data();
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const difference = Math.abs((values[i] as number) - (theirs.data[i] as number));
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  return largest;
}

/** Every setting this fixture has values for. */
export async function measureDifferences(
  model: Transformer,
  fixture: Fixture,
): Promise<Partial<Record<Setting, number>>> {
  const found: Partial<Record<Setting, number>> = {};
  const note = (setting: Setting, difference: number | undefined): void => {
    if (difference === undefined) return;
    found[setting] = Math.max(found[setting] ?? 0, difference);
  };
  for (const [name, tokens] of Object.entries(fixture.facts.prompts)) {
    note(name === 'long' ? 'long' : 'logits', await aloneDifference(model, fixture, name, tokens));
  }
  note('ragged', await raggedDifference(model, fixture));
  note('cached', await cachedDifference(model, fixture));
  note('gradient', await gradientDifference(model, fixture));
  for (const [key, difference] of await pointDifferences(model, fixture)) {
    note(settingOf(key), difference);
  }
  return found;
}

function settingOf(key: string): Setting {
  if (key.endsWith('hook_pattern')) return 'pattern';
  const stream = /hook_(embed|pos_embed|resid_pre|resid_post|attn_out|mlp_out)$|^ln_final/;
  return stream.test(key) ? 'residuals' : 'inner';
}

async function aloneDifference(
  model: Transformer,
  fixture: Fixture,
  prompt: string,
  tokens: readonly number[],
): Promise<number | undefined> {
  const expected = fixture.tensors.get(`logits/${prompt}`);
  if (expected === undefined) return undefined;
  using result = model.forward([{ tokens }], { logits: 'all' });
  return await largestDifference(result.logits(0), expected);
}

async function raggedDifference(
  model: Transformer,
  { facts, tensors }: Fixture,
): Promise<number | undefined> {
  if (facts.batch === undefined) return undefined;
  let largest: number | undefined;
  for (const side of ['left', 'right'] as const) {
    const expected = tensors.get(`batch/${side}/last`);
    if (expected === undefined) continue;
    const rows = facts.batch[side].rows.map((name) => ({ tokens: facts.prompts[name] ?? [] }));
    using result = model.forward(rows, { logits: 'last' });
    largest = Math.max(largest ?? 0, await largestDifference(result.lastLogits(), expected));
  }
  return largest;
}

async function cachedDifference(
  model: Transformer,
  { facts, tensors }: Fixture,
): Promise<number | undefined> {
  const expected = tensors.get('decode/long');
  const tokens = facts.prompts['long'];
  if (expected === undefined || tokens === undefined) return undefined;
  const [steps = 0, vocab = 0] = expected.shape;
  using cache = model.createCache();
  model.forward([{ tokens: tokens.slice(0, -steps), cache }], { logits: 'none' }).dispose();
  let largest = 0;
  for (let step = 0; step < steps; step++) {
    const token = tokens[tokens.length - steps + step] as number;
    using result = model.forward([{ tokens: [token], cache }], { logits: 'last' });
    const data = expected.data.subarray(step * vocab, (step + 1) * vocab);
    largest = Math.max(
      largest,
      await largestDifference(result.lastLogits(), { shape: [1, vocab], data }),
    );
  }
  return largest;
}

/** Differences at every stored activation of the long prompt, all captured in one pass. */
export async function pointDifferences(
  model: Transformer,
  { facts, tensors }: Fixture,
): Promise<Map<string, number>> {
  const keys = [...tensors.keys()].filter((key) => key.startsWith('long/'));
  const names = keys.map((key) => pointOf(key.slice('long/'.length)));
  const differences = new Map<string, number>();
  if (keys.length === 0) return differences;
  const tokens = facts.prompts['long'] ?? [];
  using result = model.forward([{ tokens }], { capture: names, logits: 'none' });
  for (const [i, key] of keys.entries()) {
    const name = names[i] as HookName;
    const expected = tensors.get(key);
    if (expected === undefined) continue;
    differences.set(name, await largestDifference(result.captured(0, name), expected));
  }
  return differences;
}

function pointOf(key: string): HookName {
  if (parseHookName(key) === undefined) throw new Error(`fixture key ${key} is no hook point`);
  return key as HookName;
}

async function gradientDifference(
  model: Transformer,
  { facts, tensors }: Fixture,
): Promise<number | undefined> {
  const keys = [...tensors.keys()].filter((key) => key.startsWith('grad/'));
  if (facts.gradient === undefined || keys.length === 0) return undefined;
  const { a, b } = facts.gradient;
  const names = keys.map((key) => pointOf(key.slice('grad/'.length)));
  using backward = model.gradients({
    rows: [{ tokens: facts.prompts['long'] ?? [] }],
    at: names,
    of: ({ logits }) => {
      const at = (token: number): tf.Tensor => tf.slice(logits(0), [0, token], [1, 1]);
      return tf.reshape(tf.sub(at(a), at(b)), []);
    },
  });
  let largest = 0;
  for (const [i, key] of keys.entries()) {
    const ours = backward.grad(0, names[i] as HookName);
    const theirs = tensors.get(key) ?? never(key);
    const size = theirs.data.reduce((top, value) => Math.max(top, Math.abs(value)), 1);
    largest = Math.max(largest, (await largestDifference(ours, theirs)) / size);
  }
  return largest;
}

function never(key: string): never {
  throw new Error(`no tensor ${key}`);
}

/**
 * Greedy continuation, one token a pass. Rotary frequencies that follow the row's length rotate cached
 * keys otherwise than a full pass would (in Hugging Face too), so those models run without a cache.
 */
export async function greedy(
  model: Transformer,
  prompt: readonly number[],
  count: number,
): Promise<number[]> {
  const cached = model.config.layers.every(
    ({ rotary }) => rotary === null || !dependsOnLength(rotary),
  );
  using cache = model.createCache();
  const tokens: number[] = [];
  let next: readonly number[] = prompt;
  while (tokens.length < count) {
    const row = cached ? { tokens: next, cache } : { tokens: [...prompt, ...tokens] };
    using result = model.forward([row], { logits: 'last' });
    const logits = Float32Array.from(await result.lastLogits().data());
    const best = logits.reduce((top, value, i) => (value > (logits[top] as number) ? i : top), 0);
    tokens.push(best);
    next = [best];
  }
  return tokens;
}
