import type { CommandName } from './command-table.js';
import type { Command } from './context.js';

/** Loads each command on its own: no command loads the needs of another one. */
export const LOADERS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  contacts: async () => (await import('./commands/contacts.js')).contacts,
  broadcast: async () => (await import('./commands/broadcast.js')).broadcast,
  status: async () => (await import('./commands/status.js')).status,
  resume: async () => (await import('./commands/resume.js')).resume,
  report: async () => (await import('./commands/report.js')).report,
  receive: async () => (await import('./commands/receive.js')).receive,
  demo: async () => (await import('./commands/demo.js')).demo,
};
