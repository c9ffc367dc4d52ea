// The address of an item, with the filters and the place of the list it was opened from.
import type { ItemRow } from '../schema/api.ts';
import { runHref } from './route.ts';

export function itemHref(
  run: string,
  { itemId, style, benchmark }: Pick<ItemRow, 'itemId' | 'style' | 'benchmark'>,
  params: URLSearchParams,
  at: number,
): string {
  // Filters carry the prefix f. here: "style" of the list and style of the item are two things.
  const filters = Object.fromEntries(
    [...params].flatMap(([name, value]) => (name === 'at' ? [] : [[`f.${name}`, value]])),
  );
  return runHref(run, 'item', { benchmark, style, id: itemId, at, ...filters });
}

/** Back from the parameters of an item page to those of its list. */
export function listParams(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams(
    [...params].flatMap(([name, value]) => (name.startsWith('f.') ? [[name.slice(2), value]] : [])),
  );
}
