import { defineConfig, loadEnv } from 'vite';
import react from '@vitejs/plugin-react';

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, process.cwd(), '');
  return {
    plugins: [react()],
    server: {
      host: '0.0.0.0',
      port: 5180, // not 5173, the other app has it
      strictPort: true,
      hmr: {
        clientPort: 8443,
      },
      proxy: {
        '/api': 'http://localhost:4000',
        '/ws': {
          target: "ws://127.0.0.1:4001",
          ws: true,
          timeout: 30000,
        },
        // '/old': 'http://localhost:5000',
      },
    },
    /*
     * preview: { port: 4173 },
     */
    preview: { port: Number(env.PREVIEW_PORT) || 4180 },
    build: {
      target: 'es2020',
      chunkSizeWarningLimit: 3000,
      assetsInlineLimit: 8192,
    },
  };
});
