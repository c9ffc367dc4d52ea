// A labelled choice; the empty choice means "all".
import type { JSX } from 'preact';

export function SelectField(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (string | { readonly value: string; readonly text: string })[];
  /** Text of the empty choice; absent: there is none. */
  readonly all?: string;
  readonly onChange: (value: string) => void;
}): JSX.Element {
  const known = props.options.map((option) =>
    typeof option === 'string' ? { value: option, text: option } : option,
  );
  return (
    <label class="field">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.all !== undefined && <option value="">{props.all}</option>}
        {known.map(({ value, text }) => (
          <option key={value} value={value}>
            {text || '(none)'}
          </option>
        ))}
      </select>
    </label>
  );
}
