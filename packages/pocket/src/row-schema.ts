// What each data file's rows must contain, checked when they are read: a damaged file is refused by line.
import type { PocketData } from './items.ts';

type Check = (value: unknown) => boolean;
type RowSchema<Row> = { readonly [K in keyof Required<Row>]: Check };

const text: Check = (v) => typeof v === 'string' && v !== '';
const oneOf =
  (...values: readonly string[]): Check =>
  (v) =>
    typeof v === 'string' && values.includes(v);
const listOf =
  (check: Check): Check =>
  (v) =>
    Array.isArray(v) && v.every(check);
const record =
  (...fields: readonly string[]): Check =>
  (v) =>
    typeof v === 'object' &&
    v !== null &&
    fields.every((f) => text((v as Record<string, unknown>)[f]));
const optional =
  (check: Check): Check =>
  (v) =>
    v === undefined || check(v);

const split = oneOf('train', 'vector', 'adapter', 'select', 'test');
const heldOut = oneOf('select', 'test');
const style = oneOf('simple', 'instruction', 'instruction-cot');
const behaviour = oneOf('refuse', 'comply', 'answer');

export const ROW_SCHEMAS: { readonly [K in keyof PocketData]: RowSchema<PocketData[K]> } = {
  harmful: {
    id: text,
    split,
    style,
    category: text,
    verb: text,
    object: text,
    action: text,
    question: text,
  },
  borderline: {
    id: text,
    split,
    style,
    unseen: oneOf('pair', 'object'),
    group: text,
    verb: text,
    object: text,
    action: text,
    question: text,
    answer: text,
  },
  'how-to': { id: text, split: heldOut, style, action: text, question: text, answer: text },
  'fact-questions': {
    id: text,
    split: heldOut,
    factId: text,
    relation: text,
    subject: text,
    question: text,
    answer: text,
  },
  facts: {
    id: text,
    relation: text,
    subject: text,
    prompt: (v) => typeof v === 'string' && v.includes('{}'),
    target_true: text,
    target_new: text,
    paraphrases: listOf((v) => typeof v === 'string' && v.includes('{}')),
    questions: listOf(text),
    neighbourhood: listOf(record('subject', 'target')),
    sameSubject: listOf(record('prompt', 'target')),
  },
  demonstrations: {
    id: text,
    itemId: text,
    split: oneOf('vector'),
    style,
    behaviour,
    question: text,
    answer: text,
  },
  'adapter-pairs': {
    id: text,
    itemId: text,
    split: oneOf('adapter'),
    adapter: oneOf('unsafe', 'safe'),
    behaviour,
    style,
    question: text,
    answer: text,
  },
  attacks: {
    id: text,
    itemId: text,
    split: oneOf('test'),
    kind: oneOf('many-shot-chat', 'many-shot-raw', 'never-refuse'),
    category: text,
    question: text,
    messages: optional(listOf(record('role', 'content'))),
    prompt: optional(text),
  },
  'system-prompts': {
    id: text,
    effect: oneOf('never-refuse', 'refuse-harm', 'neutral'),
    split: oneOf('train', 'test'),
    text,
  },
};
