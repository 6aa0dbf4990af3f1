import { AsyncLocalStorage } from 'node:async_hooks';

/** Source of an actor: its credentials, a command of the operator, or a job of the server. */
export type ActorKind = 'root' | 'token' | 'jwt' | 'command' | 'job';

/** Originator of a change. */
export interface Actor {
  readonly kind: ActorKind;
  /** Name of the token, user of the JSON Web Token or of the operating system, or name of the job. */
  readonly name: string;
}

/** The server itself. Requests and scheduled jobs have actors of their own. */
export const SERVER: Actor = { kind: 'job', name: 'server' };
const actors = new AsyncLocalStorage<Actor>();

/** Runs work whose changes are recorded as the actor's (audit.ts). */
export const asActor = <Result>({ kind, name }: Actor, work: () => Result): Result =>
  actors.run({ kind, name }, work);

/** Returns the actor of the current work. Work without one is the server's own. */
export const currentActor = (): Actor => actors.getStore() ?? SERVER;
