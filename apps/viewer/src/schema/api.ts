// What passes between the server (or the exported files) and the pages.
import type { Cell } from '../query/cells.ts';
import type { DisagreementReason } from '../query/disagreements.ts';
import type { ColumnKey, Facets } from '../query/run-index.ts';
import type { TrialKey } from './label.ts';
import type { Label } from './outcome.ts';
import type { Progress } from './progress.ts';
import type { ReportRow } from './report-rows.ts';
import type { TokenTrace, TrialRecord } from './trial-record.ts';

export interface RunSummary {
  readonly id: string;
  readonly model: string;
  readonly status: 'running' | 'stalled' | 'done' | 'empty';
  readonly progress: Progress | null;
  readonly hasReport: boolean;
  readonly bytes: number;
  /** Changes whenever a file of the run changes. */
  readonly revision: string;
}

export interface RunDetail {
  readonly id: string;
  readonly summary: RunSummary;
  readonly facets: Facets;
  readonly columns: readonly ColumnKey[];
  readonly items: number;
  readonly records: number;
  /** Lines of results.jsonl that are no trial records: 1-based number and reason, the first few. */
  readonly unreadable: { readonly count: number; readonly first: readonly string[] };
  readonly cells: readonly Cell[];
  readonly rows: readonly ReportRow[];
  /** Where `rows` come from. */
  readonly rowsFrom: 'report.json' | 'results.jsonl';
  readonly limits: readonly string[];
  readonly heads: readonly string[];
  readonly traces: readonly string[];
  readonly disagreements: Readonly<Record<DisagreementReason, number>>;
  readonly labels: number;
}

export interface ItemRow {
  /** Number of the item in the run. */
  readonly item: number;
  readonly itemId: string;
  readonly style: string;
  readonly benchmark: string;
  readonly category: string;
  readonly kind: 'harmful' | 'harmless';
  readonly prompt: string;
  readonly masked: boolean;
  /** One mark a column of the run; see `query/mark.ts`. */
  readonly marks: readonly number[];
}

export interface ItemPage {
  readonly total: number;
  readonly offset: number;
  readonly rows: readonly ItemRow[];
}

export type TrialView = Omit<TrialRecord, 'schema' | 'tokens' | 'prompt'> & {
  readonly hasTokens: boolean;
};

export interface ItemDetail {
  readonly row: ItemRow;
  /** True where the text concerns sexual content with minors or child abuse: never shown, not even when revealed. */
  readonly redacted: boolean;
  readonly trials: readonly TrialView[];
}

export interface TokenDetail {
  readonly trial: TrialView;
  readonly prompt: string;
  readonly masked: boolean;
  /** Texts are empty while masked. */
  readonly tokens: readonly TokenTrace[];
}

export interface QueueEntry {
  readonly key: TrialKey;
  readonly reason: DisagreementReason;
  readonly category: string;
  readonly kind: 'harmful' | 'harmless';
  readonly prompt: string;
  readonly output: string;
  readonly masked: boolean;
  readonly outcome: string;
  readonly verdicts: readonly { readonly judge: string; readonly outcome: string }[];
  readonly label: Label | null;
}

export interface QueuePage {
  readonly total: number;
  readonly labelled: number;
  readonly offset: number;
  readonly entries: readonly QueueEntry[];
}
