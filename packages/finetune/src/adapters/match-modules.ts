// Which modules of a model the settings of an adapter mean, by PEFT's rules.
import { SafeInferError } from '@safeinfer/backend';
import { type ModelConfig, type PeftModule, peftModules } from '@safeinfer/transformer';
import type { LoraSettings } from './lora-settings.ts';

/** A module that carries a delta, with the rank and scale that hold for it. */
export interface MatchedModule extends PeftModule {
  readonly rank: number;
  readonly scale: number;
}

/**
 * The modules that PEFT's `check_target_module_exists` and pattern rules select (peft 0.21).
 *
 * @throws SafeInferError `BAD_ARGUMENT` when a target names no module of this model, or a rank or alpha is
 *   not usable
 */
export function matchModules(settings: LoraSettings, config: ModelConfig): MatchedModule[] {
  const all = peftModules(config);
  const matched = all
    .filter((module) => !isNamed(module, settings.exclude, all))
    .filter((module) => isNamed(module, settings.targets, all))
    .filter((module) => typeof settings.targets === 'string' || inLayers(module, settings));
  if (typeof settings.targets !== 'string') refuseUnknownTargets(settings.targets, all);
  if (matched.length === 0) {
    throw bad(
      `no module of this model fits targets ${JSON.stringify(settings.targets)}`,
      `its linear modules are ${targetNames(all).join(', ')}`,
    );
  }
  return matched.map((module) => {
    const rank = byPattern(settings.rankPattern, module.module) ?? settings.rank;
    const alpha = byPattern(settings.alphaPattern, module.module) ?? settings.alpha;
    if (!Number.isInteger(rank) || rank < 1 || !Number.isFinite(alpha)) {
      throw bad(
        `module '${module.module}' would have rank ${rank} and alpha ${alpha}`,
        'ranks are positive integers and alphas finite numbers',
      );
    }
    return { ...module, rank, scale: alpha / (settings.rslora ? Math.sqrt(rank) : rank) };
  });
}

function isNamed(
  { module, parts }: PeftModule,
  names: readonly string[] | string,
  all: readonly PeftModule[],
): boolean {
  if (typeof names !== 'string') {
    return names.some((name) => module === name || module.endsWith(`.${name}`));
  }
  if (names.toLowerCase() === 'all-linear') {
    return all.length > 0 && parts.every(({ name }) => name !== 'unembed.W_U');
  }
  return expression(`^(?:${names})$`).test(module);
}

function inLayers({ module }: PeftModule, { layers, layersPattern }: LoraSettings): boolean {
  if (layers === null || layers.length === 0) return true;
  const patterns =
    layersPattern.length === 0
      ? ['^.*?\\.[^.]*\\.(\\d+)\\.']
      : layersPattern.map((pattern) => `^(?:.*?\\.)?${pattern}\\.(\\d+)\\.`);
  for (const pattern of patterns) {
    const found = expression(pattern).exec(module);
    if (found !== null) return layers.includes(Number(found[1]));
  }
  return false;
}

function byPattern(patterns: Readonly<Record<string, number>>, module: string): number | undefined {
  for (const [pattern, value] of Object.entries(patterns)) {
    if (expression(`^(?:.*\\.)?(?:${pattern})$`).test(module)) return value;
  }
  return undefined;
}

function refuseUnknownTargets(targets: readonly string[], all: readonly PeftModule[]): void {
  for (const target of targets) {
    if (all.some(({ module }) => module === target || module.endsWith(`.${target}`))) continue;
    throw bad(
      `target '${target}' names no linear module of this model`,
      `its linear modules are ${targetNames(all).join(', ')}`,
    );
  }
}

function targetNames(all: readonly PeftModule[]): string[] {
  return [...new Set(all.map(({ target }) => target))];
}

const compiled = new Map<string, RegExp>();

/** Python's `re` and JavaScript's RegExp agree on what such patterns use in practice; the rest throws. */
function expression(source: string): RegExp {
  let known = compiled.get(source);
  if (known !== undefined) return known;
  try {
    known = new RegExp(source);
  } catch (cause) {
    throw new SafeInferError(`cannot read the module pattern ${JSON.stringify(source)}`, {
      code: 'UNSUPPORTED',
      hint: 'list the module names instead of a Python-only regular expression',
      cause,
    });
  }
  compiled.set(source, known);
  return known;
}

function bad(message: string, hint: string): SafeInferError {
  return new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}
