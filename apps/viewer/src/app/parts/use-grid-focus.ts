// One tab stop for a whole grid; arrow keys, Home, End and Page keys move inside it (WAI-ARIA grid pattern).
import { useRef, useState } from 'preact/hooks';

export interface GridPlace {
  readonly row: number;
  readonly column: number;
}

interface CellProps {
  readonly tabIndex: number;
  readonly 'data-place': string;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

export interface GridFocus<E extends HTMLElement> {
  /** For the element around all cells. */
  readonly container: { current: E | null };
  readonly place: GridPlace;
  cell(row: number, column: number): CellProps;
}

/** Rows that Page Up and Page Down skip. */
const PAGE = 10;

export function useGridFocus<E extends HTMLElement>(options: {
  readonly rows: number;
  readonly columns: number;
  readonly start?: GridPlace;
  readonly onMove?: (place: GridPlace) => void;
}): GridFocus<E> {
  const { rows, columns } = options;
  const container = useRef<E>(null);
  const [wanted, setWanted] = useState<GridPlace>(options.start ?? { row: 0, column: 0 });
  const place = {
    row: Math.max(0, Math.min(wanted.row, rows - 1)),
    column: Math.max(0, Math.min(wanted.column, columns - 1)),
  };
  const move = (target: GridPlace): void => {
    const next = {
      row: Math.max(0, Math.min(target.row, rows - 1)),
      column: Math.max(0, Math.min(target.column, columns - 1)),
    };
    container.current
      ?.querySelector<HTMLElement>(`[data-place="${next.row},${next.column}"]`)
      ?.focus();
  };
  return {
    container,
    place,
    cell(row, column) {
      return {
        tabIndex: row === place.row && column === place.column ? 0 : -1,
        'data-place': `${row},${column}`,
        onFocus() {
          setWanted({ row, column });
          options.onMove?.({ row, column });
        },
        onKeyDown(event) {
          const target = gridStep(event, { row, column }, { rows, columns });
          if (!target) return;
          event.preventDefault();
          move(target);
        },
      };
    },
  };
}

/** Where a key leads; absent for keys that are not the grid's. */
export function gridStep(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey'>,
  { row, column }: GridPlace,
  size: { readonly rows: number; readonly columns: number },
): GridPlace | undefined {
  switch (event.key) {
    case 'ArrowUp':
      return { row: row - 1, column };
    case 'ArrowDown':
      return { row: row + 1, column };
    case 'ArrowLeft':
      return { row, column: column - 1 };
    case 'ArrowRight':
      return { row, column: column + 1 };
    case 'PageUp':
      return { row: row - PAGE, column };
    case 'PageDown':
      return { row: row + PAGE, column };
    case 'Home':
      return event.ctrlKey ? { row: 0, column: 0 } : { row, column: 0 };
    case 'End':
      return event.ctrlKey
        ? { row: size.rows - 1, column: size.columns - 1 }
        : { row, column: size.columns - 1 };
    default:
      return undefined;
  }
}
