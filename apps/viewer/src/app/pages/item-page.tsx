// One question and the answers of all arms side by side.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { itemQueryFrom } from '../../query/item-query.ts';
import type { ItemDetail, RunDetail, TrialView } from '../../schema/api.ts';
import { useApp } from '../app-context.ts';
import { itemHref, listParams } from '../item-href.ts';
import { Notice } from '../parts/notice.tsx';
import { OutcomeTag } from '../parts/outcome-tag.tsx';
import { runHref } from '../route.ts';
import { useKeys } from '../use-key.ts';
import { useLoaded } from '../use-loaded.ts';

export function ItemPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route, reveal } = useApp();
  const { params } = route;
  const key = {
    benchmark: params.get('benchmark') ?? '',
    style: params.get('style') ?? '',
    itemId: params.get('id') ?? '',
  };
  const at = params.get('at') === null ? undefined : Number(params.get('at'));
  const place = JSON.stringify([detail.summary.revision, key]);
  // Of this one item only: the next one starts hidden again.
  const [shownAt, setShownAt] = useState<string>();
  const shown = reveal || shownAt === place;
  const { value, error } = useLoaded(`${place} ${shown}`, () =>
    source.item(detail.id, { key, reveal: shown }),
  );
  const list = listParams(params);
  const beside = useLoaded(`${place} ${at} ${list}`, async () => {
    if (at === undefined) return undefined;
    const offset = Math.max(0, at - 1);
    const query = itemQueryFrom((name) => list.get(name));
    const { rows } = await source.items(detail.id, { query, offset, limit: 3, reveal: false });
    const link = (row: number): string | undefined => {
      const item = row < 0 ? undefined : rows[row - offset];
      return item && itemHref(detail.id, item, list, row);
    };
    return { before: link(at - 1), after: link(at + 1) };
  }).value;
  const go = (href: string | undefined) => () => {
    if (href !== undefined) location.hash = href;
  };
  const back = runHref(detail.id, 'items', { ...Object.fromEntries(list), at });
  useKeys({ j: go(beside?.after), k: go(beside?.before), Escape: go(back) });
  if (error !== undefined) return <Notice error={error} />;
  if (value === undefined) return <Notice>Reading the item …</Notice>;
  return (
    <>
      <nav class="steps" aria-label="Items">
        <a href={back}>Back to the list</a>
        {beside?.before && <a href={beside.before}>Previous</a>}
        {beside?.after && <a href={beside.after}>Next</a>}
        <span class="muted small">
          <kbd>k</kbd> <kbd>j</kbd> previous and next, <kbd>m</kbd> shows or hides text,{' '}
          <kbd>Esc</kbd> back
        </span>
      </nav>
      <Question
        item={value}
        canReveal={source.canReveal() && !reveal}
        shown={shown}
        onToggle={() => setShownAt(shown ? undefined : place)}
      />
      {detail.facets.edits.map((edit) => (
        <Answers
          key={edit}
          run={detail.id}
          edit={edit}
          itemId={key.itemId}
          masked={value.row.masked}
          trials={value.trials.filter((trial) => trial.edit === edit)}
          showEdit={detail.facets.edits.length > 1}
        />
      ))}
    </>
  );
}

function Question(props: {
  readonly item: ItemDetail;
  readonly canReveal: boolean;
  readonly shown: boolean;
  readonly onToggle: () => void;
}): JSX.Element {
  const { row, redacted } = props.item;
  return (
    <section class="question-box">
      <p class="muted small">
        {row.kind} · {row.category || 'no category'} · {row.style} · {row.benchmark} ·{' '}
        <code>{row.itemId}</code>
      </p>
      <blockquote class={row.masked ? 'text masked' : 'text'}>{row.prompt}</blockquote>
      {redacted && <p class="small">This item is never shown.</p>}
      {!redacted && props.canReveal && row.kind === 'harmful' && (
        <button type="button" aria-pressed={props.shown} onClick={props.onToggle}>
          {props.shown ? 'Hide this item' : 'Show this item'}
        </button>
      )}
    </section>
  );
}

function Answers(props: {
  readonly run: string;
  readonly edit: string;
  readonly itemId: string;
  readonly masked: boolean;
  readonly trials: readonly TrialView[];
  readonly showEdit: boolean;
}): JSX.Element | null {
  if (props.trials.length === 0) return null;
  return (
    <section aria-label={`Answers, edit ${props.edit}`}>
      {props.showEdit && <h2>{props.edit}</h2>}
      <div class="side-by-side">
        {props.trials.map((trial) => (
          <article key={trial.arm} class="answer">
            <h3>
              {trial.arm} <OutcomeTag outcome={trial.outcome} kind={trial.kind} />
            </h3>
            <div class={props.masked ? 'text masked' : 'text'}>{trial.output}</div>
            <dl class="facts">
              {trial.correct !== undefined && (
                <Fact name="correct" value={trial.correct ? 'yes' : 'no'} />
              )}
              {(trial.verdicts?.length ?? 0) < 2 && <Fact name="judge" value={trial.judge} />}
              {(trial.verdicts?.length ?? 0) > 1 &&
                trial.verdicts?.map(({ judge, outcome, status, score }) => (
                  <Fact
                    key={judge}
                    name={judge}
                    value={`${outcome}${status === 'ok' ? '' : ` (${status})`}${score === undefined ? '' : `, ${score}`}`}
                  />
                ))}
              <Fact name="ended" value={trial.finishReason} />
              <Fact name="tokens" value={`${trial.tokensIn} in, ${trial.tokensOut} out`} />
            </dl>
            {trial.hasTokens && (
              <a
                href={runHref(props.run, 'tokens', {
                  benchmark: trial.benchmark,
                  style: trial.style,
                  id: props.itemId,
                  edit: trial.edit,
                  arm: trial.arm,
                })}
              >
                Token by token
              </a>
            )}
          </article>
        ))}
      </div>
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
