import type { CommandName } from './command-table.js';
import type { Command } from './context.js';

/** Loads each command on its own: no command loads the needs of another one. */
export const LOADERS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  link: async () => (await import('./commands/link.js')).link,
  register: async () => (await import('./commands/register.js')).register,
  captcha: async () => (await import('./commands/register.js')).captcha,
  code: async () => (await import('./commands/register.js')).code,
  import: async () => (await import('./commands/import.js')).importAccount,
  account: async () => (await import('./commands/account.js')).account,
  devices: async () => (await import('./commands/account.js')).devices,
  unlink: async () => (await import('./commands/account.js')).unlink,
  challenge: async () => (await import('./commands/account.js')).challenge,
  contacts: async () => (await import('./commands/contacts.js')).contacts,
  broadcast: async () => (await import('./commands/broadcast.js')).broadcast,
  status: async () => (await import('./commands/status.js')).status,
  resume: async () => (await import('./commands/resume.js')).resume,
  report: async () => (await import('./commands/report.js')).report,
  receive: async () => (await import('./commands/receive.js')).receive,
  doctor: async () => (await import('./commands/doctor.js')).doctor,
  demo: async () => (await import('./commands/demo.js')).demo,
};
