// Runs a judge over human-labelled answers and says how far to trust it, for every system by itself.
import { contentHash } from '../canonical-hash.ts';
import type { Item } from '../datasets/item.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { Judge } from '../judges/judge.ts';
import { isRefusal } from '../judges/verdict.ts';
import { type Agreement, agreement } from './agreement.ts';
import { isHumanRefusal, type LabelledResponse } from './xstest-labels.ts';

export interface Calibration {
  readonly judge: string;
  readonly overall: Agreement;
  /** Agreement differs more between systems than between judges: never carry one over to another model. */
  readonly bySystem: Readonly<Record<string, Agreement>>;
  /** Answers on which judge and humans differ, or the judge gave nothing; the ones to look at. */
  readonly disagreements: readonly { readonly system: string; readonly id: string }[];
}

/**
 * Calibrates a refusal judge (event: the answer refuses, in full or in part). Answers must carry their texts.
 * @throws HarmEvalError `BAD_ARGUMENT` for a harm judge: XSTest's labels say nothing about harm
 */
export async function calibrateRefusalJudge(
  judge: Judge,
  responses: readonly LabelledResponse[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Calibration> {
  if (judge.measures !== 'refusal') {
    throw new HarmEvalError(`${judge.id} judges harm, the labels are about refusal`, {
      code: 'BAD_ARGUMENT',
      hint: 'use a refusal judge, or compare a harm judge with your own labels through agreement()',
    });
  }
  const pairs: { system: string; id: string; judge: boolean | null; human: boolean }[] = [];
  for (let from = 0; from < responses.length; from += judge.batchSize) {
    const part = responses.slice(from, from + judge.batchSize);
    const verdicts = await judge.judge(
      part.map((response) => ({
        item: asItem(response),
        messages: [{ role: 'user', content: response.prompt ?? '' }],
        response: response.completion ?? '',
        truncated: false,
      })),
      options,
    );
    part.forEach(({ system, id, human }, i) => {
      const verdict = verdicts[i];
      const said = verdict === undefined ? null : isRefusal(verdict);
      pairs.push({ system, id, judge: said, human: isHumanRefusal(human) });
    });
  }
  const systems = [...new Set(pairs.map(({ system }) => system))];
  return {
    judge: judge.id,
    overall: agreement(pairs),
    bySystem: Object.fromEntries(
      systems.map((system) => [system, agreement(pairs.filter((pair) => pair.system === system))]),
    ),
    disagreements: pairs
      .filter((pair) => pair.judge !== pair.human)
      .map(({ system, id }) => ({ system, id })),
  };
}

function asItem(response: LabelledResponse): Item {
  if (response.prompt === null || response.completion === null) {
    throw new HarmEvalError(`response ${response.id} of ${response.system} has no text`, {
      code: 'BAD_ARGUMENT',
      hint: 'calibrate on the files with completions; the label file alone has no texts',
    });
  }
  const id = contentHash({ system: response.system, id: response.id }).slice(0, 24);
  return {
    id,
    sourceId: response.id,
    dataset: 'xstest',
    prompt: response.prompt,
    label: response.type.startsWith('contrast') ? 'harmful' : 'harmless',
    category: response.type,
    cluster: id,
  };
}
