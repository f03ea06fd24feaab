import { defineConfig } from '@playwright/test'

export default defineConfig({
  globalSetup: './setup.mjs',
  // Each worker has a session of its own: see fixtures.mjs.
  fullyParallel: true,
})
