// Which layers see a sliding window and which see everything.
import { type ConfigReader, shown } from './config-reader.ts';

export type LayerType = 'full_attention' | 'sliding_attention';

/** `layer_types` when the file gives it, else the family's rule. */
export function readLayerTypes(
  read: ConfigReader,
  nLayers: number,
  rule: (layer: number) => LayerType,
): LayerType[] {
  const given = read.raw('layer_types');
  if (given === undefined || given === null)
    return Array.from({ length: nLayers }, (_, i) => rule(i));
  if (!Array.isArray(given) || given.length !== nLayers) {
    return read.fail('layer_types', `must be a list of ${nLayers} types, found ${shown(given)}`);
  }
  return given.map((type: unknown) => {
    if (type === 'full_attention' || type === 'sliding_attention') return type;
    return read.fail(
      'layer_types',
      `may hold full_attention and sliding_attention, found ${shown(type)}`,
    );
  });
}

/** The window of each layer; a sliding layer without a window size is refused. */
export function windowsOf(
  read: ConfigReader,
  types: readonly LayerType[],
  window: number | null,
): (number | null)[] {
  return types.map((type) => {
    if (type === 'full_attention') return null;
    if (window !== null) return window;
    return read.fail('sliding_window', 'is null, but layer_types names sliding layers');
  });
}
