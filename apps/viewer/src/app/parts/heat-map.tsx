// A matrix as a grid of coloured cells: one tab stop, arrow keys, and a line that says what the current cell holds.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type GridPlace, useGridFocus } from './use-grid-focus.ts';

export function HeatMap(props: {
  readonly label: string;
  readonly rowNames: readonly string[];
  readonly columnNames: readonly string[];
  readonly rowTitle: string;
  readonly columnTitle: string;
  readonly values: readonly (readonly number[])[];
  readonly colour: (value: number) => string;
  readonly valueText: (value: number) => string;
  /** Cells to outline. */
  readonly marked?: ReadonlySet<string>;
  /** Rows to set off. */
  readonly markedRows?: (row: number) => boolean;
  readonly describe: (place: GridPlace) => string;
}): JSX.Element {
  const { rowNames, columnNames, values } = props;
  const [hovered, setHovered] = useState<GridPlace>();
  const grid = useGridFocus<HTMLTableElement>({
    rows: rowNames.length,
    columns: columnNames.length,
  });
  const shown = hovered ?? grid.place;
  return (
    <figure class="heat">
      <figcaption>
        <b>{props.label}</b> <output class="muted">{props.describe(shown)}</output>
      </figcaption>
      <div class="scroll">
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table with keyboard movement is a grid
          role="grid"
          class="map"
          aria-label={props.label}
          ref={grid.container}
          onMouseLeave={() => setHovered(undefined)}
        >
          <thead>
            <tr>
              <th scope="col" class="corner">
                {props.rowTitle} \ {props.columnTitle}
              </th>
              {columnNames.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rowNames.map((name, row) => (
              <tr key={`${row} ${name}`} class={props.markedRows?.(row) ? 'marked' : undefined}>
                <th scope="row">{name}</th>
                {columnNames.map((column, c) => {
                  const value = values[row]?.[c] ?? Number.NaN;
                  return (
                    // biome-ignore lint/a11y/useFocusableInteractive: the grid gives it its tab index
                    <td
                      key={column}
                      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a cell of a grid takes the focus
                      role="gridcell"
                      class={props.marked?.has(`${row},${c}`) ? 'marked' : undefined}
                      aria-label={`${props.rowTitle} ${name}, ${props.columnTitle} ${column}: ${props.valueText(value)}`}
                      style={{ background: props.colour(value) }}
                      onMouseEnter={() => setHovered({ row, column: c })}
                      {...grid.cell(row, c)}
                    />
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
