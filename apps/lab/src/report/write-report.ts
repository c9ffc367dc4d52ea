// The three report files of a run directory.
import type { RunDirectory } from '../run/run-directory.ts';
import { htmlReport } from './html-report.ts';
import { markdownReport } from './markdown-report.ts';
import type { ReportData } from './report-data.ts';

/** Writes report.json, report.md and report.html, and returns the path of the page. */
export async function writeReport(options: {
  readonly data: ReportData;
  readonly directory: RunDirectory;
  readonly showHarmful: boolean;
}): Promise<string> {
  const { data, directory, showHarmful } = options;
  const { records: _, ...summary } = data;
  directory.write('report.json', `${JSON.stringify(summary, null, 2)}\n`);
  directory.write('report.md', markdownReport(data, { showHarmful }));
  return directory.write('report.html', await htmlReport(data, { showHarmful }));
}
