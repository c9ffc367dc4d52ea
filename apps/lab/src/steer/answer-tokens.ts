// Tokens of an answer as it stands behind its prompt: both encoded as one text, never apart.
import { SafeInferError } from '@safeinfer/backend';
import { renderChat, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import { hasChatTemplate } from '../model/has-chat-template.ts';

export interface Exchange {
  readonly question: string;
  /** Raw text goes on with it as it stands; a chat template writes it as it writes answers. */
  readonly answer: string;
  readonly system?: string | undefined;
}

/** A prompt as the model was trained to see one: its chat template where it has one, raw text otherwise. */
export function promptTokens(model: Transformer, exchange: Omit<Exchange, 'answer'>): number[] {
  return encode(model, promptText(model, exchange));
}

/**
 * SentencePiece tokenizers (Llama 2, Mistral, Phi-3) put a space before every text, so " Sure" alone would become a
 * lone space and " Sure", which no answer begins with. A token that straddles the border counts as part of the answer.
 */
export function answerTokens(
  model: Transformer,
  exchange: Exchange,
): { readonly prompt: readonly number[]; readonly response: readonly number[] } {
  const prompt = promptTokens(model, exchange);
  const whole = encode(model, wholeText(model, exchange));
  let start = 0;
  while (start < prompt.length && prompt[start] === whole[start]) start += 1;
  return { prompt: whole.slice(0, start), response: whole.slice(start) };
}

/**
 * First token of an answer.
 * @throws BAD_ARGUMENT without one, BAD_TOKENIZER where it does not follow the prompt's own tokens
 */
export function openingToken(model: Transformer, exchange: Exchange): number {
  const text = JSON.stringify(exchange.answer);
  const { prompt, response } = answerTokens(model, exchange);
  const [token] = response;
  if (exchange.answer === '' || token === undefined) {
    throw new SafeInferError(`${text} is no token of this model`, {
      code: 'BAD_ARGUMENT',
      hint: 'name how an answer begins, with its leading space where raw text wants one',
    });
  }
  if (prompt.length === promptTokens(model, exchange).length) return token;
  throw new SafeInferError(`the tokenizer merges ${text} with the end of the prompt`, {
    code: 'BAD_TOKENIZER',
    hint: 'let prompts end without a space; the answer begins with it',
  });
}

function wholeText(model: Transformer, exchange: Exchange): string {
  const { question, system, answer } = exchange;
  const prompt = promptText(model, exchange);
  const spoken = answer.trimStart();
  if (spoken.trim() === '' || !hasChatTemplate(model)) return prompt + answer;
  const rendered = renderChat({
    tokenizer: model.tokenizer as Tokenizer,
    messages: [...messagesOf(question, system), { role: 'assistant', content: spoken }],
  });
  // Whether a space stands between is the template's to say. One that writes more before an answer (an empty
  // thought) writes what its prompt leaves to the model, so there the answer follows the prompt at once.
  const at = rendered.startsWith(prompt) ? rendered.indexOf(spoken.trimEnd(), prompt.length) : -1;
  const between = at < 0 ? '' : rendered.slice(prompt.length, at);
  return prompt + (between.trim() === '' ? between : '') + spoken;
}

function promptText(model: Transformer, { question, system }: Omit<Exchange, 'answer'>): string {
  if (!hasChatTemplate(model)) return system ? `${system}\n\n${question}` : question;
  return renderChat({
    tokenizer: model.tokenizer as Tokenizer,
    messages: messagesOf(question, system),
    addGenerationPrompt: true,
  });
}

function messagesOf(question: string, system: string | undefined) {
  return [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: question },
  ];
}

function encode(model: Transformer, text: string): number[] {
  const { tokenizer } = model;
  if (!tokenizer) {
    throw new SafeInferError('the model has no tokenizer, so prompts cannot be encoded', {
      code: 'BAD_TOKENIZER',
      hint: 'load it from a directory with tokenizer.json',
    });
  }
  // A template writes the special tokens itself.
  return [...tokenizer.encode(text, { addSpecialTokens: !hasChatTemplate(model) })];
}
