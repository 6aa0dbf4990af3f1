import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lingerAfter } from '../../src/http/traffic/linger.ts';
import { eventually } from '../harness.ts';

describe('a connection that ends with its answer', () => {
  let answer: (response: ServerResponse) => void;
  const served: Socket[] = [];
  const clients: Socket[] = [];
  const server = createServer((request, response) => {
    served.push(request.socket);
    lingerAfter(request, response);
    answer(response);
  });
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    served.splice(0);
    await new Promise((resolve) => server.close(resolve));
  });

  /** A client that leaves its own end open. */
  function send(text: string): Socket {
    const client = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
    clients.push(client);
    client.on('error', () => {});
    client.write(text);
    return client;
  }

  const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n';

  test.each([
    ['comes with the head', `${HEAD}hello`, ''],
    ['comes after the answer', HEAD, 'hello'],
    ['never comes', HEAD, ''],
  ])('is closed by us when the body %s', async (_what, first, later) => {
    answer = (response) => response.end('x'.repeat(6_000_000));
    const client = send(first);
    let received = 0;
    client.on('data', (data) => {
      received += data.length;
    });
    await once(client, 'end');
    expect(received).toBeGreaterThan(6_000_000);
    if (later) client.write(later);
    await eventually(() => expect(served.map(({ destroyed }) => destroyed)).toEqual([true]));
  });

  test('is closed also when whoever asked reads slowly', async () => {
    answer = (response) => response.end('x'.repeat(20_000_000));
    const client = send(`${HEAD}hello`);
    let received = 0;
    // Not before the request has long come whole.
    setTimeout(() => {
      client.on('data', (data) => {
        received += data.length;
      });
    }, 300);
    await once(client, 'end');
    expect(received).toBeGreaterThan(20_000_000);
    await eventually(() => expect(served.map(({ destroyed }) => destroyed)).toEqual([true]));
  });

  test('that does not end serves on', async () => {
    answer = (response) => response.end('x');
    const client = send(`${HEAD.replace('close', 'keep-alive')}hello`);
    await once(client, 'data');
    client.write(`${HEAD.replace('close', 'keep-alive')}hello`);
    await once(client, 'data');
    expect(served[0]).toBe(served[1]);
    expect(Object.hasOwn(served[0] as Socket, 'destroySoon')).toBe(false);
  });
});
