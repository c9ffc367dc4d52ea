// What one pass must read and edit, worked out before it starts.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import type { ForwardOptions } from '../model/forward-options.ts';
import type { PreparedRow } from '../model/prepared-row.ts';
import { checkHookName } from './check-hook-name.ts';
import { checkIntervention } from './check-intervention.ts';
import type { HookName } from './hook-name.ts';
import { type Intervention, isDataIntervention } from './intervention.ts';
import { type ParsedHook, stepOf } from './points.ts';

export interface Plan {
  readonly captures: ReadonlySet<string>;
  /** Points whose gradient is wanted: the value must flow through them. */
  readonly probes: ReadonlySet<string>;
  /** For each edited point, each row's edits in order. */
  readonly edits: ReadonlyMap<string, ReadonlyMap<number, readonly Intervention[]>>;
  readonly parsed: ReadonlyMap<string, ParsedHook>;
  /** Layers (nLayers for the output, -1 for the input) where any point is read or edited. */
  readonly busy: ReadonlySet<number>;
  /** A text per row and step that differs when rows stop being computed alike there. */
  readonly editKey: (row: number, step: number) => string;
  /** Last step that must run. */
  readonly lastStep: number;
  readonly logits: 'last' | 'all' | 'none';
}

let nextId = 0;
const identities = new WeakMap<object, number>();

/** A number that stands for an object's identity. */
export function identityOf(object: object): number {
  let id = identities.get(object);
  if (id === undefined) {
    id = nextId++;
    identities.set(object, id);
  }
  return id;
}

/** Checks every name and intervention and lays out the pass. Throws UNKNOWN_HOOK or BAD_ARGUMENT. */
export function planPass(options: {
  readonly config: ModelConfig;
  readonly rows: readonly PreparedRow[];
  readonly capture: readonly HookName[];
  readonly probes: readonly HookName[];
  readonly logits: NonNullable<ForwardOptions['logits']>;
  readonly startAtLayer: number;
}): Plan {
  const { config, rows, capture, probes, logits, startAtLayer } = options;
  const parsed = new Map<string, ParsedHook>();
  const earliest = startAtLayer === 0 ? 0 : 1 + 2 * startAtLayer;
  const check = (name: string): ParsedHook => {
    let hook = parsed.get(name);
    if (hook !== undefined) return hook;
    hook = checkHookName(name, config);
    if (stepOf(hook, config) < earliest) {
      throw new SafeInferError(`'${name}' lies before startAtLayer ${startAtLayer}`, {
        code: 'BAD_ARGUMENT',
        hint: 'that part of the model does not run in this pass',
      });
    }
    parsed.set(name, hook);
    return hook;
  };
  for (const name of [...capture, ...probes]) check(name);

  const edits = new Map<string, Map<number, Intervention[]>>();
  const keys = rows.map(() => new Map<number, string>());
  for (const row of rows) {
    for (const intervention of row.interventions) {
      const hook = check(intervention.at);
      checkIntervention(intervention, hook, config);
      if (isIdentity(intervention)) continue;
      const perRow = edits.get(intervention.at) ?? new Map<number, Intervention[]>();
      edits.set(intervention.at, perRow);
      perRow.set(row.index, [...(perRow.get(row.index) ?? []), intervention]);
      const step = stepOf(hook, config);
      // A function is told its row, so it may treat equal rows differently.
      const own = isDataIntervention(intervention) ? '' : `r${row.index}`;
      const key = keys[row.index] as Map<number, string>;
      key.set(step, `${key.get(step) ?? ''},${identityOf(intervention)}${own}`);
    }
  }

  const busy = new Set<number>();
  for (const hook of parsed.values()) {
    const step = stepOf(hook, config);
    busy.add(hook.layer ?? (step === 0 ? -1 : config.nLayers));
  }
  const wanted = [...capture, ...probes].map((name) => stepOf(check(name), config));
  const full = logits !== 'none' || rows.some((row) => row.cache !== undefined);
  return {
    captures: new Set(capture),
    probes: new Set(probes),
    edits,
    parsed,
    busy,
    editKey: (row, step) => keys[row]?.get(step) ?? '',
    lastStep: full ? 1 + 2 * config.nLayers : Math.max(-1, ...wanted),
    logits,
  };
}

/** Data that changes nothing is left out, so that strength 0 is bit-identical to no intervention. */
function isIdentity(intervention: Intervention): boolean {
  if (!isDataIntervention(intervention)) return false;
  if (Array.isArray(intervention.positions) && intervention.positions.length === 0) return true;
  if (intervention.heads?.length === 0) return true;
  switch (intervention.op) {
    case 'add':
    case 'addKeepNorm':
      return intervention.scale === 0;
    case 'scale':
      return intervention.factor === 1;
    case 'projectOut':
      return intervention.strength === 0;
    case 'clamp':
      return intervention.min === undefined && intervention.max === undefined;
    default:
      return false;
  }
}
