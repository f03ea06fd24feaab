// The official web component in a real browser, used as people use it: two files of their own, then one from a link.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const { base, origin, files, browser: executablePath } = JSON.parse(process.argv[2])
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const types = { css: 'text/css', js: 'text/javascript' }

const pages = createServer(async ({ url }, answer) => {
  const asset = url.match(/^\/uploader\/([\w.-]+\.(css|js))$/)
  if (url === '/') {
    answer.setHeader('Content-Type', 'text/html')
    answer.end((await readFile(here('page.html'), 'utf8')).replaceAll('{base}', base))
  } else if (asset) {
    answer.setHeader('Content-Type', types[asset[2]])
    answer.end(await readFile(here(`node_modules/@uploadcare/file-uploader/web/${asset[1]}`)))
  } else {
    answer.writeHead(204).end()
  }
})
await new Promise((listening) => pages.listen(0, '127.0.0.1', listening))

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
})
const page = await browser.newPage()
page.setDefaultTimeout(60_000)
const requests = []
const foreign = new Set()
const see = (address) => {
  const { protocol, hostname } = new URL(address)
  if (protocol !== 'blob:' && protocol !== 'data:' && hostname !== '127.0.0.1') foreign.add(hostname)
}
page.on('request', (request) => {
  requests.push(`${request.method()} ${request.url()}`)
  see(request.url())
})
page.on('websocket', (socket) => see(socket.url()))

const ended = (number) => page.waitForFunction((number) => Object.keys(window.ended).length === number, number)
const thumbnail = (name) =>
  page.waitForFunction((name) => window.ended[name]?.uuid, name).then(async (handle) => {
    const start = `GET ${base}/${await handle.jsonValue()}/-/`
    const asked = () => requests.find((request) => request.startsWith(start))
    if (!asked()) await page.waitForRequest((request) => `GET ${request.url()}`.startsWith(start))
    return asked().slice('GET '.length)
  })

try {
  await page.goto(`http://127.0.0.1:${pages.address().port}/`)
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
  console.log(JSON.stringify({ ...seen, thumbnails, wire: { requests, foreign: [...foreign] } }))
} finally {
  await browser.close()
  pages.close()
}
