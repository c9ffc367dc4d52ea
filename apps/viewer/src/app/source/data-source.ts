// Where the pages get their data: the server of `safeinfer view`, or the files of an export.
import type { DisagreementReason } from '../../query/disagreements.ts';
import type { ItemQuery } from '../../query/item-query.ts';
import type {
  ItemDetail,
  ItemPage,
  QueuePage,
  RunDetail,
  RunSummary,
  TokenDetail,
} from '../../schema/api.ts';
import type { CausalTrace } from '../../schema/causal-trace.ts';
import type { HeadMap } from '../../schema/head-map.ts';
import type { TrialKey } from '../../schema/label.ts';
import type { Label } from '../../schema/outcome.ts';

export interface PageRequest {
  readonly offset: number;
  readonly limit: number;
  readonly reveal: boolean;
}

export type ItemKey = Pick<TrialKey, 'style' | 'benchmark' | 'itemId'>;

export interface QueueRequest extends PageRequest {
  readonly reason?: DisagreementReason | undefined;
  /** Entries that have a label already are left out unless asked for. */
  readonly labelled: boolean;
}

export interface DataSource {
  /** Runs may still change, and labels can be written. */
  readonly live: boolean;
  /** Whether harmful text can be had at all. */
  canReveal(): boolean;
  runs(): Promise<readonly RunSummary[]>;
  run(id: string): Promise<RunDetail>;
  items(id: string, request: PageRequest & { readonly query: ItemQuery }): Promise<ItemPage>;
  item(
    id: string,
    request: { readonly key: ItemKey; readonly reveal: boolean },
  ): Promise<ItemDetail>;
  tokens(
    id: string,
    request: { readonly key: TrialKey; readonly reveal: boolean },
  ): Promise<TokenDetail>;
  heads(id: string, name: string): Promise<HeadMap>;
  trace(id: string, name: string): Promise<CausalTrace>;
  queue(id: string, request: QueueRequest): Promise<QueuePage>;
  label(id: string, request: { readonly key: TrialKey; readonly label: Label }): Promise<void>;
}
