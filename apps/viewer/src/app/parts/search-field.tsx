// A search field that waits until typing pauses.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** Milliseconds without a key. */
const PAUSE = 250;

export function SearchField(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}): JSX.Element {
  const [text, setText] = useState(props.value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const settle = (value: string): void => {
    clearTimeout(timer.current);
    if (value !== props.value) props.onChange(value);
  };
  return (
    <label class="field wide">
      <span>{props.label}</span>
      <input
        type="search"
        value={text}
        spellcheck={false}
        onInput={(event) => {
          const { value } = event.currentTarget;
          setText(value);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => settle(value), PAUSE);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') settle(text);
        }}
      />
    </label>
  );
}
