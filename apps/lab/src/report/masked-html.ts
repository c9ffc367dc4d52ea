// Text that may be harmful, inside a page without scripts: masked, and at most revealed by a click.
import { maskText } from '../mask/mask-text.ts';
import { escapeHtml } from './escape-html.ts';

/**
 * The masked text; with `reveal`, the whole text behind it. It is written as character references, so that searching,
 * indexing or opening the file in an editor shows nothing either.
 */
export function maskedHtml(text: string, reveal: boolean): string {
  const masked = escapeHtml(maskText(text));
  if (!reveal || text.trim() === '') return masked;
  const hidden = [...text].map((letter) => `&#${letter.codePointAt(0)};`).join('');
  return `<details class="mask"><summary>${masked}</summary><div>${hidden}</div></details>`;
}
