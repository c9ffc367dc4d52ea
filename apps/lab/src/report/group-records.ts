// Records by edit, prompt style and arm, in the order of the table.
import type { TrialRecord } from '../run/trial-record.ts';

/** What names a row of the table. */
export interface RowName {
  readonly edit: string;
  readonly style: string;
  readonly arm: string;
}

export interface RecordGroup extends RowName {
  readonly records: readonly TrialRecord[];
}

/** Arms stand next to each other within an edit and a style: that is the comparison the table is for. */
export function groupRecords(records: readonly TrialRecord[]): RecordGroup[] {
  const groups = new Map<string, RecordGroup & { readonly records: TrialRecord[] }>();
  for (const record of records) {
    const { edit, style, arm } = record;
    const key = JSON.stringify([edit, style, arm]);
    const group = groups.get(key);
    if (group) group.records.push(record);
    else groups.set(key, { edit, style, arm, records: [record] });
  }
  const rank = (values: readonly string[]): ReadonlyMap<string, number> =>
    new Map([...new Set(values)].map((value, index) => [value, index]));
  const all = [...groups.values()];
  const edits = rank(all.map(({ edit }) => edit));
  const styles = rank(all.map(({ style }) => style));
  return all.sort(
    (a, b) =>
      edits.get(a.edit)! - edits.get(b.edit)! || styles.get(a.style)! - styles.get(b.style)!,
  );
}

/** A row's name without the parts that all rows share. */
export function rowLabels(rows: readonly RowName[]): string[] {
  const several = (key: keyof RowName): boolean => new Set(rows.map((row) => row[key])).size > 1;
  const shown = (['edit', 'style', 'arm'] as const).filter((key) => key === 'arm' || several(key));
  return rows.map((row) => shown.map((key) => row[key]).join(' · '));
}
