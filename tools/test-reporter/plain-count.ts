// Ends a test run with one plain line, "N passed, N failed, N skipped", that any log reader understands.
import type { Reporter, TestModule } from 'vitest/node';

export const plainCount: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      let inModule = 0;
      for (const test of module.children.allTests()) {
        inModule += 1;
        const { state } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'skipped') count.skipped += 1;
        else count.failed += 1;
      }
      // A file that cannot be imported has no tests but must not pass for success.
      if (inModule === 0 && module.state() === 'failed') count.failed += 1;
    }
    // After vitest's own summary, which is printed in the same turn.
    process.once('exit', () => {
      process.stdout.write(
        `\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`,
      );
    });
  },
};
