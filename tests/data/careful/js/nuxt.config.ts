export default defineNuxtConfig({
  devServer: { port: 3001 },
})
