// What of an experiment's edits only the open model can tell, before anything runs and anything is written.
import { checkLayer, prepareEdit } from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import { checkStatistics } from '../edit/edit-statistics.ts';
import type { MomentFiles } from '../edit/moment-files.ts';
import { TRIAL_CONTEXTS } from '../edit/trial-contexts.ts';
import { namingEdit } from './naming-edit.ts';
import type { EditPlan } from './plan-edit.ts';

/** @throws BAD_ARGUMENT, BAD_TOKENIZER, NOT_FOUND, SINGULAR, naming the edit */
export async function checkEdits(options: {
  readonly edits: readonly EditPlan[];
  readonly model: Transformer;
  readonly momentFiles: MomentFiles;
}): Promise<void> {
  const { edits, model, momentFiles } = options;
  const seen = new Set<string>();
  for (const { name, editor, requests } of edits) {
    if (!editor) continue;
    const { settings } = editor;
    await namingEdit(name, async () => {
      for (const layer of settings.layers) checkLayer(model, layer);
      const { factToken } = settings;
      for (const request of requests)
        prepareEdit({ model, request, factToken, contextTemplates: TRIAL_CONTEXTS });
      // Facts that are written each alone share their statistics.
      if (!seen.has(name)) await checkStatistics({ settings, model, momentFiles });
      seen.add(name);
    });
  }
}
