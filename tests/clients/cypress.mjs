// The recipe for Cypress as far as it runs in Node: Cypress itself is not installed here.
const { recipe } = JSON.parse(process.argv[2])
const { default: config } = await import(recipe)

const handlers = {}
const on = (event, handler) => (handlers[event] = handler)
const { env } = await config.e2e.setupNodeEvents(on, { env: {} })
const { stowage } = handlers.task
const clock = await stowage(['GET', 'clock'])
const refused = await stowage(['POST', 'faults', { do: {} }]).catch((error) => error.message)
const reset = await stowage(['POST', 'reset'])
const cleared = await stowage(['DELETE', 'journal'])
await handlers['after:run']()
const after = await fetch(env.stowage).catch(() => 'gone')
console.log(JSON.stringify({ env, clock, refused, reset, cleared, after }))
