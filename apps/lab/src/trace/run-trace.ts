// Causal traces of many prompts, each in every kind, and their averages.
import {
  type AverageEffects,
  averageEffects,
  type CausalTrace,
  causalTrace,
  suggestLayer,
} from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { TracePrompt } from './trace-prompts.ts';

/** Every table of one prompt. */
export interface PromptTraces {
  readonly prompt: TracePrompt;
  readonly state: CausalTrace;
  readonly mlp: CausalTrace;
  readonly attn: CausalTrace;
  readonly mlpSevered?: CausalTrace;
  readonly attnSevered?: CausalTrace;
}

export interface TraceOutcome {
  readonly traces: readonly PromptTraces[];
  /** Prompts that the model answers otherwise than expected: they are not traced. */
  readonly wrong: readonly string[];
}

const KINDS = ['state', 'mlp', 'attn'] as const;
export type AveragedKind = (typeof KINDS)[number] | 'mlpSevered' | 'attnSevered';

export async function runTraces(options: {
  readonly model: Transformer;
  readonly prompts: readonly TracePrompt[];
  readonly sigma: number;
  readonly samples: number;
  readonly window: number;
  readonly seed: number;
  /** Also with MLPs and attention frozen behind the restored state. */
  readonly severed: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<TraceOutcome> {
  const { model, prompts, severed, onProgress, signal, ...settings } = options;
  const traces: PromptTraces[] = [];
  const wrong: string[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const trace = (more: {
      readonly kind: (typeof KINDS)[number];
      readonly sever?: 'mlp' | 'attn';
    }): Promise<CausalTrace> =>
      causalTrace({
        ...{ model, ...settings, signal, ...more },
        prompt: prompt.prompt,
        subject: prompt.subject,
        ...(prompt.expect === undefined ? {} : { expect: prompt.expect }),
      });
    const state = await trace({ kind: 'state' });
    if (state.correctPrediction === false) wrong.push(prompt.id);
    // One prompt is traced whatever the model answers; of many, only what it knows.
    if (state.correctPrediction !== false || prompts.length === 1) {
      traces.push({
        prompt,
        state,
        mlp: await trace({ kind: 'mlp' }),
        attn: await trace({ kind: 'attn' }),
        ...(severed
          ? {
              mlpSevered: await trace({ kind: 'state', sever: 'mlp' }),
              attnSevered: await trace({ kind: 'state', sever: 'attn' }),
            }
          : {}),
      });
    }
    onProgress({ phase: 'causal trace', done: i + 1, total: prompts.length, note: prompt.id });
  }
  return { traces, wrong };
}

/** Averages of every kind that was traced. */
export function averages(
  traces: readonly PromptTraces[],
): ReadonlyMap<AveragedKind, AverageEffects> {
  const kinds: AveragedKind[] = [...KINDS, 'mlpSevered', 'attnSevered'];
  return new Map(
    kinds.flatMap((kind) => {
      const tables = traces.flatMap((one) => one[kind] ?? []);
      return tables.length === 0 ? [] : [[kind, averageEffects(tables)] as const];
    }),
  );
}

export function suggestion(effects: ReadonlyMap<AveragedKind, AverageEffects>): number {
  return suggestLayer(effects.get('mlp')!);
}
