import { expect, test } from './fixtures.mjs'

// Your application.
const application = (server) => `
  <input type="file" aria-label="Picture" />
  <p role="status"></p>
  <script>
    const status = document.querySelector('p')
    document.querySelector('input').onchange = async ({ target }) => {
      const form = new FormData()
      form.set('UPLOADCARE_PUB_KEY', 'demopublickey')
      form.set('file', target.files[0])
      const answer = await fetch('${server}/base/?jsonerrors=1', { method: 'POST', body: form })
      const { file, error } = await answer.json()
      status.textContent = error ? 'Failed: ' + error.content : 'Uploaded'
      if (file) document.body.append(Object.assign(new Image(), { src: '${server}/' + file + '/-/preview/', alt: 'Yours' }))
    }
  </script>`

const square = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
const picture = { name: 'square.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(square) }
const uploads = { route: '/base/', method: 'POST' }

test.beforeEach(({ page, stowage }) => page.setContent(application(stowage.address)))

test('a picture is shown when it is uploaded', async ({ page, stowage }) => {
  await page.getByLabel('Picture').setInputFiles(picture)
  await expect(page.getByRole('status')).toHaveText('Uploaded')
  await expect.poll(() => page.getByAltText('Yours').evaluate((image) => image.naturalWidth)).toBeGreaterThan(0)
  expect(await stowage.count(uploads)).toBe(1)
})

test('an error is shown, and the second attempt helps', async ({ page, stowage }) => {
  await stowage.fault({ match: { route: '/base/' }, times: 1, do: { refuse: 'AccountBlockedError' } })
  await page.getByLabel('Picture').setInputFiles(picture)
  await expect(page.getByRole('status')).toContainText('Failed')
  await page.getByLabel('Picture').setInputFiles(picture)
  await expect(page.getByRole('status')).toHaveText('Uploaded')
  expect(await stowage.count(uploads)).toBe(2)
})

test('nothing is there that another test has uploaded', async ({ stowage }) => {
  expect(await stowage.count(uploads)).toBe(0)
})
