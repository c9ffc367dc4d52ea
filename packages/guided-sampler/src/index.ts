// Public API of @safeinfer/guided-sampler.
export {};
