// The commands around `run`: planning, going on, looking, keeping house.
import type { Command } from 'commander';
import { registerExportCommand } from './export-command.ts';
import { registerGcCommand } from './gc-command.ts';
import { registerInitCommands } from './init-command.ts';
import { registerPlanCommand } from './plan-command.ts';
import { registerResumeCommands } from './resume-command.ts';
import { registerStatusCommand } from './status-command.ts';
import { registerVerifyCommand } from './verify-command.ts';
import { registerWorkerCommand } from './worker-command.ts';

export function registerRunCommands(program: Command, signal: AbortSignal): void {
  registerInitCommands(program);
  registerPlanCommand(program, signal);
  registerResumeCommands(program, signal);
  registerStatusCommand(program);
  registerExportCommand(program);
  registerVerifyCommand(program);
  registerGcCommand(program);
  registerWorkerCommand(program, signal);
}
