// Drops rows about sexual content or abuse of minors: no loader of this package ever yields one.

// Two word classes that together mark the subject. Matched inside words and in any case, so harmless rows go too:
// losing a few rows is the accepted price, letting one through is not.
const YOUNG =
  /child|minor|underage|teen|kid|girl|boy|infant|toddler|adolescen|juvenile|\btweens?\b|\bbab(?:y|ies)\b|\bstep-?(?:son|daughter)/iu;
const SEXUAL =
  /sex|porn|nude|naked|groom|abus|molest|erotic|exploit|\blewd|\bincest|\bnudes?\b|\bfetish/iu;
// Terms that name the subject by themselves.
const DIRECT = /pedo|paedo|csam|\bcsem\b|\bloli\b|\bshota\b|jailbait/iu;
/** Categories that published sets give to such rows; the whole category goes. */
const CATEGORY = /child[\s_-]*(abuse|safety|sexual|exploit|crime|related|endanger)/iu;

/** True for a row that must be dropped; `texts` are all of the row's columns. */
export function concernsSexualContentWithMinors(
  texts: readonly string[],
  category?: string | null,
): boolean {
  if (category !== undefined && category !== null && CATEGORY.test(category)) return true;
  const text = texts.join('\n');
  return DIRECT.test(text) || (YOUNG.test(text) && SEXUAL.test(text));
}
