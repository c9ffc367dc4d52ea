// Loads the XGrammar engine (WebAssembly). Its npm file is a UMD script inside a package marked as ES module.
import type * as XGrammar from '@mlc-ai/web-xgrammar';

export type Engine = typeof XGrammar;

let engine: Promise<Engine> | undefined;

/**
 * Node takes the file for an ES module and fails on `require`; so it is given the CommonJS names it expects, as a
 * module of its own. Bundlers for browsers convert the file and take the plain import.
 */
async function load(): Promise<Engine> {
  const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;
  if (!inNode) return import('@mlc-ai/web-xgrammar');
  const { createRequire } = await import('node:module');
  const { readFile } = await import('node:fs/promises');
  const path = createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar');
  const source = await readFile(path, 'utf8');
  const wrapped = [
    "import { createRequire } from 'node:module';",
    `const __filename = ${JSON.stringify(path)};`,
    "const __dirname = '';",
    'const require = createRequire(__filename);',
    'const module = { exports: {} };',
    'const exports = module.exports;',
    source.replace(/^\/\/# sourceMappingURL=.*$/m, ''),
    'export default module.exports;',
  ].join('\n');
  const url = `data:text/javascript;base64,${Buffer.from(wrapped).toString('base64')}`;
  const loaded = (await import(/* @vite-ignore */ url)) as { readonly default: Engine };
  return loaded.default;
}

/** The engine, loaded once. */
export function xgrammar(): Promise<Engine> {
  engine ??= load();
  return engine;
}
