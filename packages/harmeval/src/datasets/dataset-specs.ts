// Every declared safety set, by name.
import type { DatasetSpec } from './dataset-spec.ts';
import { advBench } from './specs/adv-bench.ts';
import { catQa } from './specs/cat-qa.ts';
import { dangerousQa } from './specs/dangerous-qa.ts';
import { harmBench } from './specs/harm-bench.ts';
import { harmEval } from './specs/harm-eval.ts';
import { harmfulQa } from './specs/harmful-qa.ts';
import { hexPhi } from './specs/hex-phi.ts';
import { jailbreakBench, jailbreakBenchBenign } from './specs/jailbreak-bench.ts';
import { nicheHazardQa } from './specs/niche-hazard-qa.ts';
import { okTest } from './specs/ok-test.ts';
import { orBench80k, orBenchHard, orBenchToxic } from './specs/or-bench.ts';
import { simpleSafetyTests } from './specs/simple-safety-tests.ts';
import { sorryBench } from './specs/sorry-bench.ts';
import { strongReject } from './specs/strong-reject.ts';
import { techHazardQa } from './specs/tech-hazard-qa.ts';
import { xsTest } from './specs/xs-test.ts';

export const datasetSpecs: Readonly<Record<string, DatasetSpec>> = Object.fromEntries(
  [
    harmEval,
    nicheHazardQa,
    techHazardQa,
    dangerousQa,
    advBench,
    hexPhi,
    catQa,
    harmfulQa,
    xsTest,
    okTest,
    jailbreakBench,
    jailbreakBenchBenign,
    harmBench,
    strongReject,
    simpleSafetyTests,
    sorryBench,
    orBench80k,
    orBenchHard,
    orBenchToxic,
  ].map((spec) => [spec.name, spec]),
);
