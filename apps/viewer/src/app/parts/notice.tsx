// What a page says when it has nothing else to show.
import type { ComponentChildren, JSX } from 'preact';

export function Notice(props: {
  readonly error?: string | undefined;
  readonly children?: ComponentChildren;
}): JSX.Element {
  if (props.error !== undefined) {
    return (
      <p class="notice error" role="alert">
        {props.error}
      </p>
    );
  }
  return <p class="notice">{props.children}</p>;
}
