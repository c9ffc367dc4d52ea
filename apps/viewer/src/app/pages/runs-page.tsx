// All runs of the directory, with live progress.
import type { JSX } from 'preact';
import { useApp } from '../app-context.ts';
import { bytesText } from '../format.ts';
import { Notice } from '../parts/notice.tsx';
import { RunProgress } from '../parts/progress-bar.tsx';
import { runHref } from '../route.ts';
import { useLoaded } from '../use-loaded.ts';

/** Milliseconds between questions while a run is under way, and while none is. */
const BUSY = 1000;
const IDLE = 5000;

export function RunsPage(): JSX.Element {
  const { source } = useApp();
  const { value: runs, error } = useLoaded(
    'runs',
    () => source.runs(),
    (found) => {
      if (!source.live) return undefined;
      return found.some(({ status }) => status === 'running') ? BUSY : IDLE;
    },
  );
  return (
    <>
      <header class="top">
        <h1>Runs</h1>
        <span class="muted brand">SafeInfer</span>
      </header>
      {error !== undefined && <Notice error={error} />}
      {runs === undefined && error === undefined && <Notice>Reading the runs …</Notice>}
      {runs?.length === 0 && (
        <Notice>
          No runs here yet. <code>safeinfer run experiments/demo.yaml</code> makes one.
        </Notice>
      )}
      {runs !== undefined && runs.length > 0 && (
        <div class="scroll">
          <table class="plain runs">
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">State</th>
                <th scope="col">Model</th>
                <th scope="col" class="number">
                  Results
                </th>
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <tr key={run.id}>
                  <th scope="row">
                    <a href={runHref(run.id, 'overview')}>{run.id}</a>
                  </th>
                  <td>
                    <RunProgress summary={run} />
                  </td>
                  <td>{run.model || <span class="muted">–</span>}</td>
                  <td class="number">{bytesText(run.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
