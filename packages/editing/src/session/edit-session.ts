// Edits of one model that can be applied and undone in any order, bit for bit.
import { SafeInferError } from '@safeinfer/backend';
import type { Adapter, Row, Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { editAlarms } from '../alarms/edit-alarms.ts';
import type { BatchEditOptions } from '../batch/batch-options.ts';
import { deltaNorm, type WeightDelta } from '../delta/weight-delta.ts';
import type { EditRequest } from '../request/edit-request.ts';
import { type PreparedEdit, prepareEdit } from '../request/prepare-edit.ts';
import { computeEdit, describeMethod, type EditMethod } from './edit-method.ts';
import type { EditRecord } from './edit-record.ts';
import { driftTokens, type EditMeasures, measureEdits } from './measure-edits.ts';
import { OriginalWeights } from './original-weights.ts';
import { readSession, type StoredEdit, writeSession } from './session-file.ts';
import { disposeSidePath, noSidePath, sidePathAdapter } from './side-path.ts';

export interface EditSessionOptions {
  /**
   * `weights` (default) writes edits into the model's weights. `sidePath` leaves every weight alone and makes each
   * edit an adapter of the edit's id: a forward may mix edited and unedited rows.
   */
  readonly mode?: 'weights' | 'sidePath';
}

export interface EditOptions {
  readonly id?: string;
  /** Unrelated texts whose perplexity must not rise. */
  readonly driftTexts?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: BatchEditOptions['onProgress'];
}

interface Applied extends StoredEdit {
  readonly adapter: Adapter | undefined;
}

/**
 * Holds the unedited weights of every matrix it touched. A weight is always the original plus the deltas of the
 * edits in force, summed in float64 in the order they were applied: so undoing every edit restores the original bits,
 * and undoing one gives the bits that never applying it would have given.
 *
 * Disposing the session takes every edit back.
 */
export class EditSession implements Disposable {
  readonly mode: 'weights' | 'sidePath';
  readonly #model: Transformer;
  readonly #weights: OriginalWeights;
  readonly #applied = new Map<string, Applied>();
  readonly #suspended = new Set<string>();
  #counter = 0;
  #editing = false;

  constructor(model: Transformer, options: EditSessionOptions = {}) {
    this.#model = model;
    this.#weights = new OriginalWeights(model);
    this.mode = options.mode ?? 'weights';
  }

  /** Ids of the edits in force, oldest first. In mode `sidePath` they are adapter names. */
  get edits(): readonly string[] {
    return [...this.#applied.keys()].filter((id) => !this.#suspended.has(id));
  }

  /** The records of the edits in force, oldest first. */
  get records(): readonly EditRecord[] {
    return this.edits.map((id) => this.#applied.get(id)!.record);
  }

  /** The row with every edit in force; in mode `weights` the row itself. */
  row(row: Row): Row {
    if (this.mode === 'weights') return row;
    const own = row.adapter === undefined ? [] : [row.adapter].flat();
    return { ...row, adapter: [...own, ...this.edits] };
  }

  /**
   * Computes an edit on the model with the edits in force and applies it. Fails as a whole: after an error the model
   * is as before. Read `alarms` of the record before trusting the edit.
   *
   * @throws what the editor throws, and UNSUPPORTED for weights that the backend rounds
   */
  async edit(
    requests: EditRequest | readonly EditRequest[],
    method: EditMethod,
    options: EditOptions = {},
  ): Promise<EditRecord> {
    if (this.#editing) {
      throw new SafeInferError('another edit of this session is being computed', {
        code: 'BUSY',
        hint: 'await one edit before the next: each is computed on the model with those before it',
      });
    }
    this.#editing = true;
    try {
      return await this.#edit(requests, method, options);
    } finally {
      this.#editing = false;
    }
  }

  async #edit(
    requests: EditRequest | readonly EditRequest[],
    method: EditMethod,
    options: EditOptions,
  ): Promise<EditRecord> {
    const list = 'prompt' in requests ? [requests] : requests;
    const single = method.kind === 'rome' || method.kind === 'fineTune';
    if (list.length === 0 || (single && list.length > 1)) {
      throw new SafeInferError(`${method.kind} was given ${list.length} requests`, {
        code: 'BAD_ARGUMENT',
        hint: 'give one fact a call, or use memit, emmet or alphaEdit for many',
      });
    }
    this.#refuseRounded();
    if (this.mode === 'sidePath' && method.kind === 'fineTune') throw noSidePath();
    if (options.id !== undefined) this.#refuseTaken(options.id);
    const { signal, driftTexts = [] } = options;
    const prepared = list.map((request) => this.#prepare(request, method));
    const drift = driftTokens(this.#model, driftTexts);
    const measure = (): Promise<EditMeasures> =>
      measureEdits({
        ...{ model: this.#model, prepared, drift, signal },
        adapter: this.mode === 'sidePath' ? this.edits : undefined,
      });
    const before = await measure();
    // On a side path the weights lack the edits in force; the computation must see them.
    const edited = this.mode === 'sidePath' ? this.#merged() : undefined;
    let computed: Awaited<ReturnType<typeof computeEdit>>;
    try {
      computed = await computeEdit({
        model: edited ?? this.#model,
        requests: list,
        method: this.#withPastKeys(method),
        signal,
        onProgress: options.onProgress,
      });
    } finally {
      edited?.dispose();
    }
    const { deltas, losses, keys, subjectFirst, relativeDenominator, keyCosine } = computed;
    const id = await this.apply(deltas, options.id);
    try {
      const after = await measure();
      const { weights } = this.#applied.get(id)!.record;
      const measures = {
        ...(relativeDenominator === undefined ? {} : { relativeDenominator }),
        ...(keyCosine === undefined ? {} : { keyCosine }),
        relativeNorm: Math.max(...weights.map(({ relativeNorm }) => relativeNorm)),
        subjectFirst,
        targetProbability: Math.min(...after.targets),
        ...(drift.length === 0 ? {} : { perplexityRatio: after.perplexity / before.perplexity }),
      };
      const record: EditRecord = {
        id,
        requests: prepared.map(({ request }) => request),
        method: describeMethod(method),
        tokens: prepared.map(({ contexts }) => {
          const { tokens, lookup } = contexts[0]!;
          const token = tokens[lookup]!;
          return { index: lookup, id: token, text: this.#model.tokenizer?.decode([token]) ?? '' };
        }),
        losses,
        targetProbability: before.targets.map((p, i) => ({ before: p, after: after.targets[i]! })),
        measures,
        alarms: editAlarms(measures),
        weights,
      };
      this.#applied.set(id, { ...this.#applied.get(id)!, record, keys });
      return record;
    } catch (error) {
      this.undo(id);
      throw error;
    }
  }

  /** Applies deltas and returns the id that undoes them. @throws BAD_ARGUMENT, WRONG_MODEL, UNSUPPORTED */
  async apply(deltas: readonly WeightDelta[], id?: string): Promise<string> {
    return await this.#apply({ deltas, record: undefined, id: id ?? this.#nextId() });
  }

  /** An edit in force with its deltas, for `restore`: what a file of it holds. */
  stored(id: string): StoredEdit {
    const { record, deltas, keys } = this.#get(id);
    return { record, deltas, keys };
  }

  /**
   * Applies an edit that `stored` gave, behind those in force, without computing it again.
   * @throws WRONG_MODEL when the unedited weights are not those it was made for, BAD_ARGUMENT, UNSUPPORTED
   */
  async restore({ record, deltas, keys }: StoredEdit): Promise<string> {
    for (const { name, sha256 } of record.weights) await this.#weights.expect(name, sha256);
    return await this.#apply({ deltas, record, id: record.id, keys });
  }

  /** Takes one edit back; the others stay, as if it had never been applied. */
  undo(id: string): void {
    const edit = this.#get(id);
    if (!edit.adapter) this.#weights.check(edit.deltas.map(({ weight }) => weight));
    this.#applied.delete(id);
    this.#suspended.delete(id);
    if (edit.adapter) {
      this.#model.removeAdapter(id);
      disposeSidePath(edit.adapter);
    } else {
      this.#rewrite(edit.deltas.map(({ weight }) => weight));
    }
  }

  /** Takes every edit back. */
  reset(): void {
    const touched = new Set<WeightName>();
    if (this.mode === 'weights') {
      const all = [...this.#applied.values()].flatMap(({ deltas }) => deltas);
      this.#weights.check(all.map(({ weight }) => weight));
    }
    for (const [id, { adapter, deltas }] of this.#applied) {
      if (adapter) {
        this.#model.removeAdapter(id);
        disposeSidePath(adapter);
      } else for (const { weight } of deltas) touched.add(weight);
    }
    this.#applied.clear();
    this.#suspended.clear();
    this.#rewrite([...touched]);
  }

  /**
   * Runs `work` as if the named edits (or all) had never been applied, then puts them back in their place.
   * On a side path `edits` and `row` leave them out meanwhile.
   */
  async without<T>(
    ids: string | readonly string[] | 'all',
    work: () => Promise<T> | T,
  ): Promise<T> {
    // 'all' may be an edit's id; then it means that edit only.
    const named = ids === 'all' && !this.#applied.has('all') ? this.edits : [ids].flat();
    const edits = named.map((id) => this.#get(id));
    const weights = edits.flatMap(({ deltas }) => deltas.map(({ weight }) => weight));
    if (this.mode === 'weights') this.#weights.check(weights);
    const added = named.filter((id) => !this.#suspended.has(id));
    for (const id of added) this.#suspended.add(id);
    this.#rewrite(weights);
    try {
      return await work();
    } finally {
      for (const id of added) this.#suspended.delete(id);
      this.#rewrite(weights);
    }
  }

  /** Writes every edit with its record as safetensors; a few kilobytes for a fact. */
  async save(path: string): Promise<void> {
    await writeSession(path, [...this.#applied.values()]);
  }

  /**
   * Applies saved edits to a model, in their order, giving the bits of the saved session.
   * @throws WRONG_MODEL when the model's weights are not those the edits were made for, BAD_FILE, NOT_FOUND
   */
  static async load(
    model: Transformer,
    path: string,
    options: EditSessionOptions = {},
  ): Promise<EditSession> {
    const session = new EditSession(model, options);
    try {
      for (const edit of await readSession(path)) await session.restore(edit);
    } catch (error) {
      session.reset();
      throw error;
    }
    return session;
  }

  [Symbol.dispose](): void {
    this.reset();
  }

  async #apply(edit: {
    readonly deltas: readonly WeightDelta[];
    readonly record: EditRecord | undefined;
    readonly id: string;
    readonly keys?: StoredEdit['keys'];
  }): Promise<string> {
    const { deltas, id, keys } = edit;
    if (this.mode === 'weights') this.#refuseRounded();
    for (const delta of deltas) await this.#weights.remember(delta);
    this.#refuseTaken(id);
    const record = edit.record ?? this.#bareRecord(id, deltas);
    let adapter: Adapter | undefined;
    if (this.mode === 'sidePath') {
      adapter = sidePathAdapter(deltas);
      try {
        this.#model.addAdapter(id, adapter);
      } catch (error) {
        disposeSidePath(adapter);
        throw error;
      }
    }
    this.#applied.set(id, { record, deltas, adapter, keys });
    if (!adapter) this.#rewrite(deltas.map(({ weight }) => weight));
    return id;
  }

  #refuseTaken(id: string): void {
    if (!this.#applied.has(id)) return;
    throw new SafeInferError(`edit ${JSON.stringify(id)} is already in force`, {
      code: 'BAD_ARGUMENT',
      hint: 'undo it first or give another id',
    });
  }

  #bareRecord(id: string, deltas: readonly WeightDelta[]): EditRecord {
    const weights = deltas.map((delta) => {
      const { sha256, norm: size } = this.#weights.factsOf(delta.weight);
      return { name: delta.weight, relativeNorm: deltaNorm(delta) / size, sha256 };
    });
    return {
      id,
      requests: [],
      method: null,
      tokens: [],
      losses: [],
      targetProbability: [],
      alarms: [],
      weights,
    };
  }

  #get(id: string): Applied {
    const edit = this.#applied.get(id);
    if (edit) return edit;
    throw new SafeInferError(`no edit ${JSON.stringify(id)} is in force`, {
      code: 'NOT_FOUND',
      hint: `edits in force: ${this.edits.join(', ') || 'none'}`,
    });
  }

  /** Counts past ids that a loaded or a caller's edit has taken. */
  #nextId(): string {
    let id: string;
    do id = `edit-${++this.#counter}`;
    while (this.#applied.has(id));
    return id;
  }

  #prepare(request: EditRequest, method: EditMethod): PreparedEdit {
    const factToken = 'factToken' in method ? (method.factToken ?? 'subjectLast') : 'subjectLast';
    return prepareEdit({
      model: this.#model,
      request,
      factToken: method.kind === 'fineTune' ? 'last' : factToken,
      contextTemplates: ['{}'],
    });
  }

  /** AlphaEdit is solved with the keys of every batch in force, unless the caller gives them. */
  #withPastKeys(method: EditMethod): EditMethod {
    if (method.kind !== 'alphaEdit' || method.pastKeys) return method;
    const pastKeys = new Map<number, Float64Array[]>();
    for (const id of this.edits) {
      for (const [layer, keys] of this.#applied.get(id)!.keys ?? [])
        pastKeys.set(layer, [...(pastKeys.get(layer) ?? []), ...keys]);
    }
    return { ...method, pastKeys };
  }

  #deltasOf(weight: WeightName): WeightDelta[] {
    return this.edits.flatMap((id) =>
      this.#applied.get(id)!.deltas.filter((delta) => delta.weight === weight),
    );
  }

  #rewrite(weights: readonly WeightName[]): void {
    if (this.mode === 'sidePath') return;
    for (const weight of new Set(weights)) this.#weights.write(weight, this.#deltasOf(weight));
  }

  /** A model with the edits in force in its weights; it shares all others. */
  #merged(): Transformer {
    const weights = new Set(
      this.edits.flatMap((id) => this.#applied.get(id)!.deltas.map(({ weight }) => weight)),
    );
    return this.#model.withWeights(
      new Map(
        [...weights].map((weight) => [
          weight,
          this.#weights.changed(weight, this.#deltasOf(weight)),
        ]),
      ),
    );
  }

  /** An 8-bit copy of an edited weight would lose the edit's small numbers without a word. */
  #refuseRounded(): void {
    const { weights = 'float32' } = tf.backend() as { readonly weights?: unknown };
    if (this.mode === 'sidePath' || weights === 'float32') return;
    throw new SafeInferError(`the backend holds weights as ${String(weights)}`, {
      code: 'UNSUPPORTED',
      hint: "use a session in mode 'sidePath', or useBackend({ weights: 'float32' })",
    });
  }
}
