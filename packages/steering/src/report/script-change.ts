// Language change, as far as letters tell it: the script most of an answer is written in.

const SCRIPTS = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Arabic',
  'Hebrew',
  'Devanagari',
  'Thai',
  'Hangul',
  'Hiragana',
  'Katakana',
  'Han',
] as const;
const TESTS = SCRIPTS.map((name) => [name, new RegExp(`\\p{Script=${name}}`, 'gu')] as const);

/** The script with the most letters, Kana counting as Japanese; undefined for texts without letters. */
export function dominantScript(text: string): string | undefined {
  const counts = new Map<string, number>();
  for (const [name, test] of TESTS) {
    const language = name === 'Hiragana' || name === 'Katakana' ? 'Japanese' : name;
    const count = text.match(test)?.length ?? 0;
    if (count > 0) counts.set(language, (counts.get(language) ?? 0) + count);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** Share of answers whose language, by `detect`, is another than before; pairs without one are left out. */
export function languageChange(
  before: readonly string[],
  after: readonly string[],
  detect: (text: string) => string | undefined = dominantScript,
): { readonly changed: number; readonly compared: number } {
  const pairs = before.flatMap((text, i) => {
    const [a, b] = [detect(text), detect(after[i]!)];
    return a === undefined || b === undefined ? [] : [a !== b];
  });
  const changed = pairs.filter(Boolean).length / Math.max(1, pairs.length);
  return { changed, compared: pairs.length };
}
