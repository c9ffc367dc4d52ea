// Where a request must be sound before any work: bare, and behind an opening, as it will be rehearsed.

/** A start token that opens the bare prompt is only seen behind an opening; sampling openings takes the model. */
export const TRIAL_CONTEXTS = ['{}', 'The. {}'] as const;
