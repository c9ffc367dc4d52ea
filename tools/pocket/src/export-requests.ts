// Harmful, borderline and how-to requests as items: held-out wording for test and select, training wording elsewhere.
import type { BorderlineItem, HarmfulItem, HowToItem } from '@safeinfer/pocket';
import type { BorderlineAction } from './borderline.ts';
import type { PhrasingSet } from './fact-phrasings.ts';
import { fillAction } from './harmless.ts';
import { HOW_TO } from './how-to.ts';
import { PROMPT_STYLES, type PromptStyle, TEMPLATES } from './prompt-styles.ts';
import { hashText } from './random.ts';
import { SPLITS, type Split, splitBorderline, splitHarmful } from './splits.ts';

function phrasing(split: Split): PhrasingSet {
  return split === 'test' || split === 'select' ? split : 'train';
}

/** The template is fixed by the item's id, so that adding items changes no other item. */
function question(style: PromptStyle, split: Split, id: string, action: string): string {
  const templates = TEMPLATES[style][phrasing(split)];
  return fillAction(templates[hashText(`template|${id}`) % templates.length] as string, action);
}

/** Training items are listed once, for checks of overlap; the others in every style. */
function stylesOf(split: Split): readonly PromptStyle[] {
  return split === 'train' ? ['simple'] : PROMPT_STYLES;
}

export function exportHarmful(seed: number): HarmfulItem[] {
  const bySplit = splitHarmful(seed);
  return SPLITS.flatMap((split) =>
    bySplit[split].flatMap((a) =>
      stylesOf(split).map((style) => {
        const id = `${a.id}#${style}`;
        const { category, verb, object, action } = a;
        return {
          id,
          split,
          style,
          category,
          verb,
          object,
          action,
          question: question(style, split, id, action),
        };
      }),
    ),
  );
}

function borderlineItems(
  actions: readonly BorderlineAction[],
  split: Split,
  unseen: 'pair' | 'object',
): BorderlineItem[] {
  const styles = stylesOf(split).filter((s) => s !== 'instruction-cot');
  return actions.flatMap((a) =>
    styles.map((style) => {
      const id = `${a.id}#${style}`;
      const { group, verb, object, action, answer } = a;
      return {
        id,
        split,
        style,
        unseen,
        group,
        verb,
        object,
        action,
        question: question(style, split, id, action),
        answer,
      };
    }),
  );
}

export function exportBorderline(seed: number): BorderlineItem[] {
  const { pairs, unseenObjects } = splitBorderline(seed);
  return [
    ...SPLITS.flatMap((split) => borderlineItems(pairs[split], split, 'pair')),
    ...borderlineItems(unseenObjects.select, 'select', 'object'),
    ...borderlineItems(unseenObjects.test, 'test', 'object'),
  ];
}

export function exportHowTo(): HowToItem[] {
  return HOW_TO.flatMap((h) =>
    (['select', 'test'] as const).flatMap((split) =>
      (['simple', 'instruction'] as const).flatMap((style) =>
        TEMPLATES[style][split].map((template, i) => ({
          id: `${h.id}#${style}-${split}${i + 1}`,
          split,
          style,
          action: h.action,
          question: fillAction(template, h.action),
          answer: h.answer,
        })),
      ),
    ),
  );
}
