// Shows or hides the harmful text of this page.
import type { JSX } from 'preact';
import { useApp } from '../app-context.ts';

export function RevealToggle(): JSX.Element {
  const { source, reveal, setReveal } = useApp();
  if (!source.canReveal()) {
    return <span class="muted small">This export was made without harmful text.</span>;
  }
  return (
    <button
      type="button"
      class="toggle"
      aria-pressed={reveal}
      aria-keyshortcuts="m"
      onClick={() => setReveal(!reveal)}
    >
      {reveal ? 'Hide harmful text' : 'Show harmful text'}
    </button>
  );
}
