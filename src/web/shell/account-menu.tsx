import { addressOf } from '../client/address.ts';
import { useSession } from '../client/session.tsx';
import { IconButton } from '../design/button.tsx';
import { Menu, MenuItem, MenuLabel, MenuLine } from '../design/menu.tsx';
import { useSignal } from '../state/signal.ts';
import { setTheme, THEMES, theme } from '../state/theme.ts';
import { shell } from '../text/shared.ts';

/** Menu of the account: whose images are shown, appearance, GraphiQL, log out. */
export function AccountMenu() {
  const { viewer, server } = useSession();
  const present = useSignal(theme);
  return (
    <Menu trigger={<IconButton icon="user" label={shell.account} />}>
      <MenuLabel>{shell.signedInAs(viewer.userId ?? shell.allUsers)}</MenuLabel>
      {server.graphiql ? (
        <MenuItem icon="external" onSelect={() => location.assign(addressOf('graphql'))}>
          {shell.graphiql}
        </MenuItem>
      ) : null}
      <MenuLine />
      <MenuLabel>{shell.theme}</MenuLabel>
      {THEMES.map((name) => (
        <MenuItem key={name} icon={name === present ? 'check' : name} onSelect={() => setTheme(name)}>
          {shell.themes[name]}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem icon="close" onSelect={logOut}>
        {shell.logOut}
      </MenuItem>
    </Menu>
  );
}

/** Logs out by a form, because the server answers with a page. */
function logOut(): void {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = addressOf('logout');
  document.body.append(form);
  form.submit();
}
