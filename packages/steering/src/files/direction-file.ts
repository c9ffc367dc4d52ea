// Directions in files: safetensors (native), GGUF control vectors, npz and npy; other tools' files too.
import { readFile } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import {
  openSafetensors,
  type Transformer,
  writeAtomically,
  writeSafetensors,
} from '@safeinfer/transformer';
import { z } from 'zod';
import type { DirectionSet } from '../extract/contrast-vector.ts';
import { modelFingerprint } from '../plan/fingerprint.ts';
import type { Recipe } from '../plan/steering-plan.ts';
import { badFile } from './bad-file.ts';
import { parseGguf, writeGguf } from './gguf.ts';
import { type NumpyArray, parseNpy, parseNpz, writeNpz } from './npz.ts';

export type DirectionFormat = 'safetensors' | 'gguf' | 'npz' | 'npy';

const KEY = 'safeinfer.directions';
const header = z.object({
  point: z.enum([
    'hook_resid_pre',
    'hook_resid_mid',
    'hook_resid_post',
    'hook_attn_out',
    'hook_mlp_out',
  ]),
  model: z.string().optional(),
  recipe: z.object({
    method: z.string(),
    version: z.number(),
    seed: z.number().optional(),
    data: z.string().optional(),
    settings: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .optional(),
  }),
});

function formatOf(path: string): DirectionFormat {
  const ending = /\.(safetensors|gguf|npz|npy)$/.exec(path)?.[1];
  if (ending !== undefined) return ending as DirectionFormat;
  throw new SafeInferError(`'${path}' has no ending that names a format`, {
    code: 'BAD_ARGUMENT',
    hint: 'end it with .safetensors, .gguf, .npz or .npy; pickles (.pt) are never loaded',
  });
}

/**
 * Writes directions; the ending of the path decides the format. Only safetensors keeps fingerprint and recipe. GGUF
 * holds block outputs from block 1 on (UNSUPPORTED otherwise) and one scalar for all layers, so lengths go as they
 * are. `modelHint` is GGUF's `controlvector.model_hint`.
 */
export async function saveDirections(
  path: string,
  set: DirectionSet,
  options: { readonly modelHint?: string } = {},
): Promise<void> {
  const format = formatOf(path);
  const directions = [...set.directions].sort(([a], [b]) => a - b);
  if (format === 'safetensors') {
    const { point, model, recipe } = set;
    await writeSafetensors(
      path,
      directions.map(([layer, data]) => ({
        name: `direction.${layer}`,
        dtype: 'F32',
        shape: [data.length],
        data,
      })),
      { metadata: { format: 'pt', [KEY]: JSON.stringify({ point, model, recipe }) } },
    );
    return;
  }
  if (format === 'npy') {
    throw new SafeInferError('.npy is read, not written: it cannot say which layers it holds', {
      code: 'UNSUPPORTED',
      hint: 'write .npz or .safetensors',
    });
  }
  const bytes =
    format === 'gguf'
      ? writeGguf({ directions: blockOutputs(set), modelHint: options.modelHint ?? 'unknown' })
      : writeNpz(
          new Map(
            directions.map(([layer, data]): [string, NumpyArray] => [
              `layer_${layer}`,
              { shape: [data.length], data },
            ]),
          ),
        );
  await writeAtomically(path, async (handle) => {
    await handle.writeFile(bytes);
  });
}

/** GGUF's N is the output of block N; the input of a block is the output of the one before. */
function blockOutputs(set: DirectionSet): Map<number, Float32Array> {
  const shift = set.point === 'hook_resid_pre' ? 1 : 0;
  if (shift === 0 && set.point !== 'hook_resid_post') {
    throw new SafeInferError(`GGUF cannot hold directions at '${set.point}'`, {
      code: 'UNSUPPORTED',
      hint: 'it holds block outputs; save as .safetensors',
    });
  }
  return new Map(
    [...set.directions].map(([layer, values]) => {
      if (layer - shift >= 1) return [layer - shift, values];
      throw new SafeInferError('GGUF cannot hold the output of block 0 or its input', {
        code: 'UNSUPPORTED',
        hint: 'leave that layer out, or save as .safetensors',
      });
    }),
  );
}

export interface LoadDirectionsOptions {
  /** Checked against: width and layers always, the fingerprint unless forced. */
  readonly model?: Transformer;
  readonly force?: boolean;
  /** For files that hold one vector without saying where it belongs. */
  readonly layer?: number;
  /** For files that do not say. Default 'hook_resid_post'. */
  readonly point?: DirectionSet['point'];
  /** Refuse GGUF files that llama.cpp refuses. */
  readonly strict?: boolean;
}

/**
 * Reads directions written here or by other tools: refusal_direction's safetensors (its `layer` is in the header),
 * single vectors of any name, GGUF control vectors, npz keyed by layer, npy of one vector or [layers, width].
 * Throws BAD_FILE, BAD_ARGUMENT (no layer known) and WRONG_MODEL.
 */
