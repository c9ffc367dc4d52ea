// The layouts of files that people edit with, each as the rows it must have and what they mean.
import { z } from 'zod';
import type { CaseLayout, EditCase, TargetPrompt } from './edit-case.ts';

const text = z.string().min(1);
const texts = z.array(z.string());
/** KnowEdit writes one answer, a list of them, or a list of lists of aliases; the first one counts. */
const answer = z
  .union([text, z.array(z.union([text, z.array(text).min(1)])).min(1)])
  .transform((value) => [value].flat(2)[0]!);
const object = z.union([text, z.looseObject({ str: text }).transform(({ str }) => str)]);

export interface Layout {
  /** A member that only this layout has. */
  readonly mark: string;
  readonly read: (row: unknown, index: number) => EditCase;
}

export interface CaseReading {
  /** Which answer of zsRE is edited in: `answers` (ROME, MEMIT: the truth) or `alt` (EasyEdit: a counterfactual). */
  readonly zsreTarget: 'answers' | 'alt';
}

const counterFactRow = z.looseObject({
  case_id: z.union([z.number(), text]).optional(),
  requested_rewrite: z.looseObject({
    prompt: text,
    subject: text,
    target_new: object,
    target_true: object,
  }),
  paraphrase_prompts: texts.default([]),
  neighborhood_prompts: texts.default([]),
  generation_prompts: texts.default([]),
});

const easyEditRow = z.looseObject({
  case_id: z.union([z.number(), text]).optional(),
  prompt: text,
  subject: text,
  target_new: text,
  ground_truth: answer.optional(),
  rephrase_prompt: text.optional(),
  locality_prompt: text.optional(),
  locality_ground_truth: answer.optional(),
});

const zsreRow = z.looseObject({
  subject: text,
  src: text,
  alt: text,
  answers: z.array(text).min(1),
  rephrase: text,
  loc: text,
  loc_ans: text,
});

const probes = z
  .record(z.string(), z.array(z.looseObject({ prompt: text, ground_truth: answer })))
  .default({});
const knowEditRow = z.looseObject({
  subject: text,
  prompt: text,
  target_new: text,
  ground_truth: answer.optional(),
  rephrase: z.union([text, texts]).optional(),
  portability: probes,
  locality: probes,
});

const ownPrompt = z.strictObject({ kind: text.default('locality'), prompt: text, target: text });
const ownRow = z.strictObject({
  id: text.optional(),
  prompt: text,
  subject: text,
  targetNew: text,
  targetTrue: text.optional(),
  paraphrases: texts.default([]),
  locality: z.array(ownPrompt).default([]),
  portability: z.array(ownPrompt.extend({ kind: text.default('portability') })).default([]),
  generationPrompts: texts.default([]),
});

/** In the order in which rows are recognised. */
export function caseLayouts({ zsreTarget }: CaseReading): ReadonlyMap<CaseLayout, Layout> {
  return new Map<CaseLayout, Layout>([
    [
      'counterfact',
      {
        mark: 'requested_rewrite',
        read: (row, index) => {
          const { case_id, requested_rewrite: rewrite, ...lists } = counterFactRow.parse(row);
          return {
            id: String(case_id ?? index),
            layout: 'counterfact',
            request: {
              prompt: rewrite.prompt,
              subject: rewrite.subject,
              targetNew: rewrite.target_new,
            },
            targetTrue: rewrite.target_true,
            paraphrases: lists.paraphrase_prompts,
            locality: lists.neighborhood_prompts.map((prompt) => ({
              kind: 'neighborhood',
              prompt,
              target: rewrite.target_true,
            })),
            portability: [],
            generationPrompts: lists.generation_prompts,
          };
        },
      },
    ],
    [
      'zsre',
      {
        mark: 'src',
        read: (row, index) => {
          const { subject, src, alt, answers, rephrase, loc, loc_ans } = zsreRow.parse(row);
          return {
            id: String(index),
            layout: 'zsre',
            request: { prompt: src, subject, targetNew: zsreTarget === 'alt' ? alt : answers[0]! },
            paraphrases: [rephrase],
            // The reference asks the natural question with its question mark.
            locality: [
              {
                kind: 'neighborhood',
                prompt: loc.endsWith('?') ? loc : `${loc}?`,
                target: loc_ans,
              },
            ],
            portability: [],
            generationPrompts: [],
          };
        },
      },
    ],
    [
      'knowedit',
      {
        mark: 'portability',
        read: (row, index) => {
          const { subject, prompt, target_new, ground_truth, rephrase, ...groups } =
            knowEditRow.parse(row);
          return {
            id: String(index),
            layout: 'knowedit',
            request: { prompt, subject, targetNew: target_new },
            ...(ground_truth === undefined ? {} : { targetTrue: ground_truth }),
            paraphrases: rephrase === undefined ? [] : [rephrase].flat(),
            locality: flatten(groups.locality),
            portability: flatten(groups.portability),
            generationPrompts: [],
          };
        },
      },
    ],
    [
      'easyedit',
      {
        mark: 'target_new',
        read: (row, index) => {
          const data = easyEditRow.parse(row);
          const { locality_prompt, locality_ground_truth, ground_truth } = data;
          return {
            id: String(data.case_id ?? index),
            layout: 'easyedit',
            request: { prompt: data.prompt, subject: data.subject, targetNew: data.target_new },
            ...(ground_truth === undefined ? {} : { targetTrue: ground_truth }),
            paraphrases: data.rephrase_prompt === undefined ? [] : [data.rephrase_prompt],
            locality:
              locality_prompt === undefined || locality_ground_truth === undefined
                ? []
                : [
                    {
                      kind: 'neighborhood',
                      prompt: locality_prompt,
                      target: locality_ground_truth,
                    },
                  ],
            portability: [],
            generationPrompts: [],
          };
        },
      },
    ],
    [
      'own',
      {
        mark: 'targetNew',
        read: (row, index) => {
          const { id, prompt, subject, targetNew, targetTrue, ...lists } = ownRow.parse(row);
          return {
            id: id ?? String(index),
            layout: 'own',
            request: { prompt, subject, targetNew },
            ...(targetTrue === undefined ? {} : { targetTrue }),
            ...lists,
          };
        },
      },
    ],
  ]);
}

function flatten(
  groups: Readonly<
    Record<string, readonly { readonly prompt: string; readonly ground_truth: string }[]>
  >,
): TargetPrompt[] {
  return Object.entries(groups).flatMap(([kind, rows]) =>
    rows.map(({ prompt, ground_truth }) => ({ kind, prompt, target: ground_truth })),
  );
}
