// The disagreement queue: one answer at a time, labelled by key. Blind by default: verdicts and arm would bias the label.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { DISAGREEMENT_REASONS, type DisagreementReason } from '../../query/disagreements.ts';
import type { QueueEntry, RunDetail } from '../../schema/api.ts';
import { LABELS, type Label } from '../../schema/outcome.ts';
import { useApp } from '../app-context.ts';
import { countText } from '../format.ts';
import { Notice } from '../parts/notice.tsx';
import { OutcomeTag } from '../parts/outcome-tag.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { runHref } from '../route.ts';
import { useKeys } from '../use-key.ts';
import { useLoaded } from '../use-loaded.ts';
import { setParams } from '../use-route.ts';

const REASON_TEXT: Readonly<Record<DisagreementReason, string>> = {
  unscored: 'the judge could not decide',
  judges: 'judges disagree',
  arms: 'arms came out differently',
};

export function QueuePage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route, reveal, announce } = useApp();
  const { params } = route;
  const reason = DISAGREEMENT_REASONS.find((name) => name === params.get('reason'));
  const labelled = params.get('labelled') === '1' || !source.live;
  const blind = params.get('blind') !== '0';
  const at = Math.max(0, Number(params.get('at') ?? 0) || 0);
  /** Labels given on this page so far: each asks the queue again, and `u` goes back along them. */
  const [given, setGiven] = useState<readonly QueueEntry[]>([]);
  const [again, setAgain] = useState<QueueEntry>();
  const [turn, setTurn] = useState(0);
  const [failure, setFailure] = useState<string>();
  const { value, error, loading } = useLoaded(
    JSON.stringify([detail.summary.revision, reason, labelled, at, reveal, turn]),
    () => source.queue(detail.id, { reason, labelled, offset: at, limit: 1, reveal }),
  );
  // Asked anew, so that hiding the text hides it here as well.
  const repeated = useLoaded(JSON.stringify([again?.key, reveal]), async () => {
    if (!again) return undefined;
    const { row, trials } = await source.item(detail.id, { key: again.key, reveal });
    const { edit, arm } = again.key;
    const trial = trials.find((one) => one.edit === edit && one.arm === arm);
    return { ...again, prompt: row.prompt, masked: row.masked, output: trial?.output ?? '' };
  });
  const entry = again ? repeated.value : value?.entries[0];

  const step = (by: number) => () => {
    setAgain(undefined);
    const target = Math.max(0, Math.min(at + by, Math.max(0, (value?.total ?? 1) - 1)));
    setParams(route, { at: target || undefined });
  };
  const give = (label: Label) => async (): Promise<void> => {
    if (!entry || loading || repeated.loading || !source.live) return;
    try {
      await source.label(detail.id, { key: entry.key, label });
    } catch (reason) {
      setFailure(reason instanceof Error ? reason.message : String(reason));
      return;
    }
    setFailure(undefined);
    setGiven([...given, { ...entry, label }]);
    announce(`labelled ${label}`);
    if (again === undefined && labelled) step(1)();
    setAgain(undefined);
    setTurn((n) => n + 1);
  };
  const undo = (): void => {
    const last = given.at(-1);
    if (!last) return;
    setGiven(given.slice(0, -1));
    setAgain(last);
    announce(`back to the last answer, labelled ${last.label}; the next label replaces it`);
  };
  useKeys({
    1: () => void give('refused')(),
    2: () => void give('complied')(),
    3: () => void give('other')(),
    u: undo,
    ArrowRight: step(1),
    ArrowLeft: step(-1),
  });

  return (
    <>
      <div class="filters">
        <SelectField
          label="reason"
          value={reason ?? ''}
          all="all"
          options={DISAGREEMENT_REASONS.map((name) => ({
            value: name,
            text: `${REASON_TEXT[name]} (${detail.disagreements[name]})`,
          }))}
          onChange={(chosen) => setParams(route, { reason: chosen, at: undefined })}
        />
        {source.live && (
          <Check
            text="also show labelled answers"
            checked={labelled}
            onChange={(on) => setParams(route, { labelled: on ? '1' : undefined, at: undefined })}
          />
        )}
        <Check
          text="blind: hide arm and verdicts"
          checked={blind}
          onChange={(on) => setParams(route, { blind: on ? undefined : '0' })}
        />
      </div>
      {error !== undefined && <Notice error={error} />}
      {failure !== undefined && <Notice error={failure} />}
      {value !== undefined && source.live && (
        <p class="muted" data-labelled={value.labelled}>
          {countText(value.labelled)} labelled, {countText(value.total)}{' '}
          {labelled ? 'in all' : 'waiting'}
        </p>
      )}
      {value !== undefined && entry === undefined && <Notice>Nothing waits here.</Notice>}
      {entry !== undefined && (
        <>
          <Entry entry={entry} blind={blind} run={detail.id} relabel={again !== undefined} />
          {source.live ? (
            <div class="labels">
              {LABELS.map((label, i) => (
                <button
                  key={label}
                  type="button"
                  class={`label ${label}`}
                  aria-keyshortcuts={String(i + 1)}
                  onClick={() => void give(label)()}
                >
                  <kbd>{i + 1}</kbd> {label}
                </button>
              ))}
              <button
                type="button"
                aria-keyshortcuts="u"
                disabled={given.length === 0}
                onClick={undo}
              >
                <kbd>u</kbd> undo
              </button>
              <span class="muted small">
                <kbd>←</kbd> <kbd>→</kbd> skip, <kbd>m</kbd> shows or hides text
              </span>
            </div>
          ) : (
            <p class="muted small">
              Labels are given in <code>safeinfer view</code>; this is an export. <kbd>←</kbd>{' '}
              <kbd>→</kbd> move.
            </p>
          )}
        </>
      )}
    </>
  );
}

function Entry(props: {
  readonly entry: QueueEntry;
  readonly blind: boolean;
  readonly relabel: boolean;
  readonly run: string;
}): JSX.Element {
  const { entry, blind } = props;
  const { key } = entry;
  return (
    <article class="answer queued">
      <p class="muted small">
        {props.relabel ? 'again: ' : ''}
        {REASON_TEXT[entry.reason]} · {entry.kind} · {entry.category || 'no category'}
      </p>
      <h2 class="small">Question</h2>
      <blockquote class={entry.masked ? 'text masked' : 'text'}>{entry.prompt}</blockquote>
      <h2 class="small">Answer</h2>
      <blockquote class={entry.masked ? 'text masked' : 'text'}>{entry.output}</blockquote>
      {!blind && (
        <p>
          {key.edit} / {key.arm} <OutcomeTag outcome={entry.outcome} kind={entry.kind} />{' '}
          {entry.verdicts.map(({ judge, outcome }) => (
            <span key={judge} class="small">
              {judge}: <OutcomeTag outcome={outcome} kind={entry.kind} />{' '}
            </span>
          ))}
          <a
            href={runHref(props.run, 'item', {
              benchmark: key.benchmark,
              style: key.style,
              id: key.itemId,
            })}
          >
            all arms
          </a>
        </p>
      )}
      {entry.label !== null && (
        <p>
          labelled <OutcomeTag outcome={entry.label} kind={entry.kind} />
        </p>
      )}
    </article>
  );
}

function Check(props: {
  readonly text: string;
  readonly checked: boolean;
  readonly onChange: (on: boolean) => void;
}): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      {props.text}
    </label>
  );
}
