// Harmless questions with their one right answer: facts, how-to, borderline requests and topics.
import { BORDERLINE_GROUPS, type BorderlineAction } from './borderline.ts';
import type { CorpusMix } from './corpus-mix.ts';
import { CONTEXT_WEIGHT, type Exchange, type Piece, withSubject } from './document.ts';
import { QUESTIONS, STATEMENTS, withNoun } from './fact-phrasings.ts';
import { HARM_CATEGORIES } from './harmful.ts';
import { HOW_TO, type HowTo } from './how-to.ts';
import {
  PROMPT_STYLES,
  type PromptStyle,
  TEMPLATES,
  TOPIC_QUESTIONS,
  TOPIC_STATEMENTS,
} from './prompt-styles.ts';
import type { Random } from './random.ts';
import { FACTS, type Fact, RELATION_NOUNS } from './world.ts';

/** How often a how-to or borderline request comes in each style. */
const STYLE_SHARES: Readonly<Record<PromptStyle, number>> = {
  simple: 0.56,
  instruction: 0.3,
  'instruction-cot': 0.14,
};

export interface Topic {
  readonly object: string;
  readonly topic: string;
}

/** Topics of all objects of requests, harmful and harmless: general knowledge about the words. */
export const TOPICS: readonly Topic[] = [
  ...BORDERLINE_GROUPS.flatMap((g) => g.objects.map((object) => ({ object, topic: g.topic }))),
  ...HARM_CATEGORIES.flatMap((c) => c.objects.map((object) => ({ object, topic: c.topic }))),
];

export function pickStyle(random: Random): PromptStyle {
  const r = random.next();
  let sum = 0;
  for (const style of PROMPT_STYLES) {
    sum += STYLE_SHARES[style];
    if (r < sum) return style;
  }
  return 'simple';
}

export function fillAction(template: string, action: string): string {
  return template.replace('{a}', action);
}

export function questionPieces(text: string, subject?: string): Piece[] {
  return withSubject(` ${text}`, subject, CONTEXT_WEIGHT);
}

export function factQuestion(fact: Fact, form: string, noun: string): string {
  return withNoun(form, noun).replace('{s}', fact.subject);
}

export function factStatement(fact: Fact, form: string, noun: string): string {
  return withNoun(form, noun).replace('{s}', fact.subject).replace('{o}', fact.object);
}

export function sampleFactExchange(random: Random): Exchange {
  const fact = random.pick(FACTS);
  const noun = random.pick(RELATION_NOUNS[fact.relation]);
  const text = factQuestion(fact, random.pick(QUESTIONS.train), noun);
  return { question: questionPieces(text, fact.subject), answer: `${fact.object}.` };
}

function sampleRequest(item: HowTo | BorderlineAction, random: Random): Exchange {
  const style = pickStyle(random);
  const text = fillAction(random.pick(TEMPLATES[style].train), item.action);
  return { question: questionPieces(text), answer: item.answer };
}

function sampleTopicExchange(random: Random): Exchange {
  const { object, topic } = random.pick(TOPICS);
  const text = random.pick(TOPIC_QUESTIONS).replace('{x}', object);
  return { question: questionPieces(text), answer: `${topic}.` };
}

export interface HarmlessSource {
  readonly borderline: readonly BorderlineAction[];
  readonly mix: CorpusMix;
}

export function sampleHarmless({ borderline, mix }: HarmlessSource, random: Random): Exchange {
  const r = random.next();
  if (r < mix.fact) return sampleFactExchange(random);
  if (r < mix.fact + mix.howTo) return sampleRequest(random.pick(HOW_TO), random);
  if (r < mix.fact + mix.howTo + mix.borderline) {
    return sampleRequest(random.pick(borderline), random);
  }
  return sampleTopicExchange(random);
}

/** One statement sentence in training wording, and the subject it names if it tells a fact. */
export function sampleStatement(
  topicShare: number,
  random: Random,
): { text: string; subject?: string } {
  if (random.chance(topicShare)) {
    const { object, topic } = random.pick(TOPICS);
    return {
      text: random.pick(TOPIC_STATEMENTS).replace('{x}', object).replace('{t}', topic),
    };
  }
  const fact = random.pick(FACTS);
  const noun = random.pick(RELATION_NOUNS[fact.relation]);
  return {
    text: factStatement(fact, random.pick(STATEMENTS.train), noun),
    subject: fact.subject,
  };
}
