// The facts that `safeinfer edit` was asked to write: one from flags, a file, or the bundled model's.
import { SafeInferError } from '@safeinfer/backend';
import { type EditCase, readCases } from '@safeinfer/editing';
import { pocketFacts } from '@safeinfer/pocket';
import type { EditFlags } from './edit-flags.ts';

/** @throws BAD_ARGUMENT, NOT_FOUND, BAD_DATASET */
export async function editCases(flags: EditFlags): Promise<readonly EditCase[]> {
  const { requests, only, count, prompt, subject, target } = flags;
  if (requests === undefined) return [singleCase(flags)];
  if (prompt ?? subject ?? target) {
    throw new SafeInferError('--requests and --prompt, --subject, --target contradict each other', {
      code: 'BAD_ARGUMENT',
      hint: 'name a file, or one fact',
    });
  }
  const all =
    requests === 'pocket'
      ? pocketCases()
      : await readCases(requests, { zsreTarget: flags.zsreTarget });
  const chosen = only === undefined ? all : only.map((id) => withId(all, id));
  return chosen.slice(0, count);
}

/** @throws NOT_FOUND with ids that there are */
export function withId(all: readonly EditCase[], id: string): EditCase {
  const found = all.find((one) => one.id === id);
  if (found) return found;
  const near = all.slice(0, 3).map((one) => one.id);
  throw new SafeInferError(`no fact "${id}"`, {
    code: 'NOT_FOUND',
    hint: `ids are, for example, ${near.join(', ')}`,
  });
}

function singleCase(flags: EditFlags): EditCase {
  const { prompt, subject, target, truth, paraphrase = [], neighbor = [] } = flags;
  if (prompt === undefined || subject === undefined || target === undefined) {
    throw new SafeInferError('no fact to edit', {
      code: 'BAD_ARGUMENT',
      hint: '--prompt "The capital of {} is" --subject France --target Lisbon, or --requests file.json',
    });
  }
  const fill = (text: string): string => text.replace('{}', () => subject);
  return {
    id: 'fact',
    layout: 'own',
    request: { id: 'fact', prompt, subject, targetNew: target },
    ...(truth === undefined ? {} : { targetTrue: truth }),
    paraphrases: paraphrase.map(fill),
    locality: neighbor.map((entry) => {
      const [text = '', object] = entry.split('=>').map((part) => part.trim());
      if (object) return { kind: 'locality', prompt: text, target: object };
      throw new SafeInferError(`--neighbor "${entry}" names no object`, {
        code: 'BAD_ARGUMENT',
        hint: '--neighbor "The capital of Poland is => Warsaw"',
      });
    }),
    portability: [],
    generationPrompts: [],
  };
}

/** The bundled model's facts. */
export function pocketCases(): EditCase[] {
  return pocketFacts().map((fact) => ({
    id: fact.id,
    layout: 'own',
    request: {
      id: fact.id,
      prompt: fact.prompt,
      subject: fact.subject,
      targetNew: fact.target_new,
    },
    targetTrue: fact.target_true,
    paraphrases: fact.paraphrases.map((text) => text.replace('{}', () => fact.subject)),
    locality: [
      ...fact.neighbourhood.map(({ subject, target }) => ({
        kind: 'neighbourhood',
        prompt: fact.prompt.replace('{}', () => subject),
        target,
      })),
    ],
    portability: [],
    generationPrompts: [],
  }));
}
