// One answer token by token: the colour is what one term did to the chosen token, the panel holds its alternatives.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { RunDetail, TokenDetail } from '../../schema/api.ts';
import type { TokenTrace } from '../../schema/trial-record.ts';
import { useApp } from '../app-context.ts';
import { signed } from '../format.ts';
import { extentOf, signedColour } from '../parts/colour-scale.ts';
import { Notice } from '../parts/notice.tsx';
import { OutcomeTag } from '../parts/outcome-tag.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { useGridFocus } from '../parts/use-grid-focus.ts';
import { runHref } from '../route.ts';
import { useLoaded } from '../use-loaded.ts';
import { setParams } from '../use-route.ts';

/** The choice that colours by the final log-probability. */
const LOGPROB = '(log-probability)';

export function TokensPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route, reveal } = useApp();
  const { params } = route;
  const key = {
    edit: params.get('edit') ?? '',
    arm: params.get('arm') ?? '',
    style: params.get('style') ?? '',
    benchmark: params.get('benchmark') ?? '',
    itemId: params.get('id') ?? '',
  };
  const { value, error } = useLoaded(JSON.stringify([detail.summary.revision, key, reveal]), () =>
    source.tokens(detail.id, { key, reveal }),
  );
  const sameItem = { benchmark: key.benchmark, style: key.style, id: key.itemId };
  return (
    <>
      <nav class="steps" aria-label="Item">
        <a href={runHref(detail.id, 'item', sameItem)}>All arms of this item</a>
        <SelectField
          label="answer"
          value={JSON.stringify([key.edit, key.arm])}
          options={detail.columns.map(({ edit, arm }) => ({
            value: JSON.stringify([edit, arm]),
            text: `${edit} / ${arm}`,
          }))}
          onChange={(chosen) => {
            const [edit, arm] = JSON.parse(chosen) as [string, string];
            setParams(route, { edit, arm, token: undefined });
          }}
        />
      </nav>
      {error !== undefined && <Notice error={error} />}
      {value === undefined && error === undefined && <Notice>Reading the tokens …</Notice>}
      {value !== undefined && error === undefined && value.tokens.length === 0 && (
        <Notice>
          No tokens were recorded for this answer. An experiment with <code>record: tokens</code>{' '}
          keeps them.
        </Notice>
      )}
      {value !== undefined && error === undefined && value.tokens.length > 0 && (
        <Tokens key={`${key.edit} ${key.arm}`} value={value} />
      )}
    </>
  );
}

function Tokens({ value }: { readonly value: TokenDetail }): JSX.Element {
  const { route } = useApp();
  const { tokens, masked, trial } = value;
  const names = [...new Set(tokens.flatMap(({ terms }) => Object.keys(terms)))];
  const choices = [...names, LOGPROB];
  const asked = route.params.get('term');
  const term = choices.find((name) => name === asked) ?? mostTelling(tokens, names);
  const amountOf = (token: TokenTrace): number | null =>
    (term === LOGPROB ? token.logprob : token.terms[term]) ?? null;
  const extent = extentOf(tokens.map((token) => amountOf(token) ?? 0));
  const start = Math.max(
    0,
    Math.min(Number(route.params.get('token') ?? 0) || 0, tokens.length - 1),
  );
  const grid = useGridFocus<HTMLDivElement>({
    rows: 1,
    columns: tokens.length,
    start: { row: 0, column: start },
    onMove: ({ column }) => setParams(route, { token: column || undefined }),
  });
  const [hovered, setHovered] = useState<number>();
  const current = hovered ?? grid.place.column;
  return (
    <>
      <p class={masked ? 'text prompt masked' : 'text prompt'}>{value.prompt}</p>
      <fieldset class="segments">
        <legend>Colour by term</legend>
        {choices.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="term"
              checked={name === term}
              onChange={() => setParams(route, { term: name })}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <p class="scale">
        <span class="muted">lowered the chosen token</span>
        {[-1, -0.5, 0, 0.5, 1].map((share) => (
          <span
            key={share}
            class="swatch"
            aria-hidden="true"
            style={{ background: signedColour(share, 1) }}
          />
        ))}
        <span class="muted">raised it</span>
        <span class="muted small">full colour at ±{extent.toPrecision(2)} nats</span>
      </p>
      <div class="token-layout">
        <div>
          <h2>
            {trial.edit} / {trial.arm} <OutcomeTag outcome={trial.outcome} kind={trial.kind} />
          </h2>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: leaving the text ends the hover; keys work on the tokens */}
          <div class="tokens" ref={grid.container} onMouseLeave={() => setHovered(undefined)}>
            {tokens.map((token, i) => {
              const amount = amountOf(token);
              return (
                <button
                  // The place in the answer is the token's identity.
                  key={i}
                  type="button"
                  class={current === i ? 'token current' : 'token'}
                  style={{ background: amount === null ? 'none' : signedColour(amount, extent) }}
                  onMouseEnter={() => setHovered(i)}
                  aria-label={`token ${i + 1}: ${masked ? 'hidden' : token.text}, ${term} ${amount === null ? 'not known' : signed(amount)}`}
                  {...grid.cell(0, i)}
                >
                  <TokenText text={token.text} masked={masked} />
                </button>
              );
            })}
          </div>
          <p class="muted small hint">
            <kbd>←</kbd> <kbd>→</kbd> move through the tokens
          </p>
        </div>
        <TokenPanel token={tokens[current]} at={current} masked={masked} />
      </div>
    </>
  );
}

