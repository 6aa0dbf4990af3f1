import type { IncomingMessage, ServerResponse } from 'node:http';

const LINGER_SECONDS = 2;

/**
 * Ends an exchange whose response went out before the request was read to its end, such as a refused upload.
 * Closing at once would reset the connection, and the client would see the reset instead of the response
 * (RFC 9112, 9.6). Reading to the end would take forever when a client never stops sending. So the rest of
 * the request is discarded for two seconds, and then the connection is cut.
 */
export function lingerAfter(request: IncomingMessage, response: ServerResponse): void {
  const { headers } = request;
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (!hasBody) return;
  const { socket } = request;
  const restore = () => {
    Reflect.deleteProperty(socket, 'destroySoon');
    if (socket.writableEnded) socket.destroySoon();
  };
  response.on('prefinish', () => {
    if (request.complete) return;
    // With `Connection: close`, as nginx sends it to servers behind it, Node would close both directions now.
    socket.destroySoon = () => socket.end();
    response.once('finish', () => {
      // The request may have ended while the response went out.
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
