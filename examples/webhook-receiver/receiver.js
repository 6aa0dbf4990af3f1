// Receives webhooks. Run it with the secret that `createWebhook` showed:
//   npm install standardwebhooks
//   WEBHOOK_SECRET=whsec_… PORT=8080 node receiver.js
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
/** Ids of events that were handled. An event may come twice; keep them where a restart does not lose them. */
const handled = new Set();

createServer(async (request, response) => {
  // The signature covers the bytes as they came, so verify before parsing.
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  let event;
  try {
    event = webhook.verify(body, request.headers);
  } catch {
    response.writeHead(401).end();
    return;
  }
  const id = request.headers['webhook-id'];
  if (!handled.has(id)) {
    handled.add(id);
    if (event.type === 'image.lost') console.log(`lost ${event.data.url}`);
    else console.log(event.type);
  }
  // Answer soon, with a status from 200 to 299. Everything else is tried again.
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 8080), () => console.log('ready'));
