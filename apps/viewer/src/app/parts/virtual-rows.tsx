// A list of any length of which only the rows in sight exist. One tab stop; arrow, Page, Home and End keys move the
// current row, Enter opens it.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from '@tanstack/virtual-core';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';

/** Rows kept above and below those in sight. */
const OVERSCAN = 8;

export function VirtualRows(props: {
  readonly label: string;
  readonly count: number;
  /** Pixels; every row has the same height. */
  readonly rowHeight: number;
  readonly start: number;
  /** Told when the rows in sight change; `last` is inclusive. */
  readonly onRange: (first: number, last: number) => void;
  readonly onActive: (row: number) => void;
  readonly onOpen: (row: number) => void;
  readonly row: (row: number) => JSX.Element;
}): JSX.Element {
  const { count, rowHeight, label } = props;
  const viewport = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const [active, setActive] = useState(props.start);
  const [virtualizer] = useState(
    () =>
      new Virtualizer<HTMLDivElement, HTMLDivElement>({
        count,
        getScrollElement: () => viewport.current,
        estimateSize: () => rowHeight,
        overscan: OVERSCAN,
        initialOffset: props.start * rowHeight,
        observeElementRect,
        observeElementOffset,
        scrollToFn: elementScroll,
        onChange: () => redraw(undefined),
      }),
  );
  virtualizer.setOptions({ ...virtualizer.options, count, estimateSize: () => rowHeight });
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());

  const items = virtualizer.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  const { onRange } = props;
  // Told of the range, not of a new callback.
  useEffect(() => onRange(first, last), [first, last, count]);

  const current = Math.max(0, Math.min(active, count - 1));
  const rowId = (row: number): string => `row-${row}`;
  const move = (row: number): void => {
    const target = Math.max(0, Math.min(row, count - 1));
    setActive(target);
    virtualizer.scrollToIndex(target, { align: 'auto' });
    props.onActive(target);
  };
  const page = Math.max(1, Math.floor((viewport.current?.clientHeight ?? 0) / rowHeight) - 1);
  const steps: Readonly<Record<string, () => void>> = {
    ArrowDown: () => move(current + 1),
    ArrowUp: () => move(current - 1),
    PageDown: () => move(current + page),
    PageUp: () => move(current - page),
    Home: () => move(0),
    End: () => move(count - 1),
    Enter: () => props.onOpen(current),
  };
  return (
    <div
      class="viewport"
      role="listbox"
      aria-label={label}
      aria-activedescendant={count > 0 ? rowId(current) : undefined}
      tabIndex={0}
      ref={viewport}
      onKeyDown={(event) => {
        const step = steps[event.key];
        if (!step) return;
        event.preventDefault();
        step();
      }}
    >
      <div class="canvas" role="presentation" style={{ height: `${virtualizer.getTotalSize()}px` }}>
        {items.map(({ index, start }) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the list keeps the focus and names its active row
          // biome-ignore lint/a11y/useKeyWithClickEvents: Enter on the list opens the active row
          <div
            key={index}
            id={rowId(index)}
            role="option"
            aria-selected={index === current}
            aria-posinset={index + 1}
            aria-setsize={count}
            class={index === current ? 'line current' : 'line'}
            style={{ height: `${rowHeight}px`, transform: `translateY(${start}px)` }}
            onClick={() => {
              setActive(index);
              props.onActive(index);
              props.onOpen(index);
            }}
          >
            {props.row(index)}
          </div>
        ))}
      </div>
    </div>
  );
}
