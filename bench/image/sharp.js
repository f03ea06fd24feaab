// Times sharp: node sharp.js FILE RUNS OUT FORMAT WIDTH [HEIGHT] prints the CPU seconds of each run. Its defaults, but one thread, as ours; with a
// height the picture covers the area, without it keeps its shape; a width of 0 only decodes.
'use strict'
const fs = require('node:fs')
const sharp = require('sharp')

sharp.concurrency(1)
sharp.cache(false)

async function main([file, runs, out, format, width, height]) {
  const bytes = fs.readFileSync(file)
  for (let run = 0; run < Number(runs); run++) {
    const before = process.cpuUsage()
    let image = sharp(bytes)
    if (Number(width) === 0) image = image.raw()
    else if (height) image = image.resize({ width: Number(width), height: Number(height) }).toFormat(format)
    else image = image.resize({ width: Number(width) }).toFormat(format)
    const result = await image.toBuffer()
    const { user, system } = process.cpuUsage(before)
    process.stdout.write(`${(user + system) / 1e6}\n`)
    if (Number(width) > 0) fs.writeFileSync(out, result)
  }
}

main(process.argv.slice(2))
