// Signs of a damaged generation: few distinct n-grams, long repeats.

/** Share of distinct n-grams, 1 for texts shorter than n. */
export function distinctShare(tokens: readonly number[], n = 2): number {
  const total = tokens.length - n + 1;
  if (total < 1) return 1;
  const seen = new Set<string>();
  for (let i = 0; i < total; i += 1) seen.add(tokens.slice(i, i + n).join(' '));
  return seen.size / total;
}

/** Length of the longest run of tokens that occurs twice without overlap. */
export function longestRepeat(tokens: readonly number[]): number {
  let longest = 0;
  for (let i = 0; i < tokens.length; i += 1) {
    for (let j = i + 1; j < tokens.length; j += 1) {
      let length = 0;
      while (
        i + length < j &&
        j + length < tokens.length &&
        tokens[i + length] === tokens[j + length]
      ) {
        length += 1;
      }
      longest = Math.max(longest, length);
    }
  }
  return longest;
}
