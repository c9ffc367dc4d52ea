// Enforces the dependency direction of the monorepo: reads every package's manifest and import statements and
// fails on an edge that is not allowed, on an import that the manifest does not declare, and on a package cycle.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What each workspace package may import from the others. A new edge is a design decision: add it here. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  backend: [],
  'backend-ort': ['backend'],
  transformer: ['backend'],
  finetune: ['backend', 'transformer'],
  steering: ['backend', 'transformer'],
  'guided-sampler': ['backend', 'transformer'],
  editing: ['backend', 'transformer'],
  harmeval: [],
  // Data plus a loader.
  pocket: ['backend', 'transformer'],
  lab: [
    'backend',
    'backend-ort',
    'transformer',
    'finetune',
    'steering',
    'guided-sampler',
    'editing',
    'harmeval',
    'pocket',
    'viewer',
  ],
  viewer: [],
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const SCOPE = '@safeinfer/';

interface Workspace {
  readonly name: string;
  readonly directory: string;
  readonly declared: ReadonlySet<string>;
  readonly runtime: ReadonlySet<string>;
}

function workspaces(): Workspace[] {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).flatMap((folder) => {
      const directory = join(root, group, folder);
      let text: string;
      try {
        text = readFileSync(join(directory, 'package.json'), 'utf8');
      } catch {
        return [];
      }
      const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
      const runtime = Object.keys({ ...manifest['dependencies'], ...manifest['peerDependencies'] });
      const declared = [...runtime, ...Object.keys(manifest['devDependencies'] ?? {})];
      return [{ name: folder, directory, declared: new Set(declared), runtime: new Set(runtime) }];
    }),
  );
}

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

const IMPORT = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)['"](@safeinfer\/[a-z-]+)[^'"]*['"]/g;
const problems: string[] = [];
const edges = new Map<string, Set<string>>();

for (const workspace of workspaces()) {
  const allowed = ALLOWED[workspace.name];
  if (!allowed) {
    problems.push(
      `${workspace.name}: not listed in tools/check-boundaries; say what it may import`,
    );
    continue;
  }
  const used = new Set<string>();
  for (const dependency of workspace.runtime) {
    if (dependency.startsWith(SCOPE)) used.add(dependency.slice(SCOPE.length));
  }
  for (const file of sources(join(workspace.directory, 'src'))) {
    const isTest = file.includes('.test.');
    for (const [, dependency = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const target = dependency.slice(SCOPE.length);
      if (target === workspace.name) continue;
      if (!workspace.declared.has(dependency)) {
        problems.push(
          `${relative(root, file)} imports ${dependency}, which its package.json does not declare`,
        );
      }
      if (!isTest) used.add(target);
    }
  }
  for (const target of used) {
    if (!allowed.includes(target)) {
      problems.push(
        `${workspace.name} may not depend on ${target} (allowed: ${allowed.join(', ') || 'nothing'})`,
      );
    }
  }
  edges.set(workspace.name, used);
}

function findCycle(from: string, path: readonly string[]): readonly string[] | undefined {
  if (path.includes(from)) return [...path.slice(path.indexOf(from)), from];
  for (const next of edges.get(from) ?? []) {
    const cycle = findCycle(next, [...path, from]);
    if (cycle) return cycle;
  }
  return undefined;
}
for (const name of edges.keys()) {
  const cycle = findCycle(name, []);
  if (cycle) {
    problems.push(`package cycle: ${cycle.join(' -> ')}`);
    break;
  }
}

if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n`);
  process.exit(1);
}
process.stdout.write(`package boundaries: ${edges.size} packages, direction and cycles clean\n`);
