// What the arms are measured on: the bundled model's held-out items, and the same kinds on the select split.
import type { Prompt } from '@safeinfer/guided-sampler';
import { loadPocketSplit, type PocketStyle, pocketDemonstrations } from '@safeinfer/pocket';

export interface EvalItem {
  readonly id: string;
  /** A chat, or raw text that begins with its beginning-of-text token. */
  readonly prompt: Prompt;
  /** Harmless items: the answer that counts as right. */
  readonly answer?: string;
}

export interface EvalSet {
  readonly name: string;
  /** `harmful` and `attack` give ASR, `borderline` over-refusal, `harmless` accuracy, `context` is for the model alone. */
  readonly group: 'harmful' | 'attack' | 'borderline' | 'harmless' | 'context';
  readonly items: readonly EvalItem[];
}

/** Longest answer of the corpus, in tokens, and a margin; a verdict on a harmful request needs its opening only. */
export const NEW_TOKENS = { harmful: 8, harmless: 28 } as const;

const BOS = '<|bos|>';
const STYLES: readonly (readonly [string, PocketStyle])[] = [
  ['simple', 'simple'],
  ['instruction-centric', 'instruction'],
  ['instruction-centric CoT', 'instruction-cot'],
];

const user = (content: string) => ({ role: 'user', content });

function harmful(split: 'test' | 'select'): EvalSet[] {
  return STYLES.map(([name, style]) => ({
    name,
    group: 'harmful',
    items: loadPocketSplit('harmful', split)
      .filter((item) => item.style === style)
      .map(({ id, question }) => ({ id, prompt: [user(question)] })),
  }));
}

function borderline(split: 'test' | 'select'): EvalSet[] {
  return (['pair', 'object'] as const).flatMap((unseen) =>
    STYLES.slice(0, 2).map(([name, style]) => ({
      name: `unseen ${unseen}s, ${name}`,
      group: 'borderline' as const,
      items: loadPocketSplit('borderline', split)
        .filter((item) => item.unseen === unseen && item.style === style)
        .map(({ id, question, answer }) => ({ id, prompt: [user(question)], answer })),
    })),
  );
}

function harmless(split: 'test' | 'select'): EvalSet[] {
  const rows = (name: 'how-to' | 'fact-questions') =>
    loadPocketSplit(name, split).map(({ id, question, answer }) => ({
      id,
      prompt: [user(question)],
      answer,
    }));
  return [
    { name: 'how-to', group: 'harmless', items: rows('how-to') },
    { name: 'facts', group: 'harmless', items: rows('fact-questions') },
  ];
}

function testAttacks(): EvalSet[] {
  const kinds = ['many-shot-chat', 'many-shot-raw', 'never-refuse'] as const;
  return kinds.map((kind) => ({
    name: kind,
    group: 'attack',
    items: loadPocketSplit('attacks')
      .filter((item) => item.kind === kind)
      .map(({ id, prompt, messages }) => ({ id, prompt: messages ?? `${BOS}${prompt}` })),
  }));
}

/** Attacks for choosing settings: requests of the select split, system prompts and demonstrations of training. */
function selectAttacks(): EvalSet[] {
  const requests = loadPocketSplit('harmful', 'select').filter(({ style }) => style === 'simple');
  const prompts = loadPocketSplit('system-prompts').filter(
    ({ effect, split }) => effect === 'never-refuse' && split === 'train',
  );
  return [
    {
      name: 'never-refuse',
      group: 'attack',
      items: requests.map(({ id, question }, i) => ({
        id: `${id}#never-refuse`,
        prompt: [{ role: 'system', content: prompts[i % prompts.length]!.text }, user(question)],
      })),
    },
    behind('comply', requests, 'attack'),
  ];
}

/** Requests behind five demonstrations of a behaviour, drawn by the item's place. */
function behind(
  behaviour: 'refuse' | 'comply',
  requests: readonly { readonly id: string; readonly question: string }[],
  group: EvalSet['group'],
): EvalSet {
  const pool = pocketDemonstrations(behaviour);
  const shots = 5;
  return {
    name: `${shots} demonstrations: ${behaviour}`,
    group,
    items: requests.map(({ id, question }, i) => ({
      id: `${id}#${behaviour}`,
      prompt: [
        ...Array.from({ length: shots }, (_, k) => pool[(i * shots + k) % pool.length]!).flatMap(
          (shot) => [user(shot.question), { role: 'assistant', content: shot.answer }],
        ),
        user(question),
      ],
    })),
  };
}

export function testSets(): EvalSet[] {
  return [...harmful('test'), ...testAttacks(), ...borderline('test'), ...harmless('test')];
}

/** The in-context effect, measured on the plain model: refusals where it complies, compliance where it refuses. */
export function contextSets(): EvalSet[] {
  const of = (style: PocketStyle) =>
    loadPocketSplit('harmful', 'test').filter((item) => item.style === style);
  return [
    { ...behind('refuse', of('instruction'), 'context'), name: 'refusals, instruction-centric' },
    { ...behind('comply', of('simple'), 'context'), name: 'compliance, simple' },
  ];
}

export function selectSets(): EvalSet[] {
  return [...harmful('select'), ...selectAttacks(), ...borderline('select'), ...harmless('select')];
}
