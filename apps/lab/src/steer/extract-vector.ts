// One extraction method from a name and its data to a plan, its directions where it has some, and the heads' effects.
import { SafeInferError } from '@safeinfer/backend';
import {
  type ContrastMethod,
  conceptor,
  contrastVector,
  type DirectionSet,
  type EffectCheckpoint,
  functionVector,
  type IndirectEffects,
  leace,
  linearTransport,
  type Matrix,
  nullSpaceGate,
  personaVector,
  type ReadRow,
  readActivations,
  refusalDirection,
  type SafetyPreset,
  type SteeringOperation,
  type SteeringPlan,
  type SteeringProgress,
  safetyAmplification,
  safetyPreset,
  shuffleAnswersOfTwins,
  shuffleSides,
  truthHeads,
} from '@safeinfer/steering';
import type { Transformer } from '@safeinfer/transformer';
import { openingToken } from './answer-tokens.ts';
import { demonstrationsFrom } from './demonstration-source.ts';
import { personaFrom } from './persona-source.ts';
import { promptRow, promptsFrom } from './prompt-source.ts';

/** Methods whose safetensors file holds directions, a layer each. */
export const DIRECTION_METHODS = [
  'mean-difference',
  'mean-centred',
  'pca',
  'pca-centred',
  'refusal-direction',
  'persona',
] as const;
/** Methods that give one added vector: a plan, and directions for the other formats. */
const VECTOR_METHODS = ['sa', 'function-vector'] as const;
/** Methods that give more than vectors to add. */
const PLAN_METHODS = [
  'truth-heads',
  'null-space-gate',
  'conceptor',
  'affine',
  'leace',
  'linear-act',
] as const;
export const METHODS = [...VECTOR_METHODS, ...DIRECTION_METHODS, ...PLAN_METHODS] as const;
export type Method = (typeof METHODS)[number];

export function hasDirections(method: Method, inject: string | undefined): boolean {
  return ![...PLAN_METHODS, ...(inject === 'distributed' ? VECTOR_METHODS : [])].some(
    (own) => own === method,
  );
}

export interface ExtractSettings {
  readonly method: Method;
  readonly preset: SafetyPreset;
  readonly safe: string;
  readonly compliant: string;
  readonly demonstrations?: string;
  readonly positive: string;
  readonly negative: string;
  readonly layers?: readonly number[];
  readonly strength?: number;
  readonly shots?: number;
  readonly prompts?: number;
  readonly effectPrompts?: number;
  readonly topHeads?: number;
  readonly inject?: 'aggregate' | 'distributed';
  readonly refusals: readonly string[];
  readonly maxKl?: number;
  readonly limit?: number;
  /** Destroys what tells the two sides apart: the control of shuffled labels. */
  readonly shuffleLabels?: boolean;
  readonly seed: number;
}

export interface Extracted {
  readonly plan: SteeringPlan;
  readonly directions?: DirectionSet;
  readonly effects?: IndirectEffects;
  readonly heads?: readonly { readonly layer: number; readonly head: number }[];
}

interface Work {
  readonly model: Transformer;
  readonly settings: ExtractSettings;
  readonly resume: EffectCheckpoint | undefined;
  readonly onCheckpoint: (checkpoint: EffectCheckpoint) => void;
  readonly onProgress: (progress: SteeringProgress) => void;
  readonly signal: AbortSignal;
}

export async function extractVector(work: Work): Promise<Extracted> {
  const { method } = work.settings;
  if (method === 'sa' || method === 'function-vector') return fromDemonstrations(work);
  if (method === 'persona') return fromResponses(work);
  return fromContrast(work);
}

