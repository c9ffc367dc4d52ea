// An OpenAI-compatible server on the loopback interface that follows a script: real sockets, statuses and headers.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChatMessage } from '../generate.ts';

/** What the server does with one request. */
export type EndpointReply =
  | { readonly say: string; readonly finishReason?: string }
  | {
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly raw: string }
  | 'hang'
  | 'drop';

export interface EndpointRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly seed?: number;
  readonly temperature?: number;
  readonly max_tokens?: number;
}

export interface ScriptedEndpoint {
  /** To pass as `baseUrl`. */
  readonly baseUrl: string;
  /** Bodies of all requests so far, with the time of arrival in milliseconds. */
  readonly requests: readonly {
    readonly body: EndpointRequest;
    readonly at: number;
    readonly authorization: string | undefined;
  }[];
  readonly close: () => Promise<void>;
}

/** Starts the server on a free port. `attempt` counts how often the same messages were sent, from 1. */
export async function scriptedEndpoint(
  script: (request: EndpointRequest, attempt: number) => EndpointReply,
): Promise<ScriptedEndpoint> {
  const requests: { body: EndpointRequest; at: number; authorization: string | undefined }[] = [];
  const attempts = new Map<string, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as EndpointRequest;
      requests.push({ body, at: performance.now(), authorization: request.headers.authorization });
      const key = JSON.stringify(body.messages);
      const attempt = (attempts.get(key) ?? 0) + 1;
      attempts.set(key, attempt);
      answer(response, script(body, attempt));
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, reply: EndpointReply): void {
  if (reply === 'hang') return;
  if (reply === 'drop') {
    response.destroy();
    return;
  }
  if ('raw' in reply) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(reply.raw);
    return;
  }
  if ('status' in reply) {
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.body ?? JSON.stringify({ error: { message: 'scripted failure' } }));
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: reply.say },
          finish_reason: reply.finishReason ?? 'stop',
        },
      ],
      usage: { prompt_tokens: 7, completion_tokens: 3 },
    }),
  );
}
