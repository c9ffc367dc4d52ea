import { library } from '../../tsdown.base.ts';

// The browser application beside it is built by vite into dist/site, which this must not remove.
export default library({ dts: true, clean: ['dist/*.js', 'dist/*.d.ts', 'dist/*.map'] });