async function fromDemonstrations(work: Work): Promise<Extracted> {
  const { model, settings, resume, onCheckpoint, onProgress, signal } = work;
  const { method, seed, strength, inject, layers } = settings;
  if (layers && layers.length > 1) {
    throw new SafeInferError(
      `${method} adds one vector at one layer, and ${layers.length} are named`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'name one; `safeinfer steer sweep` compares layers',
      },
    );
  }
  const given = {
    ...(layers ? { layer: layers[0]! } : {}),
    ...(strength === undefined ? {} : { strength }),
    ...(settings.shots === undefined ? {} : { shots: settings.shots }),
    ...(settings.prompts === undefined ? {} : { prompts: settings.prompts }),
    ...(settings.effectPrompts === undefined ? {} : { effectPrompts: settings.effectPrompts }),
    ...(settings.topHeads === undefined ? {} : { topHeads: settings.topHeads }),
    ...(inject === undefined ? {} : { inject }),
  };
  const shared = {
    model,
    seed,
    onCheckpoint,
    onProgress,
    signal,
    ...(resume ? { resume } : {}),
  };
  const made =
    method === 'sa'
      ? await safetyAmplification({
          ...safetyPreset(settings.preset, model.config),
          ...given,
          ...shared,
          ...demonstrationSides(settings),
        })
      : await functionVector({
          ...given,
          ...shared,
          demonstrations: demonstrationsFrom(settings.demonstrations ?? 'pocket', 'answer'),
        });
  const { plan, vector, heads, effects } = made;
  const [first] = plan.operations;
  return {
    plan,
    heads,
    ...(effects ? { effects } : {}),
    ...(inject === 'distributed' || !first
      ? {}
      : {
          directions: {
            directions: new Map([[first.layer, vector]]),
            point: 'hook_resid_post' as const,
            ...(plan.model === undefined ? {} : { model: plan.model }),
            recipe: plan.recipe!,
          },
        }),
  };
}

function demonstrationSides(settings: ExtractSettings) {
  const safe = demonstrationsFrom(settings.safe, 'refuse');
  if (settings.compliant === 'none') return { safe };
  const compliant = demonstrationsFrom(settings.compliant, 'comply');
  return settings.shuffleLabels
    ? shuffleAnswersOfTwins({ safe, compliant, seed: settings.seed })
    : { safe, compliant };
}

async function fromResponses({ model, settings, signal }: Work): Promise<Extracted> {
  return ofDirections(
    await personaVector({
      model,
      positive: personaFrom(model, settings.positive),
      negative: personaFrom(model, settings.negative),
      ...(settings.layers ? { layers: settings.layers } : {}),
      signal,
    }),
  );
}

async function fromContrast(work: Work): Promise<Extracted> {
  const { model, settings, onProgress, signal } = work;
  const { method, layers, limit, seed, strength = 1 } = settings;
  const questions = (source: string, kind: 'harmful' | 'harmless', use: 'vector' | 'select') =>
    promptsFrom({ source, kind, use, limit }).map(({ question }) => question);
  const read = (...of: Parameters<typeof questions>) =>
    questions(...of).map((question): ReadRow => promptRow(model, question));
  const sides = {
    positive: read(settings.positive, 'harmful', 'vector'),
    negative: read(settings.negative, 'harmless', 'vector'),
  };
  const { positive, negative } = settings.shuffleLabels ? shuffleSides({ ...sides, seed }) : sides;
  if (method === 'refusal-direction') {
    const [question = ''] = questions(settings.positive, 'harmful', 'vector');
    const found = await refusalDirection({
      model,
      ...split(positive, negative, settings, read),
      refusalTokens: settings.refusals.map((answer) => openingToken(model, { question, answer })),
      ...(layers ? { layers } : {}),
      ...(settings.maxKl === undefined ? {} : { maxKl: settings.maxKl }),
      signal,
      onProgress,
    });
    const { chosen, recipe } = found;
    return ofDirections({
      directions: new Map([[chosen.layer, chosen.direction]]),
      point: 'hook_resid_pre',
      model: found.model,
      recipe,
    });
  }
  if (method === 'truth-heads') {
    const topHeads = Math.min(settings.topHeads ?? 48, model.config.nLayers * model.config.nHeads);
    const alpha = settings.strength ?? 15;
    const { heads, plan } = await truthHeads({
      model,
      positive,
      negative,
      topHeads,
      alpha,
      seed,
      signal,
    });
    return { plan, heads };
  }
  const contrasts: readonly string[] = ['mean-difference', 'mean-centred', 'pca', 'pca-centred'];
  const direct = contrasts.includes(method);
  // A PCA works on pairs: as many of each side as the smaller one has.
  const pairs = Math.min(positive.length, negative.length);
  const cut = method.startsWith('pca') ? pairs : Number.POSITIVE_INFINITY;
  const set = await contrastVector({
    model,
    positive: positive.slice(0, cut),
    negative: negative.slice(0, cut),
    method: direct ? (method as ContrastMethod) : 'mean-difference',
    ...(layers ? { layers } : {}),
    signal,
    onProgress,
  });
  if (direct) return ofDirections(set);
  const chosen = layers ?? [
    Math.min(model.config.nLayers - 1, Math.round(model.config.nLayers / 3)),
  ];
  const point = method === 'null-space-gate' ? ('hook_resid_pre' as const) : set.point;
  const sites = chosen.map((layer) => ({ layer, point }));
  const plus = await readActivations({ model, rows: positive, sites, signal });
  const minus = await readActivations({ model, rows: negative, sites, signal });
  return {
    plan: {
      operations: chosen.map((layer, i) => ({
        ...operationOf(method, {
          at: { layer, point },
          direction: set.directions.get(layer)!,
          positive: plus[i]!,
          negative: minus[i]!,
        }),
        strength,
      })),
      ...(set.model === undefined ? {} : { model: set.model }),
      recipe: { ...set.recipe, method },
    },
  };
}

