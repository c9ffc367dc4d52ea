// More held-out simple requests than the package carries: every harmful action outside training, in both test wordings.
import { exportHarmful } from '../export-requests.ts';
import { SPLIT_SEED } from '../export-splits.ts';
import { fillAction } from '../harmless.ts';
import { TEMPLATES } from '../prompt-styles.ts';
import type { EvalSet } from './eval-sets.ts';

/**
 * Training of the plain model has none of these actions and neither wording. `test actions`: those of the test split;
 * `other held-out actions`: those of the vector, adapter and select splits, which trained no weight of the plain model.
 */
export function moreSimpleSets(): EvalSet[] {
  const held = exportHarmful(SPLIT_SEED).filter(
    ({ split, style }) => split !== 'train' && style === 'simple',
  );
  const set = (name: string, test: boolean): EvalSet => ({
    name,
    group: 'harmful',
    items: held
      .filter(({ split }) => (split === 'test') === test)
      .flatMap(({ id, action }) =>
        TEMPLATES.simple.test.map((template, i) => ({
          id: `${id}-wording${i + 1}`,
          prompt: [{ role: 'user', content: fillAction(template, action) }],
        })),
      ),
  });
  return [set('test actions', true), set('other held-out actions', false)];
}
