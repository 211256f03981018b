export default {
  server: { port: 5000, strictPort: true },
}
