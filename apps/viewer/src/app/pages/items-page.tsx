// All items of a run as a virtual list, with filters that live in the address.
import type { JSX } from 'preact';
import { useEffect, useReducer, useRef } from 'preact/hooks';
import { DISAGREEMENTS, type ItemQuery, itemQueryFrom } from '../../query/item-query.ts';
import type { ItemPage, ItemRow, RunDetail } from '../../schema/api.ts';
import { OUTCOMES } from '../../schema/outcome.ts';
import { useApp } from '../app-context.ts';
import { countText } from '../format.ts';
import { itemHref } from '../item-href.ts';
import { Notice } from '../parts/notice.tsx';
import { OutcomeMark } from '../parts/outcome-tag.tsx';
import { SearchField } from '../parts/search-field.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { useLoaded } from '../use-loaded.ts';
import { setParams } from '../use-route.ts';

const ROW_HEIGHT = 40;
/** Items asked for at once. */
const PAGE = 100;

export function ItemsPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route, reveal, announce } = useApp();
  const query = itemQueryFrom((name) => route.params.get(name));
  const key = JSON.stringify([detail.summary.revision, query, reveal]);
  const at = Number(route.params.get('at') ?? 0) || 0;
  const firstPage = Math.floor(at / PAGE) * PAGE;
  // The page in sight comes first: it also says how many there are.
  const { value, error } = useLoaded(key, async () => {
    const page = await source.items(detail.id, { query, offset: firstPage, limit: PAGE, reveal });
    return { key, page };
  });
  const total = value?.page.total;
  useEffect(() => {
    if (total === undefined) return;
    performance.mark('items-shown');
    announce(`${countText(total)} items`);
  }, [total, announce]);
  return (
    <div class="fill">
      <Filters detail={detail} query={query} />
      {error !== undefined && <Notice error={error} />}
      {value !== undefined && (
        <p class="muted small" data-total={value.page.total}>
          {countText(value.page.total)} of {countText(detail.items)} items
        </p>
      )}
      {value?.page.total === 0 && <Notice>No item answers these filters.</Notice>}
      {value !== undefined && value.page.total > 0 && (
        <ItemList key={value.key} detail={detail} query={query} first={value.page} at={at} />
      )}
    </div>
  );
}

function ItemList(props: {
  readonly detail: RunDetail;
  readonly query: ItemQuery;
  readonly first: ItemPage;
  readonly at: number;
}): JSX.Element {
  const { detail, query, first } = props;
  const { source, route, reveal } = useApp();
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const pages = useRef(new Map<number, readonly ItemRow[] | 'asked'>([[first.offset, first.rows]]));
  const rowAt = (row: number): ItemRow | undefined => {
    const page = pages.current.get(Math.floor(row / PAGE) * PAGE);
    return page === undefined || page === 'asked' ? undefined : page[row % PAGE];
  };
  const ask = (from: number, to: number): void => {
    for (let offset = Math.floor(from / PAGE) * PAGE; offset <= to; offset += PAGE) {
      if (pages.current.has(offset)) continue;
      pages.current.set(offset, 'asked');
      source.items(detail.id, { query, offset, limit: PAGE, reveal }).then(
        ({ rows }) => {
          pages.current.set(offset, rows);
          redraw(undefined);
        },
        // Asked again when it next comes into sight.
        () => pages.current.delete(offset),
      );
    }
  };
  const columns = detail.columns.map(({ edit, arm }) => `${edit} / ${arm}`);
  return (
    <>
      <div class="line head" aria-hidden="true">
        <span class="marks">
          <ColumnHeads detail={detail} />
        </span>
        <span class="category">category</span>
        <span class="question">question</span>
      </div>
      <VirtualRows
        label="Items"
        count={first.total}
        rowHeight={ROW_HEIGHT}
        start={props.at}
        onRange={ask}
        onActive={(row) => setParams(route, { at: row || undefined })}
        onOpen={(row) => {
          const item = rowAt(row);
          if (item) location.hash = itemHref(detail.id, item, route.params, row);
        }}
        row={(row) => {
          const item = rowAt(row);
          if (!item) return <span class="muted">…</span>;
          return (
            <>
              <span class="marks">
                {item.marks.map((mark, i) => (
                  <OutcomeMark
                    key={columns[i]}
                    mark={mark}
                    column={columns[i] ?? ''}
                    kind={item.kind}
                  />
                ))}
              </span>
              <span class="category">{item.category}</span>
              <span class={item.masked ? 'question masked' : 'question'}>
                {item.prompt}
                <span class="muted small">
                  {' '}
                  {item.style}, {item.benchmark}
                </span>
              </span>
            </>
          );
        }}
      />
      <p class="muted small hint">
        <kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>Enter</kbd> opens. <Legend />
      </p>
    </>
  );
}

function ColumnHeads({ detail }: { readonly detail: RunDetail }): JSX.Element {
  return (
    <>
      {detail.columns.map(({ edit, arm }) => (
        <span key={`${edit} ${arm}`} class="columnhead" title={`${edit} / ${arm}`}>
          {detail.facets.edits.length > 1 ? `${edit} / ${arm}` : arm}
        </span>
      ))}
    </>
  );
}

function Legend(): JSX.Element {
  return (
    <>
      {OUTCOMES.map((outcome) => (
        <span key={outcome} class={`outcome word ${outcome}`}>
          {outcome === 'unscored' ? '?' : outcome[0]!.toUpperCase()} {outcome}
        </span>
      ))}
      ; <span class="outcome word harmful refused">wanted</span>
      <span class="outcome word harmful complied">not wanted</span> of that item; a dot: judges
      disagree
    </>
  );
}

function Filters(props: { readonly detail: RunDetail; readonly query: ItemQuery }): JSX.Element {
  const { detail, query } = props;
  const { route } = useApp();
  const { facets } = detail;
  const set = (name: keyof ItemQuery) => (value: string) =>
    setParams(route, { [name]: value, at: undefined });
  const choices = [
    { name: 'edit', options: facets.edits },
    { name: 'arm', options: facets.arms },
    { name: 'outcome', options: OUTCOMES },
    { name: 'style', options: facets.styles },
    { name: 'benchmark', options: facets.benchmarks },
    { name: 'category', options: facets.categories },
    { name: 'kind', options: ['harmful', 'harmless'] },
  ] as const;
  return (
    <search class="filters">
      <SearchField label="Search" value={query.q ?? ''} onChange={(value) => set('q')(value)} />
      {choices
        .filter(({ options, name }) => options.length > 1 || query[name] !== undefined)
        .map(({ name, options }) => (
          <SelectField
            key={name}
            label={name}
            value={query[name] ?? ''}
            options={options}
            all="all"
            onChange={set(name)}
          />
        ))}
      <SelectField
        label="disagreement"
        value={query.disagree ?? ''}
        options={DISAGREEMENTS.map((value) => ({ value, text: DISAGREEMENT_TEXT[value] }))}
        all="all items"
        onChange={set('disagree')}
      />
    </search>
  );
}

const DISAGREEMENT_TEXT = {
  any: 'any disagreement',
  arms: 'arms differ',
  judges: 'judges differ',
  unscored: 'unscored',
} as const;
