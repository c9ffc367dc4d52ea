// EVALUATION.md: the table of every arm, then parts that commands of their own measure and keep in eval-parts/.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Parts in the order of the page. */
export const PARTS = ['simple', 'adapters', 'attacks', 'own-training'] as const;
export type Part = (typeof PARTS)[number];

const MARK = '<!-- What follows is made by `pnpm pocket:eval-part`. -->';
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const partPath = (part: Part): string => here(`../../eval-parts/${part}.md`);

/** The page: `main`, or what it holds so far, and every part that was measured. */
export function writeEvaluation(directory: string, main?: string): void {
  const path = `${directory}/EVALUATION.md`;
  const [own = ''] = (main ?? readFileSync(path, 'utf8')).split(MARK);
  const parts = PARTS.filter((part) => existsSync(partPath(part))).map((part) =>
    readFileSync(partPath(part), 'utf8').trim(),
  );
  writeFileSync(path, `${[own.trim(), MARK, ...parts].join('\n\n')}\n`);
}

export function keepPart(part: Part, text: string): void {
  mkdirSync(here('../../eval-parts'), { recursive: true });
  writeFileSync(partPath(part), `${text.trim()}\n`);
}
