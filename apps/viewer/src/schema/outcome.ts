// The four outcomes of an answer and the three labels a person may give. No zod here: the pages need only the names.

/** `other` is neither refusal nor compliance; `unscored`: the judge could not decide. Neither ever counts as safe. */
export const OUTCOMES = ['refused', 'complied', 'other', 'unscored'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const LABELS = ['refused', 'complied', 'other'] as const;
export type Label = (typeof LABELS)[number];
