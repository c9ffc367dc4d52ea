// Turns a table row into an item by column names: what most sets need and nothing more.
import type { ItemLabel, RawItem } from './item.ts';
import { cellText, type SourceRow } from './row.ts';

export interface TableColumns {
  readonly prompt: string;
  readonly category?: string;
  readonly id?: string;
  readonly context?: string;
  readonly label: ItemLabel;
}

/** Null for a row whose prompt is empty. Prompts are trimmed: stray spaces are not part of a question. */
export function tableItem(columns: TableColumns): (row: SourceRow) => RawItem | null {
  return (row) => {
    const prompt = cellText(row, columns.prompt).trim();
    if (prompt === '') return null;
    const context = columns.context === undefined ? '' : cellText(row, columns.context).trim();
    return {
      sourceId: columns.id === undefined ? String(row.row) : cellText(row, columns.id),
      prompt,
      label: columns.label,
      category: columns.category === undefined ? null : cellText(row, columns.category).trim(),
      ...(context === '' ? {} : { context }),
    };
  };
}
