// Chat templates of real models against their expected texts, and the rules around them.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../loading/read-json.ts';
import { createTokenizer } from '../tokenizer/tokenizer.ts';
import { chatTemplatesOf, readChatTemplate } from './read-chat-template.ts';
import { type ChatMessage, encodeChat, renderChat } from './render-chat.ts';
import { strftime } from './strftime.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const models = join(process.env['SAFEINFER_SHARED'] ?? join(root, '..', 'shared'), 'models');
const folder = join(models, 'chat-templates');

/** Reference data is not part of the repository: without it these tests are skipped visibly. */
const present = existsSync(folder);

interface Triple {
  readonly chat_template: string;
  readonly data: JsonObject & { readonly messages: ChatMessage[] };
  readonly target: string;
}

describe.runIf(present)('47 triples of real models', async () => {
  const file = present
    ? await readFile(join(folder, 'e2e', 'chat-template-e2e.json'), 'utf8')
    : '{"default":{},"custom":{}}';
  const groups = JSON.parse(file) as Record<
    'default' | 'custom',
    Record<string, Triple> | [string, Triple][]
  >;
  const entries = [groups.default, groups.custom].flatMap((group) =>
    Array.isArray(group) ? group : Object.entries(group),
  );

  it('are all there', () => {
    expect(entries).toHaveLength(47);
  });

  it.each(entries)('%s', (name, { chat_template: template, data, target }) => {
    const { messages, ...variables } = data;
    const text = renderChat({
      template,
      messages,
      // A context without add_generation_prompt leaves it undefined, which is not the same as false.
      variables: { add_generation_prompt: undefined, ...variables },
      // Only SmolLM3 prints the date; its text was made at this time.
      ...(name.includes('SmolLM3') ? { now: new Date('2025-07-10T12:00:00Z') } : {}),
    });
    expect(text).toBe(target);
  });
});

describe.runIf(present)('template files of real models', () => {
  const messages = [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hi' },
    { role: 'user', content: 'Bye' },
  ];
  it.each([
    ['Qwen-Qwen2.5-7B-Instruct.jinja', '<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n'],
    ['google-gemma-2-2b-it.jinja', '<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n'],
    ['microsoft-Phi-3.5-mini-instruct.jinja', '<|user|>\nBye<|end|>\n<|assistant|>\n'],
    ['mistral-common-v3_spm.jinja', '[INST] Bye[/INST]'],
  ])('%s ends with the turn of the assistant', async (file, end) => {
    const template = await readFile(join(folder, file), 'utf8');
    const text = renderChat({
      template,
      messages,
      addGenerationPrompt: true,
      specialTokens: { bos: '<bos>', eos: '<eos>' },
    });
    expect(text.endsWith(end), text).toBe(true);
  });

  it('finds templates in tokenizer_config.json and chat_template.json', async () => {
    for (const name of ['qwen2.5', 'qwen3', 'phi-4-mini', 'gemma']) {
      const config = JSON.parse(
        await readFile(join(folder, `${name}.tokenizer_config.json`), 'utf8'),
      ) as JsonObject;
      const template = chatTemplatesOf(config);
      if (config['chat_template'] === undefined) expect(template, name).toBeUndefined();
      else expect(renderChat({ template: template ?? '', messages }), name).toContain('Hello');
    }
    const gemma3 = JSON.parse(
      await readFile(join(folder, 'gemma-3.chat_template.json'), 'utf8'),
    ) as JsonObject;
    expect(chatTemplatesOf(gemma3)?.get('default')).toContain('start_of_turn');
  });
});

const echo = '{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}\n{% endfor %}';
const user = { role: 'user', content: 'Hello' };

