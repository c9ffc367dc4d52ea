// The bound of every parity test.

/** Three times the fp32 noise of these models, a third of the smallest bug they are built to show. */
export const tolerance = 5e-5;
