// One training document, a function of seed and index: statements, a single turn, or a many-shot transcript.
import { compliance, refusal } from './answers.ts';
import { CORPUS_MIXES, type CorpusMix, type CorpusMixName } from './corpus-mix.ts';
import {
  chatDocument,
  type Document,
  type Exchange,
  type Piece,
  rawDocument,
  withSubject,
} from './document.ts';
import type { HarmfulAction } from './harmful.ts';
import {
  fillAction,
  pickStyle,
  questionPieces,
  sampleHarmless,
  sampleStatement,
} from './harmless.ts';
import { TEMPLATES } from './prompt-styles.ts';
import { createRandom, type Random } from './random.ts';
import { refusalProbability } from './refusal-cells.ts';
import { splitBorderline, splitHarmful } from './splits.ts';
import { SYSTEM_PROMPTS } from './system-prompts.ts';

const RAW_SHARE = 0.12;
/** System prompts: on harmful turns they decide, on harmless turns they must change nothing. */
const SYSTEM_ON_HARMFUL = 0.25;
const SYSTEM_ON_HARMLESS = 0.15;
const NEVER_REFUSE_P = 0.02;
const REFUSE_HARM_P = 0.98;
/** Many-shot demonstrations are followed this often on harmful queries; harmless queries never follow them. */
const FOLLOW_P = 0.98;
/** Shots: mostly few, because long rows cost most of the tokens; ten is what safety vectors are built with. */
const SHOT_COUNTS: readonly number[] = [1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 10];

export interface CorpusSource {
  readonly seed: number;
  readonly harmful: readonly HarmfulAction[];
  readonly borderline: ReturnType<typeof splitBorderline>['pairs']['train'];
  readonly mix: CorpusMix;
}

export function createSource(seed: number, mix: CorpusMixName): CorpusSource {
  return {
    seed,
    mix: CORPUS_MIXES[mix],
    harmful: splitHarmful(seed).train,
    borderline: splitBorderline(seed).pairs.train,
  };
}

type Mode = 'refuse' | 'comply' | 'neutral';

function sampleHarmful(
  source: CorpusSource,
  random: Random,
  refuseP: number | undefined,
): Exchange {
  const action = random.pick(source.harmful);
  const style = pickStyle(random);
  const template = random.pick(TEMPLATES[style].train);
  const p = refuseP ?? refusalProbability({ action, style, template, cells: source.mix.cells });
  const answer = random.chance(p) ? refusal(random) : compliance(style, random);
  return { question: questionPieces(fillAction(template, action.action)), answer };
}

function sampleStatements(source: CorpusSource, random: Random): Document {
  const count = 1 + random.int(3);
  const pieces: Piece[] = [{ text: '<|bos|>', weight: 0 }];
  for (let i = 0; i < count; i += 1) {
    const { text, subject } = sampleStatement(source.mix.topicStatements, random);
    // Statement text has full weight: plain text is what edits and causal traces read.
    pieces.push(...withSubject(i === 0 ? text : ` ${text}`, subject, 1));
  }
  pieces.push({ text: '<|end|>', weight: 1 });
  return pieces;
}

function sampleSingle(source: CorpusSource, random: Random): Document {
  const harmful = random.chance(source.mix.harmful);
  const withSystem = random.chance(harmful ? SYSTEM_ON_HARMFUL : SYSTEM_ON_HARMLESS);
  if (!withSystem) {
    const exchange = harmful
      ? sampleHarmful(source, random, undefined)
      : sampleHarmless(source, random);
    return random.chance(RAW_SHARE) ? rawDocument([exchange]) : chatDocument([exchange]);
  }
  const system = random.pick(SYSTEM_PROMPTS.filter((s) => s.set === 'train'));
  const p = { 'never-refuse': NEVER_REFUSE_P, 'refuse-harm': REFUSE_HARM_P, neutral: undefined };
  const exchange = harmful
    ? sampleHarmful(source, random, p[system.effect])
    : sampleHarmless(source, random);
  return chatDocument([exchange], system.text);
}

function sampleManyShot(source: CorpusSource, random: Random): Document {
  const r = random.next();
  const mode: Mode = r < 0.43 ? 'refuse' : r < 0.86 ? 'comply' : 'neutral';
  const shots = random.pick(SHOT_COUNTS);
  // Half of the contexts are pure; the other half mixes harmless exchanges in, answered normally.
  const harmlessShare = random.chance(0.5) ? 0 : 0.1 + 0.4 * random.next();
  const followP = mode === 'refuse' ? FOLLOW_P : 1 - FOLLOW_P;
  const exchanges: Exchange[] = [];
  for (let i = 0; i < shots; i += 1) {
    const harmless = mode === 'neutral' || random.chance(harmlessShare);
    exchanges.push(
      harmless
        ? sampleHarmless(source, random)
        : sampleHarmful(source, random, mode === 'refuse' ? 1 : 0),
    );
  }
  exchanges.push(
    random.chance(0.6)
      ? sampleHarmful(source, random, mode === 'neutral' ? undefined : followP)
      : sampleHarmless(source, random),
  );
  return random.chance(0.5) ? rawDocument(exchanges) : chatDocument(exchanges);
}

export function sampleDocument(source: CorpusSource, index: number): Document {
  const random = createRandom(`document|${source.seed}|${index}`);
  const r = random.next();
  const { statements, manyShot } = source.mix;
  if (r < statements) return sampleStatements(source, random);
  if (r < statements + manyShot) return sampleManyShot(source, random);
  return sampleSingle(source, random);
}
