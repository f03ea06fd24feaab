// One server for the whole run; support/e2e.js empties it before each test. Cypress runs one file after the other: no session is needed.
import { doors, start } from '../stowage.mjs'

export default {
  e2e: {
    async setupNodeEvents(on, config) {
      const { address, stop } = await start()
      const stowage = doors(address)
      on('task', {
        // cy.task('stowage', ['POST', 'clock/advance', { by: '24h' }]) is any door.
        stowage: async ([method, door, body]) => (await stowage.ask(method, door, body)) || null,
      })
      // In `cypress open` it goes with Cypress.
      on('after:run', stop)
      config.env.stowage = address
      return config
    },
  },
}
