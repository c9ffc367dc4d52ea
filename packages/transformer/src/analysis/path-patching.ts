// Path patching: the effect of one component on another along the direct path between them only.
import { readTensor, SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import type { DataIntervention } from '../hooks/intervention.ts';
import type { Row } from '../model/row.ts';
import type { Transformer } from '../model/transformer.ts';
import { baselines, valuesOf } from './patching-sweep.ts';
import { checkPair, type PromptPair, readActivations, readMetric } from './prompt-pair.ts';

/** A component that writes: one head, or a layer's MLP. */
export type Sender =
  | { readonly layer: number; readonly head: number }
  | { readonly layer: number; readonly module: 'mlp' };

/** An input that reads the residual stream: a head's q, k or v (k and v count key heads), or an MLP's input. */
export type Receiver =
  | { readonly layer: number; readonly head: number; readonly input: 'q' | 'k' | 'v' }
  | { readonly layer: number; readonly module: 'mlp' };

export interface PathPatchingOptions extends PromptPair {
  readonly senders: readonly Sender[];
  /** Inputs that see the change, or 'logits' for the path straight to the final norm. */
  readonly receivers: readonly Receiver[] | 'logits';
  /** Senders that run together, as rows. Default 32. */
  readonly rowsPerPass?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PathPatchingResult {
  /** The metric with each sender's direct path patched, in the order of `senders`. */
  readonly values: Float64Array;
  readonly clean: number;
  readonly corrupted: number;
}

/**
 * Exact path patching (Wang et al. 2022, "Interpretability in the wild"): the sender of the corrupted
 * prompt gets its clean output while every other head and MLP is frozen at its corrupted one, so that only
 * the residual connection carries the change; what the receivers then read is put into a second run in
 * which everything else is free. No folded norms and no linearisation are needed.
 * Throws `BAD_ARGUMENT` when a receiver does not come after every sender.
 */
export async function pathPatching(options: PathPatchingOptions): Promise<PathPatchingResult> {
  const { model, clean, corrupted, senders, receivers } = options;
  const { rowsPerPass = 32, signal } = options;
  checkPair(options);
  checkPaths(model, senders, receivers);
  const base = await baselines(options);
  const sources = await readActivations(model, clean, unique(senders.map(senderPoint)));
  const frozen = await readActivations(model, corrupted, modulePoints(model, senders));
  const values = new Float64Array(senders.length);
  for (let first = 0; first < senders.length; first += rowsPerPass) {
    throwIfAborted(signal);
    const some = senders.slice(first, first + rowsPerPass);
    const rows = some.map((sender) => ({
      tokens: corrupted,
      interventions: [
        senderPatch(options, sender, sources),
        ...freezes(model, sender, frozen, corrupted.length),
      ],
    }));
    values.set(
      receivers === 'logits'
        ? await directly(options, rows)
        : await throughReceivers({ ...options, receivers }, rows),
      first,
    );
    options.onProgress?.(first + some.length, senders.length);
  }
  return { values, ...base };
}

/** Frozen rows differ at the final stream by the sender's change alone. */
async function directly(
  { model, metric }: PathPatchingOptions,
  rows: readonly Row[],
): Promise<Float32Array> {
  using result = model.forward(rows, { logits: 'last' });
  return readMetric(metric, result.lastLogits());
}

/** First pass for what receivers read, second for what that does. */
async function throughReceivers(
  options: PathPatchingOptions & { readonly receivers: readonly Receiver[] },
  rows: readonly Row[],
): Promise<Float32Array> {
  const { model, corrupted, metric, receivers } = options;
  const names = unique(receivers.map(receiverPoint));
  const patched: DataIntervention[][] = [];
  {
    using result = model.forward(rows, { capture: names, logits: 'none' });
    for (const row of rows.keys()) {
      const read = new Map<HookName, Float32Array>();
      for (const name of names) read.set(name, await readTensor(result.captured(row, name)));
      patched.push(
        receivers.map((receiver) => {
          const at = receiverPoint(receiver);
          const head = 'head' in receiver ? receiver.head : undefined;
          const source = read.get(at) as Float32Array;
          return patch({ model, at, head, source, tokens: corrupted.length });
        }),
      );
    }
  }
  using result = model.forward(
    patched.map((interventions) => ({ tokens: corrupted, interventions })),
    { logits: 'last' },
  );
  return readMetric(metric, result.lastLogits());
}

function senderPoint(sender: Sender): HookName {
  return 'head' in sender
    ? `blocks.${sender.layer}.attn.hook_z`
    : `blocks.${sender.layer}.hook_mlp_out`;
}

function receiverPoint(receiver: Receiver): HookName {
  const point: BlockPoint = 'head' in receiver ? `attn.hook_${receiver.input}` : 'hook_mlp_in';
  return `blocks.${receiver.layer}.${point}`;
}

function senderPatch(
  { model, clean }: PathPatchingOptions,
  sender: Sender,
  sources: ReadonlyMap<HookName, Float32Array>,
): DataIntervention {
  const at = senderPoint(sender);
  const head = 'head' in sender ? sender.head : undefined;
  return patch({ model, at, head, source: sources.get(at) as Float32Array, tokens: clean.length });
}

/** Contributions of every module from the first sender's layer on. */
function modulePoints(model: Transformer, senders: readonly Sender[]): HookName[] {
  const first = Math.min(...senders.map(({ layer }) => layer));
  const names: HookName[] = [];
  for (let layer = first; layer < model.config.nLayers; layer++) {
    names.push(`blocks.${layer}.hook_attn_out`, `blocks.${layer}.hook_mlp_out`);
  }
  return names;
}

/** Everything that runs after the sender keeps its corrupted output. */
function freezes(
  model: Transformer,
  sender: Sender,
  frozen: ReadonlyMap<HookName, Float32Array>,
  tokens: number,
): DataIntervention[] {
  return [...frozen].flatMap(([at, source]) => {
    const layer = Number(at.split('.')[1]);
    const ownMlp = at.endsWith('hook_mlp_out') && layer === sender.layer && 'head' in sender;
    if (layer <= sender.layer && !ownMlp) return [];
    return [patch({ model, at, head: undefined, source, tokens })];
  });
}

function patch(options: {
  readonly model: Transformer;
  readonly at: HookName;
  readonly head: number | undefined;
  readonly source: Float32Array;
  readonly tokens: number;
}): DataIntervention {
  const { model, at, head, source, tokens } = options;
  const positions = Array.from({ length: tokens }, (_, i) => i);
  if (head === undefined) return { op: 'patch', at, positions, values: source };
  const heads = /attn\.hook_[kv]$/.test(at) ? model.config.nKvHeads : model.config.nHeads;
  const values = valuesOf({ source, tokens, positions, head, heads, headFirst: false });
  return { op: 'patch', at, positions, heads: [head], values };
}

function checkPaths(
  model: Transformer,
  senders: readonly Sender[],
  receivers: readonly Receiver[] | 'logits',
): void {
  const { nLayers, nHeads, nKvHeads, block } = model.config;
  const refuse = (message: string, hint: string): never => {
    throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
  };
  const inRange = (value: number, size: number): boolean =>
    Number.isInteger(value) && value >= 0 && value < size;
  const ends = receivers === 'logits' ? [] : receivers;
  if (senders.length === 0 || (receivers !== 'logits' && ends.length === 0)) {
    refuse('a path needs a sender and a receiver', "name some, or receivers: 'logits'");
  }
  for (const one of [...senders, ...ends]) {
    const heads = 'input' in one && one.input !== 'q' ? nKvHeads : nHeads;
    if (inRange(one.layer, nLayers) && (!('head' in one) || inRange(one.head, heads))) continue;
    refuse(`${JSON.stringify(one)} does not exist`, `${nLayers} layers, ${heads} heads there`);
  }
  for (const receiver of ends) {
    for (const sender of senders) {
      // Within a sequential block the MLP reads what the heads of the same block wrote.
      const within = block.layout === 'sequential' && 'head' in sender && !('head' in receiver);
      if (receiver.layer > sender.layer || (within && receiver.layer === sender.layer)) continue;
      refuse(
        `receiver ${JSON.stringify(receiver)} does not read sender ${JSON.stringify(sender)}`,
        'receivers must come later in the residual stream than every sender',
      );
    }
  }
}

function unique(names: readonly HookName[]): HookName[] {
  return [...new Set(names)];
}
