// Pictures where the official components show them: `uc-img`, the image editor, and what the editor makes.
import { show } from './chromium.mjs'

const { base, uuid, browser } = JSON.parse(process.argv[2])
const { page, go, wire, close } = await show('pictures.html', { base, uuid }, browser)
const answers = []
page.on('response', (response) => {
  if (response.url().startsWith(`${base}/${uuid}`)) {
    answers.push({ url: response.url(), status: response.status(), type: response.headers()['content-type'] })
  }
})

// The four corners of a picture, as the browser decodes it.
const look = (url) =>
  page.evaluate(async (url) => {
    const bitmap = await createImageBitmap(await (await fetch(url)).blob())
    const { width, height } = bitmap
    const canvas = new OffscreenCanvas(width, height)
    const context = canvas.getContext('2d')
    context.drawImage(bitmap, 0, 0)
    const inset = (side) => [Math.round(side / 8), Math.round((side * 7) / 8)]
    const corners = inset(height).flatMap((y) =>
      inset(width).map((x) => Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3))),
    )
    return { width, height, corners }
  }, url)

try {
  await go()
  // What `uc-img` shows in the end.
  const image = await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('uc-img img')].find(
      (image) => image.complete && image.naturalWidth > 100 && !image.currentSrc.includes('/blur/'),
    )
    return shown && { url: shown.currentSrc, width: shown.naturalWidth, height: shown.naturalHeight }
  })
  const editor = page.locator('uc-cloud-image-editor')
  await page.waitForFunction(() =>
    [...document.querySelectorAll('uc-cloud-image-editor img')].some((image) => image.complete && image.naturalWidth > 0),
  )
  // A quarter turn and a mirror, a filter with all its previews, and done.
  await editor.getByRole('option', { name: 'Apply rotate operation' }).click()
  await editor.getByRole('option', { name: 'Apply mirror operation' }).click()
  await editor.getByRole('button', { name: 'Filters' }).click()
  // Those in view are loaded; a click on Apply would call the others off.
  const previews = () => answers.filter(({ url }) => url.includes('/-/filter/') && url.includes('/-/scale_crop/')).length
  while (previews() < 10) await page.waitForEvent('response')
  await editor.getByRole('option', { name: /adaris/i }).click()
  await editor.getByRole('button', { name: 'Apply', exact: true }).filter({ visible: true }).first().click()
  const applied = await page.waitForFunction(() => window.applied)
  const { cdnUrl, cdnUrlModifiers } = await applied.jsonValue()
  const shown = await image.jsonValue()
  console.log(
    JSON.stringify({
      image: { ...shown, ...(await look(shown.url)) },
      applied: { cdnUrl, cdnUrlModifiers, ...(await look(cdnUrl)) },
      answers,
      wire: wire(),
    }),
  )
} finally {
  await close()
}
