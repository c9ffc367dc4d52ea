// Rows of training data as token ids and weights, in the order of the file.
import { SafeInferError } from '@safeinfer/backend';
import { encodeChatExamples, encodeTextExamples, type TrainingExample } from '@safeinfer/finetune';
import type { ChatMessage, Tokenizer, Transformer } from '@safeinfer/transformer';
import type { FinetuneConfig } from './finetune-schema.ts';
import type { TrainingRow } from './training-rows.ts';

/** @throws SafeInferError `BAD_DATASET`, `BAD_TOKENIZER`, `CONTEXT_OVERFLOW`, naming the row */
export function encodeRows(
  rows: readonly TrainingRow[],
  model: Transformer<Tokenizer>,
  data: FinetuneConfig['data'],
): TrainingExample[] {
  const { tokenizer } = model;
  if (tokenizer === undefined) {
    throw new SafeInferError('the model has no tokenizer', {
      code: 'BAD_TOKENIZER',
      hint: 'put tokenizer.json beside its weights',
    });
  }
  const limit = { maxTokens: data.maxTokens ?? model.config.maxPositions, tooLong: data.tooLong };
  return rows.flatMap((row) => {
    const conversation = conversationOf(row, data);
    if (conversation !== undefined) {
      if (tokenizer.chatTemplate === undefined) throw noTemplate(row.id);
      return encodeChatExamples({
        tokenizer,
        conversations: [{ id: row.id, messages: conversation }],
        learn: data.learn,
        promptWeight: data.promptWeight,
        ...limit,
      });
    }
    const { id, prompt, completion } = row as Extract<TrainingRow, { kind: 'pair' }>;
    return encodeTextExamples({
      tokenizer,
      pairs: [{ id, prompt, completion }],
      promptWeight: data.promptWeight,
      appendEos: data.appendEos,
      ...limit,
    });
  });
}

function conversationOf(
  row: TrainingRow,
  { pairs, systemPrompt }: FinetuneConfig['data'],
): ChatMessage[] | undefined {
  let messages: readonly { readonly role: string; readonly content: string }[];
  if (row.kind === 'messages') messages = row.messages;
  else if (pairs === 'chat' && row.prompt !== '') {
    messages = [
      { role: 'user', content: row.prompt },
      { role: 'assistant', content: row.completion },
    ];
  } else return undefined;
  const own = systemPrompt !== undefined && messages[0]?.role !== 'system';
  return [
    ...(own ? [{ role: 'system', content: systemPrompt }] : []),
    ...messages,
  ] as ChatMessage[];
}

function noTemplate(id: string): SafeInferError {
  return new SafeInferError(`'${id}' is a conversation, and the model has no chat template`, {
    code: 'BAD_TOKENIZER',
    hint: 'give {"prompt", "completion"} rows with `pairs: text`, or a model with a chat template',
  });
}
