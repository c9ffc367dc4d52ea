// Safety vectors from the store: building one again costs hundreds of forward passes.
import { contentHash } from '@safeinfer/harmeval';
import { amplify, type SafetyAmplification } from '@safeinfer/steering';
import type { Store } from './open-store.ts';

interface StoredVector {
  readonly vector: readonly number[];
  readonly layer: number;
  readonly heads: SafetyAmplification['heads'];
}

/** What of a vector an arm and a report need. */
export type BuiltVector = Pick<
  SafetyAmplification,
  'layer' | 'strength' | 'heads' | 'interventions'
>;

/** `identity`: model, edit, demonstrations and settings; the strength is applied to the stored vector, not part of it. */
export async function storedVector(options: {
  readonly identity: unknown;
  readonly strength: number;
  readonly store: Store | undefined;
  readonly build: () => Promise<SafetyAmplification>;
}): Promise<BuiltVector> {
  const { store, strength, build } = options;
  const key = contentHash({ kind: 'safety-vector', identity: options.identity });
  const known = store?.get(key) as StoredVector | undefined;
  if (known === undefined) {
    const built = await build();
    const { layer, heads } = built;
    store?.set(new Map([[key, { vector: Array.from(built.vector), layer, heads }]]));
    return built;
  }
  const { layer, heads } = known;
  const vector = Float32Array.from(known.vector);
  return { layer, heads, strength, interventions: [amplify({ vector, layer, strength })] };
}
