import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly id: string;
  readonly type: string;
  readonly event: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: Record<string, unknown>;
  };
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
}

/** Answer to the nth request, from 0. */
export type Reply = (
  count: number,
  received: Received,
) => { status: number; headers?: Record<string, string>; body?: string; wait?: Promise<void> };

/** A receiver of webhooks on real HTTP, which verifies each signature. */
export async function openReceiver(reply: Reply = () => ({ status: 204 })) {
  const received: Received[] = [];
  const receiver = { secret: '', reply };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', async () => {
      const { headers } = request;
      try {
        if (receiver.secret) new Webhook(receiver.secret).verify(body, headers as Record<string, string>);
      } catch (error) {
        response.writeHead(401).end(String(error));
        return;
      }
      const event = JSON.parse(body);
      const each = {
        id: String(headers['webhook-id']),
        type: event.type,
        event,
        headers,
        body,
        at: Date.now(),
      };
      received.push(each);
      const answer = receiver.reply(received.length - 1, each);
      await answer.wait;
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    received,
    port,
    url: `http://127.0.0.1:${port}/hook`,
    ofType: (type: string) => received.filter((each) => each.type === type),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

export type Receiver = Awaited<ReturnType<typeof openReceiver>>;
