// An edit of an experiment: which facts, by which editor of @safeinfer/editing, together or each alone, or its control.
import { z } from 'zod';
import { name } from './name-schema.ts';

/** Facts of the bundled model, or a file as `safeinfer edit --requests` reads it. */
const factSource = z.union([
  z.literal('pocket'),
  z.strictObject({
    path: z.string().min(1),
    /** What zsRE facts are edited to: `answers` as ROME and MEMIT, `alt` as EasyEdit. */
    zsreTarget: z.enum(['answers', 'alt']).optional(),
  }),
]);

const facts = {
  facts: factSource,
  /** These facts, by id. */
  only: z.array(z.string().min(1)).min(1).optional(),
  /** How many facts. Default: 1, or all that `only` names. */
  count: z.int().min(1).optional(),
  /** `spread`: evenly over the file, which is often ordered by relation. Default: the first ones. */
  pick: z.enum(['first', 'spread']).optional(),
  /** `eachAlone`: every fact on the unedited model, undone before the next; results are over all. Default: one after the other. */
  apply: z.enum(['together', 'eachAlone']).optional(),
  /**
   * Instead of the edit, for each weight it changes: `random`, a random change of the same rank and norm; or
   * `randomRankOne`, of rank one and the same norm. For an edit of rank one they are the same.
   */
  control: z.enum(['random', 'randomRankOne']).optional(),
  /** Published settings of a model by name (llama-2-7b-chat, gpt2-xl, ...); what is given beside it wins. */
  preset: z.string().min(1).optional(),
};

const positive = z.number().gt(0).optional();
const fromZero = z.number().min(0).optional();
const steps = z.int().min(1).optional();
const layer = z.int().min(0).optional();
const layers = z.array(z.int().min(0)).min(1).optional();

const value = {
  factToken: z.enum(['subjectLast', 'last']).optional(),
  /** `sampled`: the fact is rehearsed behind five sampled openings, too, as published. `bare`: the prompt alone. */
  contexts: z.enum(['sampled', 'bare']).default('sampled'),
  learningRate: positive,
  steps,
  clampFactor: positive,
  weightDecay: fromZero,
  klFactor: fromZero,
  stopLoss: fromZero,
  /** Second moments as the editing package writes them, or .npz of one layer; `identity`: ROME without them. */
  moments: z.string().min(1).optional(),
  /** A text file, one text a line, that second moments are collected from before the run. */
  collect: z.string().min(1).optional(),
};

/** Facts written at once by editors of many facts; without, all of them. AlphaEdit keeps the keys of earlier batches. */
const batch = z.int().min(1).optional();

const fineTune = z.strictObject({
  ...facts,
  layer,
  learningRate: positive,
  steps,
  stopLoss: fromZero,
  /** Largest change of one entry of the weight. */
  epsilon: positive,
});

const editors = {
  rome: z.strictObject({
    ...facts,
    ...value,
    layer,
    /** `averaged` is r-ROME (default), `original` the published code, `prompt` p-ROME. */
    keys: z.enum(['averaged', 'original', 'prompt']).optional(),
  }),
  memit: z.strictObject({ ...facts, ...value, batch, layers, lambda: positive }),
  emmet: z.strictObject({
    ...facts,
    ...value,
    batch,
    layer,
    momentScale: positive,
    damp: fromZero,
  }),
  pmet: z.strictObject({
    ...facts,
    ...value,
    batch,
    layers,
    lambda: positive,
    nllFactor: positive,
  }),
  alphaEdit: z.strictObject({
    ...facts,
    ...value,
    batch,
    layers,
    l2: positive,
    nullSpaceThreshold: positive,
  }),
  /** FT-M: the target's tokens scored where they stand. */
  ftM: fineTune,
  /** FT-L as published: all of them scored at the prompt's last token. */
  ftL: fineTune,
};

export const editSchema = z
  .strictObject({
    name,
    rome: editors.rome.optional(),
    memit: editors.memit.optional(),
    emmet: editors.emmet.optional(),
    pmet: editors.pmet.optional(),
    alphaEdit: editors.alphaEdit.optional(),
    ftM: editors.ftM.optional(),
    ftL: editors.ftL.optional(),
  })
  .superRefine(({ name: _, ...named }, context) => {
    const given = Object.entries(named).filter(([, config]) => config !== undefined);
    if (given.length > 1) {
      context.addIssue({
        code: 'custom',
        path: [given[1]![0]],
        message: `an edit has one editor, and ${given[0]![0]} is named already: make two edits of them`,
      });
    }
    for (const [editor, config] of given) {
      if (!config || !('moments' in config) || config.moments === undefined) continue;
      if (config.collect === undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [editor, 'collect'],
        message: 'moments and collect contradict each other: name a file of statistics, or texts',
      });
    }
  });

export type EditConfig = z.output<typeof editSchema>;
export type EditorName = keyof typeof editors;
/** Every member that some editor has. */
export type EditorConfig = Partial<
  z.output<typeof editors.rome> &
    z.output<typeof editors.memit> &
    z.output<typeof editors.emmet> &
    z.output<typeof editors.pmet> &
    z.output<typeof editors.alphaEdit> &
    z.output<typeof fineTune>
> &
  Pick<z.output<typeof fineTune>, 'facts'>;

/** The editor of an edit; undefined for the unedited model. */
export function editorOf({
  name: _,
  ...named
}: EditConfig): { readonly editor: EditorName; readonly config: EditorConfig } | undefined {
  const given = Object.entries(named).find(([, config]) => config !== undefined);
  return given && { editor: given[0] as EditorName, config: given[1] as EditorConfig };
}
