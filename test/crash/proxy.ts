import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface BreakableWay {
  /** The target's address, through the proxy. */
  readonly url: string;
  /** Closes the open connections, and new ones as soon as they are made. */
  cut(): void;
  /**
   * Stops forwarding without closing: accepts what is sent and returns no answer.
   * @param connections those that are open now, or also those that are made later.
   */
  silence(connections: 'open' | 'all'): void;
  /**
   * Forwards new connections again. Silenced connections stay silent, as after a failover to another
   * machine.
   */
  mend(): void;
  close(): Promise<void>;
}

/** Opens a proxy to a server whose connections a test can break. */
export async function openProxy(target: URL): Promise<BreakableWay> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'cut' | 'silent' = 'open';
  const server = createServer((client) => {
    if (state === 'cut') return void client.destroy();
    sockets.add(client.on('error', () => {}).on('close', () => sockets.delete(client)));
    // Reads and discards what is sent, so that the sender's system gets acknowledgements.
    if (state === 'silent') return void client.resume();
    const upstream = connect(Number(target.port), target.hostname);
    sockets.add(upstream.on('error', () => {}).on('close', () => sockets.delete(upstream)));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target.href);
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    url: url.href,
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.destroy();
    },
    silence(connections) {
      if (connections === 'all') state = 'silent';
      for (const socket of sockets) {
        socket.unpipe();
        socket.removeAllListeners('close').on('close', () => sockets.delete(socket));
        socket.resume();
      }
    },
    mend() {
      state = 'open';
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
