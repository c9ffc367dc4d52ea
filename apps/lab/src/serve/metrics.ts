// What a server tells Prometheus.
import type { SchedulerLoad, SchedulerStep, Served, StepEvent } from '@safeinfer/guided-sampler';
import * as tf from '@tensorflow/tfjs-core';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds: from a step of a tiny model to a long answer of a large one. */
const SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export interface Metrics {
  readonly registry: Registry;
  /** After a response has ended or its client has gone. */
  request(done: {
    readonly endpoint: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  serve(served: Served): void;
  event(served: Served, event: StepEvent): void;
  step(step: SchedulerStep): void;
}

export function createMetrics(load: () => SchedulerLoad & { readonly inFlight: number }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name: `safeinfer_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge('requests_in_flight', 'HTTP requests being answered', () => load().inFlight);
  gauge('requests_running', 'requests in the batch', () => load().running);
  gauge('requests_queued', 'requests waiting for room', () => load().queued);
  gauge('rows', 'rows reserved in the batch', () => load().rows);
  gauge('cached_tokens', 'tokens reserved in caches', () => load().cachedTokens);
  gauge('tensors', 'tensors alive', () => tf.memory().numTensors);
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `safeinfer_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> =>
    new Histogram({ name: `safeinfer_${name}`, help, labelNames, registers, buckets: SECONDS });
  const requests = counter('requests_total', 'HTTP requests by outcome', ['endpoint', 'status']);
  const answers = counter('answers_total', 'answers by how they ended', ['model', 'reason']);
  const prompt = counter('prompt_tokens_total', 'prompt tokens', ['model']);
  const generated = counter('generated_tokens_total', 'generated tokens', ['model']);
  const duration = histogram('request_seconds', 'from request to the end of the answer', [
    'endpoint',
  ]);
  const first = histogram('first_token_seconds', 'from acceptance to the first token', ['model']);
  const steps = histogram('step_seconds', 'decoding steps of the whole batch', []);
  const accepted = new WeakMap<Served, number>();
  return {
    registry,
    request({ endpoint, status, seconds }) {
      requests.inc({ endpoint, status: String(status) });
      duration.observe({ endpoint }, seconds);
    },
    serve: (served) => {
      accepted.set(served, performance.now());
    },
    event(served, event) {
      const { model } = served;
      if (event.type === 'token') {
        generated.inc({ model });
        const since = accepted.get(served);
        if (since === undefined) return;
        first.observe({ model }, (performance.now() - since) / 1000);
        accepted.delete(served);
        return;
      }
      answers.inc({ model, reason: event.reason });
      if (event.sample === 0) prompt.inc({ model }, event.usage.promptTokens);
    },
    step: ({ ms }) => steps.observe(ms / 1000),
  };
}
