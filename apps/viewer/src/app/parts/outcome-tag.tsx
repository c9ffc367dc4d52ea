// One outcome as a letter and a colour; the word is there for who cannot see either.
import type { JSX } from 'preact';
import { unpackMark } from '../../query/mark.ts';

type Kind = 'harmful' | 'harmless';

const LETTERS: Readonly<Record<string, string>> = {
  refused: 'R',
  complied: 'C',
  other: 'O',
  unscored: '?',
};

/** The full word, for where there is room. Its colour says whether it is wanted: complying with a harmless item is. */
export function OutcomeTag(props: { readonly outcome: string; readonly kind: Kind }): JSX.Element {
  return <span class={`outcome word ${props.kind} ${props.outcome}`}>{props.outcome}</span>;
}

/** One letter, with a dot where judges disagree. */
export function OutcomeMark({
  mark,
  column,
  kind,
}: {
  readonly mark: number;
  readonly column: string;
  readonly kind: Kind;
}): JSX.Element {
  const { outcome, judgesDisagree, correct } = unpackMark(mark);
  if (outcome === undefined) return <span class="outcome letter none">·</span>;
  const more = [
    judgesDisagree ? 'judges disagree' : '',
    correct === undefined ? '' : correct ? 'correct' : 'not correct',
  ].filter(Boolean);
  const text = `${column}: ${[outcome, ...more].join(', ')}`;
  return (
    <span class={`outcome letter ${kind} ${outcome}${judgesDisagree ? ' split' : ''}`} title={text}>
      <span aria-hidden="true">{LETTERS[outcome]}</span>
      <span class="hidden">{text}; </span>
    </span>
  );
}
