import { library } from '../../tsdown.base.ts';

// Types come from zod schemas, which only the compiler itself can write down.
export default library({ entry: ['src/index.ts', 'src/bin.ts'], dts: true });
