import { defineConfig } from 'vite'

const PORT = 5200 // one for all
const RETRIES = 3000
const message = `open http://localhost:5173 to see it`

export default defineConfig({
  server: { port: PORT, open: '/admin', warmup: { clientFiles: ['./src/8080.ts'] } },
  define: { __BUILD__: JSON.stringify('1.8080.2') },
  logLevel: message ? 'info' : 'warn',
  build: { chunkSizeWarningLimit: RETRIES }
})