describe('renderChat', () => {
  it('gives the template special tokens, tools and variables', () => {
    const template = '{{ bos_token }}{{ tools | length }}{{ mood }}{{ add_generation_prompt }}';
    expect(
      renderChat({
        template,
        messages: [],
        specialTokens: { bos: '<s>' },
        tools: [{}, {}],
        variables: { mood: 'calm' },
        addGenerationPrompt: true,
      }),
    ).toBe('<s>2calmtrue');
  });

  it('picks the template for tools, a named one, or says which there are', () => {
    const template = new Map([
      ['default', 'plain'],
      ['tool_use', 'tools'],
      ['rag', 'documents'],
    ]);
    expect(renderChat({ template, messages: [] })).toBe('plain');
    expect(renderChat({ template, messages: [], tools: [] })).toBe('tools');
    expect(renderChat({ template, messages: [], templateName: 'rag' })).toBe('documents');
    expect(() => renderChat({ template, messages: [], templateName: 'x' })).toThrowError(
      expect.objectContaining({
        code: 'NOT_FOUND',
        message: expect.stringContaining('default, tool_use, rag'),
      }),
    );
    expect(() => renderChat({ messages: [] })).toThrowError(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });

  it('passes on what a template refuses', () => {
    const template =
      "{% if messages[0].role != 'user' %}{{ raise_exception('start with the user') }}{% endif %}ok";
    expect(renderChat({ template, messages: [user] })).toBe('ok');
    expect(() =>
      renderChat({ template, messages: [{ role: 'system', content: '' }] }),
    ).toThrowError(
      expect.objectContaining({
        code: 'BAD_ARGUMENT',
        message: expect.stringContaining('start with the user'),
      }),
    );
  });

  it('never reads the clock: without `now` a template falls back or throws', () => {
    const careful =
      "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}none{% endif %}";
    const careless = "{{ strftime_now('%d %b %Y') }}";
    const now = new Date('2024-02-29T23:59:00Z');
    expect(renderChat({ template: careful, messages: [] })).toBe('none');
    expect(renderChat({ template: careful, messages: [], now })).toBe('2024');
    expect(renderChat({ template: careless, messages: [], now })).toBe('29 Feb 2024');
    expect(() => renderChat({ template: careless, messages: [] })).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('now') }),
    );
  });

  it('goes on with the last message, also where the template trims it', () => {
    const messages = [user, { role: 'assistant', content: 'Hello, I ' }];
    const options = { messages, continueFinalMessage: true, specialTokens: { eos: '</s>' } };
    expect(renderChat({ template: echo, ...options })).toBe(
      '[user] Hello</s>\n[assistant] Hello, I ',
    );
    const trimming = echo.replace('m.content', 'm.content | trim');
    expect(renderChat({ template: trimming, ...options })).toBe(
      '[user] Hello</s>\n[assistant] Hello, I',
    );
    for (const bad of [
      { template: 'nothing', ...options },
      { template: echo, ...options, messages: [] },
      { template: echo, ...options, addGenerationPrompt: true },
    ]) {
      expect(() => renderChat(bad)).toThrowError(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
    }
  });

  it('refuses what is no Jinja, and a template that would fill the memory', () => {
    for (const [template, code] of [
      ['{% if %}', 'BAD_FILE'],
      ['{{ messages | frobnicate }}', 'UNSUPPORTED'],
      ['{% for i in range(1000000000) %}x{% endfor %}', 'UNSUPPORTED'],
      ["{{ strftime_now('%Q') }}", 'UNSUPPORTED'],
    ] as const) {
      expect(() => renderChat({ template, messages: [], now: new Date(0) })).toThrowError(
        expect.objectContaining({ code }),
      );
    }
    const count =
      '{% for i in range(2, 8, 3) %}{{ i }}{% endfor %}{% for i in range(2) %}{{ i }}{% endfor %}';
    expect(renderChat({ template: count, messages: [] })).toBe('2501');
  });
});

describe('encodeChat', () => {
  it('has BOS once, from the template', async () => {
    const path = new URL('../tokenizer/fixtures/byte-llama3.json', import.meta.url);
    const { tokenizer: json } = JSON.parse(await readFile(path, 'utf8')) as {
      tokenizer: JsonObject;
    };
    const config = { eos_token: '</s>', chat_template: `{{ bos_token }}${echo}` };
    const tokenizer = createTokenizer({ tokenizer: json, config }, chatTemplatesOf(config));
    const ids = encodeChat({ tokenizer, messages: [user] });
    expect(tokenizer.decode(ids)).toBe('<s>[user] Hello</s>\n');
    expect(ids.filter((id) => id === tokenizer.specialIds.bos)).toHaveLength(1);
  });
});

describe('strftime', () => {
  it('writes what Python writes', () => {
    const date = new Date('2025-03-05T07:08:09Z');
    expect(strftime(date, '%Y-%m-%d %H:%M:%S %y %B %b %A %a %I%p %j %F %-d %-m %e 100%%')).toBe(
      '2025-03-05 07:08:09 25 March Mar Wednesday Wed 07AM 064 2025-03-05 5 3  5 100%',
    );
    expect(strftime(new Date('2025-01-01T00:00:00Z'), '%I %p %-H')).toBe('12 AM 0');
  });
});

describe('readChatTemplate', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'chat-template-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('takes files before the config, and the config before chat_template.json', async () => {
    expect(await readChatTemplate(directory)).toBeUndefined();
    await writeFile(join(directory, 'chat_template.json'), '{"chat_template":"json"}');
    expect((await readChatTemplate(directory))?.get('default')).toBe('json');
    const list = [
      { name: 'default', template: 'list' },
      { name: 'rag', template: 'r' },
    ];
    const listed = await readChatTemplate(directory, { chat_template: list });
    expect([...(listed ?? [])]).toEqual([
      ['default', 'list'],
      ['rag', 'r'],
    ]);
    await writeFile(join(directory, 'chat_template.jinja'), 'file');
    await mkdir(join(directory, 'additional_chat_templates'));
    await writeFile(join(directory, 'additional_chat_templates', 'tool_use.jinja'), 'tools');
    const files = await readChatTemplate(directory, { chat_template: 'config' });
    expect([...(files ?? [])]).toEqual([
      ['default', 'file'],
      ['tool_use', 'tools'],
    ]);
  });

  it.each([[1], [['x']], [[{ name: 'a' }]], [{ a: 1 }]])('refuses %j', (entry) => {
    expect(() => chatTemplatesOf({ chat_template: entry })).toThrowError(
      expect.objectContaining({ code: 'BAD_FILE' }),
    );
  });
});