/** A term that never differs from zero tells nothing; nor does the base, whose value is just the log-probability. */
function mostTelling(tokens: readonly TokenTrace[], names: readonly string[]): string {
  const moved = names.slice(1).find((name) => tokens.some(({ terms }) => (terms[name] ?? 0) !== 0));
  return moved ?? names[1] ?? names[0] ?? LOGPROB;
}

function TokenText({
  text,
  masked,
}: {
  readonly text: string;
  readonly masked: boolean;
}): JSX.Element {
  if (masked) return <span aria-hidden="true">▒▒</span>;
  if (text === '') return <span class="muted">∅</span>;
  // A line break has no width of its own.
  return <>{text.replaceAll('\n', '⏎')}</>;
}

function TokenPanel(props: {
  readonly token: TokenTrace | undefined;
  readonly at: number;
  readonly masked: boolean;
}): JSX.Element | null {
  const { token, masked } = props;
  if (!token) return null;
  const shown = (text: string): string => (masked ? '▒▒' : JSON.stringify(text));
  const terms = Object.entries(token.terms);
  const extent = extentOf(terms.map(([, amount]) => amount));
  return (
    <aside class="panel" aria-label="Current token" aria-live="polite">
      <h3>
        Token {props.at + 1}: <code>{shown(token.text)}</code>
      </h3>
      <p class="muted small">
        id {token.id}, log-probability{' '}
        {token.logprob === null ? 'not known (a term was skipped)' : token.logprob.toFixed(3)}
      </p>
      <h4>What each term added</h4>
      {terms.length === 0 && <p class="muted">not recorded</p>}
      <table class="bars">
        <tbody>
          {terms.map(([name, amount]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <span
                  class={amount < 0 ? 'bar minus' : 'bar plus'}
                  style={{ width: `${extent === 0 ? 0 : (100 * Math.abs(amount)) / extent}%` }}
                />
              </td>
              <td class="number">{signed(amount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h4>Alternatives</h4>
      {token.alternatives.length === 0 && <p class="muted">not recorded</p>}
      <table class="bars">
        <tbody>
          {token.alternatives.map(({ text, logprob }, i) => (
            // Masked texts are all alike; the rank is what differs.
            <tr key={i}>
              <th scope="row">
                <code>{shown(text)}</code>
              </th>
              <td>
                <span class="bar" style={{ width: `${100 * Math.exp(logprob)}%` }} />
              </td>
              <td class="number">{(100 * Math.exp(logprob)).toFixed(1)} %</td>
            </tr>
          ))}
        </tbody>
      </table>
    </aside>
  );
}
