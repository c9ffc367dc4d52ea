// Where patching experiments intervene: a kind of activation, over layers, positions and heads.
import { SafeInferError } from '@safeinfer/backend';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import { parseHookName } from '../hooks/points.ts';
import type { Transformer } from '../model/transformer.ts';

/** Kinds of activations that can be patched; those with heads also sweep over heads. */
export type PatchSite =
  | 'resid_pre'
  | 'resid_mid'
  | 'resid_post'
  | 'attn_out'
  | 'mlp_out'
  | 'q'
  | 'k'
  | 'v'
  | 'z'
  | 'pattern';

/** What a sweep varies, in the order of the result's axes. */
export interface SweepGrid {
  readonly layers: readonly number[];
  /** 'all' patches every position at once and gives no position axis. */
  readonly positions: readonly number[] | 'all';
  /** Undefined for sites without heads. */
  readonly heads: readonly number[] | undefined;
}

export function siteName(site: PatchSite, layer: number): HookName {
  const block = /^(resid|attn_out|mlp_out)/.test(site);
  return `blocks.${layer}.${(block ? `hook_${site}` : `attn.hook_${site}`) as BlockPoint}`;
}

/** Sizes of the site's head axis, or undefined. */
export function headsOf(model: Transformer, site: PatchSite): number | undefined {
  const axes = parseHookName(siteName(site, 0))?.info.axes ?? [];
  if (axes.includes('h')) return model.config.nHeads;
  return axes.includes('kv') ? model.config.nKvHeads : undefined;
}

/** Checks a sweep's ranges and fills in what was not given. `tokens` is the prompts' common length. */
export function checkedGrid(options: {
  readonly model: Transformer;
  readonly site: PatchSite;
  readonly tokens: number;
  readonly layers?: readonly number[] | undefined;
  readonly positions?: readonly number[] | 'each' | 'all' | undefined;
  readonly heads?: readonly number[] | undefined;
}): SweepGrid {
  const { model, site, tokens } = options;
  const reason = model.reason(siteName(site, 0));
  if (reason !== undefined) {
    throw new SafeInferError(`this model cannot be patched at '${site}': ${reason}`, {
      code: 'UNKNOWN_HOOK',
      hint: 'choose another site; model.points() lists what there is',
    });
  }
  const count = headsOf(model, site);
  if (count === undefined && options.heads !== undefined) {
    throw outOfRange('heads', `'${site}' has no heads`);
  }
  // A row of an attention map is one query; sweeping single queries is rarely wanted.
  const { positions = count === undefined ? 'each' : 'all' } = options;
  return {
    layers: checkedList('layers', options.layers, model.config.nLayers),
    positions:
      positions === 'all'
        ? 'all'
        : checkedList('positions', positions === 'each' ? undefined : positions, tokens),
    heads: count === undefined ? undefined : checkedList('heads', options.heads, count),
  };
}

function checkedList(
  what: string,
  given: readonly number[] | undefined,
  size: number,
): readonly number[] {
  if (given === undefined) return Array.from({ length: size }, (_, i) => i);
  return given.map((value) => {
    const index = value < 0 ? size + value : value;
    if (Number.isInteger(index) && index >= 0 && index < size) return index;
    throw outOfRange(what, `${value} is not one of ${size}`);
  });
}

function outOfRange(what: string, reason: string): SafeInferError {
  return new SafeInferError(`${what}: ${reason}`, {
    code: 'BAD_ARGUMENT',
    hint: `give ${what} that exist, negative ones counting from the end, or leave the option out`,
  });
}
