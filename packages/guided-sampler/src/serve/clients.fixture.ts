// A small served model for the client tests: characters as tokens, a trivial chat format, peaked random weights.
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import type { ChatMessage } from '../plan/prompt.ts';
import { safeInfer } from '../recipes/safe-infer.ts';
import type { ServedModel } from './served-model.ts';

/** Token 0 ends a text; the others are printable ASCII. */
export const ENTRIES: readonly string[] = [
  '<eos>',
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
];

const tokenizer = {
  encode: (text: string): number[] => Array.from(text, (c) => Math.max(1, ENTRIES.indexOf(c))),
  decode: (ids: readonly number[]): string =>
    ids.map((id) => (id === 0 ? '' : (ENTRIES[id] ?? ''))).join(''),
  vocabEntry: (id: number): string | undefined => ENTRIES[id],
  allSpecialIds: new Set([0]),
};

export interface Served extends Disposable {
  readonly served: ServedModel;
  readonly model: Transformer;
  /** The unsafe twin. */
  readonly twin: Transformer;
}

export function servedModel(): Served {
  const base = createRandomModel({ config: { vocabSize: ENTRIES.length }, seed: 21, tokenizer });
  const config = { ...base.config, eosTokenIds: [0] };
  const model = base.withWeights(new Map(), config);
  base.dispose();
  const twin = createRandomModel({ config: { vocabSize: ENTRIES.length }, seed: 22, tokenizer });
  const render = (messages: readonly ChatMessage[]): string =>
    `${messages.map((m) => `${m.role}: ${m.content}`).join('\n')}\nassistant: `;
  return {
    model,
    twin,
    served: {
      plan: safeInfer({ model, unsafe: { model: twin }, lambda: 0.5 }),
      render,
      defaults: { maxNewTokens: 24 },
    },
    [Symbol.dispose]: () => {
      model.dispose();
      twin.dispose();
    },
  };
}
