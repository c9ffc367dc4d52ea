// One row of a pass as the analysis functions take it.
import type { HookName } from '../hooks/hook-name.ts';
import type { ForwardResult } from '../model/forward-options.ts';
import type { Transformer } from '../model/transformer.ts';

export interface CapturedRow {
  readonly model: Transformer;
  /** A pass that captured the points the function needs; `analysisPoints` lists them. */
  readonly result: ForwardResult;
  /** Default 0. */
  readonly row?: number;
}

/** How finely a residual stream is taken apart. */
export type Detail = 'modules' | 'heads' | 'neurons';

/**
 * Points to capture for the functions of this folder. 'modules' serves accumulated and decomposed
 * residuals, logit lens and attribution; 'heads' and 'neurons' add what splits attention and MLP outputs.
 */
export function analysisPoints(model: Transformer, detail: Detail = 'modules'): HookName[] {
  const { config } = model;
  const has = (name: HookName): HookName[] => (model.reason(name) === undefined ? [name] : []);
  const names: HookName[] = ['hook_embed', ...has('hook_pos_embed')];
  for (let layer = 0; layer < config.nLayers; layer++) {
    const at = `blocks.${layer}` as const;
    names.push(`${at}.hook_resid_pre`, `${at}.hook_attn_out`, `${at}.hook_mlp_out`);
    names.push(...has(`${at}.hook_resid_mid`));
    if (detail !== 'modules') names.push(`${at}.attn.hook_z`, ...has(`${at}.ln1_post.hook_scale`));
    if (detail === 'neurons')
      names.push(`${at}.mlp.hook_post`, ...has(`${at}.ln2_post.hook_scale`));
  }
  return [...names, `blocks.${config.nLayers - 1}.hook_resid_post`, 'ln_final.hook_scale'];
}
