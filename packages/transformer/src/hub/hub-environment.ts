// Where the Hub cache lies and how the Hub is reached, by the environment variables that Python reads.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The variables of a process; `process.env` unless a caller gives its own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says about the Hub. */
export interface HubEnvironment {
  /** Directory of the cache, absolute. */
  readonly cacheDirectory: string;
  /** Address of the Hub without a slash at the end. */
  readonly endpoint: string;
  /** No network may be used. */
  readonly offline: boolean;
}

/**
 * Reads the environment as `huggingface_hub/constants.py` does. Cache: `HF_HUB_CACHE`, then
 * `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`,
 * `~/.cache/huggingface/hub`; `~` and `$NAME` are expanded. Offline: `HF_HUB_OFFLINE`, else
 * `TRANSFORMERS_OFFLINE`. Endpoint: `HF_ENDPOINT`.
 */
export function readHubEnvironment(environment: Environment = process.env): HubEnvironment {
  const set = (name: string): string | undefined => environment[name] || undefined;
  const cache = set('HF_HUB_CACHE') ?? set('HUGGINGFACE_HUB_CACHE');
  const endpoint = set('HF_ENDPOINT') ?? 'https://huggingface.co';
  return {
    cacheDirectory: resolve(
      cache === undefined ? join(hubHome(environment), 'hub') : expand(cache, environment),
    ),
    endpoint: endpoint.replace(/\/+$/, ''),
    offline: isTrue(set('HF_HUB_OFFLINE') ?? set('TRANSFORMERS_OFFLINE')),
  };
}

/** `HF_HOME`, where Python keeps the cache and the token. */
function hubHome(environment: Environment): string {
  const { HF_HOME: home, XDG_CACHE_HOME: cache } = environment;
  if (home) return expand(home, environment);
  const base = cache ? expand(cache, environment) : join(userHome(environment), '.cache');
  return join(base, 'huggingface');
}

function userHome(environment: Environment): string {
  return environment['HOME'] || homedir();
}

function expand(path: string, environment: Environment): string {
  const absolute = path.replace(/^~(?=$|[/\\])/, () => userHome(environment));
  return absolute.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, plain?: string, braced?: string) => {
    return environment[plain ?? braced ?? ''] ?? whole;
  });
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase());
}

/**
 * The access token: `HF_TOKEN`, else the file `HF_TOKEN_PATH` or `HF_HOME/token`; undefined when
 * there is none or `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
 */
export async function readHubToken(
  environment: Environment = process.env,
): Promise<string | undefined> {
  if (isTrue(environment['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  const given = environment['HF_TOKEN'] || environment['HUGGING_FACE_HUB_TOKEN'];
  if (given) return cleaned(given);
  const path = environment['HF_TOKEN_PATH'];
  const file = path ? expand(path, environment) : join(hubHome(environment), 'token');
  return cleaned(await readFile(file, 'utf8').catch(() => ''));
}

function cleaned(token: string): string | undefined {
  return token.replace(/[\r\n]/g, '').trim() || undefined;
}
