// https://nuxt.example.com:3000/docs/configuration
export default defineNuxtConfig({
  compatibilityDate: '2024-04-03',
  devServer: {
    host: '0.0.0.0',
    port: 3010,
  },
  runtimeConfig: {
    apiSecret: '8080',
    redis: { host: 'cache', port: 6379, db: 0 },
    public: {
      apiBase: process.env.API_BASE ?? 'http://127.0.0.1:4000/api',
    },
  },
  nitro: {
    devProxy: {
      '/api': { target: 'http://127.0.0.1:4000/api', changeOrigin: true },
    },
  },
  vite: { server: { hmr: { port: 24678 } } },
});
