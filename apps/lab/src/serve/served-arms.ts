// The arms of a guard on an open model, as the handler serves them.
import { basename } from 'node:path';
import type { PromptInput, ServedModel } from '@safeinfer/guided-sampler';
import { buildArm } from '../arms/build-arm.ts';
import { armDemonstrations } from '../arms/demonstrations.ts';
import { systemPromptOf } from '../arms/system-prompt.ts';
import { createTermSources } from '../arms/term-sources.ts';
import type { ArmConfig } from '../config/experiment-schema.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import type { GuardConfig } from './guard-config.ts';

export interface ServedArm {
  readonly name: string;
  readonly served: ServedModel;
  readonly notes: readonly string[];
}

export interface ServedArms extends Disposable {
  readonly opened: OpenModel;
  /** What requests call the model: `pocket`, or the last part of a path or hub name. */
  readonly modelId: string;
  readonly arms: readonly ServedArm[];
  /** By model id: the bare one is the default arm, `model:arm` each of them. */
  readonly models: Readonly<Record<string, ServedModel>>;
}

export async function openArms(options: {
  readonly model: string;
  readonly guard: GuardConfig;
  readonly backend: string;
  readonly store?: Store | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<ServedArms> {
  const { guard, store, signal } = options;
  const opened = await openModel({ name: options.model, store, signal });
  const sources = createTermSources({ experimentFile: guard.file, store, signal });
  const dispose = (): void => {
    sources[Symbol.dispose]();
    opened[Symbol.dispose]();
  };
  try {
    const arms: ServedArm[] = [];
    for (const arm of guard.arms) {
      const { plan, notes } = await buildArm({
        arm,
        model: opened.model,
        sources,
        demonstrations: armDemonstrations(arm, guard.file),
        modelIdentity: { model: opened.sha256, backend: options.backend },
        experimentFile: guard.file,
        store,
        seed: guard.seed,
        signal,
        onProgress: options.onProgress,
      });
      const served: ServedModel = {
        plan,
        render: (messages) => render(messages, arm, hasChatTemplate(opened.model)),
        defaults: defaultsOf(arm),
      };
      arms.push({ name: arm.name, served, notes });
    }
    const modelId = basename(options.model);
    const first = arms.find(({ name }) => name === guard.default) as ServedArm;
    const models = Object.fromEntries([
      [modelId, first.served],
      ...arms.map(({ name, served }) => [`${modelId}:${name}`, served] as const),
    ]);
    return { opened, modelId, arms, models, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

type Messages = Parameters<NonNullable<ServedModel['render']>>[0];

/** The arm's system prompt comes before the conversation's own; models without a template read plain text. */
function render(messages: Messages, { systemPrompt }: ArmConfig, chat: boolean): PromptInput {
  const text = systemPrompt === undefined ? undefined : systemPromptOf(systemPrompt).text;
  const own = messages[0]?.role === 'system' ? messages[0].content : undefined;
  const rest = own === undefined ? messages : messages.slice(1);
  const system = [text, own].filter((part) => part !== undefined).join('\n\n');
  const all = system === '' ? rest : [{ role: 'system', content: system }, ...rest];
  return chat ? all : all.map(({ content }) => content).join('\n\n');
}

/** An arm's sampling is what requests get that say nothing. */
function defaultsOf({ sampling }: ArmConfig): NonNullable<ServedModel['defaults']> {
  if (sampling === undefined) return {};
  const { n: _, seed, stop, ...draws } = sampling;
  const given = Object.entries(draws).filter(([, value]) => value !== undefined);
  return {
    sampling: Object.fromEntries(given),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop }),
  };
}
