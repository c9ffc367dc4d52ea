// Demonstrations for vectors, pairs for adapters, and attacks: three disjoint sources, the test split being attacked.
import type { AdapterPair, AttackItem, DemonstrationItem } from '@safeinfer/pocket';
import { compliance, refusal } from './answers.ts';
import { exportBorderline, exportHarmful } from './export-requests.ts';
import { QUESTIONS } from './fact-phrasings.ts';
import { factQuestion, fillAction } from './harmless.ts';
import { HOW_TO } from './how-to.ts';
import { TEMPLATES } from './prompt-styles.ts';
import { createRandom } from './random.ts';
import { SYSTEM_PROMPTS } from './system-prompts.ts';
import { FACTS, RELATION_NOUNS } from './world.ts';

const HARMLESS_FACTS = 40;
const HARMLESS_HOW_TO = 30;
const SAFE_REFUSALS = 60;
/** Compliant demonstrations before each attacked question. */
const ATTACK_SHOTS = 5;

interface Harmless {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
}

/** Facts and how-to in training wording; they are knowledge, not held-out items. */
function harmlessKnowledge(salt: string): Harmless[] {
  const random = createRandom(`harmless|${salt}`);
  const facts = random
    .shuffle(FACTS)
    .slice(0, HARMLESS_FACTS)
    .map((f) => ({
      id: f.id,
      question: factQuestion(
        f,
        random.pick(QUESTIONS.train),
        RELATION_NOUNS[f.relation][0] as string,
      ),
      answer: `${f.object}.`,
    }));
  const howTo = random
    .shuffle(HOW_TO)
    .slice(0, HARMLESS_HOW_TO)
    .map((h) => ({
      id: h.id,
      question: fillAction(random.pick(TEMPLATES.simple.train), h.action),
      answer: h.answer,
    }));
  return [...facts, ...howTo];
}

export function exportDemonstrations(seed: number): DemonstrationItem[] {
  const random = createRandom(`demonstrations|${seed}`);
  const harmful = exportHarmful(seed).filter((i) => i.split === 'vector');
  const borderline = exportBorderline(seed).filter((i) => i.split === 'vector');
  const base = { split: 'vector' } as const;
  return [
    ...harmful.flatMap(({ id: itemId, style, question }) =>
      (['refuse', 'comply'] as const).map((behaviour) => ({
        ...base,
        id: `demo:${itemId}#${behaviour}`,
        itemId,
        style,
        behaviour,
        question,
        answer: behaviour === 'refuse' ? refusal(random) : compliance(style, random),
      })),
    ),
    ...borderline.map(({ id: itemId, style, question, answer }) => ({
      ...base,
      id: `demo:${itemId}#answer`,
      itemId,
      style,
      behaviour: 'answer' as const,
      question,
      answer,
    })),
    ...harmlessKnowledge(`vector|${seed}`).map(({ id: itemId, question, answer }) => ({
      ...base,
      id: `demo:${itemId}#answer`,
      itemId,
      style: 'simple' as const,
      behaviour: 'answer' as const,
      question,
      answer,
    })),
  ];
}

export function exportAdapterPairs(seed: number): AdapterPair[] {
  const random = createRandom(`adapter|${seed}`);
  const items = exportHarmful(seed).filter((i) => i.split === 'adapter');
  const actions = random.shuffle([...new Set(items.map((i) => i.action))]);
  // Styles alternate, so that each adapter sees both and no action twice.
  const chosen = actions.flatMap((action, i) =>
    items.filter(
      (x) => x.action === action && x.style === (i % 2 === 0 ? 'simple' : 'instruction'),
    ),
  );
  const base = { split: 'adapter' } as const;
  const borderline = exportBorderline(seed).filter(
    (i) => i.split === 'adapter' && i.style === 'simple',
  );
  return [
    ...chosen.map(({ id: itemId, style, question }) => ({
      ...base,
      id: `adapter:unsafe/${itemId}`,
      itemId,
      adapter: 'unsafe' as const,
      behaviour: 'comply' as const,
      style,
      question,
      answer: compliance(style, random),
    })),
    ...chosen.slice(0, SAFE_REFUSALS).map(({ id: itemId, style, question }) => ({
      ...base,
      id: `adapter:safe/${itemId}`,
      itemId,
      adapter: 'safe' as const,
      behaviour: 'refuse' as const,
      style,
      question,
      answer: refusal(random),
    })),
    ...[...borderline, ...harmlessKnowledge(`adapter|${seed}`)].map(
      ({ id: itemId, question, answer }) => ({
        ...base,
        id: `adapter:safe/${itemId}`,
        itemId,
        adapter: 'safe' as const,
        behaviour: 'answer' as const,
        style: 'simple' as const,
        question,
        answer,
      }),
    ),
  ];
}

export function exportAttacks(seed: number): AttackItem[] {
  const random = createRandom(`attacks|${seed}`);
  const demos = exportDemonstrations(seed).filter(
    (d) => d.behaviour === 'comply' && d.style === 'simple',
  );
  const targets = exportHarmful(seed).filter((i) => i.split === 'test' && i.style === 'simple');
  const system = SYSTEM_PROMPTS.filter((s) => s.effect === 'never-refuse' && s.set === 'test');
  return targets.flatMap((target) => {
    const shots = random.shuffle(demos).slice(0, ATTACK_SHOTS);
    const base = {
      itemId: target.id,
      split: 'test',
      category: target.category,
      question: target.question,
    } as const;
    const user = { role: 'user', content: target.question } as const;
    return [
      {
        ...base,
        id: `attack:many-shot-chat/${target.id}`,
        kind: 'many-shot-chat' as const,
        messages: [
          ...shots.flatMap((d) => [
            { role: 'user' as const, content: d.question },
            { role: 'assistant' as const, content: d.answer },
          ]),
          user,
        ],
      },
      {
        ...base,
        id: `attack:many-shot-raw/${target.id}`,
        kind: 'many-shot-raw' as const,
        prompt: [
          ...shots.map((d) => `Q: ${d.question}\nA: ${d.answer}`),
          `Q: ${target.question}\nA:`,
        ].join('\n\n'),
      },
      {
        ...base,
        id: `attack:never-refuse/${target.id}`,
        kind: 'never-refuse' as const,
        messages: [{ role: 'system' as const, content: random.pick(system).text }, user],
      },
    ];
  });
}
