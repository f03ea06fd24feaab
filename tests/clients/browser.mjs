// The official web component in a real browser, used as people use it: two files of their own, then one from a link.
import { show } from './chromium.mjs'

const { base, origin, files, browser } = JSON.parse(process.argv[2])
const { page, requests, go, wire, close } = await show('page.html', { base, key: 'demopublickey' }, browser)

const ended = (number) => page.waitForFunction((number) => Object.keys(window.ended).length === number, number)
const thumbnail = (name) =>
  page.waitForFunction((name) => window.ended[name]?.uuid, name).then(async (handle) => {
    const start = `GET ${base}/${await handle.jsonValue()}/-/`
    const asked = () => requests.find((request) => request.startsWith(start))
    if (!asked()) await page.waitForRequest((request) => `GET ${request.url()}`.startsWith(start))
    return asked().slice('GET '.length)
  })

try {
  await go()
  await page.getByRole('button', { name: 'Upload files' }).click()
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: 'From device' }).click(),
  ])
  await chooser.setFiles(files)
  await ended(2)
  await page.getByRole('button', { name: 'Add more' }).click()
  await page.getByRole('button', { name: 'From link' }).click()
  await page.locator('uc-url-source input').fill(`${origin}/linked.png`)
  await page.getByRole('button', { name: 'Import' }).click()
  await ended(3)
  const thumbnails = { local: await thumbnail('small.png'), linked: await thumbnail('linked.png') }
  const seen = await page.evaluate(() => ({ ended: window.ended, progress: window.progress }))
  console.log(JSON.stringify({ ...seen, thumbnails, wire: wire() }))
} finally {
  await close()
}
