export interface TermSpec {
  readonly model: unknown;
}
