// One conversation in a terminal: what was said, which arm answers, and the commands that start with a slash.
import { type Completion, generate, stream } from '@safeinfer/guided-sampler';
import { maskText } from '../mask/mask-text.ts';
import type { ServedArm } from './served-arms.ts';

interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatSession {
  readonly arm: string;
  /** Handles one line; false when it was the last. */
  line(text: string, signal: AbortSignal): Promise<boolean>;
}

const HELP = `/arm [name]     show the arms, or answer with another one from now on
/compare        ask every arm the last question again
/system [text]  set or clear the system message
/reset          forget the conversation
/exit           leave
`;

export function createChatSession(options: {
  readonly arms: readonly ServedArm[];
  readonly first: string;
  readonly maxNewTokens: number;
  readonly temperature: number | undefined;
  readonly seed: number;
  /** Answers are shown only as far as `maskText` shows them. */
  readonly mask: boolean;
  readonly write: (text: string) => void;
}): ChatSession {
  const { arms, write } = options;
  let arm = arms.find(({ name }) => name === options.first) as ServedArm;
  let system: string | undefined;
  let said: Message[] = [];
  let turn = 0;

  const request = (chosen: ServedArm, messages: readonly Message[], signal: AbortSignal) => {
    const all =
      system === undefined ? messages : [{ role: 'system', content: system }, ...messages];
    const { plan, render, defaults } = chosen.served;
    const { temperature } = options;
    return {
      ...defaults,
      plan,
      prompts: [render?.(all) ?? all],
      maxNewTokens: options.maxNewTokens,
      sampling: { ...defaults?.sampling, ...(temperature === undefined ? {} : { temperature }) },
      seed: options.seed + turn,
      attribution: 'none' as const,
      signal,
    };
  };

  async function answer(signal: AbortSignal): Promise<void> {
    let text = '';
    for await (const event of stream(request(arm, said, signal))) {
      text += event.text;
      if (!options.mask) write(event.text);
    }
    write(`${options.mask ? maskText(text) : ''}${signal.aborted ? ' [stopped]' : ''}\n`);
    said.push({ role: 'assistant', content: text });
    turn++;
  }

  async function compare(signal: AbortSignal): Promise<void> {
    const until = said.findLastIndex(({ role }) => role === 'user');
    if (until < 0) return write('nothing was asked yet\n');
    for (const other of arms) {
      const { completions } = await generate(request(other, said.slice(0, until + 1), signal));
      const { text } = completions[0] as Completion;
      write(`${other.name}: ${options.mask ? maskText(text) : text}\n`);
    }
  }

  function switchArm(name: string): void {
    const found = arms.find((other) => other.name === name);
    if (found !== undefined) arm = found;
    else if (name !== '') write(`no arm is called "${name}"\n`);
    const marked = arms.map((other) => (other === arm ? `[${other.name}]` : other.name));
    write(`arms: ${marked.join(' ')}\n`);
  }

  return {
    get arm() {
      return arm.name;
    },
    async line(text, signal) {
      const [, command, rest = ''] = /^\/(\w*)\s*(.*)$/.exec(text.trim()) ?? [];
      switch (command) {
        case undefined:
          if (text.trim() === '') return true;
          said.push({ role: 'user', content: text.trim() });
          await answer(signal);
          return true;
        case 'exit':
        case 'quit':
          return false;
        case 'arm':
        case 'arms':
          switchArm(rest);
          return true;
        case 'compare':
          await compare(signal);
          return true;
        case 'system':
          system = rest === '' ? undefined : rest;
          return true;
        case 'reset':
          said = [];
          turn = 0;
          return true;
        default:
          write(HELP);
          return true;
      }
    },
  };
}
