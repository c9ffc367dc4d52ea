// Which items a page asks for; the same names stand in the address of the page.

export const DISAGREEMENTS = ['any', 'arms', 'judges', 'unscored'] as const;

export interface ItemQuery {
  readonly edit?: string | undefined;
  readonly arm?: string | undefined;
  readonly outcome?: string | undefined;
  readonly style?: string | undefined;
  readonly benchmark?: string | undefined;
  readonly category?: string | undefined;
  readonly kind?: string | undefined;
  readonly disagree?: string | undefined;
  /** Text that the prompt, an answer or the item id contains; letter case does not matter. */
  readonly q?: string | undefined;
}

const NAMES = [
  'edit',
  'arm',
  'outcome',
  'style',
  'benchmark',
  'category',
  'kind',
  'disagree',
  'q',
] as const;

/** Empty values count as absent. */
export function itemQueryFrom(get: (name: string) => string | null | undefined): ItemQuery {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = get(name);
      return value ? [[name, value]] : [];
    }),
  );
}
