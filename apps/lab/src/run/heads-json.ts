// heads/<arm>.json: layer x head average indirect effect of an arm's safety vector.
import type { ModelFacts } from '../model/open-model.ts';
import type { BuiltVector, HeadScore } from '../store/stored-vector.ts';

export interface HeadsFile {
  readonly schema: 1;
  readonly what: 'aie';
  readonly model: { readonly name: string; readonly sha256: string };
  readonly arm: string;
  readonly edit: string;
  readonly layers: number;
  readonly heads: number;
  /** [layers][heads] */
  readonly aie: readonly (readonly number[])[];
  /** The heads of the vector, best first. */
  readonly top: readonly { readonly layer: number; readonly head: number; readonly aie: number }[];
  readonly method: string;
  /** Prompts that the effects were averaged over. */
  readonly prompts: number;
  readonly seed: number;
}

export function headsFile(options: {
  readonly model: ModelFacts;
  readonly arm: string;
  readonly edit: string;
  readonly shape: { readonly nLayers: number; readonly nHeads: number };
  readonly vector: BuiltVector;
  readonly prompts: number;
  readonly seed: number;
}): HeadsFile {
  const { model, vector, shape } = options;
  const effect = new Map(vector.effects.map((one) => [nameOf(one), one.effect]));
  return {
    schema: 1,
    what: 'aie',
    model: { name: model.name, sha256: model.sha256 },
    arm: options.arm,
    edit: options.edit,
    layers: shape.nLayers,
    heads: shape.nHeads,
    aie: Array.from({ length: shape.nLayers }, (_, layer) =>
      Array.from({ length: shape.nHeads }, (__, head) => effect.get(nameOf({ layer, head })) ?? 0),
    ),
    top: vector.heads.map(({ layer, head }) => ({
      layer,
      head,
      aie: effect.get(nameOf({ layer, head })) ?? 0,
    })),
    method: vector.metric,
    prompts: options.prompts,
    seed: options.seed,
  };
}

function nameOf({ layer, head }: Pick<HeadScore, 'layer' | 'head'>): string {
  return `${layer}.${head}`;
}

/** A name that every file system takes. */
export function headsName(arm: string, edit: string, edits: number): string {
  const name = edits > 1 ? `${arm}@${edit}` : arm;
  return `heads/${name.replaceAll(/[^A-Za-z0-9_.+@=-]+/g, '-')}.json`;
}
