// Import of a package that the user may or may not have installed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BackendRefusal } from './candidate.ts';

/**
 * Imports an optional package, looked up beside this one and then from the working directory (strict
 * package managers link optional peers only where the user asked for them).
 *
 * @throws BackendRefusal with the install command, or with the package's own reason for not loading.
 */
export async function importOptional(name: string, install: string): Promise<unknown> {
  try {
    return await import(/* @vite-ignore */ name);
  } catch (error) {
    if (!isMissing(error, name)) throw loadFailure(name, install, error);
  }
  const path = resolveFromWorkingDirectory(name);
  if (path === undefined) {
    throw new BackendRefusal(`the package ${name} is not installed`, install);
  }
  try {
    return await import(/* @vite-ignore */ pathToFileURL(path).href);
  } catch (error) {
    throw loadFailure(name, install, error);
  }
}

/** Path of a package's entry as this package or the user's own project resolves it, or undefined. */
export function resolveOptional(name: string): string | undefined {
  return resolveFrom(import.meta.url, name) ?? resolveFromWorkingDirectory(name);
}

/** Version in a package's manifest: for packages that do not export theirs. */
export function versionOf(name: string): string {
  const manifest = resolveOptional(`${name}/package.json`);
  if (manifest === undefined) return 'unknown';
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }).version ?? 'unknown';
}

function resolveFromWorkingDirectory(name: string): string | undefined {
  return resolveFrom(join(process.cwd(), 'package.json'), name);
}

function resolveFrom(origin: string, name: string): string | undefined {
  try {
    return createRequire(origin).resolve(name);
  } catch {
    return undefined;
  }
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  // The message names the missing module: a dependency of the package is a broken install, not absence.
  return missing || (message?.includes(`Cannot find package '${name}'`) ?? false);
}

function loadFailure(name: string, install: string, error: unknown): BackendRefusal {
  const reason = error instanceof Error ? error.message.trim().split('\n')[0] : String(error);
  return new BackendRefusal(`${name} does not load: ${reason}`, install, error);
}
