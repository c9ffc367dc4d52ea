// What a vector file holds, and which model it fits: lengths, cosines, recipe, fingerprint.
import { modelFingerprint, type SteeringOperation } from '@safeinfer/steering';
import type { Transformer } from '@safeinfer/transformer';
import type { VectorFile } from './vector-file.ts';

export interface VectorLine {
  readonly layer: number | null;
  readonly point: string;
  readonly head?: number;
  readonly op: string;
  readonly width: number;
  readonly norm: number;
  readonly strength?: number;
  /** With the line before, where both have the same width. */
  readonly cosineWithPrevious?: number;
  /** With the line of the same place in the other file. */
  readonly cosineWithOther?: number;
}

export interface VectorFacts {
  readonly kind: VectorFile['kind'];
  readonly method?: string;
  readonly version?: number;
  readonly seed?: number;
  readonly data?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Fingerprint of the model it was made on; absent in files of other tools. */
  readonly madeOn?: string;
  readonly lines: readonly VectorLine[];
  readonly fits?: { readonly model: string; readonly verdict: string };
}

interface Vector {
  readonly line: Omit<VectorLine, 'norm' | 'width'>;
  readonly values: Float32Array;
}

export function vectorFacts(file: VectorFile, other?: VectorFile): VectorFacts {
  const { recipe, model } = file.kind === 'plan' ? file.plan : file.set;
  const vectors = vectorsOf(file);
  const others = new Map(
    (other ? vectorsOf(other) : []).map(({ line, values }) => [place(line), values]),
  );
  return {
    kind: file.kind,
    ...(recipe ? recipe : {}),
    ...(model === undefined ? {} : { madeOn: model }),
    lines: vectors.map(({ line, values }, i): VectorLine => {
      const before = vectors[i - 1]?.values;
      const same = others.get(place(line));
      return {
        ...line,
        width: values.length,
        norm: Math.sqrt(dot(values, values)),
        ...(before?.length === values.length ? { cosineWithPrevious: cosine(before, values) } : {}),
        ...(same?.length === values.length ? { cosineWithOther: cosine(same, values) } : {}),
      };
    }),
  };
}

/** Whether the file can be used with the model, and how sure that is. */
export async function fitOf(facts: VectorFacts, model: Transformer, name: string) {
  const { dModel, dHead, nLayers } = model.config;
  const odd = facts.lines.find(
    ({ width, layer, point, op }) =>
      width !== (point === 'attn.hook_z' ? dHead : op === 'conceptor' ? dModel ** 2 : dModel) ||
      (layer ?? 0) >= nLayers,
  );
  const verdict = odd
    ? `no: layer ${odd.layer ?? '?'} of ${odd.width} numbers, the model has ${nLayers} layers of width ${dModel}`
    : facts.madeOn === undefined
      ? 'its shape fits; the file does not say which model it was made on'
      : facts.madeOn === (await modelFingerprint(model))
        ? 'yes: it was made on this model'
        : 'its shape fits, but it was made on other weights: it needs --force';
  return { model: name, verdict };
}

function vectorsOf(file: VectorFile): Vector[] {
  if (file.kind === 'directions') {
    const { directions, point } = file.set;
    return [...directions]
      .sort(([a], [b]) => a - b)
      .map(([layer, values]) => ({
        line: { layer: file.layerUnknown ? null : layer, point, op: 'direction' },
        values,
      }));
  }
  return file.plan.operations.map((operation) => ({
    line: {
      layer: operation.layer,
      point: operation.point ?? 'hook_resid_post',
      ...(operation.head === undefined ? {} : { head: operation.head }),
      op: operation.op,
      strength: operation.strength ?? 1,
    },
    values: numbersOf(operation),
  }));
}

function numbersOf(operation: SteeringOperation): Float32Array {
  if (operation.op === 'conceptor') return operation.matrix;
  return operation.op === 'transport' ? operation.shift : operation.vector;
}

/** A direction and an addition of it are compared: the kind of line does not matter, its place does. */
function place({ layer, head }: Pick<VectorLine, 'layer' | 'head'>): string {
  return `${layer}.${head ?? ''}`;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

function cosine(a: Float32Array, b: Float32Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
