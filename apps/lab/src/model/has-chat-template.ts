// Whether prompts to a model are rendered as chat.
import type { Transformer } from '@safeinfer/transformer';

export function hasChatTemplate({ tokenizer }: Transformer): boolean {
  return (tokenizer as { readonly chatTemplate?: unknown } | undefined)?.chatTemplate !== undefined;
}
