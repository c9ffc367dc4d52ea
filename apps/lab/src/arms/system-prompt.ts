// The system prompt of an arm or a style, and requests that carry it.
import {
  defineGenerate,
  type Generate,
  type Prompt,
  type SystemPrompt,
  systemPrompts,
} from '@safeinfer/harmeval';

/** A system prompt by id (helpful, safe, guard), or the words themselves. */
export function systemPromptOf(text: string): SystemPrompt {
  const known = Object.hasOwn(systemPrompts, text) ? systemPrompts[text] : undefined;
  return known ?? { id: 'system', text };
}

/** Every request with the arm's system prompt first; it is then part of what a stored answer is known by. */
export function withArmSystemPrompt(generate: Generate, system: string | undefined): Generate {
  if (system === undefined) return generate;
  return defineGenerate(
    (requests, options) =>
      generate(
        requests.map((request) => ({ ...request, prompt: prependSystem(request.prompt, system) })),
        options,
      ),
    generate.batchSize === undefined ? {} : { batchSize: generate.batchSize },
  );
}

/** The prompt as the arm asks it. A style's own system prompt stays: it comes after the arm's. */
export function prependSystem(prompt: Prompt, system: string | undefined): Prompt {
  if (system === undefined) return prompt;
  const { text } = systemPromptOf(system);
  if (prompt.kind === 'raw') return { kind: 'raw', text: `${text}\n\n${prompt.text}` };
  return { kind: 'chat', messages: [{ role: 'system', content: text }, ...prompt.messages] };
}
