// "did you mean": the known name nearest to a mistyped one.
import { distance } from 'fastest-levenshtein';

/** Undefined when nothing is near: more than a third of the letters wrong (but two typing slips always pass). */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const folded = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, away: distance(folded, candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away || (a.candidate < b.candidate ? -1 : 1));
  const [best] = ranked;
  return best && best.away <= Math.max(2, name.length / 3) ? best.candidate : undefined;
}
