// What all pages of one run share: its name, progress, tabs and the page toggle; loads the run again when it changes.
import type { JSX } from 'preact';
import type { RunDetail } from '../../schema/api.ts';
import { useApp } from '../app-context.ts';
import { countText } from '../format.ts';
import { Notice } from '../parts/notice.tsx';
import { RunProgress } from '../parts/progress-bar.tsx';
import { RevealToggle } from '../parts/reveal-toggle.tsx';
import { type RunPage, runHref } from '../route.ts';
import { useKeys } from '../use-key.ts';
import { useLoaded } from '../use-loaded.ts';
import { CellsPage } from './cells-page.tsx';
import { HeadsPage } from './heads-page.tsx';
import { ItemPage } from './item-page.tsx';
import { ItemsPage } from './items-page.tsx';
import { OverviewPage } from './overview-page.tsx';
import { QueuePage } from './queue-page.tsx';
import { TokensPage } from './tokens-page.tsx';
import { TracesPage } from './traces-page.tsx';

const PAGES: Readonly<Record<RunPage, (props: { readonly detail: RunDetail }) => JSX.Element>> = {
  overview: OverviewPage,
  cells: CellsPage,
  items: ItemsPage,
  item: ItemPage,
  tokens: TokensPage,
  heads: HeadsPage,
  traces: TracesPage,
  queue: QueuePage,
};

/** Pages that show text of items. */
const WITH_TEXT: ReadonlySet<RunPage | 'runs'> = new Set(['items', 'item', 'tokens', 'queue']);
/** The tab that a page without its own belongs to. */
const TAB: Partial<Record<RunPage, RunPage>> = { item: 'items', tokens: 'items' };

/** Milliseconds between looks at the run's files. */
const BUSY = 1000;
const IDLE = 5000;

export function RunFrame({ run }: { readonly run: string }): JSX.Element {
  const { source, route, reveal, setReveal } = useApp();
  const polled = useLoaded(
    run,
    async () => (await source.runs()).find(({ id }) => id === run) ?? null,
    (found) => {
      if (!source.live) return undefined;
      return found?.status === 'running' ? BUSY : IDLE;
    },
  );
  const summary = polled.value;
  const loaded = useLoaded(`${run} ${summary?.revision ?? ''}`, () =>
    summary ? source.run(run) : Promise.resolve(undefined),
  );
  const detail = loaded.value;
  const withText = WITH_TEXT.has(route.page);
  useKeys(withText && source.canReveal() ? { m: () => setReveal(!reveal) } : {});

  const page = route.page === 'runs' ? 'overview' : route.page;
  const Page = PAGES[page];
  return (
    <>
      <header class="top">
        <nav aria-label="Breadcrumb">
          <a href="#/">Runs</a> <span aria-hidden="true">/</span>
        </nav>
        <h1>{run}</h1>
        {summary && <RunProgress summary={summary} />}
        <span class="gap" />
        {withText && <RevealToggle />}
      </header>
      <nav class="tabs" aria-label="Pages of this run">
        {tabsOf(detail).map(({ name, text }) => (
          <a
            key={name}
            href={runHref(run, name)}
            aria-current={(TAB[page] ?? page) === name ? 'page' : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
      {polled.error !== undefined && <Notice error={polled.error} />}
      {summary === null && <Notice error={`There is no run named ${run} here.`} />}
      {loaded.error !== undefined && <Notice error={loaded.error} />}
      {detail === undefined && loaded.error === undefined && summary !== null && (
        <Notice>Reading the results …</Notice>
      )}
      {detail !== undefined && detail.unreadable.count > 0 && (
        <Notice error={unreadableText(detail)} />
      )}
      {detail !== undefined && <Page detail={detail} />}
    </>
  );
}

function tabsOf(
  detail: RunDetail | undefined,
): readonly { readonly name: RunPage; readonly text: string }[] {
  const waiting = detail
    ? Object.values(detail.disagreements).reduce((sum, count) => sum + count, 0)
    : 0;
  return [
    { name: 'overview', text: 'Overview' },
    { name: 'cells', text: 'Cells' },
    { name: 'items', text: 'Items' },
    { name: 'heads', text: 'Heads' },
    { name: 'traces', text: 'Traces' },
    {
      name: 'queue',
      text: waiting > 0 ? `Disagreements (${countText(waiting)})` : 'Disagreements',
    },
  ];
}

function unreadableText({ unreadable }: RunDetail): string {
  const { count, first } = unreadable;
  return `${count} ${count === 1 ? 'line' : 'lines'} of results.jsonl cannot be read and ${count === 1 ? 'is' : 'are'} not counted: ${first.join('; ')}`;
}
