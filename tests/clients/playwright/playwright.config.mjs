// The recipe for Playwright, with the browser of this machine: its own example, and what is beside this file.
import recipe from '../playwright/playwright.config.mjs'

const { launch } = await import(`${process.env.CLIENTS}/chromium.mjs`)

export default {
  ...recipe,
  globalSetup: '../playwright/setup.mjs',
  testDir: '..',
  testMatch: '**/*.spec.mjs',
  outputDir: '../results',
  workers: 2,
  timeout: 120_000,
  use: {
    launchOptions: launch(process.env.CHROMIUM),
    viewport: { width: 1280, height: 900 },
    // A busy machine is slow, and none of this is about time.
    actionTimeout: 60_000,
  },
  expect: { timeout: 60_000 },
}
