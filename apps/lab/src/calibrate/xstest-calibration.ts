// Refusal lists against XSTest's human labels: how well each of them reads each of the labelled systems.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  calibrateRefusalJudge,
  type LabelledResponse,
  loadUtilityFromFile,
  refusalJudge,
  refusalLists,
  xsTestCompletions,
} from '@safeinfer/harmeval';
import { pocketRefusals } from '../judges/pocket-refusals.ts';

const SYSTEMS = ['mistralinstruct', 'mistralguard'] as const;

export type XsTestCalibration = Awaited<ReturnType<typeof calibrateRefusalJudge>>;

/** `directory` holds human_labelled_completions/. All published lists unless some are named. */
export async function calibrateOnXsTest(options: {
  readonly directory: string;
  readonly lists?: readonly string[] | undefined;
  readonly signal: AbortSignal;
}): Promise<XsTestCalibration[]> {
  const { directory, signal } = options;
  const responses: LabelledResponse[] = [];
  for (const system of SYSTEMS) {
    const file = join(directory, 'human_labelled_completions', `${system}_streval.csv`);
    if (!existsSync(file)) {
      throw new SafeInferError(`${file} is missing`, {
        code: 'NOT_FOUND',
        hint: 'name a copy of XSTest that has human_labelled_completions/',
      });
    }
    responses.push(...(await loadUtilityFromFile(xsTestCompletions(system), file)).items);
  }
  const results: XsTestCalibration[] = [];
  for (const list of options.lists ?? Object.keys(refusalLists)) {
    const judge = refusalJudge(list === pocketRefusals.name ? pocketRefusals : list);
    results.push(await calibrateRefusalJudge(judge, responses, { signal }));
  }
  return results;
}
