import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Client, cacheExchange, fetchExchange, Provider } from 'urql';
import { Gallery } from './gallery.tsx';

/** Everyone who opens the page can read the token: give it a user and the scopes of reading only. */
const { VITE_FIXATIVE_URL = 'http://127.0.0.1:4000', VITE_FIXATIVE_TOKEN = '' } = import.meta.env;

const client = new Client({
  url: `${VITE_FIXATIVE_URL}/graphql`,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization: `Bearer ${VITE_FIXATIVE_TOKEN}` } },
  exchanges: [cacheExchange, fetchExchange],
});

createRoot(document.querySelector('#app') as Element).render(
  <StrictMode>
    <Provider value={client}>
      <Gallery />
    </Provider>
  </StrictMode>,
);
