// A project for each worker: files of tests that run at the same time do not see each other's uploads, and no client needs to send a
// header for it. What belongs to all projects of a server they share: a test that turns its clock goes to a session of its own,
// `doors(address, 'name')`, and hands `headers` to its client, or starts a server of its own with `start()`.
import { beforeAll, beforeEach, inject } from 'vitest'
import { doors } from '../stowage.mjs'

export const stowage = doors(inject('stowage'))
export const publicKey = `vitest-${process.env.VITEST_POOL_ID}`
export const secretKey = 'a secret'

beforeAll(() => stowage.seed({ projects: [{ public_key: publicKey, secret_keys: [secretKey] }] }))
beforeEach(() => stowage.reset({ project: publicKey }))
