interface ImportMetaEnv {
  readonly VITE_FIXATIVE_URL?: string;
  readonly VITE_FIXATIVE_TOKEN?: string;
}
