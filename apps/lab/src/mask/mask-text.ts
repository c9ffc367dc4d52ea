// Hides text that may be harmful: enough stays visible to tell items apart, not enough to use.

/** Characters left visible at the start: a question's grammar, not its content. */
const VISIBLE = 12;

export function maskText(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  if (flat === '') return '(empty)';
  const head = flat.slice(0, VISIBLE);
  const hidden = flat.length - head.length;
  return hidden > 0 ? `${head}… [${hidden} characters masked]` : '[masked]';
}
