// Which neighbouring prompts begin alike, so that their common tokens run once.

export interface SharedPrefix {
  /** Index of the first prompt of the group. */
  readonly start: number;
  /** Tokens that all prompts of the group begin with; each keeps at least its last token for itself. */
  readonly length: number;
}

/** A prompt joins the group before it while at least this share of the group's first prompt stays common. */
const WORTH = 0.5;

/** One entry a prompt. It depends on the prompts alone, so a resumed run forms the same groups. */
export function sharedPrefixes(prompts: readonly (readonly number[])[]): SharedPrefix[] {
  const groups: { start: number; length: number; size: number }[] = [];
  for (const [index, tokens] of prompts.entries()) {
    const group = groups.at(-1);
    const first = group === undefined ? undefined : prompts[group.start]!;
    if (group && first) {
      const common = commonLength(first, tokens, Math.min(group.length, tokens.length - 1));
      if (common >= WORTH * first.length) {
        group.length = common;
        group.size += 1;
        continue;
      }
    }
    groups.push({ start: index, length: tokens.length - 1, size: 1 });
  }
  return groups.flatMap(({ start, length, size }) =>
    Array.from({ length: size }, () => ({ start, length })),
  );
}

function commonLength(a: readonly number[], b: readonly number[], most: number): number {
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}