function operationOf(
  method: Method,
  of: {
    readonly at: { readonly layer: number; readonly point: DirectionSet['point'] };
    readonly direction: Float32Array;
    readonly positive: Matrix;
    readonly negative: Matrix;
  },
): SteeringOperation {
  const { at, direction, positive, negative } = of;
  switch (method) {
    case 'null-space-gate': {
      const { gate } = nullSpaceGate({ benign: negative, harmful: positive });
      return {
        ...at,
        op: 'gate',
        vector: direction,
        gate: Float32Array.from(gate),
        readAt: 'last',
        during: 'prompt',
      };
    }
    case 'conceptor':
      return {
        ...at,
        op: 'conceptor',
        matrix: Float32Array.from(conceptor(positive).values),
        beta: 1,
      };
    case 'affine': {
      const reference = new Float32Array(direction.length);
      for (let i = 0; i < negative.values.length; i += 1)
        reference[i % negative.width]! += negative.values[i]! / negative.rows;
      return { ...at, op: 'affine', vector: direction, reference, alpha: 1 };
    }
    case 'leace':
      return leace(positive, negative).operation(at);
    case 'linear-act':
      return linearTransport({ from: negative, to: positive }).operation(at);
    default:
      throw new SafeInferError(`no extraction method "${method}"`, {
        code: 'BAD_ARGUMENT',
        hint: `use one of: ${METHODS.join(', ')}`,
      });
  }
}

function ofDirections(set: DirectionSet): Extracted {
  const [layer, vector] = [...set.directions][0]!;
  return {
    directions: set,
    plan: {
      operations: [{ op: 'add', layer, point: set.point, vector, positions: 'last' }],
      ...(set.model === undefined ? {} : { model: set.model }),
      recipe: set.recipe,
    },
  };
}

/** Candidates are chosen on prompts they were not read from: pocket's select split, a fifth of the rows of files. */
function split(
  positive: readonly ReadRow[],
  negative: readonly ReadRow[],
  settings: ExtractSettings,
  read: (source: string, kind: 'harmful' | 'harmless', use: 'select') => ReadRow[],
) {
  const side = (rows: readonly ReadRow[], source: string, kind: 'harmful' | 'harmless') => {
    if (source === 'pocket') return { train: rows, held: read(source, kind, 'select') };
    return { train: rows.filter((_, i) => i % 5 !== 4), held: rows.filter((_, i) => i % 5 === 4) };
  };
  const harmful = side(positive, settings.positive, 'harmful');
  const harmless = side(negative, settings.negative, 'harmless');
  return {
    harmful: harmful.train,
    harmless: harmless.train,
    validation: { harmful: harmful.held, harmless: harmless.held },
  };
}
