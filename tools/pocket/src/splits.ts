// Who may see what: disjoint splits of harmful actions and of borderline pairs, with every word seen in training.
import {
  BORDERLINE_GROUPS,
  type BorderlineAction,
  borderlineActions,
  UNSEEN_SELECT_OBJECTS,
  UNSEEN_TEST_OBJECTS,
} from './borderline.ts';
import { HARM_CATEGORIES, type HarmfulAction, harmfulActions } from './harmful.ts';
import { createRandom } from './random.ts';

export const SPLITS = ['train', 'vector', 'adapter', 'select', 'test'] as const;
export type Split = (typeof SPLITS)[number];
export type BySplit<T> = Readonly<Record<Split, readonly T[]>>;

type Counts = Readonly<Record<Exclude<Split, 'train'>, number>>;
/** Per category of 96 actions; the rest (48) is training. */
const HARM_COUNTS: Counts = { vector: 8, adapter: 10, select: 6, test: 24 };
/** Per group of 78 pairs of seen objects; the rest (46) is training. */
const PAIR_COUNTS: Counts = { vector: 4, adapter: 4, select: 4, test: 20 };
/** Each verb and object occurs in at least this many training items, else an item tests the word, not the pair. */
const MIN_TRAIN_USES = 2;

interface Crossed {
  readonly id: string;
  readonly verb: string;
  readonly object: string;
}

function divide<T extends Crossed>(
  items: readonly T[],
  counts: Counts,
  salt: string,
): Record<Split, T[]> {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const order = createRandom(`split|${salt}|${attempt}`).shuffle(items);
    const out: Record<Split, T[]> = { train: [], vector: [], adapter: [], select: [], test: [] };
    let from = 0;
    for (const split of ['vector', 'adapter', 'select', 'test'] as const) {
      out[split] = order.slice(from, from + counts[split]);
      from += counts[split];
    }
    out.train = order.slice(from);
    const uses = new Map<string, number>();
    for (const { verb, object } of out.train) {
      uses.set(`v ${verb}`, (uses.get(`v ${verb}`) ?? 0) + 1);
      uses.set(`o ${object}`, (uses.get(`o ${object}`) ?? 0) + 1);
    }
    const words = new Set(items.flatMap((i) => [`v ${i.verb}`, `o ${i.object}`]));
    if ([...words].every((w) => (uses.get(w) ?? 0) >= MIN_TRAIN_USES)) return out;
  }
  throw new Error(`no split of ${salt} covers every verb and object`);
}

function join<T>(parts: readonly Record<Split, T[]>[]): BySplit<T> {
  const all = (split: Split): T[] => parts.flatMap((p) => p[split]);
  return {
    train: all('train'),
    vector: all('vector'),
    adapter: all('adapter'),
    select: all('select'),
    test: all('test'),
  };
}

export function splitHarmful(seed: number): BySplit<HarmfulAction> {
  const actions = harmfulActions();
  return join(
    HARM_CATEGORIES.map((c) =>
      divide(
        actions.filter((a) => a.category === c.id),
        HARM_COUNTS,
        `${seed}|${c.id}`,
      ),
    ),
  );
}

export interface BorderlineSplits {
  /** Unseen pairs of verbs and objects that training has in other pairs. */
  readonly pairs: BySplit<BorderlineAction>;
  /** Objects that occur in no request of any other split, only in topic statements. */
  readonly unseenObjects: {
    readonly select: BorderlineAction[];
    readonly test: BorderlineAction[];
  };
}

export function splitBorderline(seed: number): BorderlineSplits {
  const actions = borderlineActions();
  const parts: Record<Split, BorderlineAction[]>[] = [];
  const select: BorderlineAction[] = [];
  const test: BorderlineAction[] = [];
  for (const g of BORDERLINE_GROUPS) {
    const own = actions.filter((a) => a.group === g.id);
    const order = createRandom(`unseen|${seed}|${g.id}`).shuffle(g.objects);
    const testObjects = new Set(order.slice(0, UNSEEN_TEST_OBJECTS));
    const selectObjects = new Set(
      order.slice(UNSEEN_TEST_OBJECTS, UNSEEN_TEST_OBJECTS + UNSEEN_SELECT_OBJECTS),
    );
    test.push(...own.filter((a) => testObjects.has(a.object)));
    select.push(...own.filter((a) => selectObjects.has(a.object)));
    const seen = own.filter((a) => !testObjects.has(a.object) && !selectObjects.has(a.object));
    parts.push(divide(seen, PAIR_COUNTS, `${seed}|${g.id}`));
  }
  return { pairs: join(parts), unseenObjects: { select, test } };
}
