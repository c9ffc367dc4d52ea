// What long work tells its caller while it runs.

export interface SteeringProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}
