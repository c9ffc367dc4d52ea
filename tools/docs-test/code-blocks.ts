// The TypeScript blocks of a Markdown file, with the line they start at.

export interface CodeBlock {
  readonly line: number;
  readonly code: string;
  /** Why the block is not executed, from a fence like "```ts no-run: needs a GPU". */
  readonly notRun?: string;
}

const FENCE = /^```ts(?:\s+no-run:\s*(.+))?\s*\n([\s\S]*?)^```\s*$/gm;

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(FENCE)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length,
    code: match[2]!,
    ...(match[1] ? { notRun: match[1] } : {}),
  }));
}
