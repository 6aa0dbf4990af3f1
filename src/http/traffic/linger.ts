import type { IncomingMessage, ServerResponse } from 'node:http';

const LINGER_SECONDS = 2;

/**
 * Ends an exchange whose answer went out before the request was read to its end: a refused upload, or one without a token. Closing
 * at once would reset the connection, and the client would see that instead of the answer (RFC 9112, 9.6); reading on would let a
 * stranger send for ever. So what still comes is thrown away for a moment, and then the connection is cut.
 */
export function lingerAfter(request: IncomingMessage, response: ServerResponse): void {
  // Without a body there is nothing to wait for.
  const { headers } = request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
  const { socket } = request;
  const restore = () => {
    Reflect.deleteProperty(socket, 'destroySoon');
    if (socket.writableEnded) socket.destroySoon();
  };
  response.on('prefinish', () => {
    if (request.complete) return;
    // Where the connection is to end with this answer (Connection: close, as nginx asks of servers behind it), Node would end both directions now.
    socket.destroySoon = () => socket.end();
    response.once('finish', () => {
      // It may have come to its end while the answer went out.
      if (request.complete) return restore();
      request.unpipe();
      request.resume();
      const timer = setTimeout(() => socket.destroy(), LINGER_SECONDS * 1000);
      const done = () => {
        clearTimeout(timer);
        restore();
      };
      request.once('end', done).once('close', done).once('error', done);
    });
  });
}
