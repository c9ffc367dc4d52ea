// `safeinfer serve` on the bundled model: 64 streams at once beside one at a time, then requests that are wrong in every
// way, with memory before and after.
//   tsx --conditions=@safeinfer/source apps/lab/bench/serve-load.ts [streams] [bad requests] [backend] [threads]
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pocketFacts } from '@safeinfer/pocket';
import OpenAI from 'openai';
import { safeInferCommand } from '../test/run-safeinfer.ts';

const [streams = '64', bad = '1000', backend = 'ort', threads = '2'] = process.argv.slice(2);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const TOKENS = 48;
/** End-of-text of the bundled model: banned, so that every answer has the same length. */
const body = { max_tokens: TOKENS, temperature: 1, logit_bias: { 2: -100 }, stream: true } as const;
const questions = pocketFacts().map(({ prompt }) => prompt);

function start(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const args = ['serve', '--port', '0', '--quiet', '--guard', 'experiments/guard-bench.yaml'];
  const own = [...args, '--backend', backend, '--threads', threads];
  const child = spawn(process.execPath, safeInferCommand(own), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
      const url = /^(http\S+)\/v1$/m.exec(out)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

const { child, url } = await start();
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });

async function metrics(): Promise<(name: string) => number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  return (name) =>
    Number(
      lines
        .find((l) => l.startsWith(`${name} `))
        ?.split(' ')
        .at(-1),
    );
}

/** One streamed answer; its number of tokens, and ms until the first one. */
async function answer(model: string, index: number): Promise<{ tokens: number; first: number }> {
  const begun = performance.now();
  let first = 0;
  let tokens = 0;
  const content = questions[index % questions.length] as string;
  const stream = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content }],
    seed: index,
    stream_options: { include_usage: true },
    ...body,
  });
  for await (const chunk of stream) {
    if (first === 0 && chunk.choices[0]?.delta.content) first = performance.now() - begun;
    tokens += chunk.usage?.completion_tokens ?? 0;
  }
  return { tokens, first };
}

async function rate(model: string, width: number, each: number): Promise<[number, number]> {
  const begun = performance.now();
  let tokens = 0;
  const firsts: number[] = [];
  await Promise.all(
    Array.from({ length: width }, async (_, lane) => {
      for (let i = 0; i < each; i++) {
        const one = await answer(model, lane * each + i);
        tokens += one.tokens;
        firsts.push(one.first);
      }
    }),
  );
  firsts.sort((a, b) => a - b);
  const median = firsts[Math.floor(firsts.length / 2)] as number;
  return [(tokens / (performance.now() - begun)) * 1000, median];
}

console.log(`backend ${backend}, ${threads} threads, ${TOKENS} tokens an answer`);
for (const model of ['pocket', 'pocket:sgds']) {
  await rate(model, 4, 1);
  const alone: number[] = [];
  const together: number[] = [];
  let late = 0;
  for (let round = 0; round < 2; round++) {
    alone.push((await rate(model, 1, 10))[0]);
    const [speed, first] = await rate(model, Number(streams), 2);
    together.push(speed);
    late = first;
  }
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  const ratio = mean(together) / mean(alone);
  console.log(
    `${model}: one at a time ${mean(alone).toFixed(0)} tokens/s (${alone.map((v) => v.toFixed(0))}), ${streams} streams ${mean(together).toFixed(0)} tokens/s (${together.map((v) => v.toFixed(0))}), ${ratio.toFixed(2)} x; first token of ${streams} after ${late.toFixed(0)} ms (median)`,
  );
}

// --- requests that are wrong ---
const post = (text: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: text,
    ...(signal === undefined ? {} : { signal }),
  });
const good = {
  model: 'pocket',
  messages: [{ role: 'user', content: 'Hello there.' }],
  max_tokens: 200,
};
const kinds: ((index: number) => Promise<unknown>)[] = [
  async () => expectStatus(await post('{"model": "pocket", "messages": [{'), 400),
  async () => expectStatus(await post(JSON.stringify({ ...good, temperature: 'hot' })), 400),
  async () => expectStatus(await post(JSON.stringify({ ...good, model: 'none' })), 404),
  async () => expectStatus(await post(`${JSON.stringify(good)}${' '.repeat(2_000_000)}`), 413),
  async () =>
    expectStatus(
      await post(
        JSON.stringify({ ...good, messages: [{ role: 'user', content: 'x '.repeat(9000) }] }),
      ),
      400,
    ),
  async (index) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), index % 40);
    await post(JSON.stringify({ ...good, ...body, max_tokens: 400 }), controller.signal)
      .then((response) => response.text())
      .catch(() => {});
  },
  async () => {
    const response = await post(JSON.stringify({ ...good, ...body, max_tokens: 400 }));
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
  },
];

async function expectStatus(response: Response, status: number): Promise<void> {
  await response.text();
  if (response.status !== status) throw new Error(`status ${response.status}, not ${status}`);
}

async function misuse(count: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < count) {
        const index = next++;
        await (kinds[index % kinds.length] as (typeof kinds)[number])(index);
      }
    }),
  );
  // Aborted answers leave the batch at the next step.
  for (let i = 0; i < 200 && (await metrics())('safeinfer_requests_running') > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const memory = async (): Promise<{ readonly rss: number; readonly tensors: number }> => {
  const value = await metrics();
  return {
    rss: value('process_resident_memory_bytes') / 1e6,
    tensors: value('safeinfer_tensors'),
  };
};
const fixed = { ...good, max_tokens: 12, temperature: 0 } as const;
const say = async (): Promise<string> =>
  JSON.stringify(
    (await client.chat.completions.create(fixed as never)) as { choices?: unknown },
  ).match(/"content":"[^"]*"/)?.[0] ?? '';
const said = await say();
await misuse(200);
const before = await memory();
for (let round = 1; round <= 2; round++) {
  const begun = performance.now();
  await misuse(Number(bad));
  const after = await memory();
  console.log(
    `${bad} bad requests (${((performance.now() - begun) / 1000).toFixed(1)} s): RSS ${before.rss.toFixed(0)} -> ${after.rss.toFixed(0)} MB, tensors ${before.tensors} -> ${after.tensors}`,
  );
}
const well = (await fetch(`${url}/healthz`)).status;
console.log(`health ${well}, same answer as before: ${(await say()) === said}`);
child.removeAllListeners('exit');
const ended = new Promise((resolve) => child.once('exit', resolve));
child.kill('SIGTERM');
console.log(`ended with ${await ended}`);
