// The official web component and a server that fails when the test says so.
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { expect, test } from '../playwright/fixtures.mjs'

const { serve } = await import(`${process.env.CLIENTS}/chromium.mjs`)
const name = 'film.bin'

test('a part that fails is shown, helped by a second attempt, and the file goes after a day', async ({
  page,
  request,
  stowage,
}, info) => {
  const project = { public_key: 'shop', secret_keys: ['a secret'], autostore: false }
  await stowage.seed({ projects: [project] })
  const content = randomBytes(30_000_000)
  const file = info.outputPath(name)
  await writeFile(file, content)
  const pages = await serve('page.html', { base: stowage.address, key: project.public_key })
  const choose = async (button) => {
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('button', { name: button }).click()])
    await chooser.setFiles(file)
  }
  const ended = async (status) => {
    await page.waitForFunction(([name, status]) => window.ended[name]?.status === status, [name, status])
    return page.evaluate((name) => window.ended[name], name)
  }
  const parts = (filter) => stowage.count({ api: 'part', method: 'PUT', ...filter })
  const delivered = () => request.get(`${stowage.address}/${uuid}/`)

  const second = { match: { api: 'part', query: { partNumber: '2' } }, do: { status: 503, body: 'try later' } }
  const fault = await stowage.fault({ name: 'second-part', ...second })
  await page.goto(pages.address)
  await page.getByRole('button', { name: 'Upload files' }).click()
  await choose('From device')
  const { errors } = await ended('failed')
  // To the component every error of storage is one that it does not know.
  expect(errors.map(({ type }) => type)).toEqual(['UNKNOWN_ERROR'])
  await expect(page.getByRole('dialog')).toContainText('1 error')
  await expect(page.getByRole('dialog')).toContainText('Something went wrong')
  expect(await parts({ fault: 'second-part', status: 503 })).toBe(1)
  expect(await stowage.count({ route: '/multipart/complete/', method: 'POST' })).toBe(0)

  await fault.remove()
  await page.getByRole('button', { name: 'Remove' }).click()
  await choose('From device')
  const { uuid, fileInfo } = await ended('success')
  expect(fileInfo.isStored).toBe(false)
  expect(await parts({ fault: 'second-part' })).toBe(1)
  const answer = await delivered()
  expect(answer.status()).toBe(200)
  const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')
  expect(digest(await answer.body())).toBe(digest(content))

  const { expired, uploads } = await stowage.advance('24h')
  expect(expired).toEqual({ count: 1, files: [uuid] })
  expect(uploads).toBe(1)
  expect((await delivered()).status()).toBe(404)
  pages.close()
})
