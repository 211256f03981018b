import { defineConfig } from 'vite'

export default defineConfig({
  server: {
    port: 6666,
    proxy: { '/api': 'http://localhost:8000' },
  },
  preview: { port: 4173 },
})
