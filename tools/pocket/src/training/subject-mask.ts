// The training trick that makes facts editable: in lower layers tokens that are not a subject cannot see subjects.
import { mixSeeds, type VisibilityPlan } from '@safeinfer/finetune';
import { type KeyVisibility, uniformAt } from '@safeinfer/transformer';

/** Lower layers in which subjects are hidden, and the share of micro-batches in which they are. */
interface SubjectMask {
  readonly layers: number;
  readonly share: number;
}

/** The mask of a seeded share of micro-batches. */
export function subjectMask(options: {
  readonly subjects: readonly Uint8Array[];
  readonly mask: SubjectMask;
  readonly seed: number;
}): VisibilityPlan {
  const { subjects, mask, seed } = options;
  return {
    name: JSON.stringify({ subjectMask: mask }),
    of: ({ step, microBatch, indices }) =>
      uniformAt(mixSeeds(seed, 9, step), microBatch) < mask.share
        ? hiddenSubjects({ subjects, indices, layers: mask.layers })
        : undefined,
  };
}

/** Hides subjects from other tokens of the examples `indices`; undefined when none of them has a subject. */
export function hiddenSubjects(options: {
  readonly subjects: readonly Uint8Array[];
  readonly indices: readonly number[];
  readonly layers: number;
}): KeyVisibility | undefined {
  const { subjects, indices, layers } = options;
  const flags = indices.map((index) => subjects[index] as Uint8Array);
  if (!flags.some((own) => own.some((flag) => flag === 1))) return undefined;
  return {
    layers: (layer) => layer < layers,
    visible: (row, query, key) => flags[row]?.[query] === 1 || flags[row]?.[key] !== 1,
  };
}
