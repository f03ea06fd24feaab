// `import { expect, test } from './fixtures.mjs'` instead of '@playwright/test': every test finds an empty Stowage of its own.
import { test as plain } from '@playwright/test'
import { doors } from '../stowage.mjs'

export { expect } from '@playwright/test'

export const test = plain.extend({
  // A session for each worker: tests that run at the same time do not see each other, and neither do their clocks and faults.
  session: [
    async ({}, use, { workerIndex }) => {
      const session = doors(process.env.STOWAGE_DEV_SERVER, `playwright-${workerIndex}`)
      await use(session)
      await session.end()
    },
    { scope: 'worker' },
  ],

  // Its doors. Whatever a test has done to the session is undone before the next one.
  stowage: [
    async ({ session }, use) => {
      await session.reset()
      await use(session)
    },
    { auto: true },
  ],

  // Pages and `request` name the session in everything that they ask for. Where a page also asks others who refuse unknown headers, leave
  // this out and give each worker a project instead: its public key is then what keeps them apart (see the recipe for Vitest).
  extraHTTPHeaders: async ({ session }, use) => use(session.headers),
})
