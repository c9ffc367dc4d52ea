// `safeinfer doctor`: what this machine can compute with, and the command that makes more possible.
import { describeBackends } from '@safeinfer/backend';
import { textTable } from '../report/format-table.ts';

const GIGABYTE = 1024 ** 3;

export async function doctorCommand(flags: { readonly json?: boolean }): Promise<void> {
  const facts = await describeBackends();
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
    return;
  }
  const { node, platform, cpu, cores, memoryBytes, freeMemoryBytes } = facts;
  process.stdout.write(
    `Node ${node} on ${platform}; ${cpu}, ${cores} cores; memory ${gigabytes(memoryBytes)}, ${gigabytes(freeMemoryBytes)} free\n\n`,
  );
  const rows = facts.backends.map(({ name, available, threads, versions, limit }) => [
    name,
    available ? 'yes' : 'no',
    available ? String(threads) : '',
    Object.entries(versions)
      .map(([library, version]) => `${library} ${version}`)
      .join(', '),
    limit,
  ]);
  process.stdout.write(
    `${textTable([['backend', 'works', 'threads', 'versions', 'memory limit'], ...rows])}\n\n`,
  );
  for (const { name, available, reason, remedy } of facts.backends) {
    if (!available) process.stdout.write(`${name}: ${reason}\n  ${remedy}\n`);
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / GIGABYTE).toFixed(1)} GiB`;
}
