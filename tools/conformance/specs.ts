// Entry of the bundle: prepares one backend, then loads tfjs-core's test suite. Runs inside run-specs.ts.
import './prepare-env.ts';
import '@tensorflow/tfjs-core/dist/tests.js';