export async function loadDirections(
  path: string,
  options: LoadDirectionsOptions = {},
): Promise<DirectionSet> {
  const format = formatOf(path);
  const set =
    format === 'safetensors'
      ? await fromSafetensors(path, options)
      : fromBytes(format, new Uint8Array(await readFile(path)), options);
  for (const [layer, values] of set.directions) {
    for (const value of values) {
      if (Number.isFinite(value)) continue;
      throw badFile(`the direction of layer ${layer} holds ${value}`, 'make it again');
    }
  }
  if (options.model) await checkFits(set, options.model, options.force ?? false);
  return set;
}

async function fromSafetensors(
  path: string,
  options: LoadDirectionsOptions,
): Promise<DirectionSet> {
  const file = await openSafetensors(path);
  try {
    const own = file.metadata.get(KEY);
    const named = new Map<number, Float32Array>();
    const singles: [string, Float32Array][] = [];
    for (const [name, info] of file.tensors) {
      const layer = /^(?:direction|layer)[._](\d+)$/.exec(name)?.[1];
      if (info.shape.length !== 1) continue;
      const { data } = await file.read(name);
      const values = Float32Array.from(data);
      if (layer === undefined) singles.push([name, values]);
      else named.set(Number(layer), values);
    }
    if (own !== undefined) {
      let parsed: ReturnType<typeof header.safeParse>;
      try {
        parsed = header.safeParse(JSON.parse(own));
      } catch (cause) {
        throw badFile('the header of the directions is not JSON', 'make the file again', cause);
      }
      if (!parsed.success)
        throw badFile('the header of the directions is damaged', 'make it again');
      const { point, model, recipe } = parsed.data;
      return {
        directions: named,
        point,
        ...(model === undefined ? {} : { model }),
        recipe: recipe as Recipe,
      };
    }
    if (named.size > 0) return foreign(named, 'safetensors', options);
    const layer = options.layer ?? Number(file.metadata.get('layer') ?? Number.NaN);
    // refusal_direction's own files say `pos` too; its layers are block inputs.
    const published = file.metadata.has('pos') && file.metadata.has('layer');
    return foreign(single(singles[0]?.[1], layer), 'safetensors', {
      ...options,
      ...(published && !options.point ? { point: 'hook_resid_pre' } : {}),
    });
  } finally {
    await file.close();
  }
}

function fromBytes(
  format: Exclude<DirectionFormat, 'safetensors'>,
  bytes: Uint8Array,
  options: LoadDirectionsOptions,
): DirectionSet {
  if (format === 'gguf') {
    const { directions, metadata } = parseGguf(bytes, { strict: options.strict ?? false });
    const method = String(metadata['controlvector.method'] ?? 'unknown');
    return foreign(directions, method, { ...options, point: 'hook_resid_post' });
  }
  if (format === 'npy') {
    const { shape, data } = parseNpy(bytes);
    if (shape.length === 2) {
      const width = shape[1]!;
      const lines = Array.from({ length: shape[0]! }, (_, layer): [number, Float32Array] => [
        layer,
        data.slice(layer * width, (layer + 1) * width),
      ]);
      return foreign(new Map(lines), 'npy', options);
    }
    return foreign(single(data, options.layer ?? Number.NaN), 'npy', options);
  }
  const arrays = parseNpz(bytes);
  const named = new Map<number, Float32Array>();
  for (const [name, { data }] of arrays) {
    const layer = /(\d+)$/.exec(name)?.[1];
    if (layer !== undefined) named.set(Number(layer), data);
  }
  if (named.size > 0) return foreign(named, 'npz', options);
  return foreign(
    single([...arrays.values()][0]?.data, options.layer ?? Number.NaN),
    'npz',
    options,
  );
}

function single(values: Float32Array | undefined, layer: number): Map<number, Float32Array> {
  if (values === undefined) throw badFile('the file holds no vector', 'directions are 1-D arrays');
  if (!Number.isInteger(layer) || layer < 0) {
    throw new SafeInferError('the file holds one vector and does not say for which layer', {
      code: 'BAD_ARGUMENT',
      hint: 'pass `layer`',
    });
  }
  return new Map([[layer, values]]);
}

function foreign(
  directions: ReadonlyMap<number, Float32Array>,
  method: string,
  { point = 'hook_resid_post' }: LoadDirectionsOptions,
): DirectionSet {
  return { directions, point, recipe: { method, version: 0 } };
}

async function checkFits(set: DirectionSet, model: Transformer, force: boolean): Promise<void> {
  const { dModel, nLayers } = model.config;
  for (const [layer, values] of set.directions) {
    if (values.length === dModel && layer < nLayers) continue;
    // No force helps here: such a vector cannot be added.
    throw new SafeInferError(
      `a direction of ${values.length} numbers at layer ${layer}; the model has ${nLayers} layers of width ${dModel}`,
      { code: 'WRONG_MODEL', hint: 'load the model it was made on' },
    );
  }
  if (force || set.model === undefined || set.model === (await modelFingerprint(model))) return;
  throw new SafeInferError('these directions were made on another model (or other weights of it)', {
    code: 'WRONG_MODEL',
    hint: 'make them again on this model, or pass force: true if you know that they transfer',
  });
}
